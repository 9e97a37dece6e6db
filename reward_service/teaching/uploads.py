"""Take weights over the wire, for machines without a shared disk: resumable, checked, and bounded.

All there is to know about an upload is in its folder, so that any process that shares the disk serves any request:

    uploads/.math.step-12.<id>/     being written: .upload.json, config.json.part, model.safetensors, ...
    uploads/math.step-12.<id>/      whole: renamed, and now seen by `intake.resolve`
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reward_service.teaching.declarations import (
    ID_PATTERN,
    Declaration,
    FullError,
    NoRoomError,
    TooLargeError,
    UnknownUploadError,
    UploadState,
)
from reward_service.teaching.intake import UPLOADS, IntakeError, discard, opened
from reward_service.teaching.upload_storage import (
    GONE,
    MAKING,
    PART,
    FileWriter,
    bytes_in,
    declared_in,
    folders,
    folders_of,
    inside,
    is_hidden,
    make_folder,
    opened_file,
    promised_to,
    received_of,
    reveal,
    size_of,
    touched_at_s,
)

_LOCK = ".lock"
_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """The limits of uploads: bytes of one, bytes of all together, and seconds that one may lie untouched."""

    upload_bytes: int
    uploads_bytes: int
    ttl_s: float


class Uploads:
    """The uploads below a weights root. Every call blocks on the disk and keeps nothing in memory."""

    def __init__(
        self,
        root: Path,
        limits: UploadLimits,
        clock_s: Callable[[], float] = time.time,
        free_bytes: Callable[[Path], int] = lambda root: shutil.disk_usage(root).free,
    ) -> None:
        """Use the root.

        `clock_s` is Unix time, as the disk's times are; `free_bytes` tells the free space of the disk.
        """
        self._root = root
        self._limits = limits
        self._clock_s = clock_s
        self._free_bytes = free_bytes

    def declare(self, declaration: Declaration) -> UploadState:
        """Begin an upload, or find the upload of this declaration with the bytes that have arrived.

        Raises:
            TooLargeError: it is more than one upload may have.
            FullError, NoRoomError: there is no room for it, among uploads or on the disk.
        """
        with self._locked() as uploads:
            found = folders_of(uploads, declaration.id)
            for name in found:  # before it is swept: who declares it means to go on
                with contextlib.suppress(FileNotFoundError):  # given its name just now
                    os.utime(name, dir_fd=uploads, follow_symlinks=False)
            self._sweep(uploads)
            if not found:
                self._make_room(uploads, declaration.size)
                make_folder(uploads, declaration)
        self._finish_whole_files(declaration.id)
        return self.state(declaration.id)

    def state(self, upload: str) -> UploadState:
        """Return how far an upload is.

        Raises:
            UnknownUploadError: it was never begun, has been taken, or was removed.
        """
        with self._opened(upload) as (name, folder):
            declaration = declared_in(folder)
            received_F = tuple(received_of(folder, file.name) for file in declaration.files)
            expires_at_s = touched_at_s(folder) + self._limits.ttl_s
        return UploadState(declaration, received_F, expires_at_s, None if is_hidden(name) else declaration.path)

    def write(self, upload: str, name: str, offset: int) -> FileWriter:
        """Return a writer that appends to a file of which `offset` bytes have arrived.

        Raises:
            UnknownUploadError: no such upload, or file.
            OffsetError, UploadBusyError: not at this offset, or not now.
        """
        with self._opened(upload) as (_, folder):
            return FileWriter(os.dup(folder), declared_in(folder).file(name), offset)

    def check(self, upload: str, writer: FileWriter) -> None:
        """Give a file its name if it is whole, and the upload's folder its name if that file was the last.

        Raises:
            IntakeError: the file is not what was declared.
        """
        if writer.check():
            self._complete(upload)

    def remove(self, upload: str) -> None:
        """Remove an upload, whole or not.

        Raises:
            UnknownUploadError: there is none.
        """
        with self._uploads(upload) as uploads:
            removed = [discard(uploads, name) for name in folders_of(uploads, upload)]
        if not any(removed):
            raise _unknown(upload)

    def sweep(self) -> None:
        """Remove uploads that have lain untouched for too long, and the half-made folders of killed processes.

        Raises:
            IntakeError: the folder of uploads cannot be used.
        """
        if self._root.joinpath(UPLOADS).is_dir():
            with self._locked() as uploads:
                self._sweep(uploads)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Open the folder of uploads under a lock: no other process begins an upload or sweeps meanwhile."""
        with contextlib.ExitStack() as stack:
            try:
                with opened(self._root) as root, contextlib.suppress(FileExistsError):
                    os.mkdir(UPLOADS, dir_fd=root)
                uploads = stack.enter_context(opened(self._root, UPLOADS))
                lock = stack.enter_context(opened_file(uploads, _LOCK, os.O_RDWR | os.O_CREAT))
            except OSError as cause:
                raise IntakeError(
                    f"the folder {UPLOADS!r} below the weights root cannot be used ({cause.strerror}): let the "
                    "service's user write there, and see that it is a folder and no link"
                ) from cause
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield uploads

    def _make_room(self, uploads: int, size: int) -> None:
        """Check that `size` bytes fit beside those that other uploads may still send; call under the lock."""
        if size > self._limits.upload_bytes:
            raise TooLargeError(
                f"{size} bytes are more than one upload may have, {self._limits.upload_bytes}: "
                "raise CO_REWARDING_MAX_WEIGHTS_BYTES"
            )
        promised = here = 0
        for name in folders(uploads):
            with contextlib.suppress(FileNotFoundError), inside(uploads, name) as folder:
                promised += promised_to(folder)
                here += bytes_in(folder)
        if promised + size > self._limits.uploads_bytes:
            raise FullError(
                f"uploads have {promised} of {self._limits.uploads_bytes} bytes and {size} are asked for: the teacher "
                "makes room when it takes some; or remove some, or raise CO_REWARDING_MAX_UPLOADS_BYTES"
            )
        coming, free = promised - here, self._free_bytes(self._root)
        if coming + size > free:
            raise NoRoomError(
                f"{size} bytes are asked for and {coming} are promised to other uploads, but {free} are free on the "
                "disk of the weights root: make room there"
            )

    def _sweep(self, uploads: int) -> None:
        oldest_s = self._clock_s() - self._limits.ttl_s
        for name in folders(uploads):
            dead = name.startswith((MAKING, GONE))  # who made it had the lock, or removes it for ever
            with contextlib.suppress(FileNotFoundError):
                if not dead:
                    with inside(uploads, name) as folder:
                        dead = touched_at_s(folder) < oldest_s
                if dead:
                    discard(uploads, name)

    def _finish_whole_files(self, upload: str) -> None:
        """Check files whose bytes all came before a process was killed: their sender will send no more."""
        with self._opened(upload) as (_, folder):
            whole = [file for file in declared_in(folder).files if size_of(folder, file.name + PART) == file.size]
            for file in whole:
                with (
                    contextlib.suppress(IntakeError),  # discarded, or being checked by someone else
                    contextlib.closing(FileWriter(os.dup(folder), file, file.size)) as writer,
                ):
                    writer.check()
        self._complete(upload)

    def _complete(self, upload: str) -> None:
        with self._uploads(upload) as uploads:
            for name in filter(is_hidden, folders_of(uploads, upload)):
                with contextlib.suppress(FileNotFoundError):  # another process was first
                    with inside(uploads, name) as folder:
                        declaration = declared_in(folder)
                        if any(size_of(folder, file.name) is None for file in declaration.files):
                            continue
                    reveal(uploads, name, declaration.folder)

    @contextlib.contextmanager
    def _opened(self, upload: str) -> Iterator[tuple[str, int]]:
        """Open an upload's folder and yield its name and its descriptor."""
        with self._uploads(upload) as uploads, contextlib.ExitStack() as stack:
            yield _found(uploads, upload, stack)

    @contextlib.contextmanager
    def _uploads(self, upload: str) -> Iterator[int]:
        if not _ID.fullmatch(upload):
            raise _unknown(upload)
        with contextlib.ExitStack() as stack:
            try:
                uploads = stack.enter_context(opened(self._root, UPLOADS))
            except OSError as cause:
                raise _unknown(upload) from cause
            yield uploads


def _found(uploads: int, upload: str, stack: contextlib.ExitStack) -> tuple[str, int]:
    for _ in range(2):  # it may be given its name between the look and the opening
        for name in folders_of(uploads, upload):
            with contextlib.suppress(FileNotFoundError):
                return name, stack.enter_context(inside(uploads, name))
    raise _unknown(upload)


def _unknown(upload: str) -> UnknownUploadError:
    return UnknownUploadError(
        f"there is no upload {upload[:64]!r}: the teacher has taken it, it lay too long, or it was removed; declare it "
        "(POST /v1/teacher/uploads) to begin anew"
    )
