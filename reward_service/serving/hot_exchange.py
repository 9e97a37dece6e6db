"""Answer a hot request from the parser's callbacks, without ASGI's dictionaries and events.

uvicorn's protocol keeps such an exchange where it keeps a RequestResponseCycle, so that pipelining, keep-alive and a
graceful stop are uvicorn's own.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from reward_service.api.access.callers import Caller
from reward_service.api.access.meters import Stay
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import Problem
from reward_service.api.http.requests import BodyParts, ClientGoneError, announced_bytes
from reward_service.api.rewards.held_singles import HeldSingle
from reward_service.api.rewards.hot_route import Route
from reward_service.api.rewards.routes import HotRoutes

Result = TypeVar("Result")


class HotExchange:
    """One request of a hot route: its body as it comes, its task, its answer.

    The first eight attributes are those of uvicorn's RequestResponseCycle that its protocol reads and writes.
    """

    __slots__ = (
        "_cancellable",
        "_held",
        "_hot",
        "_loop",
        "_on_answer",
        "_parts",
        "_task",
        "_tasks",
        "_transport",
        "_turn",
        "caller",
        "disconnected",
        "expects_continue",
        "flow",
        "headers",
        "keep_alive",
        "method",
        "more_body",
        "path",
        "query",
        "refusal",
        "response_complete",
        "response_started",
        "route",
        "stay",
    )

    def __init__(
        self,
        hot: HotRoutes,
        route: Route,
        method: str,
        path: str,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        *,
        keep_alive: bool,
        expects_continue: bool,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        flow: FlowControl,
        tasks: set[asyncio.Task[None]],
        on_answer: Callable[[], None],
    ) -> None:
        """`on_answer` is called when the answer has been written."""
        self.response_started = False
        self.response_complete = False
        self.disconnected = False
        self.more_body = True
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.flow = flow
        self.route = route
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.refusal: Problem | None = None
        self.caller: Caller
        self.stay: Stay | None = None
        self._hot = hot
        self._loop = loop
        self._transport = transport
        self._tasks = tasks
        self._on_answer = on_answer
        self._parts = BodyParts(hot.most_body_bytes)
        self._turn = False
        self._task: asyncio.Task[None] | None = None
        self._cancellable = False
        self._held: HeldSingle | None = None
        try:
            hot.check_head(self, route)
        except Problem as problem:
            self.refusal = problem

    @property
    def message_event(self) -> "HotExchange":
        """Itself: uvicorn sets this event when something about the request has changed."""
        return self

    def set(self) -> None:
        """Take notice of a change: a client that has left is waited for no longer."""
        if not self.disconnected:
            return
        self._end_stay()
        if self._held is not None:
            self._held, held = None, self._held
            held.left()
        elif self._cancellable and self._task is not None:
            self._cancellable = False
            self._task.cancel()

    def whole_body(self) -> Data:
        """Return the body, which may be taken once."""
        return self._parts.whole()

    def put_back(self, body: Data) -> None:
        """Keep a body that was taken."""
        self._parts.put_back(body)

    def hold(self, held: HeldSingle) -> None:
        """Wait without a task for what is held to be answered; only its path and its query are kept of the head."""
        self._held = held
        self.headers = []

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a task answer what was held."""
        self._held = None
        self._start(work)

    @property
    def writable(self) -> bool:
        """Whether the client has read what was written before."""
        return not self.flow.write_paused

    @property
    def size_bytes(self) -> int:
        """Return how large the body is, also when it was taken."""
        return self._parts.size_bytes

    @property
    def waiting_bytes(self) -> int:
        """What has come of the body of a request whose turn has not."""
        return 0 if self._turn else self._parts.size_bytes

    def begin(self) -> None:
        """The answers to earlier requests of the connection have been sent: this one is next."""
        self._turn = True
        if self.refusal is None and self.caller.is_bounded:
            try:
                self.stay = self.caller.begin(int(self.method == "POST"))
            except Problem as problem:
                self.refusal = problem
        if self.refusal is not None or not self.more_body:
            self._answer()
        elif self.expects_continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take(self, chunk: bytes) -> None:
        """Keep a part of the body, unless there is too much."""
        if self.refusal is not None:
            return
        try:
            self._parts.add(chunk)
        except Problem as problem:
            self.refusal = problem
            if self._turn:
                self._answer()

    def end(self) -> None:
        """The body is whole."""
        self.more_body = False
        if self.refusal is None and self.caller.meters_bytes and not announced_bytes(self.headers):
            self.caller.take_bytes(self._parts.size_bytes)  # of a body in chunks
        if self._turn and self._task is None:
            self._answer()

    def _answer(self) -> None:
        if self.refusal is not None or not self._hot.hold(self, self.route):
            self._start(self._hot.answer(self, self.route, self.refusal))

    def _end_stay(self) -> None:
        if self.stay is not None:
            self.stay.end()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = self._loop.create_task(self._run(work))
        self._tasks.add(self._task)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            assert self._task is not None
            self._tasks.discard(self._task)
            if not self.response_complete and not self.disconnected:
                self._transport.close()

    async def while_there(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns, or cancel it when the client goes away.

        Raises:
            ClientGoneError: the client closed its connection, at the latest as the work ended.
        """
        if self.disconnected:
            work.close()
            raise ClientGoneError
        self._cancellable = True
        try:
            result = await work
        except asyncio.CancelledError:
            if not self.disconnected:
                raise
            assert self._task is not None
            self._task.uncancel()
            raise ClientGoneError from None
        finally:
            self._cancellable = False
        if self.disconnected or self._transport.is_closing():
            raise ClientGoneError  # an answer would be dropped without a word
        return result

    async def send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        media_type: bytes = b"application/json",
    ) -> None:
        """Send the answer, once the client has read what was written before.

        Raises:
            ClientGoneError: the client has left, also while its earlier answers were written.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        self.send_now(status, body, headers, media_type)

    def send_now(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        media_type: bytes = b"application/json",
    ) -> None:
        """Send the answer, whether or not the client has read what was written before.

        Raises:
            ClientGoneError: the client has left; nothing was sent.
        """
        self._held = None
        if self.disconnected or self._transport.is_closing():
            raise ClientGoneError
        self.response_started = True
        head = [STATUS_LINE[status], b"content-type: ", media_type, b"\r\ncontent-length: %d\r\n" % len(body)]
        for name, value in (headers or {}).items():
            if name == "connection":
                self.keep_alive = self.keep_alive and value != "close"
            else:
                head.append(f"{name}: {value}\r\n".encode())
        head.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        if self.method != "HEAD":
            head.append(body)
        self._transport.write(b"".join(head))
        self.response_complete = True
        self._end_stay()
        if not self.keep_alive:
            self._transport.close()
        self._on_answer()
