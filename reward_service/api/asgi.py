"""As much of ASGI as the hot routes need: a body within its limit, and a JSON answer."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from reward_service.api.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header's value."""
    return next((value for key, value in scope["headers"] if key == name), None)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The request's body.

    Raises:
        Problem: 413 above the limit, 415 for a compressed one.
        ClientGoneError: the connection closed before its end.
    """
    if header(scope, b"content-encoding") not in (None, b"identity"):
        raise Problem(415, "compressed", "compressed bodies are not read: send the JSON as it is.")
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def send_json(
    send: Send,
    status: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    media_type: bytes = b"application/json",
) -> None:
    """Sends a whole answer."""
    head = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    head += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def _too_large(limit: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem(
        413,
        "too-large",
        f"the body is larger than {limit} bytes: send fewer rollouts a request, or raise CO_REWARDING_MAX_BODY_BYTES.",
        headers={"connection": "close"},
    )
