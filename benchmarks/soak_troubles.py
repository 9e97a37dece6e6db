"""Restart the parts of a service in turn, slow the store's disk down, and fill the store up, at planned times."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from benchmarks.soak_parts import STORE_LIMIT_BYTES, WITNESSES, Parts

EVERY_S = 120.0
LEAST_TROUBLES = 8
"""A short soak has as many restarts as this; a long one has one every EVERY_S."""
KILL_EACH = 3
SLOW_DISK_AT, FULL_STORE_AT = (0.05, 0.4), (0.15, 0.7)
"""Shares of the restarts: each of the store's two troubles comes within the warm-up of a long soak, and once more."""
LASTS_S = 10.0
LEAST_SHARE_FULL = 0.5
STALL_S = (0.02, 0.4)
GOES_S = (0.01, 0.1)
SLOW_DISK, FULL_STORE = "slow disk", "full store"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is done to a service at a time since the traffic began (s)."""

    at_s: float
    what: str
    kill: bool = False

    def __str__(self) -> str:
        """For a person."""
        if self.what in (SLOW_DISK, FULL_STORE):
            return self.what
        return f"{self.what} {'killed' if self.kill else 'stopped'}"


@dataclass(frozen=True, slots=True)
class Passed:
    """A trouble that is over, and the seconds from its beginning until the part was ready again."""

    trouble: Trouble
    took_s: float


def period_s(lasts_s: float) -> float:
    """From one restart to the next."""
    return min(EVERY_S, lasts_s / (LEAST_TROUBLES + 1))


def planned(names: Sequence[str], lasts_s: float) -> list[Trouble]:
    """Restarts of all parts but the witnesses in turn, each third one a kill; between them the store's two troubles.

    What waits while the store is away is the most that an API holds, and Python keeps the memory of it. So the warm-up
    has each of these troubles too, and the store's kill: what grows after it grows for another reason. A short soak,
    which is not judged, has each of the store's two once.
    """
    every_s = period_s(lasts_s)
    turns = [name for name in names if name not in WITNESSES]
    count = int(lasts_s / every_s - 0.5)
    troubles = [
        Trouble(every_s * (number + 1), turns[number % len(turns)], kill=number % KILL_EACH == 0)
        for number in range(count)
    ]
    for what, shares in ((SLOW_DISK, SLOW_DISK_AT), (FULL_STORE, FULL_STORE_AT)):
        times = shares if every_s == EVERY_S else shares[1:]
        troubles += [Trouble(every_s * (0.5 + int(share * count)), what) for share in times]
    return sorted(troubles, key=lambda trouble: trouble.at_s)


class Troublemaker:
    """Does to parts what was planned."""

    def __init__(self, parts: Parts, seed: int) -> None:
        """`now` is what happens at the moment; `passed` what is over."""
        self.now: Trouble | None = None
        self.passed: list[Passed] = []
        self._parts = parts
        self._chance = random.Random(f"{seed} troubles")

    async def happen(self, troubles: Sequence[Trouble]) -> None:
        """All of them, each at its time.

        Raises:
            SoakError: a part did not stop, or did not come back.
        """
        began_s = time.monotonic()
        for trouble in troubles:
            await asyncio.sleep(max(0.0, began_s + trouble.at_s - time.monotonic()))
            self.now, at_s = trouble, time.monotonic()
            try:
                await self._one(trouble)
            finally:
                self.now = None
            self.passed.append(Passed(trouble, time.monotonic() - at_s))

    async def _one(self, trouble: Trouble) -> None:
        if trouble.what == SLOW_DISK:
            await self._slow_disk()
        elif trouble.what == FULL_STORE:
            await self._full_store()
        else:
            part = self._parts.all[trouble.what]
            await part.end(signal.SIGKILL if trouble.kill else signal.SIGTERM)
            part.start()
            await part.wait_ready()

    async def _slow_disk(self) -> None:
        """The store stands still, as one whose flushes take long: it flushes before it acknowledges, in one thread."""
        pid = self._parts.store_pid()
        assert pid is not None, "troubles come one after the other"
        ends_s = time.monotonic() + LASTS_S
        while time.monotonic() < ends_s:
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self._chance.uniform(*STALL_S))
            finally:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(self._chance.uniform(*GOES_S))

    async def _full_store(self) -> None:
        """The limit is below what the store holds, which it may not evict."""
        store = self._parts.store
        used = store.info("memory")["used_memory"]  # type: ignore[index] - not asynchronous
        store.config_set("maxmemory", int(used * LEAST_SHARE_FULL))
        try:
            await asyncio.sleep(LASTS_S)
        finally:
            with contextlib.suppress(redis.RedisError):
                store.config_set("maxmemory", STORE_LIMIT_BYTES)
