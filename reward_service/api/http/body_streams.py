"""Bodies of routes that read them by themselves: in blocks where they are larger than memory, or within a limit."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from reward_service.api.http.bodies import BodyParts, check_body_headers
from reward_service.api.http.form_reader import FormReader, Most
from reward_service.api.http.problems import Problem

ReadForm = TypeVar("ReadForm", bound=BaseModel)

BLOCK_BYTES = 2**20
"""What is handed to the disk at once: chunks as they come, of at most 64 KiB, would cost a thread switch each."""


async def blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in blocks of about BLOCK_BYTES; of one that is cut, all that came.

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
            cut = Problem(400, "cut", "the connection was closed before the end of the body: resume.")
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
    if cut is not None:
        raise cut


def check_octets(request: Request) -> None:
    """Refuses bodies that are not the bytes themselves.

    Raises:
        Problem: 415.
    """
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/octet-stream" or request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "not-octets", "send the bytes as they are, as Content-Type: application/octet-stream.")


def json_body(form: type[BaseModel]) -> dict[str, Any]:
    """For OpenAPI: what `read_form` reads."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": in_one_piece(form.model_json_schema())}},
        }
    }


def in_one_piece(schema: dict[str, Any]) -> dict[str, Any]:
    """A form's schema without references: a route that reads its body itself has no place for another's definitions."""
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
        raise Problem(400, "cut", "the connection was closed before the end of the body.") from cause
    return await reader.read(form, parts.whole(), most)
