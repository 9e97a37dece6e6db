"""One judge for many runs: its time is shared fairly, and who would wait for long is not answered at all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reward_service.domain.fairness import FairQueue
from reward_service.grading.judge import Judgement

ACTIVE_S = 60.0


class EqualityJudge(Protocol):
    """Who is asked whether two answers are equal."""

    async def compare(self, a: str, b: str) -> Judgement:
        """Symmetric; never raises for what the answers hold."""
        ...


@dataclass(slots=True)
class _Account:
    left_s: float
    at_s: float
    asked_at_s: float


class Allowances:
    """CPU time of the judge that each run may use: a flood of hard questions goes undecided, not queued.

    Seconds that a run does not use are saved up to `burst_s`. With every second of the clock come `per_s` of them, for
    all runs together that have asked within the last minute.
    """

    def __init__(self, clock: Callable[[], float], *, burst_s: float = 4.0, per_s: float = 0.25) -> None:
        """Full, for every run. `clock` tells monotonic seconds."""
        self._clock = clock
        self._burst_s, self._per_s = burst_s, per_s
        self._accounts: dict[str, _Account] = {}
        self._forgot_at_s = clock()

    def left_s(self, run: str) -> float:
        """What a run may spend now; below zero where its last question took more than there was."""
        now_s = self._clock()
        if now_s - self._forgot_at_s > ACTIVE_S:
            self._forget(now_s)
        account = self._accounts.get(run)
        if account is None:
            account = self._accounts[run] = _Account(self._burst_s, now_s, now_s)
        share_s = self._per_s * (now_s - account.at_s) / len(self._accounts)
        account.left_s = min(self._burst_s, account.left_s + share_s)
        account.at_s = account.asked_at_s = now_s
        return account.left_s

    def spend(self, run: str, cpu_s: float) -> None:
        """A question of a run took so much."""
        left_s = self.left_s(run)
        self._accounts[run].left_s = left_s - cpu_s

    def _forget(self, now_s: float) -> None:
        """Who has not asked for long shares no more; what it owed is forgotten too."""
        self._forgot_at_s = now_s
        self._accounts = {
            run: account for run, account in self._accounts.items() if now_s - account.asked_at_s < ACTIVE_S
        }


class SharedJudge:
    """Asks the judge for many runs: the run that has used least is next, and each question waits for a moment only."""

    def __init__(
        self,
        judge: EqualityJudge,
        allowances: Allowances | None = None,
        *,
        at_once: int = 1,
        most_waiting: int = 8,
        longest_wait_s: float = 1.0,
    ) -> None:
        """`at_once` questions are under way at a time, and `most_waiting` of one run wait, `longest_wait_s` at most."""
        self._judge = judge
        self._allowances = allowances
        self._free = at_once
        self._most_waiting = most_waiting * at_once
        self._longest_wait_s = longest_wait_s
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()

    async def ask(self, run: str, pair: tuple[str, str]) -> Judgement | None:
        """The judge's answer; None where the run has used up its time, or its turn does not come soon."""
        if not self._may_ask(run) or not await self._turn(run):
            return None
        try:
            if not self._may_ask(run):
                return None
            judgement = await self._judge.compare(*pair)
            self._queue.charge(run, judgement.cpu_s)
            if self._allowances is not None:
                self._allowances.spend(run, judgement.cpu_s)
            return judgement
        finally:
            self._free += 1
            self._next()

    def _may_ask(self, run: str) -> bool:
        return self._allowances is None or self._allowances.left_s(run) > 0

    async def _turn(self, run: str) -> bool:
        if self._free:
            self._free -= 1
            return True
        if self._queue.waiting(run) >= self._most_waiting:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.add(run, turn)
        try:
            await asyncio.wait((turn,), timeout=self._longest_wait_s)
        except asyncio.CancelledError:
            if turn.done():  # its turn came at this very moment: another's
                self._free += 1
                self._next()
            turn.cancel()
            raise
        return turn.done() or not turn.cancel()

    def _next(self) -> None:
        while self._free and self._queue:
            _, turn = self._queue.take()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)
