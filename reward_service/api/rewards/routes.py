"""The hot routes, beside FastAPI: for single rollouts its routing, and ASGI's own way, are most of the time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote

import msgspec
import structlog
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import Pending, RewardRequest, Rewards, Ticket
from co_rewarding_schema.run_settings import check_run_name
from co_rewarding_schema.trainer_formats import OpenRLHFRequest, RemoteRMRequest
from pydantic import BaseModel

from reward_service.api.http.auth import Keyring
from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import MEDIA_TYPE, Problem, away, internal
from reward_service.api.http.requests import ClientGoneError, Exchange, check_body_headers, header
from reward_service.api.http.surrogates import UNREADABLE, halves_replaced
from reward_service.api.rewards.held_requests import HeldRequests, Visit
from reward_service.api.rewards.models import OpenRLHFForm, RemoteRMForm, RewardForm
from reward_service.api.rewards.openrlhf import (
    SeatReward,
    SingleRollout,
    item_of,
    items_of,
    openrlhf_answer,
    remote_rm_answer,
    size_bytes,
)
from reward_service.api.rewards.scoring import AcceptedRequest, Scorer
from reward_service.api.rewards.waiting_room import DrainingError
from reward_service.errors import StoreUnavailableError
from reward_service.settings import Settings
from reward_service.telemetry import Metrics

log = structlog.get_logger(__name__)

Wire = TypeVar("Wire", bound=msgspec.Struct)
Handler = Callable[[Exchange], Awaitable[int]]
Answerer = Callable[[list[SeatReward]], dict[str, Any]]
TICKET_PREFIX = "/v1/rewards/"
MAX_KEY_CHARS = 1024

GONE = 499
"""The status that is counted where nobody was there to be answered."""

WHOLE_BYTES = 2**22
LARGEST_WHOLE_BYTES = 2**25
QUOTES_A_ROLLOUT = 64
"""What is decoded in one go, while nobody else is served: small bodies, and large ones that are mostly text."""

MENDED_BYTES = 2**20
"""What is searched in one go for halves of surrogate pairs."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route as metrics name it, the one method that it takes, and its handler, which returns the status it sent."""

    name: str
    method: str
    handle: Handler


class HotRoutes:
    """The four routes that rollouts come by, and the one where their tickets are asked for."""

    def __init__(
        self,
        scorer: Scorer,
        held_requests: HeldRequests,
        reader: FormReader,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """Composed once, in the app's lifespan."""
        self.most_body_bytes = settings.max_body_bytes
        self._scorer = scorer
        self._held_requests = held_requests
        self._reader = reader
        self._settings = settings
        self._longest_text = settings.max_text_chars
        self._metrics = metrics
        self._keyring = Keyring(settings.keys())
        self._encode = msgspec.json.Encoder().encode
        self._reward_request = msgspec.json.Decoder(RewardRequest)
        self._openrlhf_request = msgspec.json.Decoder(OpenRLHFRequest)
        self._remote_rm_request = msgspec.json.Decoder(RemoteRMRequest)
        self._ticket_route = Route(TICKET_PREFIX + "{ticket}", "GET", self._ticket)
        self._routes: dict[str, Route] = {
            path: Route(path, "POST", handle)
            for path, handle in (
                ("/v1/rewards", self._rewards),
                ("/v1/rollouts", self._rollouts),
                ("/get_reward", self._get_reward),
                ("/v1/remote_rm", self._remote_rm),
            )
        }

    def find(self, path: str) -> Route | None:
        """Return the hot route of a path, if it has one."""
        route = self._routes.get(path)
        if route is None and path.startswith(TICKET_PREFIX) and "/" not in path[len(TICKET_PREFIX) :]:
            return self._ticket_route
        return route

    def check_head(self, exchange: Exchange, route: Route) -> None:
        """Refuse a request whose body need not be read.

        Raises:
            Problem: 401 or 403 for its key, 405, 413 or 415 for its announced body.
        """
        self._keyring.check(exchange.path, exchange.headers)
        if exchange.method != route.method:
            detail = f"{exchange.path} takes {route.method}."
            raise Problem(ProblemKind.WRONG_METHOD, detail, headers={"allow": route.method})
        check_body_headers(exchange.headers, self.most_body_bytes)

    async def answer(self, exchange: Exchange, route: Route, refusal: Problem | None) -> None:
        """Answer one request: the boundary where errors become problems."""
        began_s = time.perf_counter()
        status = 0
        try:
            if refusal is not None:
                raise refusal
            status = await route.handle(exchange)
        except ClientGoneError:
            status = GONE
        except Problem as problem:
            status = await _send_problem(exchange, problem)
        except StoreUnavailableError as error:
            status = await _send_problem(exchange, away(str(error), error.retry_after_s))
        except Exception:
            log.exception("a request failed", route=route.name, path=exchange.path)
            status = await _send_problem(exchange, internal())
        finally:
            if status:
                self._metrics.answered(route.name, status, time.perf_counter() - began_s)

    async def _rewards(self, exchange: Exchange) -> int:
        request = await self._request(exchange)
        pending = await self._accept("/v1/rewards", request, exchange)
        answer = await exchange.while_there(self._collect(pending, request.wait_s))
        return await self._answer(exchange, answer)

    async def _rollouts(self, exchange: Exchange) -> int:
        request = await self._request(exchange)
        pending = await self._accept("/v1/rollouts", request, exchange)
        until = datetime.fromtimestamp(int(time.time() + self._settings.retention_s), UTC)
        await exchange.send(202, self._encode(Ticket(ticket=pending.ticket, expires_at=until)))
        return 202

    async def _ticket(self, exchange: Exchange) -> int:
        wait_s = _wait_of(exchange)
        pending = await self._scorer.find(unquote(exchange.path[len(TICKET_PREFIX) :]))
        return await self._answer(exchange, await exchange.while_there(self._collect(pending, wait_s)))

    async def _get_reward(self, exchange: Exchange) -> int:
        request = await self._read(exchange, self._openrlhf_request, OpenRLHFForm)
        make = partial(items_of, request, self._settings.max_rollouts, self._longest_text)
        items = await self._scorer.extraction.of_size(size_bytes(request), make)
        self._metrics.count(self._metrics.prompts_not_found, sum(not item.prompt_found for item in items))
        return await self._held("/get_reward", items, exchange, partial(openrlhf_answer, items))

    async def _remote_rm(self, exchange: Exchange) -> int:
        request = await self._read(exchange, self._remote_rm_request, RemoteRMForm)
        make = partial(item_of, request, self._longest_text)
        item = await self._scorer.extraction.of_size(size_bytes(request), make)
        return await self._held("/v1/remote_rm", [item], exchange, remote_rm_answer)

    async def _request(self, exchange: Exchange) -> RewardRequest:
        request = await self._read(exchange, self._reward_request, RewardForm)
        if len(request.rollouts) > self._settings.max_rollouts:
            raise Problem(
                ProblemKind.TOO_MANY,
                f"{len(request.rollouts)} rollouts in a request that may hold {self._settings.max_rollouts}: send "
                "several requests with complete=false, or raise CO_REWARDING_MAX_ROLLOUTS.",
            )
        return request

    async def _read(self, exchange: Exchange, wire: msgspec.json.Decoder[Wire], form: type[BaseModel]) -> Wire:
        """The body. What the fast decoder refuses may have this form all the same; if not, the reader says why."""
        body = exchange.whole_body()
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
        Where there are too few of them, a string is too long, and the decoder's error would repeat it.
        """
        if len(body) <= WHOLE_BYTES:
            return True
        if len(body) > LARGEST_WHOLE_BYTES:
            return False
        quotes = body.count(b'"')
        return quotes <= QUOTES_A_ROLLOUT * self._settings.max_rollouts and len(body) <= quotes * self._longest_text

    async def _accept(self, route: str, request: RewardRequest, exchange: Exchange) -> AcceptedRequest:
        pending = await self._scorer.accept(request, _idempotency_key(exchange))
        self._metrics.accepted(route, len(request.rollouts))
        return pending

    async def _collect(self, pending: AcceptedRequest, wait_s: float) -> Rewards | Pending:
        try:
            return await self._scorer.collect(pending, min(wait_s, self._settings.max_wait_s))
        except DrainingError:
            return Pending(ticket=pending.ticket, settled=0, of=pending.count)

    async def _held(self, route: str, items: list[SingleRollout], exchange: Exchange, answer: Answerer) -> int:
        visit = Visit()
        try:
            verdicts = await self._verdicts(route, items, exchange, visit)
            await exchange.send(200, self._encode(answer(verdicts)))
        except (Problem, StoreUnavailableError):
            # One that is told to come again could be faster than the note that its places are free, and vote twice.
            await self._held_requests.give_up(visit)
            raise
        except BaseException:
            self._held_requests.end(visit, answered=False)
            raise
        # Only now: a process that is killed before has not answered, and whoever comes again finds the place.
        self._held_requests.end(visit, answered=True)
        return 200

    async def _verdicts(
        self, route: str, items: list[SingleRollout], exchange: Exchange, visit: Visit
    ) -> list[SeatReward]:
        self._metrics.accepted(route, len(items))
        run = _run_of(exchange)
        try:
            holding = exchange.while_there(self._held_requests.verdicts(items, run, visit))
            if self._settings.max_hold_s is None:
                return await holding
            async with asyncio.timeout(self._settings.max_hold_s):
                return await holding
        except DrainingError as cause:
            raise away("this process is stopping") from cause
        except TimeoutError as cause:
            raise away("the cohort still waits for rollouts") from cause

    async def _answer(self, exchange: Exchange, answer: Rewards | Pending) -> int:
        status = 200 if isinstance(answer, Rewards) else 202
        await exchange.send(status, self._encode(answer))
        return status


async def _send_problem(exchange: Exchange, problem: Problem) -> int:
    try:
        await exchange.send(problem.status, problem.body(), problem.headers, MEDIA_TYPE.encode())
    except ClientGoneError:
        return GONE
    return problem.status


def _query(exchange: Exchange, name: str) -> str | None:
    if not exchange.query:
        return None
    values = parse_qs(exchange.query.decode("latin-1"), keep_blank_values=True).get(name)
    return values[-1] if values else None


def _run_of(exchange: Exchange) -> str | None:
    run = _query(exchange, "run")
    if run is None:
        return None
    try:
        return check_run_name(run)
    except InvalidRunError as cause:
        raise Problem(ProblemKind.INVALID, f"run: {cause}.") from cause


def _wait_of(exchange: Exchange) -> float:
    text = _query(exchange, "wait_s")
    try:
        wait_s = 0.0 if text is None else float(text)
    except ValueError:
        wait_s = -1.0
    if not 0.0 <= wait_s < float("inf"):
        raise Problem(ProblemKind.INVALID, "wait_s: a number of seconds, 0 or more.")
    return wait_s


def _idempotency_key(exchange: Exchange) -> str | None:
    value = header(exchange.headers, b"idempotency-key")
    if value is None:
        return None
    if not 0 < len(value) <= MAX_KEY_CHARS:
        raise Problem(ProblemKind.INVALID, f"Idempotency-Key: 1 to {MAX_KEY_CHARS} characters.")
    return value.decode("latin-1")
