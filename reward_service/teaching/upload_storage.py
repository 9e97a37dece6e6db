"""Store uploads on the disk: append to files, check them, and give a folder its name when it is whole."""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from io import FileIO
from uuid import uuid4

import msgspec

from reward_service.teaching.declarations import (
    Declaration,
    DeclaredFile,
    NoRoomError,
    OffsetError,
    TooLargeError,
    UnknownUploadError,
    UploadBusyError,
)
from reward_service.teaching.intake import IntakeError, discard
from reward_service.teaching.safetensors_header import LENGTH_BYTES

PART = ".part"
MODE = 0o666  # the umask is the operator's say

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileWriter:
    """Appends to a file that may be whole already; a lock (flock) keeps every other writer out, in any process."""

    def __init__(self, folder: int, declared: DeclaredFile, offset: int) -> None:
        """Takes over the descriptor `folder`, which `close` closes.

        Raises:
            OffsetError: another number of bytes is there.
            UploadBusyError: someone else is writing it.
        """
        self._folder = folder
        self._declared = declared
        self._file: FileIO | None = None
        try:
            self._file = _locked_part(folder, declared.name)
            self.offset = declared.size if self._file is None else os.fstat(self._file.fileno()).st_size
            if offset != self.offset:
                raise OffsetError(declared.name, self.offset)
            if self._file is not None:
                self._file.seek(offset)
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Appends `data`.

        Raises:
            TooLargeError: the file would be larger than declared; nothing of `data` is kept.
            NoRoomError: the disk is full; what could be kept is.
        """
        if self.offset + len(data) > self._declared.size:
            raise TooLargeError(
                f"{self._declared.name} was declared with {self._declared.size} bytes and more came: "
                "declare it again with its size"
            )
        if self._file is not None:
            self.offset += write_all(self._file, data)

    def check(self) -> bool:
        """Return whether the file is whole; a whole file gets its name.

        Raises:
            IntakeError: all bytes are there and not those that were declared; they are discarded.
        """
        if self._file is None:
            return True
        if self.offset < self._declared.size:
            return False
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        try:
            if digest != self._declared.sha256:
                raise IntakeError(
                    f"{self._declared.name} has SHA-256 {digest}, not {self._declared.sha256} as declared: what came "
                    "is discarded; send the file again, or declare it as it is now"
                )
            _check_format(self._file, self._declared.name)
        except IntakeError:
            os.unlink(self._declared.name + PART, dir_fd=self._folder)
            raise
        os.fsync(self._file.fileno())
        name = self._declared.name
        try:
            os.rename(name + PART, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileNotFoundError as cause:
            raise UnknownUploadError("the upload was removed while it came: declare it again") from cause
        return True

    def close(self) -> None:
        """Let others write the file."""
        if self._file is not None:
            self._file.close()
        os.close(self._folder)


def write_all(file: FileIO, data: bytes) -> int:
    """Write all of `data`, of which a raw write may take less, and return its length in bytes.

    Raises:
        NoRoomError: the disk is full.
    """
    rest = memoryview(data)
    with told_when_full():
        while rest:
            rest = rest[file.write(rest) or 0 :]
    return len(data)


@contextlib.contextmanager
def told_when_full() -> Iterator[None]:
    """Tells a full disk from other failures.

    Raises:
        NoRoomError: there is no space left.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno not in _NO_ROOM:
            raise
        raise NoRoomError("the disk of the weights root is full: make room there, then go on") from cause


def size_of(folder: int, name: str) -> int | None:
    """Return the size in bytes of a file in a folder, None if there is no such file."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def opened_file(folder: int, name: str, flags: int) -> FileIO:
    """Open a file in a folder. Links are refused; the flags `os.O_RDWR` open like "r+b"."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, MODE, dir_fd=folder)
    return FileIO(descriptor, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "r+b")


def _locked_part(folder: int, name: str) -> FileIO | None:
    """Open and lock the part of a file, which is made if there is none; None where the file is whole."""
    while size_of(folder, name) is None:
        try:
            file = opened_file(folder, name + PART, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError as cause:  # the folder itself is gone
            raise UnknownUploadError("the upload was removed: declare it again") from cause
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            file.close()
            raise UploadBusyError(
                f"another request is writing {name}: if it is one that was cut, it is given up soon; try again"
            ) from cause
        # Who had the lock before may have given the file its name, or discarded it, after it was opened here.
        if os.fstat(file.fileno()).st_nlink and size_of(folder, name) is None:
            return file
        with contextlib.suppress(FileNotFoundError):
            if size_of(folder, name) is not None:
                os.unlink(name + PART, dir_fd=folder)  # made anew here, beside the whole file
        file.close()
    return None


def _check_format(file: FileIO, name: str) -> None:
    """Refuse a file that only has the name of safetensors. The teacher reads files whole before it takes them.

    Raises:
        IntakeError: a file *.safetensors does not begin with the length of a JSON header, and that header.
    """
    if not name.endswith(".safetensors"):
        return
    file.seek(0)
    head = file.read(LENGTH_BYTES + 1) or b""
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    if head[LENGTH_BYTES:] != b"{" or length > os.fstat(file.fileno()).st_size - LENGTH_BYTES:
        raise IntakeError(f"{name} is not in the safetensors format: what came is discarded; save it with safetensors")


NOTES = ".upload.json"
MAKING = ".making."
GONE = ".gone."

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def inside(uploads: int, name: str) -> Iterator[int]:
    """Open a folder of uploads for the time of the context, and yield its descriptor.

    Raises:
        OSError: it is not there; ENOTDIR for a link.
    """
    folder = os.open(name, _FOLDER, dir_fd=uploads)
    try:
        yield folder
    finally:
        os.close(folder)


def folders(uploads: int) -> list[str]:
    """List all folders of uploads, also those that are still being written."""
    with os.scandir(uploads) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def folders_of(uploads: int, upload: str) -> list[str]:
    """List the folders of the upload with this id; a whole one comes first."""
    return sorted((name for name in folders(uploads) if name.endswith(f".{upload}")), key=is_hidden)


def is_hidden(name: str) -> bool:
    """Return whether the folder of this name is still being written."""
    return name.startswith(".")


def make_folder(uploads: int, declaration: Declaration) -> None:
    """Make a hidden folder for files to come, with the declaration beside them from the first moment.

    Call with the lock of uploads.

    Raises:
        NoRoomError: the disk is full.
    """
    making = f"{MAKING}{uuid4().hex}"
    with told_when_full():
        os.mkdir(making, dir_fd=uploads)
        with inside(uploads, making) as folder, opened_file(folder, NOTES, os.O_RDWR | os.O_CREAT) as file:
            write_all(file, msgspec.json.encode(declaration))
            os.fsync(file.fileno())
        os.rename(making, f".{declaration.folder}", src_dir_fd=uploads, dst_dir_fd=uploads)


def reveal(uploads: int, hidden: str, name: str) -> None:
    """Give a whole folder its name. A folder that has the name already has the same content, and stays.

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
    """Return the declaration of an upload, from its folder.

    Raises:
        OSError: it has no notes.
    """
    with opened_file(folder, NOTES, os.O_RDONLY) as file:
        return msgspec.json.decode(file.readall(), type=Declaration)


def promised_to(folder: int) -> int:
    """Return the bytes that a folder has, or will have if they are more."""
    here = bytes_in(folder)
    try:
        return max(here, declared_in(folder).size)
    except FileNotFoundError:  # no upload's folder
        return here


def received_of(folder: int, name: str) -> int:
    """Return how many bytes of a file have arrived."""
    whole = size_of(folder, name)
    return (size_of(folder, name + PART) or 0) if whole is None else whole


def bytes_in(folder: int) -> int:
    """Return the bytes of all files of a folder, without its notes."""
    return sum(size_of(folder, name) or 0 for name in os.listdir(folder) if not is_hidden(name))


def touched_at_s(folder: int) -> float:
    """Return when anything in a folder last changed (Unix time)."""
    times = [os.fstat(folder).st_mtime]
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            times.append(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime)
    return max(times)
