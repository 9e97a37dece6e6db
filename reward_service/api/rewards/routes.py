"""Answer the hot routes beside FastAPI, whose routing would take most of the time of a single rollout."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import Pending, RewardRequest, Rewards, Ticket
from co_rewarding_schema.trainer_formats import OpenRLHFRequest, RemoteRMRequest

from reward_service.api.access.heads import least_bytes
from reward_service.api.access.keyring import Keyring
from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import Problem, away, internal
from reward_service.api.http.requests import (
    GONE,
    ClientGoneError,
    Exchange,
    check_body_headers,
    idempotency_key,
    run_of,
    wait_of,
)
from reward_service.api.rewards.evaluation import in_its_run
from reward_service.api.rewards.extraction import INLINE_BYTES
from reward_service.api.rewards.held_requests import HeldRequests, Visit
from reward_service.api.rewards.held_singles import HeldSingle, HeldSingles, HoldingExchange
from reward_service.api.rewards.hot_route import Route, admit, send_problem
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
from reward_service.api.rewards.single_plans import run_of as run_of_single
from reward_service.api.rewards.waiting_room import DrainingError
from reward_service.api.rewards.wire_reader import WireReader
from reward_service.errors import StoreUnavailableError
from reward_service.settings import Settings
from reward_service.store.keys import split_qualified
from reward_service.telemetry import Metrics

log = structlog.get_logger(__name__)

TICKET_PREFIX = "/v1/rewards/"


class HotRoutes:
    """The four routes that rollouts come by, and the one where their tickets are asked for."""

    def __init__(
        self,
        scorer: Scorer,
        held_requests: HeldRequests,
        singles: HeldSingles,
        reader: FormReader,
        settings: Settings,
        metrics: Metrics,
        keyring: Keyring,
    ) -> None:
        """Composed once, in the app's lifespan."""
        self.most_body_bytes = settings.max_body_bytes
        self._scorer = scorer
        self._held_requests = held_requests
        self._singles = singles
        singles.go_on = self._go_on
        self._reader = WireReader(reader, settings)
        self._settings = settings
        self._longest_text = settings.max_text_chars
        self._metrics = metrics
        self._keyring = keyring
        self._encode = msgspec.json.Encoder().encode
        self._reward_request = msgspec.json.Decoder(RewardRequest)
        self._openrlhf_request = msgspec.json.Decoder(OpenRLHFRequest)
        self._remote_rm_request = msgspec.json.Decoder(RemoteRMRequest)
        self._ticket_route = Route(TICKET_PREFIX + "{ticket}", "GET", self._ticket)
        openrlhf = self._get_reward, self._openrlhf_single, openrlhf_answer, settings.get_reward_hold_s or None
        slime = self._remote_rm, self._remote_rm_single, remote_rm_answer, settings.remote_rm_hold_s or None
        routes = (
            Route("/v1/rewards", "POST", self._rewards),
            Route("/v1/rollouts", "POST", self._rollouts),
            Route("/get_reward", "POST", *openrlhf),
            Route("/v1/remote_rm", "POST", *slime),
        )
        self._routes = {route.name: route for route in routes}

    def find(self, path: str) -> Route | None:
        """Return the hot route of a path, if it has one."""
        route = self._routes.get(path)
        if route is None and path.startswith(TICKET_PREFIX) and "/" not in path[len(TICKET_PREFIX) :]:
            return self._ticket_route
        return route

    def check_head(self, exchange: Exchange, route: Route) -> None:
        """Note who asks, and refuse a request whose body need not be read.

        Raises:
            Problem: 401 or 403 for its key, 405, 413 or 415 for its announced body, 429 for a quota of its key.
        """
        caller = exchange.caller = self._keyring.caller(exchange.headers)
        if exchange.method != route.method:
            detail = f"{exchange.path} takes {route.method}."
            raise Problem(ProblemKind.WRONG_METHOD, detail, headers={"allow": route.method})
        check_body_headers(exchange.headers, self.most_body_bytes)
        if caller.is_bounded:
            caller.check_route(route.rule)
            caller.charge_head(int(route.method == "POST"), least_bytes(exchange.headers))

    def hold(self, exchange: HoldingExchange, route: Route) -> bool:
        """Hold a single rollout without a task, if nothing about it is out of the ordinary."""
        if route.single is None:
            return False
        body = exchange.whole_body()
        # `answer` tells what is wrong. A fault that is raised here would end the parser, or the one who wakes all.
        with contextlib.suppress(Exception):
            item = route.single(body) if len(body) <= INLINE_BYTES else None
            run, caller, usage = run_of(exchange), exchange.caller, None
            if item is not None and caller.is_bounded:
                usage = caller.check_one(run_of_single(item, run), len(body))
            if item is not None and self._singles.hold(exchange, route.name, item, run, route.answer, route.hold_s):
                if caller.is_bounded:
                    caller.charge_one(usage, len(body), exchange.stay)
                self._metrics.accepted(route.name, 1)
                if not item.prompt_found:
                    self._metrics.count(self._metrics.prompts_not_found, 1)
                return True
        exchange.put_back(body)
        return False

    async def _go_on(self, held: HeldSingle) -> None:
        """Answer what was held, by a task: it has been counted, and what is left is to wait, if there is time left."""
        visit, left_s = Visit(held.going_on), held.left_s()

        async def handle(exchange: Exchange) -> int:
            return await self._held(exchange, visit, going_on(), partial(held.answer, [held.prompt_found]), left_s)

        async def going_on() -> list[SeatReward]:
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            return [await self._held_requests.go_on(held.going_on, visit)]

        await self.answer(held.exchange, Route(held.route, held.exchange.method, handle), None, held.began_s)

    async def answer(
        self, exchange: Exchange, route: Route, refusal: Problem | None, began_s: float | None = None
    ) -> None:
        """Answer one request: the boundary where errors become problems."""
        began_s = began_s or time.perf_counter()
        status = 0
        try:
            if refusal is not None:
                raise refusal
            status = await route.handle(exchange)
        except ClientGoneError:
            status = GONE
        except Problem as problem:
            if problem.quota is not None:
                self._metrics.over_quota(exchange.caller.grant.name, problem.quota)
            status = await send_problem(exchange, problem)
        except StoreUnavailableError as error:
            status = await send_problem(exchange, away(str(error), error.retry_after_s))
        except Exception:
            log.exception("a request failed", route=route.name, path=exchange.path)
            status = await send_problem(exchange, internal())
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
        wait_s, ticket = wait_of(exchange), unquote(exchange.path[len(TICKET_PREFIX) :])
        split = split_qualified(ticket)
        if split is not None:
            exchange.caller.enter(split[0])
        pending = await self._scorer.find(ticket)
        return await self._answer(exchange, await exchange.while_there(self._collect(pending, wait_s)))

    async def _get_reward(self, exchange: Exchange) -> int:
        request = await self._reader.read(exchange.whole_body(), self._openrlhf_request, OpenRLHFForm)
        make = partial(items_of, request, self._settings.max_rollouts, self._longest_text)
        items = await self._scorer.extraction.of_size(size_bytes(request), make)
        self._metrics.count(self._metrics.prompts_not_found, sum(not item.prompt_found for item in items))
        visit, answer = Visit(), partial(openrlhf_answer, [item.prompt_found for item in items])
        verdicts = self._verdicts("/get_reward", items, exchange, visit)
        return await self._held(exchange, visit, verdicts, answer, self._settings.get_reward_hold_s or None)

    async def _remote_rm(self, exchange: Exchange) -> int:
        request = await self._reader.read(exchange.whole_body(), self._remote_rm_request, RemoteRMForm)
        make = partial(item_of, request, self._longest_text)
        item = await self._scorer.extraction.of_size(size_bytes(request), make)
        visit, answer = Visit(), partial(remote_rm_answer, [item.prompt_found])
        verdicts = self._verdicts("/v1/remote_rm", [item], exchange, visit)
        return await self._held(exchange, visit, verdicts, answer, self._settings.remote_rm_hold_s or None)

    def _openrlhf_single(self, body: Data) -> SingleRollout | None:
        items = items_of(self._openrlhf_request.decode(body), self._settings.max_rollouts, self._longest_text)
        return items[0] if len(items) == 1 else None

    def _remote_rm_single(self, body: Data) -> SingleRollout:
        return item_of(self._remote_rm_request.decode(body), self._longest_text)

    async def _request(self, exchange: Exchange) -> RewardRequest:
        request = await self._reader.read(exchange.whole_body(), self._reward_request, RewardForm)
        if len(request.rollouts) > self._settings.max_rollouts:
            raise Problem(
                ProblemKind.TOO_MANY,
                f"{len(request.rollouts)} rollouts in a request that may hold {self._settings.max_rollouts}: send "
                "several requests with complete=false, or raise CO_REWARDING_MAX_ROLLOUTS.",
            )
        return in_its_run(request)

    async def _accept(self, route: str, request: RewardRequest, exchange: Exchange) -> AcceptedRequest:
        if exchange.caller.is_bounded:
            admit(exchange, {request.run: len(request.rollouts)})
        pending = await self._scorer.accept(request, idempotency_key(exchange))
        self._metrics.accepted(route, len(request.rollouts))
        return pending

    async def _collect(self, pending: AcceptedRequest, wait_s: float) -> Rewards | Pending:
        try:
            return await self._scorer.collect(pending, min(wait_s, self._settings.max_wait_s))
        except DrainingError:
            return Pending(ticket=pending.ticket, settled=0, of=pending.count)

    async def _held(
        self,
        exchange: Exchange,
        visit: Visit,
        verdicts: Coroutine[Any, Any, list[SeatReward]],
        answer: Callable[[list[SeatReward]], dict[str, Any]],
        hold_s: float | None,
    ) -> int:
        try:
            rewards = await self._while_allowed(exchange, visit, verdicts, hold_s)
            await exchange.send(200, self._encode(answer(rewards)))
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
        run = run_of(exchange)
        if exchange.caller.is_bounded:
            admit(exchange, Counter(run_of_single(item, run) for item in items))
        self._metrics.accepted(route, len(items))
        return await self._held_requests.verdicts(items, run, visit)

    async def _while_allowed(
        self, exchange: Exchange, visit: Visit, work: Coroutine[Any, Any, list[SeatReward]], hold_s: float | None
    ) -> list[SeatReward]:
        try:
            async with asyncio.timeout(hold_s):
                return await exchange.while_there(work)
        except DrainingError as cause:
            raise away("this process is stopping") from cause
        except TimeoutError as cause:
            raise away(f"the rollout {await self._scorer.progress.said(visit.awaited) or 'is not settled'}") from cause

    async def _answer(self, exchange: Exchange, answer: Rewards | Pending) -> int:
        status = 200 if isinstance(answer, Rewards) else 202
        await exchange.send(status, self._encode(answer))
        return status
