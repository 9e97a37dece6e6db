"""Hold the requests of OpenRLHF and slime until their cohorts are settled."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple
from uuid import uuid4

import structlog
from co_rewarding_schema.rollouts import RewardRequest

from reward_service.api.http.problems import Problem, away
from reward_service.api.rewards.cohort_builder import row_of
from reward_service.api.rewards.openrlhf import SeatReward, SingleRollout
from reward_service.api.rewards.rendering import Seat, seats_of_batch, seats_of_part, settled_with
from reward_service.api.rewards.run_cache import RunCache
from reward_service.api.rewards.scoring import AcceptedRequest, Scorer, settled_batch, settled_cohort
from reward_service.api.rewards.single_plans import Need, SinglePlan, SinglePlanner
from reward_service.api.rewards.waiting_room import BATCH, COHORT, Waiter, WaitingRoom
from reward_service.background import Background
from reward_service.errors import StoreRefusesError, StoreUnavailableError
from reward_service.store.cohorts import CohortStore
from reward_service.store.keys import qualified
from reward_service.store.records import TicketRecord
from reward_service.store.submissions import ArrivingRollout, Leaving, Placed, Refusal, Refused, Revised

log = structlog.get_logger(__name__)

NOTE_AGAIN_S = 0.05
NOTED_WITHIN_S = 10.0
"""How long the end of a request may take to be noted before its client is told to come again all the same."""


class Visit:
    """A request while it is held: the places that it has taken, or may have, and what it waits for (name and kind)."""

    def __init__(self, held: "GoingOn | None" = None) -> None:
        """None yet, or that of one that was held without a task."""
        self.places: dict[str, tuple[str, ArrivingRollout]] = {}
        self.awaited: dict[str, str] = {}
        if held is not None:
            self.places[held.coming.request] = held.run, held.coming
            if held.placed is not None:
                self.awaited[qualified(held.run, held.placed.cohort)] = COHORT

    @contextlib.contextmanager
    def waiting(self, waiter: Waiter) -> Iterator[Waiter]:
        """Enter a waiter, which is awaited unless it is left without an error."""
        self.awaited[waiter.name] = waiter.kind
        with waiter:
            yield waiter
        self.awaited.pop(waiter.name, None)


class GoingOn:
    """A rollout without an index on its way: what the store is told of it, by which settings, and what it answered.

    Once it has its place nothing is kept of its text: a request may be held for long.
    """

    __slots__ = ("coming", "placed", "plan", "revised", "run")

    def __init__(self, run: str, coming: ArrivingRollout, revised: Revised, plan: SinglePlan) -> None:
        """Without a place yet."""
        self.run = run
        self.coming = coming
        self.revised = revised
        self.plan: SinglePlan | None = plan
        self.placed: Placed | None = None

    def is_placed(self, placed: Placed) -> None:
        """It has a place."""
        self.placed = placed
        self.plan = None


class _MethodChangedError(Exception):
    """The run has another method by now: nothing was placed by the old one."""

    def __init__(self, plan: SinglePlan) -> None:
        """`plan` is made by the settings of now."""
        super().__init__(plan.method.name)
        self.plan = plan


class _Ending(NamedTuple):
    """Those of a question who leave together, and the task that tells the store."""

    leaving: list[Leaving]
    noting: asyncio.Task[None]


class HeldRequests:
    """Holds compatibility requests until their cohorts settle."""

    def __init__(
        self,
        scorer: Scorer,
        store: CohortStore,
        room: WaitingRoom,
        run_cache: RunCache,
        background: Background,
        max_text_chars: int,
    ) -> None:
        """Composed once, in the app's lifespan."""
        self._scorer = scorer
        self._store = store
        self._room = room
        self._run_cache = run_cache
        self._background = background
        self.planner = SinglePlanner(run_cache, max_text_chars)
        self._leaving: set[asyncio.Task[None]] = set()
        self._name, self._numbers = uuid4().hex, itertools.count()
        self._ending: dict[tuple[str, str], _Ending] = {}

    async def close(self) -> None:
        """Returns when every request that ended is noted in the store."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def end(self, visit: Visit, *, answered: bool) -> None:
        """The request has its answer, or nobody is there to be answered: its places are free for it to come again."""
        for run, coming in visit.places.values():
            self.leave(run, coming, answered=answered)

    async def give_up(self, visit: Visit) -> None:
        """End a visit that is told to come again; return when the store knows, or has not for NOTED_WITHIN_S."""
        noting = [self.leave(run, coming, answered=False) for run, coming in visit.places.values()]
        if noting:
            await asyncio.wait(noting, timeout=NOTED_WITHIN_S)

    async def verdicts(self, items: Sequence[SingleRollout], run: str | None, visit: Visit) -> list[SeatReward]:
        """One verdict a rollout, in order; returns when all of their cohorts are settled.

        The caller ends the visit when the verdicts have been sent, or cannot be. None votes unless all may.

        Raises:
            Problem: a label or a run is wrong, or the store refuses.
            DrainingError: the process is stopping.
        """
        plans = [await self.planner.plan(item, run, position) for position, item in enumerate(items)]
        if len(plans) == 1:
            return [await self._verdict(plans[0], visit)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._verdict(plan, visit)) for plan in plans]
        except ExceptionGroup as failures:  # one is enough to say: the others were cancelled, or say the same
            raise failures.exceptions[0] from failures
        return [task.result() for task in tasks]

    async def _verdict(self, plan: SinglePlan, visit: Visit, request: str | None = None) -> SeatReward:
        try:
            match plan.need:
                case Need.ALONE | Need.INDEXED:
                    return await self._unplaced(plan, visit)
                case Need.PLACED:
                    return await self._placed(plan, request or self.new_name(), visit)
        except _MethodChangedError as changed:
            return await self._verdict(changed.plan, visit)

    async def _unplaced(self, plan: SinglePlan, visit: Visit) -> SeatReward:
        """A rollout whose reward needs no other, or that carries its index: a batch or a part of one.

        The scorer decides which, by the settings of now: those of the plan may be old.
        """
        method = plan.method.name if plan.revision is None else None
        request = RewardRequest(
            rollouts=[plan.rollout], run=plan.run, method=method, step=plan.label.step, complete=False
        )
        try:
            pending = await self._scorer.accept(request, None)
        except Problem:  # it has no index, and needed none by the method of before
            self._check_plan(plan, await self._run_cache.settings(plan.run, fresh=True))
            raise
        if pending.part is not None:
            return SeatReward.of(await self._seat(pending, pending.part, visit))
        with visit.waiting(self._room.watch(BATCH, pending.ticket)) as watch:
            record = await settled_batch(watch, (pending.known or {}).get(pending.name))
        return SeatReward.of(seats_of_batch(pending.name, record)[0])

    async def _seat(self, pending: AcceptedRequest, part: TicketRecord, visit: Visit) -> Seat:
        ((cohort, ballot),) = part.places_N
        with visit.waiting(self._room.watch(COHORT, qualified(pending.run, cohort))) as watch:
            data = (pending.known or {}).get(cohort)
            if data is not None:
                watch.put_if_empty(data)
            settled = await settled_cohort(watch, {ballot})
        (seat,) = seats_of_part(part, {cohort: settled})
        assert seat is not None
        return seat

    def new_name(self) -> str:
        """A name for a request that no other has had."""
        return f"{self._name}.{next(self._numbers)}"

    async def _placed(self, plan: SinglePlan, request: str, visit: Visit) -> SeatReward:
        """A rollout without an index: known by its text, should its request be abandoned and come again."""
        return await self._seated(plan.run, visit, partial(self._place, plan, request, visit))

    async def go_on(self, held: GoingOn, visit: Visit) -> SeatReward:
        """The same for one that was held without a task: the store knows its request if it has a place.

        Raises:
            Problem: as `verdicts`; 503 where its place was given away, and its answer would be another by now.
        """
        run, plan = held.run, held.plan
        if plan is not None:
            return await self._verdict(plan, visit, held.coming.request)

        async def place(_: Revised) -> Placed | Refused:
            placed = await self._store.place(run, held.coming, held.revised)
            if isinstance(placed, Refused) and placed.why is Refusal.STALE:
                raise away("the settings of the run have changed, and the rollout has to be read again")
            return placed

        return await self._seated(run, visit, place)

    async def _place(self, plan: SinglePlan, request: str, visit: Visit, revised: Revised) -> Placed | Refused:
        self._check_plan(plan, revised)  # another rollout may have had the settings read anew
        found = await self._scorer.extraction.of_long([plan.rollout], revised.settings)
        row = row_of(plan.rollout, revised.settings, found)
        coming = self.planner.arrival(plan, row, revised, request)
        # Before the store is asked: should this be cancelled meanwhile, the store may have given it a place.
        had_one = request in visit.places
        visit.places[request] = plan.run, coming
        try:
            placed = await self._store.place(plan.run, coming, revised)
        except StoreRefusesError:
            if not had_one:
                del visit.places[request]
            raise
        if isinstance(placed, Refused):
            if not had_one:
                del visit.places[request]
            if placed.why is Refusal.STALE:
                self._check_plan(plan, await self._run_cache.settings(plan.run, fresh=True))
        return placed

    def _check_plan(self, plan: SinglePlan, revised: Revised) -> None:
        """Make a plan again that was made by other settings.

        Raises:
            _MethodChangedError: the method is another now, with the new plan.
        """
        if plan.revision not in {None, revised.revision}:
            now = self.planner.planned(plan.item, plan.run, 0, revised)
            if now.method is not plan.method:
                raise _MethodChangedError(now)

    async def _seated(
        self, run: str, visit: Visit, place: Callable[[Revised], Awaitable[Placed | Refused]]
    ) -> SeatReward:
        while True:
            # Out of the store's sight for too long this process is taken for dead, and its places are given away: asked
            # again, the store finds this request's own place, or gives it another.
            subscriptions = self._room.subscriptions
            tries = self._run_cache.tries(run)
            while isinstance(placed := await place(await tries.settings()), Refused):
                await tries.refused(placed)
            with visit.waiting(self._room.watch(COHORT, qualified(run, placed.cohort))) as watch:
                if placed.settled:
                    await self._room.look_once(watch)
                while (cohort := settled_with(watch, {placed.ballot})) is None:
                    await watch.change()
                    if self._room.subscriptions != subscriptions:
                        break
            if cohort is not None:
                return SeatReward.of(Seat(watch.name, cohort.record, cohort.place_of[placed.ballot]))

    def leave(self, run: str, coming: ArrivingRollout, *, answered: bool) -> asyncio.Task[None]:
        """Tell the store of a request's end.

        Those of a question who leave in one tick (a cohort wakes all at once) are noted together.
        """
        question, leaving = coming.question, Leaving(coming.request, answered, coming.stepped)
        together = self._ending.get((run, question))
        if together is not None:
            together.leaving.append(leaving)
            return together.noting
        noting = self._background.start("leaves", self._note(run, question))
        self._ending[run, question] = _Ending([leaving], noting)
        self._leaving.add(noting)
        noting.add_done_callback(self._leaving.discard)
        return noting

    async def _note(self, run: str, question: str) -> None:
        await asyncio.sleep(0)
        leaving = self._ending.pop((run, question)).leaving
        while True:
            try:
                return await self._store.leave(run, question, leaving)
            except StoreUnavailableError as error:
                if self._room.draining:  # the store will see that this process is gone
                    return log.warning("the end of a request could not be noted", error=str(error))
                await asyncio.sleep(NOTE_AGAIN_S)
