"""Share the time of an event loop, and of a thread beside it, fairly among the runs."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

from reward_service.grading.fairness import FairQueue

Result = TypeVar("Result")

SLICE_S = 0.004
"""How long a job computes on the loop, where reading and writing wait for it; the rest it does beside the loop."""

ROUND_S = 0.016
"""How long jobs compute in one round of the loop."""

BESIDE_S = 0.02
"""How long a job computes beside the loop until it is another's turn."""

NEW_S = 0.1
"""How long a job has computed beside the loop when it counts as a long one."""

_REMEMBERED_RUNS = 256
_FADING = 0.8  # of what a run's turns usually take, at each turn


@dataclass(slots=True, order=True)
class Waiting:
    """A job that waits for its turn beside the loop. `number` tells which began first."""

    number: int
    is_long: bool
    turn: asyncio.Future[None] = field(compare=False)


class OldestFirst:
    """Holds one run's jobs that wait.

    Of long ones the oldest goes on, so that they end one after another: each of them holds what it has read until it
    ends. New ones, most of which are short, come in their order, every other time.
    """

    def __init__(self) -> None:
        """None waits."""
        self._new: deque[Waiting] = deque()
        self._long: list[Waiting] = []
        self._new_is_next = True

    def __len__(self) -> int:
        """How many wait."""
        return len(self._new) + len(self._long)

    def append(self, item: Waiting, /) -> None:
        """One more waits."""
        if item.is_long:
            heappush(self._long, item)
        else:
            self._new.append(item)

    def popleft(self) -> Waiting:
        """The next one.

        Raises:
            IndexError: none waits.
        """
        is_new = bool(self._new) and (self._new_is_next or not self._long)
        self._new_is_next = not is_new
        return self._new.popleft() if is_new else heappop(self._long)


class Turns:
    """Turns on one event loop, and beside it. The run that has used least is next.

    Short work is done on the loop, about a round at a time. Long work is done in a thread, one job's at a time, so that
    the loop goes on meanwhile.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._lane: FairQueue[Waiting] = FairQueue(OldestFirst)
        self._lane_is_free = True
        self._usual_s: dict[str, float] = {}
        self._used_s = 0.0
        self._cpu_since_s: float | None = None  # the thread's CPU time when the round's first job began
        self._round_is_due = False
        self.numbers = itertools.count()
        """Of jobs, in the order in which they begin."""

    async def turn(self, run: str) -> None:
        """Returns when this run's turn on the loop has come: at once if nobody waits and the round is not used up."""
        if not self._queue and self._used_s < ROUND_S:
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.add(run, turn)
        self._call_round()
        await turn

    def begins(self) -> None:
        """A job begins to compute in its turn. The CPU time is asked for once a round: asking is a system call."""
        if self._cpu_since_s is None:
            self._cpu_since_s = time.thread_time()

    def computed_s(self, took_s: float) -> float:
        """The part of `took_s`, just ended, that the job computed: on a machine that others use a moment takes long."""
        if self._cpu_since_s is None:
            return took_s
        return min(took_s, max(0.0, time.thread_time() - self._cpu_since_s - self._used_s))

    def spent(self, run: str, took_s: float, *, in_turn: bool) -> None:
        """A run has computed on the loop for so long, in its turn or (a little) between turns."""
        self._queue.charge(run, took_s)
        self._used_s += took_s
        if in_turn:
            self._note(run, took_s)
        self._call_round()

    def takes_long(self, run: str) -> bool:
        """Whether a turn of this run usually takes more than a slice."""
        return self._usual_s.get(run, 0.0) > SLICE_S

    async def beside(self, run: str, job: int, work: Callable[[], bool], *, is_long: bool) -> tuple[bool, float]:
        """What a piece of work returns that is done beside the loop when the job's turn has come; its CPU time (s)."""
        await self._enter(run, job, is_long=is_long)
        cpu_s = 0.0
        try:
            more, cpu_s = await asyncio.to_thread(_timed, work)
            return more, cpu_s
        finally:
            self._lane.charge(run, cpu_s)
            self._note(run, cpu_s)
            # A job that goes on waits among the others when the next is chosen.
            asyncio.get_running_loop().call_soon(self._leave)

    async def _enter(self, run: str, job: int, *, is_long: bool) -> None:
        if self._lane_is_free:
            self._lane_is_free = False
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lane.add(run, Waiting(job, is_long, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came at this very moment: another's
                self._leave()
            raise

    def _leave(self) -> None:
        self._lane_is_free = True
        while self._lane_is_free and self._lane:
            _, next_ = self._lane.take()
            if not next_.turn.done():  # else whoever waited was cancelled
                self._lane_is_free = False
                next_.turn.set_result(None)

    def _note(self, run: str, took_s: float) -> None:
        if len(self._usual_s) > _REMEMBERED_RUNS:
            self._usual_s.clear()
        self._usual_s[run] = max(took_s, _FADING * self._usual_s.get(run, 0.0))

    def _call_round(self) -> None:
        if not self._round_is_due:
            self._round_is_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        self._round_is_due = False
        self._cpu_since_s = None
        self._used_s = planned_s = 0.0
        while self._queue and planned_s < ROUND_S:
            run, turn = self._queue.take()
            if not turn.done():
                turn.set_result(None)
                planned_s += min(SLICE_S, self._usual_s.get(run, ROUND_S))
        if self._queue:
            self._call_round()


def _timed(work: Callable[[], bool]) -> tuple[bool, float]:
    began_s = time.thread_time()
    return work(), time.thread_time() - began_s


class JobWork:
    """One job's computing: how much of it there was, and whether it goes on beside the loop."""

    def __init__(self, run: str, turns: Turns, limit_s: float) -> None:
        """Nothing was computed yet. `limit_s` is CPU time."""
        self.run = run
        self._turns = turns
        self._limit_s = limit_s
        self._number = next(turns.numbers)
        self._spent_s = 0.0
        self._beside_s = 0.0
        self._in_turn = False
        self._since_s = time.perf_counter()

    @property
    def is_used_up(self) -> bool:
        """Whether the job's time is used up."""
        return self._spent_s >= self._limit_s

    def is_long(self) -> bool:
        """Whether it goes on beside the loop: it has computed for a slice, or its run's jobs usually do."""
        return time.perf_counter() - self._since_s > SLICE_S or self._turns.takes_long(self.run)

    async def beside(self, work: Callable[[], bool]) -> bool:
        """Does a piece of work of about BESIDE_S beside the loop: what it returns; False where the time is used up."""
        if self.is_used_up:
            return False
        more, cpu_s = await self._turns.beside(self.run, self._number, work, is_long=self._beside_s >= NEW_S)
        self._spent_s += cpu_s
        self._beside_s += cpu_s
        return more

    async def measured(self, doing: Coroutine[Any, Any, Result]) -> Result:
        """Does it in turn, and notes what is computed in it; of a task, all of it."""
        try:
            await self._turns.turn(self.run)
        except BaseException:
            doing.close()
            raise
        self._in_turn = True
        return await _Measured(doing, self._resumed, self._suspended)

    def _resumed(self) -> None:
        if self._in_turn:
            self._turns.begins()
        self._since_s = time.perf_counter()

    def _suspended(self) -> None:
        took_s = time.perf_counter() - self._since_s
        if self._in_turn and took_s > SLICE_S / 8:
            took_s = self._turns.computed_s(took_s)
        self._spent_s += took_s
        if self._in_turn or took_s > SLICE_S / 8:  # else a step that is too small to be told of
            self._turns.spent(self.run, took_s, in_turn=self._in_turn)
        self._in_turn = False


class _Measured(Generic[Result]):
    """Awaits a coroutine and tells whenever it goes on and whenever it waits."""

    def __init__(
        self, doing: Coroutine[Any, Any, Result], resumed: Callable[[], None], suspended: Callable[[], None]
    ) -> None:
        self._doing = doing
        self._resumed = resumed
        self._suspended = suspended

    def __await__(self) -> Generator[Any, Any, Result]:
        step = partial(self._doing.send, None)
        while True:
            self._resumed()
            try:
                awaited = step()
            except StopIteration as end:
                return end.value
            finally:
                self._suspended()
            try:
                yield awaited
            except BaseException as error:  # cancelled, or closed: it is the coroutine's to handle
                step = partial(self._doing.throw, error)
            else:
                step = partial(self._doing.send, None)
