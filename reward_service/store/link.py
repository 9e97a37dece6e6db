"""One connection to Redis, shared by all coroutines: what one tick of the event loop asks for travels together.

redis-py opens, authenticates and parses; what is ours is the traffic. Its pool would give each waiting request a
connection of its own, which at a few hundred requests is both slower and the first limit that is hit.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import BusyLoadingError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reward_service.errors import StoreUnavailableError

Argument = str | bytes | int | float
Reply = Any  # what Redis says: bytes, int, None, or a list of these

log = structlog.get_logger(__name__)


class LinkLostError(Exception):
    """The connection broke before the answer came. The command may have been carried out: ours can all be repeated."""


def open_connection(url: str) -> AbstractConnection:
    """An unopened redis-py connection to the URL (redis://, rediss:// or unix://), with reads that wait for ever."""
    options: dict[str, Any] = dict(parse_url(url))
    connection_class = options.pop("connection_class", Connection)
    options |= {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": 5.0}
    return connection_class(**options)


@dataclass(slots=True, eq=False)
class _Call:
    command: tuple[Argument, ...]
    answer: asyncio.Future[Reply]


class Link:
    """A pipelining client: commands of one tick are written together, answers are matched in order.

    A lost connection is opened again and its commands are repeated for up to `patience_s` seconds, so every command
    sent through a link must be safe to repeat. `stall_s` bounds how long one answer may be outstanding.
    """

    def __init__(self, url: str, *, patience_s: float = 5.0, stall_s: float = 30.0) -> None:
        """Opens nothing yet: the first command does."""
        self._url = url
        self._patience_s = patience_s
        self._stall_s = stall_s
        self._outbox: list[_Call] = []
        self._in_flight: deque[_Call] = deque()
        self._wanted = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def execute(self, *command: Argument) -> Reply:
        """The answer to one command.

        Raises:
            StoreUnavailableError: no answer within `patience_s`, lost connections included.
            redis.exceptions.ResponseError: Redis refused the command.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        pause_s = 0.02
        while True:
            try:
                return await self._send(command)
            except LinkLostError as cause:
                if self._closed or loop.time() + pause_s > deadline:
                    raise StoreUnavailableError(
                        f"Redis did not answer within {self._patience_s:g} s: {cause}"
                    ) from cause
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    async def close(self) -> None:
        """Ends the connection; commands under way fail with StoreUnavailableError."""
        self._closed = True
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        self._fail_all(LinkLostError("the link was closed"))

    def _send(self, command: tuple[Argument, ...]) -> Awaitable[Reply]:
        call = _Call(command, asyncio.get_running_loop().create_future())
        if self._closed:
            call.answer.set_exception(LinkLostError("the link was closed"))
            return call.answer
        self._outbox.append(call)
        self._wanted.set()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_for_ever(), name="redis-link")
        return call.answer

    async def _write_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            connection = open_connection(self._url)
            try:
                await connection.connect()
                await self._serve(connection)
            except (RedisError, OSError, TimeoutError) as error:
                self._fail_all(LinkLostError(str(error)))
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await connection.disconnect(nowait=True)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Writes until the connection breaks; the reader beside it ends both."""
        reader = asyncio.create_task(self._read_for_ever(connection), name="redis-link-reader")
        watchdog = asyncio.create_task(self._watch(), name="redis-link-watchdog")
        writing: asyncio.Task[None] = asyncio.create_task(self._write(connection), name="redis-link-writer")
        tasks = (reader, watchdog, writing)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            calls, self._outbox = self._outbox, []
            calls = [call for call in calls if not call.answer.cancelled()]
            if not calls:
                continue
            self._in_flight.extend(calls)
            # redis-py packs in Python, at seven times the price.
            packed = b"".join([hiredis.pack_command(cast("tuple[str]", call.command)) for call in calls])
            await connection.send_packed_command(packed, check_health=False)

    async def _read_for_ever(self, connection: AbstractConnection) -> None:
        in_flight = self._in_flight
        while True:
            try:
                reply = await connection.read_response(disconnect_on_error=False)
            except (RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError):
                raise  # a server that restarts, loads or was demoted: repeat on a new connection
            except ResponseError as error:
                call = in_flight.popleft()
                if not call.answer.done():
                    call.answer.set_exception(error)
                continue
            call = in_flight.popleft()
            if not call.answer.done():
                call.answer.set_result(reply)

    async def _watch(self) -> None:
        """Ends a connection whose oldest command has waited too long: a server that hangs looks alive otherwise."""
        while True:
            oldest = self._in_flight[0] if self._in_flight else None
            await asyncio.sleep(self._stall_s)
            if oldest is not None and self._in_flight and self._in_flight[0] is oldest:
                raise RedisTimeoutError(f"no answer for {self._stall_s:g} s")

    def _fail_all(self, error: LinkLostError) -> None:
        calls = [*self._in_flight, *self._outbox]
        self._in_flight.clear()
        self._outbox = []
        self._wanted.clear()
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(error)


async def listen(
    url: str,
    channel: str,
    on_message: Callable[[bytes], None],
    on_subscribed: Callable[[], None],
) -> None:
    """Subscribes to a channel for ever, over lost connections; cancel to stop.

    Messages are hints: whoever waits must also look for himself, and `on_subscribed` (called after each subscription)
    says when messages may have been missed.
    """
    while True:
        connection = open_connection(url)
        try:
            await connection.connect()
            await connection.send_command("SUBSCRIBE", channel)
            while True:
                message: Reply = await connection.read_response(disconnect_on_error=False)
                if message[0] == b"message":
                    on_message(message[2])
                elif message[0] == b"subscribe":
                    on_subscribed()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("subscription lost", channel=channel, error=str(error))
        finally:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
        await asyncio.sleep(0.1)
