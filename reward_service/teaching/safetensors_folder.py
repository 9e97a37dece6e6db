"""Check what a folder of safetensors holds, before anything is done with it. Standard library only.

Read are the files that a `model.safetensors.index.json` names or, without one, all files `*.safetensors`. Other files
are left alone; pickles (`.bin`, `.pt`) are never opened. A link is refused where a stranger may write.
"""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from reward_service.generation.tied import differing_output
from reward_service.teaching.manifest import Manifest
from reward_service.teaching.safetensors_header import (
    LENGTH_BYTES,
    LONGEST_HEADER_BYTES,
    MOST_TENSORS,
    Tensor,
    WeightsFolderError,
    decoded_json,
    header_length,
    parsed_header,
)

SUFFIX = ".safetensors"
CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
_MOST_FILES = 1024
_MORE_IN_INDEX = 1024
"""Entries of an index that name no tensor."""
_HASHED_AT_ONCE = 1 << 20


class WeightsFolder:
    """An open folder of safetensors: what was checked is what is read, whatever becomes of the names meanwhile.

    It is read with reads, not mapped: a file that shrinks then is an error instead of the end of the process.
    """

    def __init__(self, folder: Path, *, links: bool = False) -> None:
        """Opens every file and reads its header.

        `links` follows symbolic links, as a model hub's cache consists of: for folders that the operator has named.

        Raises:
            WeightsFolderError: it is no folder of safetensors; the message names the file and what is wrong with it.
        """
        self._told = folder.name
        self._files: dict[str, int] = {}
        self._header_bytes = 0
        try:
            with _opened_folder(folder, links) as directory:
                self.manifest = Manifest(self._read(directory, links))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "WeightsFolder":
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Closes the files."""
        while self._files:
            os.close(self._files.popitem()[1])

    def read_into(self, buffer: memoryview, tensor: Tensor, offset_bytes: int = 0) -> None:
        """Fills the buffer with what is there from `offset_bytes` of a tensor on. Any number of threads may.

        Raises:
            WeightsFolderError: the file ends before that: somebody has shortened it.
            OSError: it cannot be read.
        """
        assert tensor.begin + offset_bytes + buffer.nbytes <= tensor.end, "what is read lies in the tensor"
        if not _filled(self._files[tensor.file], buffer, tensor.begin + offset_bytes):
            raise WeightsFolderError(f"{self._told}/{tensor.file} became shorter while it was read: publish it anew")

    def check_repeated(self, repeats: Mapping[str, str]) -> None:
        """Returns if each tensor that is there under a second name is the one that it repeats.

        Raises:
            WeightsFolderError: two differ, so that one would be dropped; the message names them.
        """
        for second, first in repeats.items():
            one, other = self.manifest.tensors.get(second), self.manifest.tensors.get(first)
            if one is not None and other is not None and not self._same(one, other):
                raise WeightsFolderError(differing_output(self._told, second, first))

    def _same(self, one: Tensor, other: Tensor) -> bool:
        size = one.end - one.begin
        if (one.dtype, size) != (other.dtype, other.end - other.begin):
            return False
        for offset in range(0, size, _HASHED_AT_ONCE):
            ours, theirs = (bytearray(min(_HASHED_AT_ONCE, size - offset)) for _ in range(2))
            self.read_into(memoryview(ours), one, offset)
            self.read_into(memoryview(theirs), other, offset)
            if ours != theirs:
                return False
        return True

    def _read(self, directory: int, links: bool) -> Mapping[str, Tensor]:
        index = self._index(directory, links)
        names = sorted(set(index.values())) if index is not None else _safetensors_in(directory)
        if not names:
            raise WeightsFolderError(f"{self._told} holds no *{SUFFIX}: pickles (.bin, .pt) are not read, convert them")
        if len(names) > _MOST_FILES:
            raise WeightsFolderError(f"{self._told} is in {len(names)} files; {_MOST_FILES} are the most")
        tensors: dict[str, Tensor] = {}
        for name in names:
            for tensor, place in self._header(directory, name, links, MOST_TENSORS - len(tensors)).items():
                if tensor in tensors:
                    raise WeightsFolderError(
                        f"{self._told}: {tensor!r} is both in {tensors[tensor].file} and in {name}: keep one of them"
                    )
                tensors[tensor] = place
        if index is not None:
            self._check_index(index, tensors)
        return tensors

    def _header(self, directory: int, name: str, links: bool, most: int) -> dict[str, Tensor]:
        self._files[name] = file = _opened_file(directory, name, links, self._told)
        size = os.fstat(file).st_size
        told = f"{self._told}/{name}"
        length = header_length(_bytes_at(file, 0, min(LENGTH_BYTES, size), told), told, size)
        self._header_bytes += length
        if self._header_bytes > LONGEST_HEADER_BYTES:
            raise WeightsFolderError(f"{self._told}: its headers have more than {LONGEST_HEADER_BYTES} bytes together")
        return parsed_header(_bytes_at(file, LENGTH_BYTES, length, told), told, name, size, most)

    def _index(self, directory: int, links: bool) -> Mapping[str, str] | None:
        """Which file holds which tensor, as the index says; None without one."""
        told = f"{self._told}/{INDEX}"
        try:
            file = _opened_file(directory, INDEX, links, self._told)
        except WeightsFolderError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        with open(file, "rb") as stream:
            text = stream.read(LONGEST_HEADER_BYTES + 1)
        if len(text) > LONGEST_HEADER_BYTES or text.count(b",") > MOST_TENSORS + _MORE_IN_INDEX:
            raise WeightsFolderError(f"{told} is longer than an index of {MOST_TENSORS} tensors")
        files = decoded_json(text, told).get("weight_map")
        if not isinstance(files, dict) or not all(_is_plain(name) for name in files.values()):
            raise WeightsFolderError(f"{told} needs a weight_map of tensors to files *{SUFFIX} of its own folder")
        return files

    def _check_index(self, index: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
        for name in sorted(index.keys() | tensors.keys()):
            said, found = index.get(name), tensors[name].file if name in tensors else None
            if said != found:
                raise WeightsFolderError(
                    f"{self._told}: {name!r} is in {found or 'no file'}, and in {said or 'no file'} by {INDEX}: "
                    "write the index anew"
                )


def read_manifest(folder: Path, *, links: bool = False) -> Manifest:
    """What a folder of safetensors holds, by its headers: a few reads, whatever its size.

    Raises:
        WeightsFolderError: it is no folder of safetensors; the message names the file and what is wrong with it.
    """
    with WeightsFolder(folder, links=links) as opened:
        return opened.manifest


def read_model(folder: Path) -> Manifest:
    """What a model in a folder consists of that the operator has named: symbolic links are followed there.

    Raises:
        WeightsFolderError: it is no folder of safetensors with a config.json.
    """
    return read_manifest(folder, links=True).tied(read_config(folder))


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json.

    Raises:
        WeightsFolderError: there is none, or it is no JSON object.
    """
    try:
        text = (folder / CONFIG).read_bytes()
    except OSError as cause:
        raise WeightsFolderError(
            f"{folder} is no model's folder: {CONFIG} cannot be read ({cause.strerror})"
        ) from cause
    return decoded_json(text, f"{folder.name}/{CONFIG}")


def checksum(folder: Path) -> str:
    """The SHA-256, in hexadecimal, of the concatenated contents of the *.safetensors files in order of name.

    As `cat *.safetensors | sha256sum` in the folder has it, in the C locale.

    Raises:
        WeightsFolderError: there is none, or one is no plain file.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_HASHED_AT_ONCE))
    with _opened_folder(folder, links=False) as directory:
        names = _safetensors_in(directory)
        if not names:
            raise WeightsFolderError(f"{folder.name} holds no *{SUFFIX}")
        for name in names:
            with open(_opened_file(directory, name, False, folder.name), "rb", buffering=0) as stream:
                while count := stream.readinto(buffer):
                    digest.update(buffer[:count])
    return digest.hexdigest()


@contextlib.contextmanager
def _opened_folder(folder: Path, links: bool) -> Iterator[int]:
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | (0 if links else os.O_NOFOLLOW))
    except OSError as cause:
        raise WeightsFolderError(f"{folder.name} is no folder that can be read ({cause.strerror})") from cause
    try:
        yield directory
    finally:
        os.close(directory)


def _opened_file(directory: int, name: str, links: bool, told: str) -> int:
    """Without waiting for what is no file: a pipe would be waited for until somebody writes."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW), dir_fd=directory)
    except OSError as cause:
        what = "a symbolic link: publish copies" if cause.errno == errno.ELOOP else f"not readable ({cause.strerror})"
        raise WeightsFolderError(f"{told}/{name} is {what}") from cause
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise WeightsFolderError(f"{told}/{name} is no file: a folder or device is not read")
    return file


def _safetensors_in(directory: int) -> Sequence[str]:
    return sorted(name for name in os.listdir(directory) if _is_plain(name))


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.endswith(SUFFIX) and "/" not in name and not name.startswith(".")


def _bytes_at(file: int, offset: int, count: int, told: str) -> bytes:
    buffer = bytearray(count)
    if not _filled(file, memoryview(buffer), offset):
        raise WeightsFolderError(f"{told} became shorter while it was read: publish it anew")
    return bytes(buffer)


def _filled(file: int, buffer: memoryview, offset: int) -> bool:
    """Whether the file had enough to fill the buffer from `offset` on; a system call may give less than it has."""
    while buffer.nbytes:
        count = os.preadv(file, [buffer], offset)
        if not count:
            return False
        buffer, offset = buffer[count:], offset + count
    return True
