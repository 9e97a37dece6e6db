"""An upload's folder on the disk: made, looked at, and given its name when it is whole. Descriptors, never links."""

import contextlib
import json
import os
from collections.abc import Iterator
from uuid import uuid4

from reward_service.teaching.allowed_folders import discard
from reward_service.teaching.declarations import Declaration
from reward_service.teaching.upload_files import PART, opened_file, size_of, told_when_full, write_all

NOTES = ".upload.json"
MAKING = ".making."
RECEIVING = ".receiving."  # of older releases, which took weights in one request
GONE = ".gone."

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def opened_folder(uploads: int, name: str) -> int:
    """The descriptor of a folder of uploads.

    Raises:
        OSError: it is not there; ENOTDIR for a link.
    """
    return os.open(name, _FOLDER, dir_fd=uploads)


@contextlib.contextmanager
def inside(uploads: int, name: str) -> Iterator[int]:
    """The same, closed afterwards."""
    folder = opened_folder(uploads, name)
    try:
        yield folder
    finally:
        os.close(folder)


def folders(uploads: int) -> list[str]:
    """All folders of uploads, those that are being written included."""
    with os.scandir(uploads) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def folders_of(uploads: int, upload: str) -> list[str]:
    """The folders of one upload, by its id: the whole one first, if it is whole."""
    return sorted((name for name in folders(uploads) if name.endswith(f".{upload}")), key=is_hidden)


def is_hidden(name: str) -> bool:
    """Whether this folder is still being written."""
    return name.startswith(".")


def make_folder(uploads: int, name: str, notes: bytes) -> None:
    """Makes a folder for files to come, its notes in it from the first moment; called under the lock of uploads.

    Raises:
        NoRoomError: the disk is full.
    """
    making = f"{MAKING}{uuid4().hex}"
    with told_when_full():
        os.mkdir(making, dir_fd=uploads)
        with inside(uploads, making) as folder:
            write_notes(folder, notes)
        os.rename(making, name, src_dir_fd=uploads, dst_dir_fd=uploads)


def write_notes(folder: int, notes: bytes) -> None:
    """Writes what is declared of a folder beside its files, in place of what was.

    Raises:
        NoRoomError: the disk is full.
    """
    with told_when_full(), opened_file(folder, NOTES + PART, os.O_RDWR | os.O_CREAT | os.O_TRUNC) as file:
        write_all(file, notes)
        os.fsync(file.fileno())
    os.rename(NOTES + PART, NOTES, src_dir_fd=folder, dst_dir_fd=folder)


def reveal(uploads: int, hidden: str, name: str) -> None:
    """Gives a whole folder its name; one that has it already has the same content, and stays.

    Raises:
        FileNotFoundError: another process was first, or it was removed.
    """
    with inside(uploads, hidden) as folder:
        os.fsync(folder)
    try:
        os.rename(hidden, name, src_dir_fd=uploads, dst_dir_fd=uploads)
    except OSError:
        if size_of(uploads, name) is None:
            raise
        discard(uploads, hidden)
    os.fsync(uploads)


def declared_in(folder: int) -> Declaration:
    """What is to come into an upload's folder.

    Raises:
        OSError: it has no notes.
    """
    with opened_file(folder, NOTES, os.O_RDONLY) as file:
        return Declaration.of(json.loads(file.readall()))


def promised_to(folder: int) -> int:
    """The bytes that a folder has, or will have if that is more."""
    here = bytes_in(folder)
    try:
        return max(here, declared_in(folder).size)
    except FileNotFoundError:  # no upload's folder
        return here


def received_of(folder: int, name: str) -> int:
    """How much of a file is there, in bytes."""
    whole = size_of(folder, name)
    return (size_of(folder, name + PART) or 0) if whole is None else whole


def bytes_in(folder: int) -> int:
    """The bytes of all files of a folder, its notes aside."""
    return sum(size_of(folder, name) or 0 for name in os.listdir(folder) if not is_hidden(name))


def touched_at_s(folder: int) -> float:
    """When anything in a folder last changed (Unix time)."""
    times = [os.fstat(folder).st_mtime]
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            times.append(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime)
    return max(times)
