"""Hold single rollouts without an index, place them together, and answer each when its cohort is settled.

None has a task of its own while all goes well. What is out of the ordinary (a refusal, a store that is away, a process
that stops) goes on as a task by HeldRequests: the store knows a request by its name, so nothing is placed twice.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from reward_service.api.http.requests import GONE, ClientGoneError, Exchange
from reward_service.api.rewards.cohort_builder import row_of
from reward_service.api.rewards.held_requests import GoingOn, HeldRequests
from reward_service.api.rewards.hold_limit import HoldLimit
from reward_service.api.rewards.openrlhf import SeatReward, SingleRollout
from reward_service.api.rewards.rendering import Seat, cohort_in
from reward_service.api.rewards.run_cache import RunCache
from reward_service.api.rewards.scoring import Scorer
from reward_service.api.rewards.single_plans import Need, SinglePlanner, run_of
from reward_service.api.rewards.waiting_room import COHORT, Waiter, WaitingRoom
from reward_service.background import Background
from reward_service.processes import give_memory_back
from reward_service.store.cohorts import CohortStore
from reward_service.store.keys import qualified
from reward_service.store.submissions import Placed, Refused, Revised
from reward_service.telemetry import Metrics

PLACED_AT_ONCE = 64
"""How many rollouts are placed by one script: others' commands are answered between them."""

MANY = 2048
"""Of so many texts that were held until they were placed, the memory is given back."""


class HoldingExchange(Exchange, Protocol):
    """A request that can wait without a task."""

    def hold(self, held: "HeldSingle") -> None:
        """Wait for what is held to be answered."""
        ...

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a task answer what was held."""
        ...

    @property
    def writable(self) -> bool:
        """Whether the client has read what was written before."""
        ...

    def send_now(self, status: int, body: bytes) -> None:
        """Send the answer.

        Raises:
            ClientGoneError: the client has left; nothing was sent.
        """
        ...


Answerer = Callable[[Sequence[bool], Sequence[SeatReward]], dict[str, Any]]
"""From whether the prompt of each rollout was found, and its reward, to the answer."""


class HeldSingle:
    """One request while it is held."""

    __slots__ = (
        "answer",
        "began_s",
        "exchange",
        "going_on",
        "gone",
        "hold_s",
        "holder",
        "prompt_found",
        "route",
        "subscriptions",
        "watch",
    )

    def __init__(
        self,
        holder: "HeldSingles",
        exchange: HoldingExchange,
        route: str,
        going_on: GoingOn,
        prompt_found: bool,
        answer: Answerer,
        hold_s: float | None,
    ) -> None:
        """Without a place yet; to be held for at most `hold_s` seconds, or until the cohort is settled."""
        self.began_s = time.perf_counter()
        self.holder = holder
        self.exchange = exchange
        self.route = route
        self.going_on = going_on
        self.prompt_found = prompt_found
        self.answer = answer
        self.hold_s = hold_s
        self.gone = False
        self.watch: Waiter | None = None
        self.subscriptions = 0

    def stirred(self, error: BaseException | None) -> None:
        """Look whether it can be answered."""
        self.holder.look(self, error)

    def left(self) -> None:
        """Its client has left."""
        self.holder.leave(self)

    def left_s(self) -> float | None:
        """Return how much longer it may be held; None: until its cohort is settled."""
        return None if self.hold_s is None else self.hold_s - (time.perf_counter() - self.began_s)


class HeldSingles:
    """Holds singles of one API process until their cohorts settle."""

    def __init__(
        self,
        scorer: Scorer,
        store: CohortStore,
        room: WaitingRoom,
        run_cache: RunCache,
        requests: HeldRequests,
        background: Background,
        metrics: Metrics,
    ) -> None:
        """Composed once, in the app's lifespan."""
        self._extraction = scorer.extraction
        self._store = store
        self._room = room
        self._run_cache = run_cache
        self._requests = requests
        self._planner: SinglePlanner = requests.planner
        self._background = background
        self._metrics = metrics
        self._encode = msgspec.json.Encoder().encode
        self._placing = self._most_placing = 0
        self._arriving: dict[tuple[str, str], list[HeldSingle]] = {}
        self._limits: dict[float, HoldLimit[HeldSingle]] = {}
        self.go_on: Callable[[HeldSingle], Coroutine[Any, Any, None]] | None = None

    def hold(
        self,
        exchange: HoldingExchange,
        route: str,
        item: SingleRollout,
        run: str | None,
        answer: Answerer,
        hold_s: float | None,
    ) -> bool:
        """Take a rollout for at most `hold_s` seconds, if it needs a place and all that it takes is at hand.

        Raises:
            Problem: it cannot be rewarded; whoever asks once more by HeldRequests is told the same.
        """
        self._planner.check(item, 0)
        named_run = run_of(item, run)
        revised = self._run_cache.at_hand(named_run)
        if revised is None:
            return False
        plan = self._planner.planned(item, named_run, 0, revised)
        if plan.need is not Need.PLACED or not self._extraction.may_begin(len(item.response)):
            return False
        began_s = time.thread_time()
        row = row_of(plan.rollout, revised.settings, {})
        self._extraction.took(time.thread_time() - began_s)
        coming = self._planner.arrival(plan, row, revised, self._requests.new_name())
        going_on = GoingOn(named_run, coming, revised, plan)
        held = HeldSingle(self, exchange, route, going_on, item.prompt_found, answer, hold_s)
        together = self._arriving.setdefault((named_run, revised.revision), [])
        if not together:
            asyncio.get_running_loop().call_soon(self._send_off, named_run, revised)
        together.append(held)
        exchange.hold(held)
        return True

    def leave(self, held: HeldSingle) -> None:
        """The client has left: its place is free for its request to come again."""
        held.gone = True
        self._stop_waiting(held)
        self._requests.leave(held.going_on.run, held.going_on.coming, answered=False)
        self._count(held, GONE)

    def look(self, held: HeldSingle, error: BaseException | None = None) -> None:
        """Answer, if the cohort is settled and the ballot is in it."""
        watch, placed = held.watch, held.going_on.placed
        if watch is None or placed is None:
            return
        if error is not None or watch.unread or self._room.subscriptions != held.subscriptions:
            self._go_on(held)
            return
        if watch.data is None:
            return
        try:
            cohort = cohort_in(watch.data, watch)
            place = cohort.place_of.get(placed.ballot)
            if place is None:
                return
            seat = SeatReward.of(Seat(watch.name, cohort.record, place))
            body = self._encode(held.answer((held.prompt_found,), (seat,)))
        except Exception:  # the task comes to the same end, and tells of it
            self._go_on(held)
            return
        if not held.exchange.writable:
            self._go_on(held)
            return
        self._stop_waiting(held)
        self._send(held, body)

    def _send(self, held: HeldSingle, body: bytes) -> None:
        status = 200
        try:
            held.exchange.send_now(status, body)
        except ClientGoneError:
            status = GONE
        self._requests.leave(held.going_on.run, held.going_on.coming, answered=status != GONE)
        self._count(held, status)

    def _send_off(self, run: str, revised: Revised) -> None:
        together = [held for held in self._arriving.pop((run, revised.revision)) if not held.gone]
        for start in range(0, len(together), PLACED_AT_ONCE):
            self._background.start("places", self._place(run, revised, together[start : start + PLACED_AT_ONCE]))

    async def _place(self, run: str, revised: Revised, together: Sequence[HeldSingle]) -> None:
        self._placing += len(together)
        self._most_placing = max(self._most_placing, self._placing)
        subscriptions = self._room.subscriptions
        answers: Sequence[Placed | Refused | None]
        try:
            answers = await self._store.place_all(run, [held.going_on.coming for held in together], revised)
        except Exception:  # each comes to its own end by its task
            answers = [None] * len(together)
        for held, answer in zip(together, answers, strict=True):
            if held.gone:
                # Its leaving may have been noted before a command that was repeated.
                self._requests.leave(run, held.going_on.coming, answered=False)
            elif (
                not isinstance(answer, Placed)
                or answer.settled
                or self._room.draining
                or self._room.subscriptions != subscriptions
            ):
                self._go_on(held)
            else:
                self._wait(held, answer, subscriptions)
        self._placing -= len(together)
        if not self._placing:
            if self._most_placing > MANY:
                asyncio.get_running_loop().call_soon(give_memory_back)
            self._most_placing = 0

    def _wait(self, held: HeldSingle, placed: Placed, subscriptions: int) -> None:
        held.going_on.is_placed(placed)
        held.subscriptions = subscriptions
        held.watch = self._room.watch(COHORT, qualified(held.going_on.run, placed.cohort))
        held.watch.add(held)
        if held.hold_s is not None:
            self._limit(held.hold_s).add(held)
        self.look(held)

    def _limit(self, hold_s: float) -> HoldLimit[HeldSingle]:
        limit = self._limits.get(hold_s)
        if limit is None:
            limit = self._limits[hold_s] = HoldLimit(hold_s, self._go_on)
        return limit

    def _go_on(self, held: HeldSingle) -> None:
        self._stop_waiting(held)
        assert self.go_on is not None
        held.exchange.go_on(self.go_on(held))

    def _stop_waiting(self, held: HeldSingle) -> None:
        if held.watch is not None:
            held.watch.remove(held)
            held.watch = None
            if held.hold_s is not None:
                self._limit(held.hold_s).remove(held)

    def _count(self, held: HeldSingle, status: int) -> None:
        self._metrics.answered(held.route, status, time.perf_counter() - held.began_s)
