"""Who computes next: one event loop's time, in short slices that are dealt out fairly among the runs."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from reward_service.domain.fairness import FairQueue

Result = TypeVar("Result")

SLICE_S = 0.002
"""How long a job computes before it lets others go on; one reading or comparison that takes longer is not cut short."""

REST = 0.1
"""After a turn that took a whole slice nobody computes for this share of it: reading and writing catch up."""

_REMEMBERED_RUNS = 256
_FADING = 0.8  # of what a run's turns usually take, at each turn


class Turns:
    """Turns on one event loop. In each of its rounds jobs compute for about a slice, of the run first that used least.

    Between two rounds the loop reads and writes, so nothing else waits for longer than a round.
    """

    def __init__(self) -> None:
        """Nobody waits."""
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._usual_s: dict[str, float] = {}
        self._used_s = self._long_s = 0.0
        self._round_is_due = False

    async def turn(self, run: str) -> None:
        """Returns when this run's turn has come: at once if nobody waits and the round is not used up."""
        if self._queue or self._used_s >= SLICE_S:
            await self.next_turn(run)

    async def next_turn(self, run: str) -> None:
        """The same in a later round."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.add(run, turn)
        self._call_round()
        await turn

    def spent(self, run: str, cpu_s: float, *, in_turn: bool) -> None:
        """A run has computed for so long, in its turn or (a little) between turns."""
        self._queue.charge(run, cpu_s)
        self._used_s += cpu_s
        if cpu_s >= SLICE_S:
            self._long_s += cpu_s
        if in_turn:
            if len(self._usual_s) > _REMEMBERED_RUNS:
                self._usual_s.clear()
            self._usual_s[run] = max(cpu_s, _FADING * self._usual_s.get(run, 0.0))
        self._call_round()

    def _call_round(self) -> None:
        if not self._round_is_due:
            self._round_is_due = True
            asyncio.get_running_loop().call_soon(self._rest)

    def _rest(self) -> None:
        rest_s, self._long_s = REST * self._long_s, 0.0
        if rest_s:
            asyncio.get_running_loop().call_later(rest_s, self._round)
        else:
            self._round()

    def _round(self) -> None:
        self._round_is_due = False
        self._used_s = planned_s = 0.0
        while self._queue and planned_s < SLICE_S:
            run, turn = self._queue.take()
            if not turn.done():  # else whoever waited was cancelled
                turn.set_result(None)
                planned_s += self._usual_s.get(run, SLICE_S)
        if self._queue:
            self._call_round()


class Work:
    """One job's computing: how much of it there was, and when it must let others go on."""

    def __init__(self, run: str, turns: Turns, limit_s: float) -> None:
        """Nothing was computed yet. `limit_s` is CPU time."""
        self.run = run
        self._turns = turns
        self._limit_s = limit_s
        self._spent_s = 0.0
        self._in_turn = False
        self._began_s = time.thread_time()
        self._since_s = time.perf_counter()

    @property
    def spent_s(self) -> float:
        """CPU seconds so far."""
        return self._spent_s + time.thread_time() - self._began_s

    def is_due(self) -> bool:
        """Whether it has computed for a slice, and must rest."""
        return time.perf_counter() - self._since_s > SLICE_S

    async def rest(self) -> bool:
        """Lets others go on; False at once where the job's time is used up."""
        if self.spent_s >= self._limit_s:
            return False
        await self._turns.next_turn(self.run)
        self._in_turn = True
        return True

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
        self._began_s, self._since_s = time.thread_time(), time.perf_counter()

    def _suspended(self) -> None:
        used_s = time.thread_time() - self._began_s
        self._spent_s += used_s
        self._turns.spent(self.run, used_s, in_turn=self._in_turn)
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
