"""One file on its way in: appended to, checked when it is whole, and only then given its name."""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from io import FileIO

from reward_service.teaching.allowed_folders import IntakeError
from reward_service.teaching.declarations import (
    SAFETENSORS,
    DeclaredFile,
    NoRoomError,
    OffsetError,
    TooLargeError,
    UnknownUploadError,
    UploadBusyError,
)

PART = ".part"
MODE = 0o666  # the umask is the operator's say

_LENGTH_BYTES = 8
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileWriter:
    """Appends to a file that may be whole already; nobody else does meanwhile, in any process (flock)."""

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
        """Whether the file is whole; then it has its name.

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
            check_format(self._file, self._declared.name)
        except IntakeError:
            os.unlink(self._declared.name + PART, dir_fd=self._folder)
            raise
        os.fsync(self._file.fileno())
        self._name_it()
        return True

    def close(self) -> None:
        """Lets others write."""
        if self._file is not None:
            self._file.close()
        os.close(self._folder)

    def _name_it(self) -> None:
        name = self._declared.name
        try:
            os.rename(name + PART, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileNotFoundError as cause:
            raise UnknownUploadError("the upload was removed while it came: declare it again") from cause


def write_all(file: FileIO, data: bytes) -> int:
    """Writes all of `data`: a raw write may take less. How many bytes that were.

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


def check_format(file: FileIO, name: str) -> None:
    """Refuses what only bears the name of safetensors; the teacher reads them whole before it takes them.

    Raises:
        IntakeError: a file *.safetensors does not begin with the length of a JSON header, and that header.
    """
    if not name.endswith(SAFETENSORS):
        return
    file.seek(0)
    head = file.read(_LENGTH_BYTES + 1) or b""
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    if head[_LENGTH_BYTES:] != b"{" or length > os.fstat(file.fileno()).st_size - _LENGTH_BYTES:
        raise IntakeError(f"{name} is not in the safetensors format: what came is discarded; save it with safetensors")


def size_of(folder: int, name: str) -> int | None:
    """The size of a file in a folder in bytes, None if it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def opened_file(folder: int, name: str, flags: int) -> FileIO:
    """A file in a folder, links refused; "r+b" of it is `os.O_RDWR`."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, MODE, dir_fd=folder)
    return FileIO(descriptor, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "r+b")


def _locked_part(folder: int, name: str) -> FileIO | None:
    """The part of a file that is there, made if none is; None where the file is whole."""
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
