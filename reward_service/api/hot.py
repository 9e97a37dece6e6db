"""The hot routes, as plain ASGI in front of FastAPI: for single rollouts its routing is two thirds of the time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote

import msgspec
import structlog
from pydantic import BaseModel

from reward_service.api.asgi import App, ClientGoneError, Departures, Receive, Scope, Send, header, read_body, send_json
from reward_service.api.auth import Keyring
from reward_service.api.compat import Holder, Visit
from reward_service.api.formats import Item, Verdict, item_of, items_of, openrlhf_answer, remote_rm_answer
from reward_service.api.json_text import Data
from reward_service.api.models import OpenRLHFForm, RemoteRMForm, RewardForm
from reward_service.api.problems import MEDIA_TYPE, Problem, away, internal
from reward_service.api.reading import Reader
from reward_service.api.scoring import Pending, Scorer
from reward_service.api.surrogates import UNREADABLE, halves_replaced
from reward_service.api.waiting import DrainingError
from reward_service.api.wire import Accepted, OpenRLHFRequest, Progress, RemoteRMRequest, RewardAnswer, RewardRequest
from reward_service.domain.errors import InvalidRunError
from reward_service.domain.runs import check_run_name
from reward_service.errors import StoreUnavailableError
from reward_service.settings import Settings
from reward_service.telemetry import Metrics

log = structlog.get_logger(__name__)

Wire = TypeVar("Wire", bound=msgspec.Struct)
Result = TypeVar("Result")
Handler = Callable[[Scope, Receive, Send], Awaitable[int]]
Answerer = Callable[[list[Verdict]], dict[str, Any]]
TICKET_PREFIX = "/v1/rewards/"
MAX_KEY_CHARS = 1024
OTHER = "other"

WHOLE_BYTES = 2**22
LARGEST_WHOLE_BYTES = 2**25
QUOTES_A_ROLLOUT = 64
"""What is decoded in one go, while nobody else is served: small bodies, and large ones that are mostly text."""

MENDED_BYTES = 2**20
"""What is searched in one go for halves of surrogate pairs."""


class HotRoutes:
    """The four routes that rollouts come by, and the one where their tickets are asked for."""

    def __init__(self, scorer: Scorer, holder: Holder, reader: Reader, settings: Settings, metrics: Metrics) -> None:
        """Composed once, in the app's lifespan."""
        self._scorer = scorer
        self._holder = holder
        self._reader = reader
        self._settings = settings
        self._metrics = metrics
        self._departures = Departures()
        self._encode = msgspec.json.Encoder().encode
        self._reward_request = msgspec.json.Decoder(RewardRequest)
        self._openrlhf_request = msgspec.json.Decoder(OpenRLHFRequest)
        self._remote_rm_request = msgspec.json.Decoder(RemoteRMRequest)
        self._posts: dict[str, Handler] = {
            "/v1/rewards": self._rewards,
            "/v1/rollouts": self._rollouts,
            "/get_reward": self._get_reward,
            "/v1/remote_rm": self._remote_rm,
        }

    def handler(self, scope: Scope) -> tuple[str, Handler] | None:
        """The route and its handler, if the request is for one of these."""
        path = scope["path"]
        if path in self._posts:
            return path, self._posts[path] if scope["method"] == "POST" else self._wrong_method("POST")
        if path.startswith(TICKET_PREFIX) and "/" not in path[len(TICKET_PREFIX) :]:
            return TICKET_PREFIX + "{ticket}", self._ticket if scope["method"] == "GET" else self._wrong_method("GET")
        return None

    def _wrong_method(self, right: str) -> Handler:
        async def refuse(scope: Scope, receive: Receive, send: Send) -> int:
            raise Problem(405, "wrong-method", f"{scope['path']} takes {right}.", headers={"allow": right})

        return refuse

    async def _rewards(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = await self._request(scope, receive)
        pending = await self._accept("/v1/rewards", request, scope)
        answer = await self._within(receive, self._collect(pending, request.wait_s))
        return await self._answer(send, answer)

    async def _rollouts(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = await self._request(scope, receive)
        pending = await self._accept("/v1/rollouts", request, scope)
        until_s = time.time() + self._settings.retention_s
        expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until_s))
        await send_json(send, 202, self._encode(Accepted(pending.ticket, expires_at)))
        return 202

    async def _ticket(self, scope: Scope, receive: Receive, send: Send) -> int:
        wait_s = _wait_of(scope)
        pending = await self._scorer.find(unquote(scope["path"][len(TICKET_PREFIX) :]))
        return await self._answer(send, await self._within(receive, self._collect(pending, wait_s)))

    async def _get_reward(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = await self._read(scope, receive, self._openrlhf_request, OpenRLHFForm)
        items = items_of(request, self._settings.max_rollouts)
        self._metrics.count(self._metrics.prompts_not_found, sum(not item.prompt_found for item in items))
        return await self._held("/get_reward", items, scope, receive, send, partial(openrlhf_answer, items))

    async def _remote_rm(self, scope: Scope, receive: Receive, send: Send) -> int:
        request = await self._read(scope, receive, self._remote_rm_request, RemoteRMForm)
        return await self._held("/v1/remote_rm", [item_of(request)], scope, receive, send, remote_rm_answer)

    async def _request(self, scope: Scope, receive: Receive) -> RewardRequest:
        request = await self._read(scope, receive, self._reward_request, RewardForm)
        if len(request.rollouts) > self._settings.max_rollouts:
            raise Problem(
                413,
                "too-many",
                f"{len(request.rollouts)} rollouts in a request that may hold {self._settings.max_rollouts}: send "
                "several requests with complete=false, or raise CO_REWARDING_MAX_ROLLOUTS.",
            )
        return request

    async def _read(
        self, scope: Scope, receive: Receive, wire: msgspec.json.Decoder[Wire], form: type[BaseModel]
    ) -> Wire:
        """The body. What the fast decoder refuses may have this form all the same; if not, the reader says why."""
        body = await read_body(scope, receive, self._settings.max_body_bytes)
        if self._is_quickly_decoded(body):
            try:
                return wire.decode(body)
            except UNREADABLE:
                pass
            whole = halves_replaced(body) if len(body) <= MENDED_BYTES else None
            if whole is not None:
                with contextlib.suppress(*UNREADABLE):
                    return wire.decode(whole)
        return await self._reader.read_wire(wire, form, body)

    def _is_quickly_decoded(self, body: Data) -> bool:
        """Whether the fast decoder is done with a body, however bad it is, before anybody has waited for long.

        It takes 2 ms a MiB of text, and 50 ms a MiB of values as short as can be. A string has two quotation marks.
        """
        if len(body) <= WHOLE_BYTES:
            return True
        return len(body) <= LARGEST_WHOLE_BYTES and body.count(b'"') <= QUOTES_A_ROLLOUT * self._settings.max_rollouts

    async def _accept(self, route: str, request: RewardRequest, scope: Scope) -> Pending:
        pending = await self._scorer.accept(request, _idempotency_key(scope))
        self._metrics.accepted(route, len(request.rollouts))
        return pending

    async def _collect(self, pending: Pending, wait_s: float) -> RewardAnswer | Progress:
        try:
            return await self._scorer.collect(pending, min(wait_s, self._settings.max_wait_s))
        except DrainingError:
            return Progress(pending.ticket, 0, pending.count)

    async def _held(
        self, route: str, items: list[Item], scope: Scope, receive: Receive, send: Send, answer: Answerer
    ) -> int:
        visit = Visit()
        answered = False
        try:
            verdicts = await self._verdicts(route, items, scope, receive, visit)
            await send_json(send, 200, self._encode(answer(verdicts)))
            answered = True
            return 200
        finally:
            # Only now: a process that is killed before has not answered, and whoever comes again finds the place.
            self._holder.end(visit, answered=answered)

    async def _verdicts(
        self, route: str, items: list[Item], scope: Scope, receive: Receive, visit: Visit
    ) -> list[Verdict]:
        self._metrics.accepted(route, len(items))
        run = _run_of(scope)
        try:
            holding = self._within(receive, self._holder.verdicts(items, run, visit))
            if self._settings.max_hold_s is None:
                return await holding
            async with asyncio.timeout(self._settings.max_hold_s):
                return await holding
        except DrainingError as cause:
            raise away("this process is stopping") from cause
        except TimeoutError as cause:
            raise away("the cohort still waits for rollouts") from cause

    async def _within(self, receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
        """Does the work unless the client goes away first.

        Raises:
            ClientGoneError: the client closed its connection.
        """
        departure = self._departures.expect(receive)
        try:
            result = await work
            if departure.left():
                raise ClientGoneError
            return result
        except asyncio.CancelledError:
            if not departure.seen:
                raise
            departure.worker.uncancel()
            raise ClientGoneError from None
        finally:
            self._departures.forget(departure)

    async def _answer(self, send: Send, answer: RewardAnswer | Progress) -> int:
        status = 200 if isinstance(answer, RewardAnswer) else 202
        await send_json(send, status, self._encode(answer))
        return status


class Front:
    """What uvicorn serves: keys, then the hot routes, then FastAPI. The boundary where errors become problems."""

    def __init__(self, app: App, keyring: Keyring, metrics: Metrics, hot: Callable[[], HotRoutes]) -> None:
        """`hot` gives the hot routes once the app's lifespan has made them."""
        self._app = app
        self._keyring = keyring
        self._metrics = metrics
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        route, status = OTHER, 0
        try:
            self._keyring.check(scope["path"], scope["headers"])
            found = self._hot().handler(scope)
            if found is None:
                await self._app(scope, receive, send)
                return
            route, handle = found
            status = await handle(scope, receive, send)
        except ClientGoneError:
            status = 499
        except Problem as problem:
            status = await send_problem(send, problem)
        except StoreUnavailableError as error:
            status = await send_problem(send, away(str(error), error.retry_after_s))
        except Exception:
            log.exception("a request failed", route=route, path=scope["path"])
            if route != OTHER:  # FastAPI has answered by itself
                status = await send_problem(send, internal())
        finally:
            if status:
                self._metrics.answered(route, status, time.perf_counter() - began_s)


async def send_problem(send: Send, problem: Problem) -> int:
    """Sends a problem document; its status."""
    await send_json(send, problem.status, problem.body(), problem.headers, MEDIA_TYPE.encode())
    return problem.status


def _query(scope: Scope, name: str) -> str | None:
    if not scope.get("query_string"):
        return None
    values = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get(name)
    return values[-1] if values else None


def _run_of(scope: Scope) -> str | None:
    run = _query(scope, "run")
    if run is None:
        return None
    try:
        return check_run_name(run)
    except InvalidRunError as cause:
        raise Problem(422, "invalid", f"run: {cause}.") from cause


def _wait_of(scope: Scope) -> float:
    text = _query(scope, "wait_s")
    try:
        wait_s = 0.0 if text is None else float(text)
    except ValueError:
        wait_s = -1.0
    if not 0.0 <= wait_s < float("inf"):
        raise Problem(422, "invalid", "wait_s: a number of seconds, 0 or more.")
    return wait_s


def _idempotency_key(scope: Scope) -> str | None:
    value = header(scope, b"idempotency-key")
    if value is None:
        return None
    if not 0 < len(value) <= MAX_KEY_CHARS:
        raise Problem(422, "invalid", f"Idempotency-Key: 1 to {MAX_KEY_CHARS} characters.")
    return value.decode("latin-1")
