"""Uploads on the disk: what is kept, what is refused, and that nothing of it depends on a process."""

import contextlib
import hashlib
import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_service.teaching.declarations import (
    MAX_FILES,
    Declaration,
    DeclaredFile,
    FullError,
    NoRoomError,
    OffsetError,
    TooLargeError,
    UnknownUploadError,
    UploadBusyError,
    UploadState,
)
from reward_service.teaching.intake import IntakeError, resolve
from reward_service.teaching.uploads import Bounds, Uploads

ROOMY = Bounds(10**9, 10**9, 100.0)


def safetensors(size: int, seed: int = 0) -> bytes:
    """Bytes that begin as the format does."""
    return (2).to_bytes(8, "little") + b"{}" + random.Random(seed).randbytes(size - 10)


CONTENTS = {"model.safetensors": safetensors(3000), "config.json": b'{"model_type": "llama"}'}


def declared(contents: dict[str, bytes], run: str = "math", step: int = 12) -> Declaration:
    files = [DeclaredFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    return Declaration(run, step, tuple(files))


@dataclass
class Disk:
    """A root whose clock and free bytes are told."""

    root: Path
    bounds: Bounds = ROOMY
    ahead_s: float = 0.0
    free: int = 10**9
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = self.another()

    def another(self) -> Uploads:
        """As another process has it."""
        return Uploads(self.root, self.bounds, self._clock_s, lambda _: self.free)

    def names(self) -> set[str]:
        return {path.name for path in (self.root / "uploads").iterdir()} - {".lock"}

    def _clock_s(self) -> float:
        return max(path.stat().st_mtime for path in [self.root, *self.root.rglob("*")]) + self.ahead_s


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def send(uploads: Uploads, upload: str, name: str, data: bytes, offset: int = 0) -> int:
    with contextlib.closing(uploads.write(upload, name, offset)) as writer:
        writer.write(data)
        uploads.check(upload, writer)
        return writer.offset


def sent(uploads: Uploads, contents: dict[str, bytes], step: int = 12) -> UploadState:
    state = uploads.declare(declared(contents, step=step))
    for name, data in contents.items():
        send(uploads, state.declaration.id, name, data)
    return uploads.state(state.declaration.id)


def test_what_is_whole_appears_at_once_and_is_what_was_sent(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    send(disk.uploads, upload, "config.json", CONTENTS["config.json"])
    send(disk.uploads, upload, "model.safetensors", CONTENTS["model.safetensors"][:2000])
    state = disk.uploads.state(upload)
    assert (state.received_F, state.path) == ((2000, 23), None)
    assert disk.names() == {f".math.step-12.{upload}"}
    with pytest.raises(IntakeError, match="hidden"):
        resolve(disk.root, f"uploads/.math.step-12.{upload}")
    send(disk.uploads, upload, "model.safetensors", CONTENTS["model.safetensors"][2000:], 2000)
    state = disk.uploads.state(upload)
    assert state.received_F == (3000, 23)
    assert state.path == f"uploads/math.step-12.{upload}"
    assert disk.names() == {f"math.step-12.{upload}"}
    folder = resolve(disk.root, state.path)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."} == CONTENTS


@given(cuts=st.lists(st.integers(0, 3000), max_size=8), seed=st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_any_way_of_cutting_it_gives_the_same_file(tmp_path_factory: pytest.TempPathFactory, cuts, seed) -> None:
    disk = Disk(tmp_path_factory.mktemp("root"))
    contents = {"model.safetensors": safetensors(3000, seed)}
    declaration = declared(contents)
    places = [0, *sorted(cuts), 3000]
    for begin, end in pairwise(places):
        uploads = disk.another()  # whichever replica is asked
        assert uploads.declare(declaration).received_F == (begin,)
        send(uploads, declaration.id, "model.safetensors", contents["model.safetensors"][begin:end], begin)
    path = disk.uploads.state(declaration.id).path
    assert path is not None
    assert resolve(disk.root, path).joinpath("model.safetensors").read_bytes() == contents["model.safetensors"]


def test_the_same_declaration_is_the_same_upload_in_any_order_of_files(disk: Disk) -> None:
    declaration = declared(CONTENTS)
    upload = disk.uploads.declare(declaration).declaration.id
    send(disk.uploads, upload, "model.safetensors", CONTENTS["model.safetensors"][:7])
    turned = replace(declaration, files=declaration.files[::-1])
    assert dict(zip(("model.safetensors", "config.json"), disk.another().declare(turned).received_F, strict=True)) == {
        "model.safetensors": 7, "config.json": 0
    }  # fmt: skip
    others = [declared(CONTENTS, run="dapo"), declared(CONTENTS, step=13), declared(CONTENTS | {"a.safetensors": b"x"})]
    assert len({upload, *(other.id for other in others)}) == 4


def test_a_whole_upload_stays_what_it_is(disk: Disk) -> None:
    state = sent(disk.uploads, CONTENTS)
    again = disk.uploads.declare(state.declaration)
    assert (again.path, again.received_F) == (state.path, (3000, 23))
    assert send(disk.uploads, state.declaration.id, "model.safetensors", b"", 3000) == 3000
    with pytest.raises(OffsetError) as refused:
        send(disk.uploads, state.declaration.id, "model.safetensors", b"x", 0)
    assert refused.value.offset == 3000
    with pytest.raises(TooLargeError):
        send(disk.uploads, state.declaration.id, "model.safetensors", b"x", 3000)


@pytest.mark.parametrize("offset", [0, 6, 8, 3000, 10**12])
def test_bytes_that_do_not_follow_are_refused_with_the_right_offset(disk: Disk, offset: int) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    send(disk.uploads, upload, "model.safetensors", CONTENTS["model.safetensors"][:7])
    with pytest.raises(OffsetError, match=r"7 bytes of model\.safetensors") as refused:
        disk.uploads.write(upload, "model.safetensors", offset)
    assert refused.value.offset == 7
    assert disk.uploads.state(upload).received_F == (7, 0)


def test_more_than_was_declared_is_refused_and_what_was_right_is_kept(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    with contextlib.closing(disk.uploads.write(upload, "config.json", 0)) as writer:
        writer.write(CONTENTS["config.json"][:20])
        with pytest.raises(TooLargeError, match="declared with 23 bytes"):
            writer.write(b"1234")
    assert disk.uploads.state(upload).received_F == (0, 20)


def test_a_wrong_checksum_discards_the_file(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    spoilt = safetensors(3000, seed=1)
    with pytest.raises(IntakeError, match=r"model\.safetensors has SHA-256 .* discarded"):
        send(disk.uploads, upload, "model.safetensors", spoilt)
    assert disk.uploads.state(upload).received_F == (0, 0)
    assert sent(disk.uploads, CONTENTS).path is not None


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
    with contextlib.closing(disk.uploads.receive(1000)) as receiving:
        receiving.begin("model.safetensors")
        receiving.write(data)
        with pytest.raises(IntakeError, match="not in the safetensors format"):
            receiving.end()


def test_one_writes_a_file_at_a_time(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    with contextlib.closing(disk.uploads.write(upload, "model.safetensors", 0)) as writer:
        writer.write(b"x")
        with pytest.raises(UploadBusyError, match=r"model\.safetensors"):
            disk.another().write(upload, "model.safetensors", 1)
        send(disk.another(), upload, "config.json", CONTENTS["config.json"])
    disk.another().write(upload, "model.safetensors", 1).close()


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_spoil_nothing(disk: Disk, seed: int) -> None:
    contents = {f"model-{n}.safetensors": safetensors(40_000 + n, n) for n in range(3)}
    upload = disk.uploads.declare(declared(contents)).declaration.id
    failures: list[BaseException] = []

    def replica(number: int) -> None:
        chance, uploads = random.Random(f"{seed}/{number}"), disk.another()
        try:
            while uploads.state(upload).path is None:
                name = chance.choice(list(contents))
                offset = uploads.state(upload).received_F[list(contents).index(name)]
                with contextlib.suppress(OffsetError, UploadBusyError):
                    send(uploads, upload, name, contents[name][offset : offset + chance.randint(0, 9000)], offset)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=replica, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert failures == []
    folder = resolve(disk.root, disk.uploads.state(upload).path or "")
    assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == contents
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def leave_unchecked(uploads: Uploads, upload: str, data: bytes) -> None:
    """As a process does that is killed after the last byte."""
    writer = uploads.write(upload, "model.safetensors", 0)
    writer.write(data)
    writer.close()


def test_a_file_whose_checking_was_killed_is_checked_when_it_is_declared_again(disk: Disk) -> None:
    contents = {"model.safetensors": CONTENTS["model.safetensors"]}
    upload = disk.uploads.declare(declared(contents)).declaration.id
    leave_unchecked(disk.uploads, upload, contents["model.safetensors"])
    assert disk.uploads.state(upload).path is None
    assert disk.another().declare(declared(contents)).path is not None


def test_or_when_nothing_more_is_sent(disk: Disk) -> None:
    contents = {"model.safetensors": CONTENTS["model.safetensors"]}
    upload = disk.uploads.declare(declared(contents)).declaration.id
    leave_unchecked(disk.uploads, upload, contents["model.safetensors"])
    send(disk.another(), upload, "model.safetensors", b"", 3000)
    assert disk.uploads.state(upload).path is not None


def test_and_if_it_was_wrong_it_begins_anew(disk: Disk) -> None:
    contents = {"model.safetensors": CONTENTS["model.safetensors"]}
    upload = disk.uploads.declare(declared(contents)).declaration.id
    leave_unchecked(disk.uploads, upload, safetensors(3000, seed=1))
    assert disk.another().declare(declared(contents)).received_F == (0,)


def test_a_process_killed_before_the_last_renaming_is_made_up_for(disk: Disk) -> None:
    state = sent(disk.uploads, CONTENTS)
    whole = disk.root / "uploads" / f"math.step-12.{state.declaration.id}"
    whole.rename(whole.with_name(f".{whole.name}"))
    assert disk.another().declare(state.declaration).path == state.path
    assert whole.is_dir()


@pytest.mark.parametrize("whole", [False, True])
def test_an_upload_is_removed(disk: Disk, whole: bool) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    if whole:
        sent(disk.uploads, CONTENTS)
    disk.uploads.remove(upload)
    assert disk.names() == set()
    for call in (lambda: disk.uploads.remove(upload), lambda: disk.uploads.state(upload)):
        with pytest.raises(UnknownUploadError, match="POST /v1/teacher/uploads"):
            call()


def test_one_that_is_removed_while_it_comes_says_so(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    with contextlib.closing(disk.uploads.write(upload, "config.json", 0)) as writer:
        writer.write(CONTENTS["config.json"])
        disk.another().remove(upload)
        with pytest.raises(UnknownUploadError, match="declare it again"):
            disk.uploads.check(upload, writer)
    assert disk.names() == set()


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


def test_an_upload_has_a_largest_size(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Bounds(3022, 10**9, 100.0))
    for call in (lambda: disk.uploads.declare(declared(CONTENTS)), lambda: disk.uploads.receive(3023)):
        with pytest.raises(TooLargeError, match=r"3023 bytes .* CO_REWARDING_MAX_WEIGHTS_BYTES"):
            call()
    assert disk.names() == set()


def test_all_uploads_together_have_one_whole_or_promised(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Bounds(10**9, 3 * 3023, 100.0))
    sent(disk.uploads, CONTENTS, step=1)
    first = disk.uploads.declare(declared(CONTENTS, step=2))
    receiving = disk.uploads.receive(3000)
    disk.uploads.declare(declared(CONTENTS, step=2))  # the same takes nothing more
    with pytest.raises(FullError, match=r"9046 of 9069 bytes and 3023 .* CO_REWARDING_MAX_UPLOADS_BYTES"):
        disk.uploads.declare(declared(CONTENTS, step=3))
    with pytest.raises(FullError):
        disk.uploads.receive(3000)
    receiving.close()
    disk.uploads.remove(first.declaration.id)
    disk.uploads.declare(declared(CONTENTS, step=3))


def test_what_is_free_on_the_disk_must_hold_what_was_promised_too(disk: Disk) -> None:
    first = disk.uploads.declare(declared(CONTENTS, step=1)).declaration.id
    disk.free = 6045
    with pytest.raises(NoRoomError, match=r"3423 bytes are asked for and 3023 are promised .* 6045 are free"):
        disk.uploads.declare(declared(CONTENTS | {"a.safetensors": b"x" * 400}, step=2))
    send(disk.uploads, first, "model.safetensors", CONTENTS["model.safetensors"])
    disk.free = 3500
    disk.uploads.declare(declared(CONTENTS, step=2))


def test_what_lies_untouched_is_removed_and_what_comes_is_not(disk: Disk) -> None:
    idle = disk.uploads.declare(declared(CONTENTS, step=1)).declaration.id
    whole = sent(disk.uploads, CONTENTS, step=2).declaration.id
    receiving = disk.uploads.receive(100)
    for name in disk.names():
        for path in [disk.root / "uploads" / name, *(disk.root / "uploads" / name).iterdir()]:
            os.utime(path, (1000.0, 1000.0))
    assert disk.uploads.state(idle).expires_at_s == 1100.0
    moving = disk.uploads.declare(declared(CONTENTS, step=3)).declaration.id
    disk.uploads.declare(declared(CONTENTS, step=3))
    assert disk.names() == {f".math.step-3.{moving}"}
    for upload in (idle, whole):
        with pytest.raises(UnknownUploadError):
            disk.uploads.state(upload)
    receiving.close()
    disk.ahead_s = 101.0
    disk.another().sweep()
    assert disk.names() == set()


def test_whoever_declares_an_old_upload_again_finds_it(disk: Disk) -> None:
    upload = disk.uploads.declare(declared(CONTENTS)).declaration.id
    send(disk.uploads, upload, "config.json", CONTENTS["config.json"])
    disk.ahead_s = 99.0
    disk.uploads.sweep()
    assert disk.uploads.declare(declared(CONTENTS)).received_F == (0, 23)


def test_what_killed_processes_left_half_made_or_half_gone_is_swept(disk: Disk) -> None:
    disk.uploads.sweep()
    assert not (disk.root / "uploads").exists()
    disk.uploads.declare(declared(CONTENTS))
    for name in (".making.0", ".gone.0"):
        (disk.root / "uploads" / name).mkdir()
        (disk.root / "uploads" / name / "model.safetensors").write_bytes(b"x")
    disk.uploads.sweep()
    assert len(disk.names()) == 1


def test_a_folder_of_uploads_that_is_a_link_is_not_written_to(disk: Disk, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (disk.root / "uploads").symlink_to(outside)
    for call in (lambda: disk.uploads.declare(declared(CONTENTS)), lambda: disk.uploads.receive(10)):
        with pytest.raises(IntakeError, match="no link"):
            call()
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


def test_the_notes_beside_the_files_are_plain_json(disk: Disk) -> None:
    state = sent(disk.uploads, CONTENTS)
    notes = json.loads((disk.root / (state.path or "") / ".upload.json").read_bytes())
    assert (notes["run"], notes["step"], notes["files"][1]["size"]) == ("math", 12, 23)
