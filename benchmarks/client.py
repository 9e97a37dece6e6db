"""Generate load: raw HTTP/1.1 over kept connections, so cheap that the generator is not what is measured."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from reward_service.tools.loadtest.workload import Workload

LENGTH = b"content-length: "
END_OF_HEAD = b"\r\n\r\n"
PATIENCE_S = 30.0


class BadAnswerError(Exception):
    """An answer that is not 200, or a connection that broke."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, answered: "Callable[[Connection, bytes], None]", failed: Callable[[Exception], None]) -> None:
        """Both are called from the event loop: with an answer's body, or with what went wrong."""
        self.index = -1
        self.sent_s = 0.0
        self._answered = answered
        self._failed = failed
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        """Right only once the generator has closed it."""
        if self._transport is not None:
            self._failed(BadAnswerError(f"the server closed a connection: {exc}"))

    def send(self, index: int, request: bytes) -> None:
        """Sends the request of that index."""
        assert self._transport is not None
        self.index = index
        self.sent_s = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.close()

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        received = self._received + data if self._received else data
        self._received = received
        head = received.find(END_OF_HEAD)
        length = received.find(LENGTH, 0, head)
        if head < 0:
            return
        if length < 0 or not received.startswith(b"HTTP/1.1 200 "):
            self._failed(BadAnswerError(received[:2000].decode(errors="replace")))
            return
        end = received.index(b"\r\n", length)
        body_at = head + len(END_OF_HEAD)
        if len(received) - body_at < int(received[length + len(LENGTH) : end]):
            return
        self._received = b""
        self._answered(self, received[body_at:])


@dataclass(slots=True)
class Record:
    """What a load has come to; a latency in seconds for each answer that was asked to be timed."""

    answers: int = 0
    last: bytes = b""
    latencies_s: list[float] = field(default_factory=list)


class Load:
    """Connections to one server that carry one workload."""

    def __init__(self, workload: Workload, first: int, *, check: bool, timed: Callable[[int], bool]) -> None:
        """`first` is the index of the first request; `timed` says of which requests the latency is kept."""
        self.record = Record()
        self.next_index = first
        self._workload = workload
        self._check = check
        self._timed = timed
        self._connections: list[Connection] = []
        self._idle: deque[Connection] = deque()
        self._busy = 0
        self._eager = False
        self._stopping = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self, host: str, port: int, connections: int) -> None:
        """Connects."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: Connection(self._answered, self._fail), host, port)
            self._connections.append(connection)
        self._idle.extend(self._connections)

    def keep_busy(self) -> None:
        """From now on every connection that is free sends the next request."""
        self._eager = True
        while self._idle:
            self._send(self._idle.popleft())

    async def paced(self, rate: float, seconds: float) -> int:
        """Sends at a rate (requests per second), whatever the answers do; how many had to wait for a connection."""
        began_s = time.perf_counter()
        sent, late = 0, 0
        while (elapsed_s := time.perf_counter() - began_s) < seconds and not self._over.done():
            for _ in range(int(elapsed_s * rate) - sent):
                if not self._idle:
                    late += 1
                    break
                self._send(self._idle.popleft())
                sent += 1
            await asyncio.sleep(0.001)
        return late

    async def finish(self) -> Record:
        """Completes the cohort that is under way, waits for every answer and closes.

        Raises:
            BadAnswerError, WrongAnswerError: what went wrong since the load began.
        """
        self._stopping = True
        while self._idle and self._wanted():
            self._send(self._idle.popleft())
        self._end_if_idle()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._over
        finally:
            for connection in self._connections:
                connection.close()
        return self.record

    def _send(self, connection: Connection) -> None:
        index = self.next_index
        self.next_index += 1
        self._busy += 1
        connection.send(index, self._workload.request(index))

    def _answered(self, connection: Connection, body: bytes) -> None:
        record = self.record
        record.answers += 1
        record.last = body
        if self._timed(connection.index):
            record.latencies_s.append(time.perf_counter() - connection.sent_s)
        if self._check:
            try:
                self._workload.check(connection.index, body)
            except Exception as error:
                self._fail(error)
                return
        self._busy -= 1
        if self._wanted():
            self._send(connection)
            return
        self._idle.append(connection)
        self._end_if_idle()

    def _wanted(self) -> bool:
        """Whether one more request is to be sent: also to a load that stops, until its cohort is whole."""
        if self._stopping:
            return self.next_index % self._workload.cohort != 0
        return self._eager

    def _end_if_idle(self) -> None:
        if self._stopping and not self._busy and not self._over.done():
            self._over.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)
