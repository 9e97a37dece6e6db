"""What a connection may take: bytes of a head, time for it and for a body, and how many there may be.

uvicorn bounds none of these. Everything here holds before a key is asked for, and for every route.
"""

import asyncio
import enum
import resource
import time
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from reward_service.api.problems import MEDIA_TYPE, Problem
from reward_service.settings import Settings
from reward_service.telemetry import Metrics

LOOK_S = 1.0
"""How often all connections of a process are looked at: one timer for all, since one for each costs every request."""

BODY_BYTES_PER_S = 1024
"""What a body must bring on average within each `body_s`."""

CHUNKING_BYTES = 2**19
CHUNKING_RATIO = 8
"""What a chunked body may take around its content: so much, and so often the content (chunks of a byte: 6)."""

MOST_PIPELINED = 64
MOST_UNREAD_BYTES = 2**20
"""How much of a body may still come whose request was answered already; then the connection is closed."""

STUCK_S = 60.0
"""After how long an answer that its client does not read is given up."""

SPARE_FILES = 256
MOST_CONNECTIONS = 16_384


class Reason(enum.StrEnum):
    """Why a connection was closed, as metrics count it."""

    CONNECTIONS = "connections"
    HEADERS = "headers"
    URL = "url"
    MALFORMED = "malformed"
    SLOW_HEAD = "slow-head"
    SLOW_BODY = "slow-body"
    CHUNKING = "chunking"
    PIPELINED = "pipelined"
    UNREAD_BODY = "unread-body"
    UNREAD_ANSWER = "unread-answer"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What each connection of a process may take, and how many there may be."""

    head_bytes: int
    headers: int
    url_bytes: int
    head_s: float
    body_s: float
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """The settings' bounds; without one of connections, what the limit of open files leaves room for."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        room = MOST_CONNECTIONS if files == resource.RLIM_INFINITY else files - SPARE_FILES
        most = settings.max_connections or max(1, min(room, MOST_CONNECTIONS))
        return cls(
            settings.max_header_bytes,
            settings.max_headers,
            settings.max_url_bytes,
            settings.header_timeout_s,
            settings.body_timeout_s,
            most,
        )


class Doorkeeper:
    """Looks at all connections of a process from time to time, and counts those it closes."""

    def __init__(self, bounds: Bounds, metrics: Metrics) -> None:
        """Nobody is there yet."""
        self.bounds = bounds
        self.now_s = time.monotonic()
        self._metrics = metrics
        self._looking = False

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "BoundedProtocol":
        """For uvicorn: the protocol of a new connection."""
        return BoundedProtocol(self, config, server_state, app_state, _loop)

    def watch(self, protocol: "BoundedProtocol") -> None:
        """A connection was made."""
        if not self._looking:
            self._looking = True
            self.now_s = time.monotonic()
            protocol.loop.call_later(LOOK_S, self._look, protocol.connections, protocol.loop)

    def closed(self, reason: Reason) -> None:
        """A connection is closed for this reason."""
        self._metrics.count(self._metrics.closed_connections, 1, reason.value)

    def _look(self, connections: set[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.now_s = time.monotonic()
        for each in tuple(connections):
            if isinstance(each, BoundedProtocol):
                each.look()
        self._looking = bool(connections)
        if self._looking:
            loop.call_later(LOOK_S, self._look, connections, loop)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's connection, within bounds.

    What is done for every request is little: most is seen when the connection is looked at, by what uvicorn keeps.
    """

    def __init__(
        self,
        keeper: Doorkeeper,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        """As uvicorn makes it."""
        super().__init__(config, server_state, app_state, _loop)
        self._keeper = keeper
        self._bounds = keeper.bounds
        self._since_s = keeper.now_s
        self._in_head = False
        self._refusal: tuple[Reason, Problem] | None = None
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_bytes_before = 0
        self._wire_bytes = 0
        self._unread_bytes = 0
        self._unwritten: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection, unless there are too many."""
        super().connection_made(transport)
        self._keeper.watch(self)
        self._since_s = self._keeper.now_s
        if len(self.connections) > self._bounds.connections:
            self._refuse(
                Reason.CONNECTIONS,
                Problem(503, "unavailable", "too many connections: try again in a moment.", retry_after_s=1.0),
            )

    def data_received(self, data: bytes) -> None:
        """Parses what came, and counts what of it is no content."""
        cycle = self.cycle
        continued = self._in_head
        if not continued and (cycle is None or not cycle.more_body):
            self._in_head = True
            self._since_s = self._keeper.now_s
            self._head_bytes = 0
        self._chunk_bytes = len(data)
        HttpToolsProtocol.data_received(self, data)
        if self._in_head:
            if continued:
                self._head_bytes += len(data)
                if self._head_bytes > self._bounds.head_bytes:
                    self._refuse(*self._too_large_a_head())
        elif self.cycle.more_body:
            self._wire_bytes += len(data)
            if self._wire_bytes > CHUNKING_BYTES + CHUNKING_RATIO * self._body_bytes:
                detail = "the chunks of the body hold hardly any content: send larger ones."
                self._refuse(Reason.CHUNKING, Problem(400, "chunking", detail))

    def on_headers_complete(self) -> None:
        """A head is here: begins the request, if it is within bounds."""
        bounds = self._bounds
        if (
            self._head_bytes + self._chunk_bytes > bounds.head_bytes
            or len(self.headers) > bounds.headers
            or len(self.url) > bounds.url_bytes
            or len(self.pipeline) >= MOST_PIPELINED
        ):
            self._check_head()
        HttpToolsProtocol.on_headers_complete(self)
        self._in_head = False
        self._since_s = self._keeper.now_s
        self._body_bytes = self._body_bytes_before = self._wire_bytes = self._unread_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Content came."""
        self._body_bytes += len(body)
        if not self.cycle.response_complete:
            HttpToolsProtocol.on_body(self, body)
            return
        self._unread_bytes += len(body)
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self._close(Reason.UNREAD_BODY)

    def on_message_complete(self) -> None:
        """A request is here as a whole, even one that was answered before; uvicorn overlooks the end of such."""
        HttpToolsProtocol.on_message_complete(self)
        self.cycle.more_body = False

    def timeout_keep_alive_handler(self) -> None:
        """No request came for as long as a connection is kept between two."""
        self._keeper.closed(Reason.IDLE)
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """What the parser refuses, or a bound."""
        detail = f"the request is no HTTP: {msg.rstrip('.')}."
        self._refuse(*(self._refusal or (Reason.MALFORMED, Problem(400, "malformed", detail))))

    def _unsupported_upgrade_warning(self) -> None:
        # Answered as a request like any other; what follows it cannot be told from another protocol.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def look(self) -> None:
        """Closes the connection if it makes no progress."""
        cycle = self.cycle
        waited_for = cycle is not None and not cycle.response_complete
        passed_s = self._keeper.now_s - self._since_s - LOOK_S  # at least, by a clock that ticks as rarely
        if self.transport.is_closing() or self.flow.write_paused:
            self._look_at_what_is_unwritten()
        elif self._in_head and waited_for:
            self._since_s = self._keeper.now_s  # its turn comes later
        elif self._in_head or cycle is None:
            self._look_at_head(passed_s)
        elif cycle.more_body:
            self._look_at_body(passed_s)
        elif not waited_for and self.timeout_keep_alive_task is None:  # the rest of a body that was not wanted ended it
            delay_s = self.timeout_keep_alive
            self.timeout_keep_alive_task = self.loop.call_later(delay_s, self.timeout_keep_alive_handler)

    def _look_at_head(self, passed_s: float) -> None:
        if passed_s <= self._bounds.head_s:
            return
        if self._in_head:
            detail = f"no whole head came within {self._bounds.head_s:g} s."
            self._refuse(Reason.SLOW_HEAD, Problem(408, "slow", detail))
        else:
            self._close(Reason.SLOW_HEAD)

    def _look_at_body(self, passed_s: float) -> None:
        bounds = self._bounds
        if not self.flow.read_paused:  # else it is the service that is slow
            if passed_s <= bounds.body_s:
                return
            if self._body_bytes - self._body_bytes_before < bounds.body_s * BODY_BYTES_PER_S:
                least = f"{BODY_BYTES_PER_S} bytes a second came for {bounds.body_s:g} s"
                detail = f"less than {least}: send it without pauses; an upload goes on where it was."
                self._refuse(Reason.SLOW_BODY, Problem(408, "slow", detail))
                return
        self._body_bytes_before = self._body_bytes
        self._since_s = self._keeper.now_s

    def _look_at_what_is_unwritten(self) -> None:
        size = self.transport.get_write_buffer_size()
        if self._unwritten is None or self._unwritten[0] != size:
            self._unwritten = (size, self._keeper.now_s)
        elif self._keeper.now_s - self._unwritten[1] > STUCK_S:
            self._keeper.closed(Reason.UNREAD_ANSWER)
            self.transport.abort()

    def _check_head(self) -> None:
        bounds = self._bounds
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > bounds.head_bytes or len(self.headers) > bounds.headers or len(self.url) > bounds.url_bytes:
            self._reject(*self._too_large_a_head())
        if len(self.pipeline) >= MOST_PIPELINED:
            detail = f"more than {MOST_PIPELINED} requests came before the first was answered: wait for answers."
            self._reject(Reason.PIPELINED, Problem(429, "pipelined", detail))

    def _too_large_a_head(self) -> tuple[Reason, Problem]:
        bounds = self._bounds
        if len(self.url) > bounds.url_bytes:
            detail = (
                f"the URL has more than {bounds.url_bytes} bytes: send less in it, or raise CO_REWARDING_MAX_URL_BYTES."
            )
            return Reason.URL, Problem(414, "long-url", detail)
        detail = (
            f"the headers are more than {bounds.headers}, or have more than {bounds.head_bytes} bytes: send fewer, or "
            "raise CO_REWARDING_MAX_HEADERS or CO_REWARDING_MAX_HEADER_BYTES."
        )
        return Reason.HEADERS, Problem(431, "large-headers", detail)

    def _reject(self, reason: Reason, problem: Problem) -> None:
        """Within the parser, which hands on what is raised as its own error."""
        self._refusal = (reason, problem)
        raise problem

    def _refuse(self, reason: Reason, problem: Problem) -> None:
        """Answers, unless another answer is on its way, and closes: nothing more is read."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and not cycle.more_body):
            expected = True
        else:
            expected = not self._in_head and not self.pipeline and not cycle.response_started
        if expected:
            self.transport.write(_written(problem))
        self._close(reason)

    def _close(self, reason: Reason) -> None:
        self._keeper.closed(reason)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()


def _written(problem: Problem) -> bytes:
    body = problem.body()
    fields = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close", **problem.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {problem.status} {problem.document()['title']}\r\n{lines}\r\n".encode() + body
