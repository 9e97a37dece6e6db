"""As much of ASGI as the hot routes need: a body within its limit, and a JSON answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from reward_service.api.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOK_AFTER_S = 0.1
LARGEST_JOINED_BYTES = 4 << 20
"""A body of up to this size is joined at its end, which is the fastest; a larger one grows, which takes its memory once."""


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody to answer."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header's value."""
    return next((value for key, value in scope["headers"] if key == name), None)


class Departure:
    """Cancels the task that made it when its client goes away, once it is asked to look."""

    def __init__(self, receive: Receive) -> None:
        """In the task to be cancelled."""
        worker = asyncio.current_task()
        assert worker is not None
        self.worker = worker
        self.seen = False
        self._receive = receive
        self._looking: asyncio.Task[None] | None = None
        self._forgotten = False

    def look(self) -> None:
        """Looks from now on."""
        self._looking = asyncio.create_task(_disconnected(self._receive))
        self._looking.add_done_callback(self._left)

    def left(self) -> bool:
        """Whether its client has gone by now: an answer to it would be dropped without a word."""
        if self._looking is not None:
            return self._looking.done()
        asking = self._receive().__await__()
        try:
            next(asking)  # one step: a connection that is gone says so at once, another one waits
        except StopIteration as said:
            return said.value["type"] == "http.disconnect"
        asking.close()
        return False

    def forget(self) -> None:
        """The work is done, or given up."""
        self._forgotten = True
        if self._looking is not None:
            self._looking.cancel()

    def _left(self, _: asyncio.Task[None]) -> None:
        # Its client may leave as the work ends, and this call have been on its way already.
        if self._forgotten:
            return
        self.seen = True
        self.worker.cancel()


class Departures:
    """Looks for clients that go away, of those requests that take longer than a moment.

    Most answers come sooner, and a task and a timer for each of them would cost as much as the rest of their way: so
    one timer asks all those that were there the last time too.
    """

    def __init__(self) -> None:
        """Nobody is there yet."""
        self._fresh: set[Departure] = set()
        self._there_before: set[Departure] = set()
        self._timed = False

    def expect(self, receive: Receive) -> Departure:
        """For the request whose task this is."""
        departure = Departure(receive)
        self._fresh.add(departure)
        if not self._timed:
            self._timed = True
            asyncio.get_running_loop().call_later(LOOK_AFTER_S, self._pass_round)
        return departure

    def forget(self, departure: Departure) -> None:
        """The request is done."""
        self._fresh.discard(departure)
        self._there_before.discard(departure)
        departure.forget()

    def _pass_round(self) -> None:
        for departure in self._there_before:
            departure.look()
        self._there_before, self._fresh = self._fresh, set()
        self._timed = bool(self._there_before)
        if self._timed:
            asyncio.get_running_loop().call_later(LOOK_AFTER_S, self._pass_round)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes | bytearray:
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
    large: bytearray | None = None
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if large is not None:
            large += chunk
        else:
            chunks.append(chunk)
            if size > LARGEST_JOINED_BYTES:
                large = bytearray().join(chunks)
                chunks.clear()
        if not message.get("more_body", False):
            return large if large is not None else chunks[0] if len(chunks) == 1 else b"".join(chunks)


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


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
