"""Uploads that come in one request: each is the upload of the same files sent in pieces, or leaves nothing."""

import contextlib

import pytest

from reward_service.teaching.allowed_folders import IntakeError, resolve
from reward_service.teaching.declarations import Declaration, OffsetError, TooLargeError
from reward_service.teaching.uploads import Uploads
from tests.teaching.upload_disk import CONTENTS, Disk, declared, send
from tests.teaching.upload_disk import disk as disk


def received(uploads: Uploads, contents: dict[str, bytes], step: int = 12, promised: int = 10_000) -> Declaration:
    with contextlib.closing(uploads.receive(promised)) as receiving:
        for name, data in contents.items():
            receiving.begin(name)
            receiving.write(data[:5])
            receiving.write(data[5:])
            receiving.end()
        return receiving.keep("math", step)


def test_what_came_in_one_go_is_the_upload_of_the_same_files(disk: Disk) -> None:
    kept = received(disk.uploads, CONTENTS)
    assert kept == declared(CONTENTS)
    assert disk.uploads.state(kept.id).path == kept.path
    assert resolve(disk.root, kept.path).joinpath("config.json").read_bytes() == CONTENTS["config.json"]
    assert received(disk.uploads, CONTENTS).path == kept.path
    assert disk.names() == {kept.folder}


def test_one_go_overtakes_a_resumable_one(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    send(disk.uploads, upload, "config.json", CONTENTS["config.json"])
    received(disk.uploads, CONTENTS)
    assert disk.uploads.state(upload).path is not None
    with pytest.raises(OffsetError) as refused:
        send(disk.uploads, upload, "model.safetensors", CONTENTS["model.safetensors"])
    assert refused.value.offset == 3000


@pytest.mark.parametrize(
    ("contents", "promised", "kind", "words"),
    [
        ({}, 100, IntakeError, "no file"),
        ({"model.bin": b"{}"}, 100, IntakeError, "not taken"),
        (CONTENTS, 3022, TooLargeError, "3022 bytes that were promised"),
    ],
)
def test_what_is_refused_in_one_go_leaves_nothing(
    disk: Disk, contents: dict[str, bytes], promised: int, kind: type[IntakeError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        received(disk.uploads, contents, promised=promised)
    assert disk.names() == set()


def test_a_file_comes_once(disk: Disk) -> None:
    with contextlib.closing(disk.uploads.receive(1000)) as receiving:
        receiving.begin("config.json")
        receiving.end()
        with pytest.raises(IntakeError, match="twice"):
            receiving.begin("config.json")
