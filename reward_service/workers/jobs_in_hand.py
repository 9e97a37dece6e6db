"""Hold the jobs of a worker: how many of each run it may take, and for which it must report that it is alive."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from reward_service.store.jobs import Delivery

Name = tuple[str, bytes, str]


def name_of(delivery: Delivery) -> Name:
    """The run, the entry, and what is to be settled.

    After a failover another job may have the entry of one that was lost: entries are named by the run's time, and the
    new primary may pass through some of it again.
    """
    return delivery.run, delivery.job.entry, delivery.job.cohort or delivery.job.batch or ""


class InHand:
    """Jobs under way. Each run has an equal share of the places, and one more share stays free for who comes next."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """`most` places in all; beyond them a run may have one job. `clock` tells monotonic seconds."""
        self._most = most
        self._clock = clock
        self._tasks: dict[Name, asyncio.Task[None]] = {}
        self._since_s: dict[Name, float] = {}
        self._of_run: Counter[str] = Counter()
        self._one_ended = asyncio.Event()

    def __contains__(self, delivery: Delivery) -> bool:
        """Whether this job is under way."""
        return name_of(delivery) in self._tasks

    def add(self, deliveries: Sequence[Delivery], task: asyncio.Task[None]) -> None:
        """Some jobs are under way, until their task ends or another takes them."""
        names = [name_of(delivery) for delivery in deliveries]
        now_s = self._clock()
        for name in names:
            if name not in self._tasks:
                self._of_run[name[0]] += 1
            self._tasks[name] = task
            self._since_s[name] = now_s
        task.add_done_callback(lambda ended: self._ended(names, ended))

    def room(self, run: str) -> int:
        """How many more of this run may be taken."""
        held = self._of_run.get(run, 0)
        if len(self._tasks) >= self._most:
            return 0 if held else 1
        return max(0, self._share() - held)

    def with_room(self, runs: Iterable[str]) -> list[str]:
        """The runs of which some more may be taken: a quarter of their share, so that few are read many times."""
        least = max(1, self._share() // 4)
        full = len(self._tasks) >= self._most
        return [run for run in runs if self.room(run) >= (1 if full else least)]

    def held_for(self, at_least_s: float, at_most_s: float) -> dict[str, list[bytes]]:
        """The entries of jobs that have been under way for so long, by run."""
        now_s = self._clock()
        found: dict[str, list[bytes]] = {}
        for (run, entry, _), since_s in self._since_s.items():
            if at_least_s <= now_s - since_s <= at_most_s:
                found.setdefault(run, []).append(entry)
        return found

    async def one_ends(self) -> None:
        """Returns when a job has ended."""
        self._one_ended.clear()
        await self._one_ended.wait()

    async def all_end(self) -> None:
        """Returns when every job has ended, also one that a task has left to another."""
        while self._tasks:
            await asyncio.gather(*set(self._tasks.values()))

    def _share(self) -> int:
        return max(1, self._most // (len(self._of_run) + 1))

    def _ended(self, names: Iterable[Name], task: asyncio.Task[None]) -> None:
        self._one_ended.set()
        for name in names:
            if self._tasks.get(name) is task:  # else another has taken the job, and perhaps ended first
                del self._tasks[name], self._since_s[name]
                run = name[0]
                self._of_run[run] -= 1
                if not self._of_run[run]:
                    del self._of_run[run]
