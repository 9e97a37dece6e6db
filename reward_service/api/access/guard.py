"""Guard the routes of FastAPI: who asks, whether it may, and an audit line for what it has changed."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

import structlog
from co_rewarding_schema.run_names import DEFAULT_RUN
from fastapi import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_service.api.access.callers import Caller
from reward_service.api.access.heads import least_bytes
from reward_service.api.access.keyring import Keyring
from reward_service.api.access.meters import Stay
from reward_service.api.access.route_rules import RULES, RouteRule, RunAt
from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.api.http.requests import header
from reward_service.store.keys import split_qualified
from reward_service.telemetry import Metrics

OTHER = "other"
"""How metrics name a route whose caller is refused."""

VISIT = "co_rewarding.visit"
NAMED = ("job", "upload")
"""What audit lines name, beside the run, of what the path names."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a run, a job or an upload may be called. A path may hold any text in the place of a name."""

audit_log = structlog.get_logger("audit")


class Visit:
    """A request that was let in: by whom, to which route, and about which run, once that is known."""

    def __init__(self, caller: Caller, route: str, rule: RouteRule, named: dict[str, Any]) -> None:
        """Begin without a run."""
        self.caller = caller
        self.route = route
        self.rule = rule
        self.named = named
        self.run: str | None = None
        self.status = 0

    def enter(self, run: str) -> None:
        """Note the first run, and refuse one that is none of the caller's.

        Raises:
            Problem: 403.
        """
        self.run = self.run or run
        self.caller.enter(run)

    def audit(self) -> None:
        """Write who has changed what, and how it went. Nothing that a caller has written is in it but names."""
        outcome = "done" if 0 < self.status < 400 else "refused" if 400 <= self.status < 500 else "failed"
        named = {name: _named(self.named[name]) for name in NAMED if name in self.named}
        audit_log.info(
            "audit", logger="audit", key=self.caller.key, run=_named(self.run), route=self.route,
            what=self.rule.changes, outcome=outcome, status=self.status, **named,
        )  # fmt: skip


def enter_run(request: Request, run: str) -> None:
    """Let the caller of a request into a run that its body, or what its path names, belongs to.

    Raises:
        Problem: 403.
    """
    visit: Visit = request.scope[VISIT]
    visit.enter(run)


def check_owner(request: Request, folder: str) -> None:
    """Refuse a folder of weights that is of none of the caller's runs.

    Raises:
        Problem: 403.
    """
    visit: Visit = request.scope[VISIT]
    visit.caller.check_owner(folder)


def admits(request: Request) -> Callable[[str], bool] | None:
    """Return which runs the caller of a request may know of; None: of all."""
    visit: Visit = request.scope[VISIT]
    return visit.caller.grant.admits if visit.caller.grant.prefixes else None


class RouteFinder:
    """Finds the rule of a request. Each route has one."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """Take the routes of an application.

        Raises:
            KeyError: a route has no rule.
        """
        self._patterns: list[tuple[re.Pattern[str], str, dict[str, tuple[str, RouteRule]]]] = []
        for route in routes:
            if isinstance(route, Mount):
                methods, path = {"GET"}, route.path
            else:
                assert isinstance(route, Route), "the API has routes and one mount"
                methods, path = set(route.methods or ()) - {"HEAD"}, route.path
            names = {method: f"{method} {path}" for method in methods}
            self._patterns.append((route.path_regex, path, {m: (name, RULES[name]) for m, name in names.items()}))

    def find(self, method: str, path: str) -> tuple[str, RouteRule, dict[str, Any]] | None:
        """Return a route's name, its rule, and what the path names; None for what the application will refuse."""
        method = "GET" if method == "HEAD" else method
        for pattern, _, rules in self._patterns:
            found = pattern.match(path)
            if found is not None and method in rules:
                return *rules[method], found.groupdict()
        return None

    def is_open(self, path: str) -> bool:
        """Return whether no key is asked for at a path, whatever the method."""
        return any(
            rule.scopes is None
            for pattern, _, rules in self._patterns
            if pattern.match(path)
            for _, rule in rules.values()
        )


class Guarded:
    """An ASGI application behind keys."""

    def __init__(
        self, app: ASGIApp, finder: RouteFinder, keyring: Keyring, metrics: Metrics, most_body_bytes: int
    ) -> None:
        """`app` is asked only by those who may, and takes no metered body of more than `most_body_bytes`."""
        self._most_body_bytes = most_body_bytes
        self._app = app
        self._finder = finder
        self._keyring = keyring
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] != "http" or self._finder.is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        visit: Visit | None = None
        stay: Stay | None = None
        try:
            caller = self._keyring.caller(scope["headers"])
            found = self._finder.find(scope["method"], scope["path"])
            if found is None:
                await self._app(scope, receive, send)
                return
            visit = scope[VISIT] = Visit(caller, *found)
            stay = self._admit(visit, scope)
        except Problem as problem:
            await self._refuse(visit, problem, send)
            return
        try:
            await self._serve(visit, scope, receive, send)
        finally:
            if stay is not None:
                stay.end()
            if visit.rule.changes is not None:
                visit.audit()

    def _admit(self, visit: Visit, scope: Scope) -> Stay | None:
        """Let a request in by its head.

        Raises:
            Problem: 403 or 429.
        """
        visit.caller.check_route(visit.rule)
        run = _run_in(visit, scope["query_string"])
        if run is not None:
            visit.enter(run)
        if not visit.caller.is_bounded:
            return None
        # A head may announce what never comes: the key would pay for it for years.
        announced = min(least_bytes(scope["headers"]), self._most_body_bytes)
        visit.caller.charge_head(0, announced if visit.rule.metered else 0)
        return visit.caller.begin()

    async def _serve(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
            await send(message)

        async def counted() -> Message:
            message = await receive()
            visit.caller.take_bytes(len(message.get("body", b"")))
            return message

        caller, rule = visit.caller, visit.rule
        chunked = caller.is_bounded and rule.metered and header(scope["headers"], b"transfer-encoding") is not None
        work = self._app(scope, counted if chunked else receive, noted)
        if not rule.streams:
            await work
            return
        try:
            await caller.streaming(asyncio.ensure_future(work))  # type: ignore[arg-type] - of an ASGI application
        except asyncio.CancelledError:
            if not caller.ended:
                raise  # the connection then ends without the end of its answer: its viewer comes again

    async def _refuse(self, visit: Visit | None, problem: Problem, send: Send) -> None:
        self._metrics.answered(OTHER, problem.status, 0.0)
        if visit is not None and problem.quota is not None:
            self._metrics.over_quota(visit.caller.grant.name, problem.quota)
        body = problem.body()
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **problem.headers}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": problem.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})
        if visit is not None and visit.rule.changes is not None and problem.status == 403:
            visit.status = problem.status
            visit.audit()


def _named(text: str | None) -> str | None:
    """Return what an audit line calls something; None for a text that is no name."""
    return text if text is not None and _NAME.fullmatch(text) else None


def _run_in(visit: Visit, query: bytes) -> str | None:
    """Return the run that a request's URL names, if it does."""
    match visit.rule.run:
        case RunAt.PATH:
            return visit.named["run"]
        case RunAt.QUERY:
            return parse_qs(query.decode("latin-1"), keep_blank_values=True).get("run", [DEFAULT_RUN])[-1]
        case RunAt.QUALIFIED:
            split = split_qualified(visit.named["cohort"])
            return None if split is None else split[0]
        case _:
            return None
