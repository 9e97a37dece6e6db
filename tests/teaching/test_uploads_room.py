"""Room for uploads: what they may take together, and what gives it back: removal, age and the sweep."""

import contextlib
import os
from pathlib import Path

import pytest

from reward_service.teaching.declarations import FullError, NoRoomError, TooLargeError, UnknownUploadError
from reward_service.teaching.uploads import UploadLimits
from tests.teaching.upload_disk import CONTENTS, Disk, declared, send, sent
from tests.teaching.upload_disk import disk as disk


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


def test_an_upload_has_a_largest_size(tmp_path: Path) -> None:
    disk = Disk(tmp_path, UploadLimits(3022, 10**9, 100.0))
    with pytest.raises(TooLargeError, match=r"3023 bytes .* CO_REWARDING_MAX_WEIGHTS_BYTES"):
        disk.uploads.declare(declared(CONTENTS))
    assert disk.names() == set()


def test_all_uploads_together_have_one_whole_or_promised(tmp_path: Path) -> None:
    disk = Disk(tmp_path, UploadLimits(10**9, 3 * 3023, 100.0))
    sent(disk.uploads, CONTENTS, step=1)
    first = disk.uploads.declare(declared(CONTENTS, step=2))
    disk.uploads.declare(declared(CONTENTS, step=3))
    disk.uploads.declare(declared(CONTENTS, step=2))  # the same takes nothing more
    with pytest.raises(FullError, match=r"9069 of 9069 bytes and 3023 .* CO_REWARDING_MAX_UPLOADS_BYTES"):
        disk.uploads.declare(declared(CONTENTS, step=4))
    disk.uploads.remove(first.declaration.id)
    disk.uploads.declare(declared(CONTENTS, step=4))


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
