"""Read requests from any server: headers, and bodies within a limit, in blocks, or as forms."""

from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs

from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.limits import MAX_KEY_CHARS
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_names import check_run_name
from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from reward_service.api.access.callers import Caller
from reward_service.api.access.meters import Stay
from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.forms import Most
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import Problem

Result = TypeVar("Result")

GONE = 499
"""The status that is counted where nobody was there to be answered."""


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""


class Exchange(Protocol):
    """A request whose body is whole, and whose answer is sent in one piece."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    caller: Caller
    stay: Stay | None

    @property
    def size_bytes(self) -> int:
        """Return how large the body is, also when it was taken."""
        ...

    def whole_body(self) -> Data:
        """Return the body, which may be taken once."""
        ...

    def put_back(self, body: Data) -> None:
        """Keep a body that was taken."""
        ...

    async def send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        media_type: bytes = b"application/json",
    ) -> None:
        """Send the answer.

        Raises:
            ClientGoneError: the client has left; nothing was sent.
        """
        ...

    async def while_there(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns, or cancel it when the client goes away.

        Raises:
            ClientGoneError: the client closed its connection, at the latest as the work ended.
        """
        ...


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header; `name` is in lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None


def query(exchange: Exchange, name: str) -> str | None:
    """Return the last value of a parameter of the URL."""
    if not exchange.query:
        return None
    values = parse_qs(exchange.query.decode("latin-1"), keep_blank_values=True).get(name)
    return values[-1] if values else None


def run_of(exchange: Exchange) -> str | None:
    """Return the run that the URL names.

    Raises:
        Problem: 422 for a name that cannot be one.
    """
    run = query(exchange, "run")
    if run is None:
        return None
    try:
        return check_run_name(run)
    except InvalidRunError as cause:
        raise Problem(ProblemKind.INVALID, f"run: {cause}.") from cause


def wait_of(exchange: Exchange) -> float:
    """Return for how long (s) the URL asks to wait.

    Raises:
        Problem: 422 for no such number.
    """
    text = query(exchange, "wait_s")
    try:
        wait_s = 0.0 if text is None else float(text)
    except ValueError:
        wait_s = -1.0
    if not 0.0 <= wait_s < float("inf"):
        raise Problem(ProblemKind.INVALID, "wait_s: a number of seconds, 0 or more.")
    return wait_s


def idempotency_key(exchange: Exchange) -> str | None:
    """Return the key under which the request may come again.

    Raises:
        Problem: 422 for an empty or a long one.
    """
    if (value := header(exchange.headers, b"idempotency-key")) is None:
        return None
    if not 0 < len(value) <= MAX_KEY_CHARS:
        raise Problem(ProblemKind.INVALID, f"Idempotency-Key: 1 to {MAX_KEY_CHARS} characters.")
    return value.decode("latin-1")


LARGEST_JOINED_BYTES = 4 << 20
"""A body up to this size is joined at its end, which is fastest. A larger one grows, so that it is in memory once."""


class BodyParts:
    """The part of a body that has arrived."""

    __slots__ = ("_chunks", "_large", "_most_bytes", "size_bytes")

    def __init__(self, most_bytes: int) -> None:
        """Begin without a part; a body of more than `most_bytes` is refused."""
        self.size_bytes = 0
        self._most_bytes = most_bytes
        self._chunks: list[bytes] = []
        self._large: bytearray | None = None

    def add(self, chunk: bytes) -> None:
        """Keep the next part.

        Raises:
            Problem: 413; what came before is forgotten.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > self._most_bytes:
            self.whole()
            raise _too_large(self._most_bytes)
        if self._large is not None:
            self._large += chunk
            return
        self._chunks.append(chunk)
        if self.size_bytes > LARGEST_JOINED_BYTES:
            self._large = bytearray().join(self._chunks)
            self._chunks = []

    def whole(self) -> Data:
        """Return all that came, and keep nothing of it."""
        chunks, large = self._chunks, self._large
        self._chunks, self._large = [], None
        if large is not None:
            return large
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def put_back(self, body: Data) -> None:
        """Keep again what was taken."""
        if isinstance(body, bytearray):
            self._large = body
        else:
            self._chunks = [body]


def check_body_headers(headers: Sequence[tuple[bytes, bytes]], most_bytes: int) -> None:
    """Refuse a body by what its headers say of it.

    Raises:
        Problem: 413 for one that is announced as too large, 415 for a compressed one.
    """
    if header(headers, b"content-encoding") not in (None, b"identity"):
        raise Problem(ProblemKind.COMPRESSED, "compressed bodies are not read: send the JSON as it is.")
    if announced_bytes(headers) > most_bytes:
        raise _too_large(most_bytes)


def announced_bytes(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how many bytes of a body the headers announce; 0 where they announce none."""
    announced = header(headers, b"content-length")
    return int(announced) if announced is not None and announced.isdigit() else 0


def _too_large(most_bytes: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem(
        ProblemKind.TOO_LARGE,
        f"the body is larger than {most_bytes} bytes: send fewer rollouts a request, or raise "
        "CO_REWARDING_MAX_BODY_BYTES.",
        headers={"connection": "close"},
    )


ReadForm = TypeVar("ReadForm", bound=BaseModel)

BLOCK_BYTES = 2**20
"""What is handed to the disk at once: chunks as they come, of at most 64 KiB, would cost a thread switch each."""


async def blocks(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in blocks of about BLOCK_BYTES; of a body that is cut, all bytes that came.

    Raises:
        Problem: 400, after the last block: the connection was cut, by the client or since it brought nothing.
    """
    stream = request.stream()
    block = bytearray()
    cut: Problem | None = None
    while cut is None:
        try:
            block += await anext(stream)
        except StopAsyncIteration:
            break
        except ClientDisconnect:
            cut = Problem(ProblemKind.CUT, "the connection was closed before the end of the body: resume.")
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
    if cut is not None:
        raise cut


def check_octets(request: Request) -> None:
    """Refuse bodies that are not the bytes themselves.

    Raises:
        Problem: 415.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/octet-stream" or request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(ProblemKind.NOT_OCTETS, "send the bytes as they are, as Content-Type: application/octet-stream.")


def json_body(form: type[BaseModel]) -> dict[str, Any]:
    """Describe for OpenAPI the body that `read_form` reads."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": in_one_piece(form.model_json_schema())}},
        }
    }


def in_one_piece(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a form's schema without references: a route that reads its own body has no place for definitions."""
    definitions = schema.pop("$defs", {})

    def resolved(part: Any) -> Any:  # noqa: ANN401 - a part of JSON
        if isinstance(part, list):
            return [resolved(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            rest = {name: value for name, value in part.items() if name != "$ref"}
            return resolved(definitions[part["$ref"].rpartition("/")[2]] | rest)
        return {name: resolved(value) for name, value in part.items()}

    return resolved(schema)


async def read_form(request: Request, form: type[ReadForm], most: Most | None = None) -> ReadForm:
    """Return a JSON body as this form, whatever its Content-Type (curl sends another). `most` is as in FormReader.read.

    Raises:
        Problem: it is too large, cut, no JSON, or not of the form.
    """
    reader: FormReader = request.app.state.services.reader
    check_body_headers(request.headers.raw, reader.most_bytes)
    parts = BodyParts(reader.most_bytes)
    try:
        async for chunk in request.stream():
            parts.add(chunk)
    except ClientDisconnect as cause:
        raise Problem(ProblemKind.CUT, "the connection was closed before the end of the body.") from cause
    return await reader.read(form, parts.whole(), most)
