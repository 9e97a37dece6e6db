"""Serve a connection by uvicorn's protocol within limits; hot requests are answered without ASGI."""

import asyncio
from typing import Any, Protocol
from urllib.parse import unquote

import httptools
from co_rewarding_schema.problems import ProblemKind
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from reward_service.api.http.problems import Problem
from reward_service.api.rewards.hot_route import Route
from reward_service.api.rewards.routes import HotRoutes
from reward_service.serving.connection_limits import LOOK_S, MOST_PIPELINED, Doorkeeper, Reason, RefusingProtocol
from reward_service.serving.hot_exchange import HotExchange

BODY_BYTES_PER_S = 1024
"""What a body must bring on average within each `body_s`."""

CHUNKING_BYTES = 2**19
CHUNKING_RATIO = 8
"""What a chunked body may take around its content: so much, and so often the content (chunks of a byte: 6)."""

STUCK_S = 60.0
"""After how long an answer that its client does not read is given up."""


class HasHotRoutes(Protocol):
    """The object that composes the hot routes when the process has started."""

    @property
    def hot(self) -> HotRoutes:
        """Return the hot routes."""
        ...


class BoundedProtocol(RefusingProtocol):
    """uvicorn's connection, within limits.

    What is done for every request is little: most is seen when the connection is looked at, by what uvicorn keeps.
    """

    def __init__(
        self,
        keeper: Doorkeeper,
        service: HasHotRoutes,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        """Take the arguments that uvicorn gives."""
        super().__init__(keeper, config, server_state, app_state, _loop)
        self._hot = service.hot
        self._since_s = keeper.now_s
        self._chunk_bytes = 0
        self._ended_head = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_bytes_before = 0
        self._wire_bytes = 0
        self._unwritten: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, unless there are too many."""
        super().connection_made(transport)
        self._keeper.watch(self.connections, self.loop)
        self._since_s = self._keeper.now_s
        if len(self.connections) > self._bounds.connections:
            self._refuse(
                Reason.CONNECTIONS,
                Problem(ProblemKind.UNAVAILABLE, "too many connections: try again in a moment.", retry_after_s=1.0),
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for all requests of the client, which has left.

        Its requests are let go, as each holds the connection: what refers to itself waits for a collection of garbage,
        and one that was held for long waits for a rare one.
        """
        self._leave_served()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.cycle = self._served = None
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and count the bytes of it that are no content."""
        if self._last_words is not None:
            self._pass_over(data)
            return
        cycle = self.cycle
        self._ended_head = False
        if not self._in_head and (cycle is None or not cycle.more_body):
            self._in_head = True
            self._since_s = self._keeper.now_s
            self._head_bytes = 0
        self._chunk_bytes = len(data)
        HttpToolsProtocol.data_received(self, data)
        if self._in_head:
            if not self._ended_head:  # else only the end of the data is of this head, and parsed into few headers
                self._head_bytes += len(data)
                if self._head_bytes > self._bounds.head_bytes:
                    self._refuse(*self._too_large_a_head())
        elif self.cycle.more_body:
            self._wire_bytes += len(data)
            if self._wire_bytes > CHUNKING_BYTES + CHUNKING_RATIO * self._body_bytes:
                detail = "the chunks of the body hold hardly any content: send larger ones."
                self._refuse(Reason.CHUNKING, Problem(ProblemKind.CHUNKING, detail))

    def on_headers_complete(self) -> None:
        """Begin the request of a whole head, if the head is within limits."""
        bounds = self._bounds
        if (
            self._head_bytes + self._chunk_bytes > bounds.head_bytes
            or len(self.headers) > bounds.headers
            or len(self.url) > bounds.url_bytes
            or len(self.pipeline) >= MOST_PIPELINED
        ):
            self._check_head()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        route = self._hot.find(unquote(path) if "%" in path else path)
        if route is None:
            self._begin_asgi()
        else:
            self._begin_hot(route, path, url.query or b"")
        self._in_head = False
        self._ended_head = True
        self._since_s = self._keeper.now_s
        self._body_bytes = self._body_bytes_before = self._wire_bytes = self._unread_bytes = 0

    def on_message_begin(self) -> None:
        """Begin a head. ASGI's own state is made when ASGI gets the request."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def _begin_asgi(self) -> None:
        url, headers, expects_continue = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects_continue
        self.headers.extend(headers)
        HttpToolsProtocol.on_headers_complete(self)

    def _begin_hot(self, route: Route, path: str, query: bytes) -> None:
        parser = self.parser
        assert parser is not None
        earlier = self.cycle
        exchange = HotExchange(
            self._hot,
            route,
            parser.get_method().decode("ascii"),
            path,
            query,
            self.headers,
            keep_alive=parser.should_keep_alive() and parser.get_http_version() != "1.0",
            expects_continue=self.expect_100_continue,
            loop=self.loop,
            transport=self.transport,
            flow=self.flow,
            tasks=self.tasks,
            on_answer=self.on_hot_answer,
        )
        self.cycle = exchange  # type: ignore[assignment] - it is what the protocol needs of a cycle
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(exchange, self.app)  # type: ignore[arg-type]
        else:
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]

    def _start_asgi_task(self, cycle: RequestResponseCycle | HotExchange, app: ASGI3Application) -> None:
        self._served = cycle
        if isinstance(cycle, HotExchange):
            cycle.begin()
        else:
            HttpToolsProtocol._start_asgi_task(self, cycle, app)

    def on_hot_answer(self) -> None:
        """Do after a hot answer what uvicorn does, except for the timer of an idle connection."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._since_s = self._keeper.now_s
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._say_last_words()

    def on_response_complete(self) -> None:
        """Go on after an answer that ASGI gave."""
        HttpToolsProtocol.on_response_complete(self)
        self._say_last_words()

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._body_bytes += len(body)
        cycle: RequestResponseCycle | HotExchange = self.cycle
        if not cycle.response_complete:
            if isinstance(cycle, HotExchange):
                cycle.take(body)
                if cycle.waiting_bytes > HIGH_WATER_LIMIT:
                    self.flow.pause_reading()
            else:
                HttpToolsProtocol.on_body(self, body)
            return
        self._pass_over(body)

    def on_message_complete(self) -> None:
        """End the request, also one that was answered before; uvicorn overlooks the end of such a request."""
        cycle: RequestResponseCycle | HotExchange = self.cycle
        if isinstance(cycle, HotExchange):
            cycle.end()
        else:
            HttpToolsProtocol.on_message_complete(self)
            cycle.more_body = False

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long."""
        self._keeper.closed(Reason.IDLE)
        super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        # Answered as a request like any other; what follows it cannot be told from another protocol.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def look(self) -> None:
        """Close the connection if it makes no progress."""
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
        elif not waited_for and self.timeout_keep_alive_task is None and passed_s > self.timeout_keep_alive:
            self.timeout_keep_alive_handler()

    def _look_at_head(self, passed_s: float) -> None:
        if passed_s <= self._bounds.head_s:
            return
        if self._in_head:
            detail = f"no whole head came within {self._bounds.head_s:g} s."
            self._refuse(Reason.SLOW_HEAD, Problem(ProblemKind.SLOW, detail))
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
                self._refuse(Reason.SLOW_BODY, Problem(ProblemKind.SLOW, detail))
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
