"""Uploads that come in pieces: what is kept is what was sent, and nothing of it depends on a process."""

import contextlib
import json
import random
import threading
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward_service.teaching.declarations import OffsetError, TooLargeError, UploadBusyError
from reward_service.teaching.intake import IntakeError, resolve
from reward_service.teaching.uploads import Uploads
from tests.teaching.upload_disk import CONTENTS, Disk, declared, safetensors, send, sent
from tests.teaching.upload_disk import disk as disk


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


def test_the_notes_beside_the_files_are_plain_json(disk: Disk) -> None:
    state = sent(disk.uploads, CONTENTS)
    notes = json.loads((disk.root / (state.path or "") / ".upload.json").read_bytes())
    assert (notes["run"], notes["step"], notes["files"][1]["size"]) == ("math", 12, 23)
