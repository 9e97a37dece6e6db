"""What is no upload, no file of one, or no model in safetensors is refused, and nothing is written through a link."""

from collections.abc import Callable

import pytest

from reward_service.teaching.declarations import MAX_FILES, Declaration, DeclaredFile, UnknownUploadError
from reward_service.teaching.intake import IntakeError
from tests.teaching.upload_disk import CONTENTS, Disk, declared, sent
from tests.teaching.upload_disk import disk as disk


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95\x00\x00\x00\x00\x00\x8c\x08builtins",  # a pickle
        (100).to_bytes(8, "little") + b"{}",  # a header longer than the file
        (2).to_bytes(8, "little") + b"[]",
        b"short",
    ],
)
def test_what_only_bears_the_name_of_safetensors_is_discarded(disk: Disk, data: bytes) -> None:
    with pytest.raises(IntakeError, match="not in the safetensors format"):
        sent(disk.uploads, {"model.safetensors": data})


@pytest.mark.parametrize("upload", ["", "0", "..", "../../x", "0" * 32, "0" * 31 + "\n", "lock", "A" * 32])
def test_an_id_that_was_never_given(disk: Disk, upload: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: disk.uploads.state(upload),
        lambda: disk.uploads.remove(upload),
        lambda: disk.uploads.write(upload, "model.safetensors", 0),
    ]
    for before in (True, False):
        for call in calls:
            with pytest.raises(UnknownUploadError):
                call()
        if before:
            disk.uploads.declare(declared(CONTENTS))


@pytest.mark.parametrize("name", ["other.safetensors", "../x", ".upload.json", "model.safetensors.part", ""])
def test_a_file_that_was_not_declared(disk: Disk, name: str) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    with pytest.raises(UnknownUploadError, match="no file"):
        disk.uploads.write(upload, name, 0)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no file"),
        (["model.safetensors", "model.safetensors"], "twice"),
        (["pytorch_model.bin"], "not taken"),
        (["model.pt"], "not taken"),
        (["modeling.py"], "not taken"),
        (["../model.safetensors"], "not taken"),
        (["a/model.safetensors"], "not taken"),
        ([".model.safetensors"], "not taken"),
        (["model.safetensors\n"], "not taken"),
        (["mödel.safetensors"], "not taken"),
        (["x" * 129 + ".safetensors"], "not taken"),
        (["adapter.index.json"], "not taken"),
        ([f"{n}.safetensors" for n in range(MAX_FILES + 1)], "at most 4096"),
    ],
    ids=str,
)
def test_only_the_files_of_a_model_in_safetensors_are_taken(names: list[str], words: str) -> None:
    with pytest.raises(IntakeError, match=words):
        Declaration("math", 12, tuple(DeclaredFile(name, 1, "0" * 64) for name in names))


def test_a_folder_of_uploads_that_is_a_link_is_not_written_to(disk: Disk, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (disk.root / "uploads").symlink_to(outside)
    with pytest.raises(IntakeError, match="no link"):
        disk.uploads.declare(declared(CONTENTS))
    with pytest.raises(UnknownUploadError):
        disk.uploads.state("0" * 32)
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_a_file_is_not_written_through(disk: Disk, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "victim"
    outside.write_bytes(b"")
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    (disk.root / "uploads" / f".math.step-12.{upload}" / "config.json.part").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        disk.uploads.write(upload, "config.json", 0)
    assert outside.read_bytes() == b""
