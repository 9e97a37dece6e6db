"""OpenRLHF's and slime's wire formats: single rollouts, mostly without identity, whose requests are held."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from uuid import uuid4

import structlog
from co_rewarding_schema.methods import BY_GROUND_TRUTH, WITHIN_A_VIEW, Method, RewardSource

from reward_service.api.http.problems import Problem, text_too_long
from reward_service.api.rewards.cohort_builder import (
    check_seat,
    digest,
    letters,
    question_of_prompt,
    rollout_of_label,
    row_of,
    usable_method,
    views_of,
)
from reward_service.api.rewards.openrlhf import SeatReward, SingleRollout
from reward_service.api.rewards.rendering import Seat, seats_of_batch, seats_of_part
from reward_service.api.rewards.run_cache import RunCache
from reward_service.api.rewards.scoring import AcceptedRequest, Scorer, settled_batch, settled_cohort, settled_with
from reward_service.api.rewards.waiting_room import WaitingRoom
from reward_service.api.rewards.wire import GroundTruth, LabelIdentity, RewardRequest, WireRollout
from reward_service.background import Background
from reward_service.domain.runs import DEFAULT_RUN
from reward_service.errors import StoreRefusesError, StoreUnavailableError
from reward_service.store.cohort_index import mark_of
from reward_service.store.cohorts import VIEW_LETTERS, ArrivingRollout, CohortStore, Leaving, Placed, Refused, Revised
from reward_service.store.keys import qualified
from reward_service.store.records import VIEWS, BallotRow, CohortHead, Rules, packed

log = structlog.get_logger(__name__)

KEPT_QUESTIONS = 4096
NOTE_AGAIN_S = 0.05
NOTED_WITHIN_S = 10.0
"""How long the end of a request may take to be noted before its client is told to come again all the same."""


class Visit:
    """A request while it is held: the places that it has taken, or may have."""

    def __init__(self) -> None:
        """None yet."""
        self.places: dict[str, tuple[str, ArrivingRollout]] = {}


class _Kind(Enum):
    """What a rollout's reward needs: nothing, those of its group by index, or those that get a place beside it."""

    ALONE = auto()
    INDEXED = auto()
    PLACED = auto()


@dataclass(frozen=True, slots=True)
class _Way:
    """How one rollout of a request is rewarded."""

    kind: _Kind
    rollout: WireRollout
    run: str
    method: Method
    label: LabelIdentity


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
        self._max_text_chars = max_text_chars
        self._question_of = lru_cache(KEPT_QUESTIONS)(_question_of)  # the rollouts of a group come together
        self._leaving: set[asyncio.Task[None]] = set()
        self._name, self._numbers = uuid4().hex, itertools.count()
        self._ending: dict[tuple[str, str], _Ending] = {}

    async def close(self) -> None:
        """Returns when every request that ended is noted in the store."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def end(self, visit: Visit, *, answered: bool) -> None:
        """The request has its answer, or nobody is there to be answered: its places are free for it to come again."""
        for request, (run, coming) in visit.places.items():
            self._leave(run, coming.question, Leaving(request, answered, coming.stepped))

    async def give_up(self, visit: Visit) -> None:
        """End a visit that is told to come again; return when the store knows, or has not for NOTED_WITHIN_S."""
        noting = [
            self._leave(run, coming.question, Leaving(request, False, coming.stepped))
            for request, (run, coming) in visit.places.items()
        ]
        if noting:
            await asyncio.wait(noting, timeout=NOTED_WITHIN_S)

    async def verdicts(self, items: Sequence[SingleRollout], run: str | None, visit: Visit) -> list[SeatReward]:
        """One verdict a rollout, in order; returns when all of their cohorts are settled.

        The caller ends the visit when the verdicts have been sent, or cannot be. None votes unless all may.

        Raises:
            Problem: a label or a run is wrong, or the store refuses.
            DrainingError: the process is stopping.
        """
        ways = [await self._way(item, run, position) for position, item in enumerate(items)]
        if len(items) == 1:
            return [await self._verdict(items[0], ways[0], visit)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._verdict(item, way, visit)) for item, way in zip(items, ways, strict=True)
                ]
        except ExceptionGroup as failures:  # one is enough to say: the others were cancelled, or say the same
            raise failures.exceptions[0] from failures
        return [task.result() for task in tasks]

    async def _way(self, item: SingleRollout, run: str | None, position: int) -> _Way:
        """Return how a rollout is rewarded.

        Raises:
            Problem: it cannot be: for its length, its run, its index, or since nothing names its question.
        """
        if len(item.response) > self._max_text_chars:
            raise text_too_long(f"the response at {position}", self._max_text_chars)
        match item.label:
            case None:
                if not item.prompt:
                    raise Problem(
                        422,
                        "no-question",
                        f"the rollout at {position} has neither a label nor a prompt: nothing says whom it votes with.",
                    )
                label = LabelIdentity(question_of_prompt(item.prompt))
                rollout = rollout_of_label(label, item.response)
                return _Way(_Kind.PLACED, rollout, run or DEFAULT_RUN, usable_method(WITHIN_A_VIEW), label)
            case GroundTruth(truth, of_run):
                label = LabelIdentity(question_of_prompt(item.prompt), ground_truth=truth)
                rollout = rollout_of_label(label, item.response)
                named_run = of_run or run or DEFAULT_RUN
                await self._run_cache.settings(named_run)
                return _Way(_Kind.ALONE, rollout, named_run, usable_method(BY_GROUND_TRUTH), label)
            case LabelIdentity() as label:
                named_run = label.run or run or DEFAULT_RUN
                rollout = rollout_of_label(label, item.response, item.prompt)
                settings = (await self._run_cache.settings(named_run)).settings
                method = usable_method(settings.method)
                if method.needs_teacher or method.source is not RewardSource.VOTE:
                    return _Way(_Kind.ALONE, rollout, named_run, method, label)
                if label.rollout is None:
                    return _Way(_Kind.PLACED, rollout, named_run, method, label)
                check_seat(rollout, position, settings, None)
                return _Way(_Kind.INDEXED, rollout, named_run, method, label)

    async def _verdict(self, item: SingleRollout, way: _Way, visit: Visit) -> SeatReward:
        match way.kind:
            case _Kind.ALONE:
                return await self._alone(way)
            case _Kind.INDEXED:
                return await self._indexed(way)
            case _Kind.PLACED:
                return await self._placed(item, way, visit)

    async def _alone(self, way: _Way) -> SeatReward:
        """A rollout whose reward needs no other: a batch of one."""
        request = RewardRequest([way.rollout], run=way.run, method=way.method.name, step=way.label.step)
        pending = await self._scorer.accept(request, None)
        with self._room.watch("batch", pending.ticket) as watch:
            record = await settled_batch(watch, (pending.known or {}).get(pending.name))
        return SeatReward.of(seats_of_batch(pending.name, record)[0])

    async def _indexed(self, way: _Way) -> SeatReward:
        """A rollout that carries its index: a part of one."""
        request = RewardRequest([way.rollout], run=way.run, step=way.label.step, complete=False)
        pending = await self._scorer.accept(request, None)
        return SeatReward.of(await self._seat(pending))

    async def _seat(self, pending: AcceptedRequest) -> Seat:
        part = pending.part
        assert part is not None
        ((cohort, ballot),) = part.places_N
        with self._room.watch("cohort", qualified(pending.run, cohort)) as watch:
            data = (pending.known or {}).get(cohort)
            if data is not None:
                watch.put_if_empty(data)
            settled = await settled_cohort(watch, {ballot})
        (seat,) = seats_of_part(part, {cohort: settled})
        assert seat is not None
        return seat

    async def _placed(self, item: SingleRollout, way: _Way, visit: Visit) -> SeatReward:
        """A rollout without an index: known by its text, should its request be abandoned and come again."""
        run = way.run
        request = f"{self._name}.{next(self._numbers)}"

        async def place(revised: Revised) -> Placed | Refused:
            found = await self._scorer.extraction.of_long([way.rollout], revised.settings)
            row = row_of(way.rollout, revised.settings, found)
            coming = _arrival(item, row, way, revised, request, self._question_of)
            # Before the store is asked: should this be cancelled meanwhile, the store may have given it a place.
            had_one = request in visit.places
            visit.places[request] = run, coming
            try:
                placed = await self._store.place(run, coming, revised)
            except StoreRefusesError:
                if not had_one:
                    del visit.places[request]
                raise
            if isinstance(placed, Refused) and not had_one:
                del visit.places[request]
            return placed

        while True:
            # Out of the store's sight for too long this process is taken for dead, and its places are given away: asked
            # again, the store finds this request's own place, or gives it another.
            subscriptions = self._room.subscriptions
            placed = await self._run_cache.retrying(run, place)
            with self._room.watch("cohort", qualified(run, placed.cohort)) as watch:
                if placed.settled:
                    await self._room.look_once(watch)
                while (cohort := settled_with(watch, {placed.ballot})) is None:
                    await watch.change()
                    if self._room.subscriptions != subscriptions:
                        break
            if cohort is not None:
                return SeatReward.of(Seat(watch.name, cohort.record, cohort.place_of[placed.ballot]))

    def _leave(self, run: str, question: str, leaving: Leaving) -> asyncio.Task[None]:
        """Those of a question who leave in one tick (a cohort wakes all at once) are noted together."""
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


def _question_of(head: CohortHead, views: str) -> tuple[str, bytes, bytes]:
    """How a question is named where rollouts come without identity, its cohorts' head as it is kept, and their mark."""
    step = "" if head.step is None else str(head.step)
    return (
        digest(step, head.question_id, views, head.rules.method, str(head.attempt), size=10),
        packed(head),
        mark_of(head.question_id, head.step),
    )


def _arrival(
    item: SingleRollout,
    row: BallotRow,
    way: _Way,
    revised: Revised,
    request: str,
    question_of: Callable[[CohortHead, str], tuple[str, bytes, bytes]],
) -> ArrivingRollout:
    method, label = way.method, way.label
    views = letters(views_of(method, VIEWS[row.view]))
    rules = Rules.of(method.name, revised.settings)
    question, head, mark = question_of(CohortHead(label.question_id, label.step, label.attempt, rules), views)
    return ArrivingRollout(
        question=question,
        digest=digest(VIEW_LETTERS[row.view], item.prompt, item.response, size=12),
        view=row.view,
        views=views,
        group_size=label.n or revised.settings.group_size,
        head=head,
        row=row,
        request=request,
        stepped=label.step is not None,
        mark=mark,
    )
