"""Limit connections: their number, the bytes of a head, and the time for a head and a body.

uvicorn bounds none of these. Everything here holds before a key is asked for, and for every route.
"""

import asyncio
import enum
import resource
import time
from dataclasses import dataclass
from typing import Any, Protocol

from co_rewarding_schema.problems import ProblemKind
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.serving.hot_exchange import HotExchange
from reward_service.settings import Settings
from reward_service.telemetry import Metrics

LOOK_S = 1.0
"""How often all connections of a process are looked at: one timer for all, since one for each costs every request."""

MOST_PIPELINED = 64
MOST_UNREAD_BYTES = 2**20
"""How much of a body may still come after its request was answered; then the connection is closed."""

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
class ConnectionLimits:
    """What each connection of a process may take, and how many there may be."""

    head_bytes: int
    headers: int
    url_bytes: int
    head_s: float
    body_s: float
    connections: int

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        """Return the limits of the settings; by default connections are as many as open files leave room for."""
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


class Looked(Protocol):
    """A connection that the doorkeeper looks at."""

    def look(self) -> None:
        """Close the connection if it makes no progress."""
        ...


class Doorkeeper:
    """Looks at all connections of a process from time to time, and counts those it closes."""

    def __init__(self, bounds: ConnectionLimits, metrics: Metrics) -> None:
        """Begin without connections."""
        self.bounds = bounds
        self.now_s = time.monotonic()
        self._metrics = metrics
        self._looking = False

    def watch(self, connections: set[Looked], loop: asyncio.AbstractEventLoop) -> None:
        """Look at these connections from now on."""
        if not self._looking:
            self._looking = True
            self.now_s = time.monotonic()
            loop.call_later(LOOK_S, self._look, connections, loop)

    def closed(self, reason: Reason) -> None:
        """Count a connection that is closed for this reason."""
        self._metrics.count(self._metrics.closed_connections, 1, reason.value)

    def _look(self, connections: set[Looked], loop: asyncio.AbstractEventLoop) -> None:
        self.now_s = time.monotonic()
        try:
            for each in tuple(connections):
                each.look()
        finally:  # a fault in one look must not end those to come
            self._looking = bool(connections)
            if self._looking:
                loop.call_later(LOOK_S, self._look, connections, loop)


class RefusingProtocol(HttpToolsProtocol):
    """uvicorn's connection, which answers a client that takes more than its limits with a problem, and closes."""

    cycle: Any
    """The last request that came: uvicorn's, or a hot one; None at first, and when the connection is lost."""

    def __init__(
        self,
        keeper: Doorkeeper,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        """Begin with nothing refused."""
        super().__init__(config, server_state, app_state, loop)
        self._keeper = keeper
        self._bounds = keeper.bounds
        self._in_head = False
        self._refusal: tuple[Reason, Problem] | None = None
        self._last_words: bytes | None = None
        self._unread_bytes = 0
        self._served: RequestResponseCycle | HotExchange | None = None

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that the parser, or a limit within the parser, has refused."""
        detail = f"the request is no HTTP: {msg.rstrip('.')}."
        self._refuse(*(self._refusal or (Reason.MALFORMED, Problem(ProblemKind.MALFORMED, detail))))

    def _check_head(self) -> None:
        bounds = self._bounds
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > bounds.head_bytes or len(self.headers) > bounds.headers or len(self.url) > bounds.url_bytes:
            self._reject(*self._too_large_a_head())
        if len(self.pipeline) >= MOST_PIPELINED:
            detail = f"more than {MOST_PIPELINED} requests came before the first was answered: wait for answers."
            self._reject(Reason.PIPELINED, Problem(ProblemKind.PIPELINED, detail))

    def _too_large_a_head(self) -> tuple[Reason, Problem]:
        bounds = self._bounds
        if len(self.url) > bounds.url_bytes:
            detail = (
                f"the URL has more than {bounds.url_bytes} bytes: send less in it, or raise CO_REWARDING_MAX_URL_BYTES."
            )
            return Reason.URL, Problem(ProblemKind.LONG_URL, detail)
        detail = (
            f"the headers are more than {bounds.headers}, or have more than {bounds.head_bytes} bytes: send fewer, or "
            "raise CO_REWARDING_MAX_HEADERS or CO_REWARDING_MAX_HEADER_BYTES."
        )
        return Reason.HEADERS, Problem(ProblemKind.LARGE_HEADERS, detail)

    def _reject(self, reason: Reason, problem: Problem) -> None:
        """Refuse within the parser, which passes the exception on as its own error."""
        self._refusal = (reason, problem)
        raise problem

    def _refuse(self, reason: Reason, problem: Problem) -> None:
        """Answer with a problem unless another answer is on its way, and close."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._keeper.closed(reason)
            self._last_words = _written(problem)  # those that came before are answered first
            self._unread_bytes = 0
            return
        if cycle is None or (cycle.response_complete and not cycle.more_body):
            expected = True
        else:
            expected = not self._in_head and not self.pipeline and not cycle.response_started
        if expected:
            self.transport.write(_written(problem))
        self._close(reason)

    def _say_last_words(self) -> None:
        if self._last_words is not None and not self.transport.is_closing() and self.cycle.response_complete:
            self.transport.write(self._last_words)
            self.transport.close()

    def _pass_over(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        if self._unread_bytes > MOST_UNREAD_BYTES:
            self._close(Reason.UNREAD_BODY)

    def _close(self, reason: Reason) -> None:
        self._keeper.closed(reason)
        self._leave_served()
        self.transport.close()

    def _leave_served(self) -> None:
        """Tell the request that is served; uvicorn tells the last one that came, which may wait behind it."""
        served = self._served
        if served is not None and not served.response_complete:
            served.disconnected = True
            served.message_event.set()


def _written(problem: Problem) -> bytes:
    body = problem.body()
    fields = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close", **problem.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {problem.status} {problem.document()['title']}\r\n{lines}\r\n".encode() + body
