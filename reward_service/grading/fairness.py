"""Share time among runs: a queue that serves the run with the least use first, and allowances of time."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from reward_service.grading.judge import Judgement

Item = TypeVar("Item")


class Line(Protocol[Item]):
    """The waiting items of one owner; a deque is a line that gives its items in order."""

    def append(self, item: Item, /) -> None:
        """Add an item."""

    def popleft(self) -> Item:
        """Return the next item and remove it."""
        ...

    def __len__(self) -> int:
        """Return how many items wait."""
        ...


class FairQueue(Generic[Item]):
    """Items of many owners. An owner's come as its line gives them; between owners the one that has used least is next.

    What an item costs is known only afterwards, so it is charged then. An owner that comes back after a pause begins at
    what those who wait have used: it has saved nothing, and owes nothing for longer than it uses more than they.
    """

    def __init__(self, line: Callable[[], Line[Item]] = deque) -> None:
        """Begin with nothing waiting or used. `line` makes an owner's line."""
        self._line = line
        self._waiting: dict[str, Line[Item]] = {}
        self._used: dict[str, float] = {}
        self._level = 0.0

    def __len__(self) -> int:
        """Return how many items wait."""
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        """Return whether any item waits."""
        return bool(self._waiting)

    def waiting(self, owner: str) -> int:
        """Return how many items of an owner wait."""
        return len(self._waiting.get(owner, ()))

    def add(self, owner: str, item: Item) -> None:
        """Add an item of an owner."""
        items = self._waiting.get(owner)
        if items is None:
            items = self._waiting[owner] = self._line()
            self._used[owner] = max(self._used.get(owner, 0.0), self._level)
        items.append(item)

    def take(self) -> tuple[str, Item]:
        """Take the next item and its owner; of owners with equal use, the one that began to wait first.

        Raises:
            IndexError: nobody waits.
        """
        if not self._waiting:
            raise IndexError("nobody waits")
        owner = min(self._waiting, key=self._used.__getitem__)
        self._level = max(self._level, self._used[owner])
        items = self._waiting.pop(owner)
        item = items.popleft()
        if items:
            self._waiting[owner] = items  # last among those that have used the same
        return owner, item

    def charge(self, owner: str, cost: float) -> None:
        """Charge an owner for its use."""
        self._used[owner] = max(self._used.get(owner, 0.0), self._level) + cost
        if len(self._used) > 2 * len(self._waiting) + 64:
            self._forget()

    def _forget(self) -> None:
        """Who waits for nothing and has used no more than the others is as one that was never here."""
        if not self._waiting:
            # Nobody is behind anybody: what one has used more than another is kept as it is above the least.
            self._level = max(self._level, min(self._used.values()))
        self._used = {owner: used for owner, used in self._used.items() if owner in self._waiting or used > self._level}


ACTIVE_S = 60.0


class EqualityJudge(Protocol):
    """Decides whether two answers are equal."""

    async def compare(self, a: str, b: str) -> Judgement:
        """Compare two answers; symmetric, and never raises for their content."""
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
        """Begin with a full allowance for every run. `clock` tells monotonic seconds."""
        self._clock = clock
        self._burst_s, self._per_s = burst_s, per_s
        self._accounts: dict[str, _Account] = {}
        self._forgot_at_s = clock()

    def left_s(self, run: str) -> float:
        """Return the seconds that a run may use now; below zero where its last question took more than it had."""
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
        """Note that a question of a run took so many CPU seconds."""
        left_s = self.left_s(run)
        self._accounts[run].left_s = left_s - cpu_s

    def _forget(self, now_s: float) -> None:
        """Forget runs that have not asked for long, with their debts."""
        self._forgot_at_s = now_s
        self._accounts = {
            run: account for run, account in self._accounts.items() if now_s - account.asked_at_s < ACTIVE_S
        }


class SharedJudge:
    """Asks one judge for many runs: the run that has used least is next, and a question waits for a moment only."""

    def __init__(
        self,
        judge: EqualityJudge,
        allowances: Allowances | None = None,
        *,
        at_once: int = 1,
        most_waiting: int = 8,
        longest_wait_s: float = 1.0,
    ) -> None:
        """Ask `at_once` questions at a time; `most_waiting` of one run wait, `longest_wait_s` at most."""
        self._judge = judge
        self._allowances = allowances
        self._free = at_once
        self._most_waiting = most_waiting * at_once
        self._longest_wait_s = longest_wait_s
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()

    async def ask(self, run: str, pair: tuple[str, str]) -> Judgement | None:
        """Return the judge's answer; None where the run has used up its time, or its turn does not come soon."""
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
