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
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reward_service.errors import StoreUnavailableError

Argument = str | bytes | int | float
Reply = Any  # what Redis says: bytes, int, None, or a list of these

log = structlog.get_logger(__name__)

CONNECT_S = 5.0
"""The longest that opening a connection may take, handshake included, whatever the patience of the calls."""

TICK_S = 0.25
"""How often calls are looked at that may be overdue."""

LISTEN_PING_S = 5.0
"""How often a subscription asks whether its server is still there, and how long the answer may take."""

LISTEN_PAUSE_S = 0.1
LISTEN_LONGEST_PAUSE_S = 2.0

CODES: tuple[tuple[type[RedisError], str], ...] = (
    (OutOfMemoryError, "OOM"),
    (ReadOnlyError, "READONLY"),
    (BusyLoadingError, "LOADING"),
    (TryAgainError, "TRYAGAIN"),
    (MasterDownError, "MASTERDOWN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (MovedError, "MOVED"),
    (AskError, "ASK"),
)
"""Errors whose code redis-py takes out of the message; subclasses stand before their base."""

REFUSALS = {
    "OOM": "its memory is full (maxmemory): give it more, or wait until finished cohorts expire",
    "MISCONF": "it cannot write to its disk: make room there",
    "NOREPLICAS": "too few of its replicas are connected (min-replicas-to-write)",
}
"""Replies of a server that takes no writes for now, until somebody acts: calls end at once."""

PASSING = {
    "READONLY": "it is a replica",
    "MASTERDOWN": "it is a replica that has lost its master",
    "UNBLOCKED": "its role has changed",
    "LOADING": "it reads its data",
    "BUSY": "it runs a script that does not end",
    "TRYAGAIN": "its slots are moving",
    "CLUSTERDOWN": "its cluster is not whole",
    "MOVED": "its slots have moved to another node",
    "ASK": "its slots are moving to another node",
}
"""Replies of a server that restarts or changes its role: the same command may do in a moment."""

ANEW = frozenset({"READONLY", "MASTERDOWN", "LOADING", "MOVED", "ASK"})
"""After these a new connection is opened: its address may lead to another server by then."""


class WrongTypeError(ResponseError):
    """A key holds another kind of value than ours: somebody else has written it."""


class LinkLostError(Exception):
    """The connection broke before the answer came. The command may have been carried out: ours can all be repeated."""


def open_connection(url: str) -> AbstractConnection:
    """An unopened redis-py connection to the URL (redis://, rediss:// or unix://), with reads that wait for ever."""
    options: dict[str, Any] = dict(parse_url(url))
    connection_class = options.pop("connection_class", Connection)
    options |= {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": 5.0}
    return connection_class(**options)


Connect = Callable[[str], AbstractConnection]


@dataclass(slots=True, eq=False)
class _Call:
    command: tuple[Argument, ...]
    answer: asyncio.Future[Reply]
    deadline_s: float


class Link:
    """A pipelining client: commands of one tick are written together, answers are matched in order.

    Every call ends within `patience_s` seconds, by its answer or by an error, whatever the server does. A lost
    connection is opened again and its commands are repeated until then, so every command sent through a link must be
    safe to repeat.
    """

    def __init__(self, url: str, *, patience_s: float = 5.0, connect: Connect = open_connection) -> None:
        """Opens nothing yet: the first command does. `connect` makes the connections to the URL."""
        self._url = url
        self._connect = connect
        self._patience_s = patience_s
        self._outbox: list[_Call] = []
        self._in_flight: deque[_Call] = deque()
        self._wanted = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._silent: asyncio.Future[None] | None = None
        self._closed = False

    async def execute(self, *command: Argument) -> Reply:
        """The answer to one command.

        Raises:
            StoreUnavailableError: no answer within `patience_s`, lost connections included, or Redis takes no writes.
            redis.exceptions.ResponseError: Redis refused the command for another reason.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience_s
        pause_s = 0.02
        while True:
            try:
                return await self._send(command, deadline_s)
            except LinkLostError as cause:
                if self._closed or loop.time() + pause_s > deadline_s:
                    raise StoreUnavailableError(
                        f"Redis did not answer within {self._patience_s:g} s: {cause}"
                    ) from cause
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    async def close(self) -> None:
        """Ends the connection; commands under way fail with StoreUnavailableError."""
        self._closed = True
        if self._tick is not None:
            self._tick.cancel()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._fail_all(LinkLostError("the link was closed"))

    def _send(self, command: tuple[Argument, ...], deadline_s: float) -> Awaitable[Reply]:
        loop = asyncio.get_running_loop()
        call = _Call(command, loop.create_future(), deadline_s)
        if self._closed:
            call.answer.set_exception(LinkLostError("the link was closed"))
            return call.answer
        self._outbox.append(call)
        self._wanted.set()
        if self._keeper is None:
            self._keeper = loop.create_task(self._keep_connected(), name="redis-link")
        if self._tick is None:
            self._tick = loop.call_later(TICK_S, self._look)
        return call.answer

    async def _keep_connected(self) -> None:
        """Connects, serves until the connection breaks, and connects again.

        Catches every exception: event loops and drivers raise more kinds than they document when a server is killed
        (uvloop a RuntimeError), and each of them means the same here. A task that ended would leave calls unanswered.
        """
        while True:
            await self._wanted.wait()
            connection = self._connect(self._url)
            try:
                async with asyncio.timeout(min(self._patience_s, CONNECT_S)):
                    await connection.connect()
                await self._serve(connection)
            except Exception as error:
                if not isinstance(error, (LinkLostError, RedisError, OSError)):
                    log.warning("the connection to Redis broke in an unusual way", error=repr(error))
                self._fail_all(LinkLostError(str(error) or type(error).__name__))
            finally:
                await _dropped(connection)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Reads and writes until one of them breaks, or the server is silent for too long."""
        loop = asyncio.get_running_loop()
        self._silent = loop.create_future()
        reader = loop.create_task(self._read_for_ever(connection), name="redis-link-reader")
        writer = loop.create_task(self._write_for_ever(connection), name="redis-link-writer")
        try:
            done, _ = await asyncio.wait((reader, writer, self._silent), return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            self._silent.cancel()
            self._silent = None
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _write_for_ever(self, connection: AbstractConnection) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            calls, self._outbox = self._outbox, []
            calls = [call for call in calls if not call.answer.done()]
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
            except (RedisConnectionError, ResponseError) as error:
                code = _code(error)
                if isinstance(error, RedisConnectionError) or code in ANEW:
                    raise LinkLostError(_said(code, error)) from error
                call = in_flight.popleft()
                if not call.answer.done():
                    call.answer.set_exception(_refused(code, error))
                continue
            call = in_flight.popleft()
            if not call.answer.done():
                call.answer.set_result(reply)

    def _look(self) -> None:
        """Ends the calls that are overdue. A connection in which one is overdue is given up: its server hangs.

        A timer of the event loop rather than a task, so that calls end whatever becomes of the tasks.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        overdue = LinkLostError("it is connected and says nothing" if self._in_flight else "it cannot be connected")
        hangs = any(call.deadline_s <= now_s for call in self._in_flight)
        for call in (*self._in_flight, *self._outbox):
            if call.deadline_s <= now_s and not call.answer.done():
                call.answer.set_exception(overdue)
        if hangs and self._silent is not None and not self._silent.done():
            self._silent.set_exception(overdue)
        self._tick = loop.call_later(TICK_S, self._look) if self._in_flight or self._outbox else None

    def _fail_all(self, error: LinkLostError) -> None:
        calls = [*self._in_flight, *self._outbox]
        self._in_flight.clear()
        self._outbox = []
        self._wanted.clear()
        for call in calls:
            if not call.answer.done():
                call.answer.set_exception(error)


def _code(error: RedisError) -> str:
    """The word that an error reply begins with."""
    return next((code for kind, code in CODES if isinstance(error, kind)), str(error).partition(" ")[0])


def _said(code: str, error: RedisError) -> str:
    return f"{PASSING[code]} ({code})" if code in PASSING else str(error)


def _refused(code: str, error: RedisError) -> Exception:
    """What a caller is told of an error reply."""
    if code in REFUSALS:
        return StoreUnavailableError(f"Redis takes no writes: {REFUSALS[code]} ({code})")
    if code == "WRONGTYPE":
        return WrongTypeError(str(error))
    return LinkLostError(_said(code, error)) if code in PASSING else error


async def _dropped(connection: AbstractConnection) -> None:
    """Closes a connection that is of no more use. What its closing raises tells nothing new."""
    with contextlib.suppress(Exception):
        await connection.disconnect(nowait=True)


async def listen(
    url: str,
    channel: str,
    on_message: Callable[[bytes], None],
    on_subscribed: Callable[[], None],
    *,
    connect: Connect = open_connection,
) -> None:
    """Subscribes to a channel for ever, over lost connections; cancel to stop.

    Messages are hints: whoever waits must also look for himself, and `on_subscribed` (called after each subscription)
    says when messages may have been missed. An exception of the two callbacks ends the subscription and is raised.
    """
    pause_s = LISTEN_PAUSE_S
    while True:
        subscription = _Subscription(connect(url), channel, on_message, on_subscribed)
        try:
            await subscription.serve()
        except _CallbackError as error:
            raise error.cause from None
        except Exception as error:  # see Link._keep_connected
            log.warning("subscription lost", channel=channel, error=str(error) or type(error).__name__)
        pause_s = LISTEN_PAUSE_S if subscription.subscribed else min(2 * pause_s, LISTEN_LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


class _CallbackError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Subscription:
    """One connection that listens, and asks now and then whether its server is still there."""

    def __init__(
        self,
        connection: AbstractConnection,
        channel: str,
        on_message: Callable[[bytes], None],
        on_subscribed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._heard = False
        self.subscribed = False

    async def serve(self) -> None:
        """Listens until the connection breaks or its server is silent."""
        connection = self._connection
        pinging: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()
                await connection.send_command("SUBSCRIBE", self._channel)
            pinging = asyncio.create_task(self._ping_for_ever(), name="redis-subscription-pings")
            reading = asyncio.create_task(self._read_for_ever(), name="redis-subscription")
            try:
                done, _ = await asyncio.wait((pinging, reading), return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    ended.result()
            finally:
                for task in (pinging, reading):
                    task.cancel()
                await asyncio.gather(pinging, reading, return_exceptions=True)
        finally:
            await _dropped(connection)

    async def _read_for_ever(self) -> None:
        while True:
            message: Reply = await self._connection.read_response(disconnect_on_error=False)
            self._heard = True
            try:
                if message[0] == b"message":
                    self._on_message(message[2])
                elif message[0] == b"subscribe":
                    self.subscribed = True
                    self._on_subscribed()
            except Exception as error:
                raise _CallbackError(error) from error

    async def _ping_for_ever(self) -> None:
        while True:
            self._heard = False
            await self._connection.send_command("PING")
            await asyncio.sleep(LISTEN_PING_S)
            if not self._heard:
                raise RedisTimeoutError(f"it said nothing for {LISTEN_PING_S:g} s")
