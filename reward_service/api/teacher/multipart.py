"""Weights in one request, multipart/form-data: files go to the disk as they come, never whole into memory."""

import asyncio
import contextlib
import re
from typing import Any, NamedTuple

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from reward_service.api.http.body_streams import blocks
from reward_service.api.http.problems import Problem
from reward_service.api.rewards.wire import MAX_COUNT
from reward_service.api.teacher.upload_routes import as_problems, configured
from reward_service.domain.errors import InvalidRunError
from reward_service.domain.runs import DEFAULT_RUN, check_run_name
from reward_service.teaching.declarations import MAX_FILES
from reward_service.teaching.multipart_folder import Receiving
from reward_service.teaching.uploads import Uploads

FIELDS = ("run", "step", "sha256")
MAX_FIELD_BYTES = 1024
MAX_HEADER_BYTES = 8192
MEDIA = "multipart/form-data"

UPDATE_BODY: dict[str, Any] = {
    MEDIA: {
        "schema": {
            "type": "object",
            "required": ["step", "files"],
            "properties": {
                "run": {"type": "string"},
                "step": {"type": "integer", "minimum": 0},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
            },
        }
    }
}
"""For OpenAPI: the body that `receive_multipart` reads."""


class ReceivedWeights(NamedTuple):
    """What there is to announce: weights at `path` below the root, `sha256` of them all if it was sent."""

    run: str
    step: int
    path: str
    sha256: str | None


def is_multipart(request: Request) -> bool:
    """Whether the body is a form with files."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA


async def receive_multipart(request: Request, uploads: Uploads | None) -> ReceivedWeights:
    """Writes a form's files to a folder of their own while they come; what is incomplete or wrong is removed.

    The fields are run (by default "default"), step and sha256 (optional, as in the JSON form); every part with a file
    name is a file. The same files again for the same step are kept once.

    Raises:
        Problem: 411 without Content-Length, by which room is made; 413, 422, 507 as for uploads; 501 without a root.
    """
    found = configured(uploads)
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise Problem(411, "no-length", "send Content-Length, by which room is made on the disk, or use an upload.")
    boundary = parse_options_header(request.headers["content-type"])[1].get(b"boundary")
    if not boundary:
        raise Problem(422, "invalid", "Content-Type: multipart/form-data names no boundary.")
    with as_problems():
        receiving = await asyncio.to_thread(found.receive, int(length))
        with contextlib.closing(receiving):
            return await _received(request, boundary, receiving)


async def _received(request: Request, boundary: bytes, receiving: Receiving) -> ReceivedWeights:
    form = _Form(receiving)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for block in blocks(request):
            await asyncio.to_thread(parser.write, block)
        parser.finalize()
    except FormParserError as cause:
        raise Problem(422, "invalid", f"the body is no multipart/form-data with that boundary: {cause}.") from cause
    if not form.ended:
        raise Problem(422, "invalid", "the form has no closing boundary: send it whole.")
    run, step, sha256 = form.run(), form.step(), form.sha256()
    kept = await asyncio.to_thread(receiving.keep, run, step)
    return ReceivedWeights(run, step, kept.path, sha256)


class _Form:
    """Where a form's parts go, as the parser finds them."""

    def __init__(self, receiving: Receiving) -> None:
        self.ended = False
        self._receiving = receiving
        self._fields: dict[str, bytearray] = {}
        self._parts = 0
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = ""
        self._field: bytearray | None = None  # None: the part is a file

    def callbacks(self) -> Any:  # noqa: ANN401 - the parser's own type is private
        """By the names that the parser knows."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_begin": self._on_header_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def run(self) -> str:
        """The run that was named."""
        try:
            return check_run_name(self._text("run") or DEFAULT_RUN)
        except InvalidRunError as cause:
            raise Problem(422, "invalid", f"run: {cause}.") from cause

    def step(self) -> int:
        """The step that was named."""
        text = self._text("step") or ""
        if not re.fullmatch("[0-9]{1,16}", text) or int(text) > MAX_COUNT:
            raise Problem(422, "invalid", "step: a whole number, 0 or more, in a field of its own.")
        return int(text)

    def sha256(self) -> str | None:
        """The checksum of all weights, if there was one."""
        text = self._text("sha256")
        if text is not None and not re.fullmatch("[0-9a-f]{64}", text):
            raise Problem(422, "invalid", "sha256: 64 hexadecimal digits in lower case.")
        return text

    def _text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return None if value is None else value.decode("utf-8", "replace")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FILES + len(FIELDS):
            raise Problem(422, "invalid", f"more than {MAX_FILES} files: write fewer, larger shards.")
        self._disposition = ""
        self._field = None

    def _on_header_begin(self) -> None:
        self._name.clear()
        self._value.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        _extend(self._name, data[start:end], MAX_HEADER_BYTES, "a part's header")

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        _extend(self._value, data[start:end], MAX_HEADER_BYTES, "a part's header")

    def _on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value.decode("utf-8", "replace")

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition.encode("utf-8"))[1]
        file_name = options.get(b"filename")
        if file_name is not None:
            self._receiving.begin(file_name.decode("utf-8", "replace"))
            return
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in FIELDS or name in self._fields:
            raise Problem(
                422,
                "invalid",
                f"a part is named {name!r}: the fields are {', '.join(FIELDS)}, each once; files bear file names.",
            )
        self._field = self._fields[name] = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._receiving.write(data[start:end])
        else:
            _extend(self._field, data[start:end], MAX_FIELD_BYTES, "a field")

    def _on_part_end(self) -> None:
        if self._field is None:
            self._receiving.end()

    def _on_end(self) -> None:
        self.ended = True


def _extend(kept: bytearray, data: bytes, limit: int, what: str) -> None:
    if len(kept) + len(data) > limit:
        raise Problem(422, "invalid", f"{what} is longer than {limit} bytes.")
    kept += data
