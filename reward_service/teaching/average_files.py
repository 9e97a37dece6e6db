"""Store an average on disk: two files that take turns, and a small one that names the valid file."""

import fcntl
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np

from reward_service.teaching.manifest import Manifest
from reward_service.teaching.safetensors_header import AverageError, Dtype, Tensor, written_header

FORMAT = 1
FILES = ("a.safetensors", "b.safetensors")
STATE = "state.json"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class State:
    """What the average is. Replacing this file is the one step by which an update happens.

    Attributes:
        version: the step of the policy that it took last; 0 is the model that it began with.
        alpha: what that update was taken with; None for version 0.
        file: the one of the two files that holds it. The other one may hold anything.
        model: the fingerprint of the model that it began with.
    """

    version: int
    alpha: float | None
    file: str
    model: str
    format: int = FORMAT

    @property
    def other_file(self) -> str:
        """The file that the next update is written to."""
        return FILES[1 - FILES.index(self.file)]

    @classmethod
    def read(cls, folder: Path) -> "State | None":
        """The state that a folder is in; None where no average has been begun.

        Raises:
            AverageError: the file is not one that this version of the service has written.
        """
        try:
            text = (folder / STATE).read_text()
        except FileNotFoundError:
            return None
        try:
            match json.loads(text):
                case {
                    "format": 1, "version": int(version), "alpha": float() | None as alpha, "file": str(file),
                    "model": str(model),
                } if file in FILES:  # fmt: skip
                    return cls(version, alpha, file, model)
        except ValueError as cause:
            raise AverageError(f"{folder / STATE} is damaged: remove the folder to begin anew") from cause
        raise AverageError(f"{folder / STATE} is of another version of the service: remove the folder to begin anew")

    def write(self, folder: Path) -> None:
        """Makes this the state, for good when it returns."""
        growing = folder / f".{STATE}"
        with open(growing, "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(growing, folder / STATE)
        sync_folder(folder)


class AverageFile:
    """A safetensors file of float32 tensors (and the buffers beside them), mapped into memory to be read.

    Attributes:
        tensors: where each tensor lies.
        data: the whole file as bytes, as it is at any time.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]) -> None:
        """Maps a file that is there and as long as it should be."""
        self.tensors = tensors
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 - lives as long as the map
        self.data = np.frombuffer(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> "AverageFile":
        """A file for the tensors of a model, with room on the disk for all of it. What it holds is yet to come.

        Raises:
            AverageError: there is no room.
        """
        header, tensors, size = _laid_out(manifest, path.name)
        try:
            with open(path, "wb") as file:
                file.write(header)
                file.truncate(size)
                file.flush()
                _allocate(file.fileno(), size)
        except OSError as cause:
            raise AverageError(
                f"no file of {size} bytes can be made in {path.parent} ({cause.strerror}): an average takes two"
            ) from cause
        return cls(path, tensors)

    @classmethod
    def open(cls, path: Path, manifest: Manifest) -> "AverageFile | None":
        """A file that was created for the same model; None where it is not there as it was."""
        header, tensors, size = _laid_out(manifest, path.name)
        try:
            with path.open("rb") as file:
                whole = file.read(len(header)) == header and os.fstat(file.fileno()).st_size == size
        except FileNotFoundError:
            return None
        return cls(path, tensors) if whole else None

    def write(self, values: np.ndarray, offset_bytes: int) -> None:
        """Writes numbers to where they belong in the file. Any number of threads may."""
        write_at(self._file.fileno(), values.data.cast("B"), offset_bytes)

    def flush(self) -> None:
        """Everything that was written to it is on disk when it returns."""
        os.fsync(self._file.fileno())


def locked(folder: Path) -> IO[bytes]:
    """Locks the folder of an average until what is given is closed, or the process ends, however it ends.

    Raises:
        AverageError: somebody else has it open.
    """
    lock = open(folder / LOCK, "ab")  # noqa: SIM115 - the caller's to close
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        lock.close()
        raise AverageError(f"the average in {folder} is open elsewhere: let one process have it at a time") from cause
    return lock


def write_at(file: int, data: memoryview, offset: int) -> None:
    """Writes all of the bytes; a system call may write fewer than it is given."""
    while data.nbytes:
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def sync_folder(folder: Path) -> None:
    """The names in a folder are on disk when it returns."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _laid_out(manifest: Manifest, file: str) -> tuple[bytes, Mapping[str, Tensor], int]:
    """The header of an average's file, where its tensors lie, and its size in bytes; whatever the model's files are.

    Wide elements come first, so that each lies at a multiple of its size.
    """
    kinds = {
        name: Dtype.F32 if tensor.dtype.is_float else tensor.dtype for name, tensor in sorted(manifest.tensors.items())
    }
    ordered = sorted(kinds, key=lambda name: -kinds[name].item_bytes)
    header, tensors = written_header(
        [(name, kinds[name], manifest.tensors[name].shape) for name in ordered], file, {"format": "pt"}
    )
    return header, tensors, max((tensor.end for tensor in tensors.values()), default=len(header))


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(file, 0, size)
