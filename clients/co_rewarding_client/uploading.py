"""Upload weights to a service with another disk: in pieces, each acknowledged, so that a cut costs one piece."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path, PurePath
from typing import TypeAlias

from co_rewarding_client import decoding, encoding
from co_rewarding_client.decoding import Fields, HttpReply
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import ProtocolError, ServiceUnavailable, invalid
from co_rewarding_client.flow import Flow, Patience, Pause, exchange, retry_after_s, worked

Progress: TypeAlias = Callable[[int, int], None]
"""Is told the bytes that have arrived, and those of the whole."""

CHUNK_BYTES = 16 * 2**20
"""What is held in memory, and at most sent again after a cut."""

CHECKED_BYTES_PER_S = 100e6
"""What the service is expected to do when a file is whole and it reads it again for its checksum."""

BUSY_PAUSE_S = 1.0

_SENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors|model\.safetensors\.index\.json|config\.json")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, by its name in its folder."""

    name: str
    size: int
    sha256: str


def shared_path(folder: str | PathLike[str]) -> str:
    """A folder below the service's weights root, as the service names it. Raises InvalidRequest for an absolute one."""
    path = PurePath(folder)
    if path.is_absolute():
        raise invalid(
            f"{str(path)!r} is absolute; give the folder's path from the service's weights root, or upload=True if the "
            "service does not have this disk"
        )
    return path.as_posix()


def uploaded(folder: Path, run: str, step: int, begin: Callable[[], Patience], progress: Progress | None) -> Flow[str]:
    """The path by which the service knows the weights of `folder`, once all of them are there.

    Raises InvalidRequest for a folder without weights, and when a file changes while it is sent; ServiceUnavailable
    when nothing arrives for as long as patience lasts.
    """
    files = yield from worked(lambda: local_files(folder))
    request = encoding.declaration_request(run, step, [asdict(file) for file in files])
    state = yield from _answer(request, begin(), 201)
    upload = state.text("upload")
    received = {item.text("name"): item.integer("received") for item in state.objects("files")}
    arrived = dict.fromkeys((file.name for file in files), 0) | received
    total = sum(file.size for file in files)

    def tell(name: str, offset: int) -> None:
        arrived[name] = offset
        if progress is not None:
            progress(sum(arrived.values()), total)

    path = state.text_or_none("path")
    if path is None:
        for file in files:
            yield from _sent(folder / file.name, file, upload, arrived[file.name], begin, tell)
        request = encoding.get(f"/v1/teacher/uploads/{encoding.segment(upload)}")
        path = (yield from _answer(request, begin())).text("path")
    return path


def local_files(folder: Path) -> tuple[LocalFile, ...]:
    """The files of a model in safetensors, read once for their checksums. Raises InvalidRequest where there is none."""
    try:
        paths = sorted(path for path in folder.iterdir() if _SENT.fullmatch(path.name) and path.is_file())
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
    """Sends what is missing of a file; with nothing, asks for what is there to be checked."""
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
    """Where to go on after a 409: where the service says; at the same place, after a pause, while another writes."""
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


def _answer(request: HttpRequest, patience: Patience, expected: int = 200) -> Flow[Fields]:
    reply = yield from exchange(request, patience)
    if reply.status != expected:
        raise decoding.problem(reply, request)
    return decoding.fields(reply, request)


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
