"""Send weights in acknowledged pieces to a service that has another disk."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path, PurePath
from typing import TypeAlias

from co_rewarding_schema.limits import WEIGHTS_FILE_PATTERN
from co_rewarding_schema.teaching import Upload

from co_rewarding_client import decoding, encoding
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import ProtocolError, ServiceUnavailable, invalid
from co_rewarding_client.flow import Flow, Patience, Pause, answer, exchange, retry_after_s, worked

Progress: TypeAlias = Callable[[int, int], None]
"""Is told the bytes that have arrived, and those of the whole."""

CHUNK_BYTES = 16 * 2**20
"""What is held in memory, and at most sent again after a cut."""

CHECKED_BYTES_PER_S = 100e6
"""What the service is expected to do when a file is whole and it reads it again for its checksum."""

BUSY_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, by its name in its folder."""

    name: str
    size: int
    sha256: str


def shared_path(folder: str | PathLike[str]) -> str:
    """Return the name that the service has for a folder below its weights root.

    Raises:
        InvalidRequest: the folder is absolute.
    """
    path = PurePath(folder)
    if path.is_absolute():
        raise invalid(
            f"{str(path)!r} is absolute; give the folder's path from the service's weights root, or upload=True if the "
            "service does not have this disk"
        )
    return path.as_posix()


def uploaded(folder: Path, run: str, step: int, begin: Callable[[], Patience], progress: Progress | None) -> Flow[str]:
    """Send the weights of `folder`, and return the path by which the service then knows them.

    Raises:
        InvalidRequest: a folder without weights, or a file changes while it is sent.
        ServiceUnavailable: nothing arrives for as long as patience lasts.
    """
    files = yield from worked(lambda: local_files(folder))
    request = encoding.declaration_request(run, step, [asdict(file) for file in files])
    state = yield from answer(request, begin(), Upload, 201)
    upload = state.upload
    received = {item.name: item.received for item in state.files}
    arrived = dict.fromkeys((file.name for file in files), 0) | received
    total = sum(file.size for file in files)

    def tell(name: str, offset: int) -> None:
        arrived[name] = offset
        if progress is not None:
            progress(sum(arrived.values()), total)

    path = state.path
    if path is None:
        for file in files:
            yield from _sent(folder / file.name, file, upload, arrived[file.name], begin, tell)
        request = encoding.get(f"/v1/teacher/uploads/{encoding.segment(upload)}")
        path = (yield from answer(request, begin(), Upload)).path
        if path is None:
            raise ProtocolError(f"the answer to {request} names no path, although every file has arrived")
    return path


def local_files(folder: Path) -> tuple[LocalFile, ...]:
    """List the files of a model in safetensors; each is read once for its checksum.

    Raises:
        InvalidRequest: there is none.
    """
    try:
        paths = sorted(
            path for path in folder.iterdir() if re.fullmatch(WEIGHTS_FILE_PATTERN, path.name) and path.is_file()
        )
        files = tuple(LocalFile(path.name, path.stat().st_size, _sha256(path)) for path in paths)
    except OSError as error:
        raise invalid(f"the weights in {str(folder)!r} cannot be read ({error.strerror}); give their folder") from error
    if not any(file.name.endswith(".safetensors") for file in files):
        raise invalid(f"{str(folder)!r} holds no *.safetensors; save the weights in that format")
    return files


def _sent(
    path: Path,
    file: LocalFile,
    upload: str,
    offset: int,
    begin: Callable[[], Patience],
    tell: Callable[[str, int], None],
) -> Flow[None]:
    """Send what is missing of a file; where nothing is, ask for the file to be checked."""
    patience = begin()
    while True:
        data = yield from worked(lambda at=offset: _read(path, at, file.size))
        last = offset + len(data) >= file.size
        check_s = file.size / CHECKED_BYTES_PER_S if last else 0.0
        request = encoding.append_request(upload, file.name, offset, data, check_s)
        reply = yield from exchange(request, patience)
        if reply.status == 204:
            offset = _offset(reply, request)
            tell(file.name, offset)
            if offset >= file.size:
                return
            patience = begin()
        elif reply.status == 409:
            told = yield from _told_otherwise(reply, request, offset, patience)
            if told > offset:  # more had arrived than was heard of
                patience = begin()
            offset = told
        else:
            raise decoding.problem(reply, request)


def _told_otherwise(reply: HttpReply, request: HttpRequest, offset: int, patience: Patience) -> Flow[int]:
    """Return the offset after a 409: the one that the service says; the same, after a pause, while another writes."""
    told = offset if "upload-offset" not in reply.headers else _offset(reply, request)
    trouble = decoding.problem(reply, request)
    left_s = patience.left_s()
    if left_s <= 0.0:
        raise ServiceUnavailable(
            f"{request} went on to be refused for {patience.patience_s:g} s; does another client send the same files? "
            "Repeat the call: what has arrived is kept"
        ) from trouble
    if told == offset:
        asked_s = retry_after_s(reply, patience.surroundings.wall_clock_s)
        yield Pause(min(max(asked_s, BUSY_PAUSE_S), left_s), str(trouble))
    return told


def _offset(reply: HttpReply, request: HttpRequest) -> int:
    value = reply.headers.get("upload-offset", "")
    if not re.fullmatch("[0-9]{1,16}", value):
        raise ProtocolError(f"the answer to {request} has no Upload-Offset; does a proxy take headers away?")
    return int(value)


def _read(path: Path, offset: int, size: int) -> bytes:
    count = min(CHUNK_BYTES, size - offset)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(count)
    except OSError as error:
        raise invalid(f"{str(path)!r} cannot be read ({error.strerror}); keep weights until they are sent") from error
    if len(data) < count:
        raise invalid(f"{str(path)!r} became shorter while it was sent; write weights anew beside those being sent")
    return data


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
