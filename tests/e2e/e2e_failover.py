"""Troubles of a store that fails over, under a load that notes what was acknowledged; shared by what watches the store.

CO_REWARDING_FAILOVERS says how often the primary is killed (make e2e-failover: 20).
"""

import asyncio
import itertools
import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from e2e_acknowledged import Acknowledged, Acknowledging

from tests.support.service import running

KILLS = int(os.environ.get("CO_REWARDING_FAILOVERS", "2"))
SEED = int(os.environ.get("CO_REWARDING_FAILOVERS_SEED", "1"))
ANSWERS_WITHIN_S = 30.0  # two or three seconds on a quiet machine
PATIENCE_S = 2.0
LAG_S = 0.5
"""A replica in step has all that was written this long ago; here within a millisecond."""


BEHIND_S = 1.0
"""So far a replica may be behind before a round begins: on a busy machine 0.16 s was seen."""
NOTED_S = 0.3
"""An answer that left the service just before the primary died may be noted here so much later."""


@dataclass(frozen=True)
class Round:
    """What was done to the primary, and between which moments something may be lost that one server had."""

    trouble: str
    since_s: float
    until_s: float


Trouble = Callable[[], Awaitable[Round]]


@dataclass
class World(ABC):
    """The store of a service, and its load."""

    load: Acknowledging
    chance: random.Random

    @abstractmethod
    def kills(self) -> Sequence[Trouble]:
        """By turns: the primary dies, and another takes its place."""

    @abstractmethod
    def others(self) -> Sequence[Trouble]:
        """What else happens to it, a tenth as often."""

    async def answers(self, since_s: float) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await self.load.answered_since(since_s)

    async def play(self) -> list[Round]:
        """Kills as many as are wanted, then the others."""
        kills = itertools.islice(itertools.cycle(self.kills()), KILLS)
        rounds: list[Round] = []
        for trouble in (*kills, *(tuple(self.others()) * max(1, KILLS // 10))):
            await asyncio.sleep(self.chance.uniform(0.3, 1.0))  # traffic: what comes next meets calls at any stage
            rounds.append(await trouble())
            await self.answers(time.monotonic())
        return rounds


@dataclass(frozen=True)
class Played:
    """The rounds of a world, its load, and what was lost."""

    rounds: list[Round]
    load: Acknowledging
    lost: list[Acknowledged]

    def told(self) -> str:
        by_trouble = {
            trouble: sum(any(within(each, one) for one in self.rounds if one.trouble == trouble) for each in self.lost)
            for trouble in dict.fromkeys(one.trouble for one in self.rounds)
        }
        refused = sum("replicate" in why for why in self.load.refused)
        return (
            f"{len(self.rounds)} rounds; {len(self.load.acknowledged)} acknowledged, of which {len(self.lost)} were "
            f"lost: {by_trouble}; {len(self.load.refused)} answers of 503, of which {refused} for want of replicas"
        )

    def assert_nothing_lost(self) -> None:
        assert not self.lost, f"{self.told()}: {self.lost}, beside {self.rounds}"
        assert any("did not replicate" in why for why in self.load.refused)

    def assert_lost_within(self, *troubles: str) -> None:
        """What was lost was lost in a round, and each of these troubles lost something."""
        elsewhere = [each for each in self.lost if not any(within(each, one) for one in self.rounds)]
        assert not elsewhere, f"lost although replicas were in step: {elsewhere}, beside {self.rounds}"
        for trouble in troubles:
            assert any(within(each, one) for each in self.lost for one in self.rounds if one.trouble == trouble), (
                f"{trouble}: nothing was lost, so what `replicated` keeps is not shown"
            )


def within(each: Acknowledged, one: Round) -> bool:
    return one.since_s - BEHIND_S <= each.at_s <= one.until_s + NOTED_S


async def _under_load(make: Callable[[Acknowledging, random.Random], World], url: str, run: str) -> Played:
    load = Acknowledging(url, run, SEED)
    flowing = asyncio.create_task(load.flow())
    try:
        rounds = await make(load, random.Random(SEED)).play()
        flowing.cancel()
        await load.finish(ANSWERS_WITHIN_S)
        return Played(rounds, load, await load.lost())
    finally:
        await load.close()


def played(make: Callable[[Acknowledging, random.Random], World], redis_url: str, durability: str, run: str) -> Played:
    """A service over a store, its load, and the troubles of a world that `make` makes; every answer was right."""
    with running(redis_url=redis_url, durability=durability, redis_patience_s=PATIENCE_S, claim_idle_s=1.0) as service:
        pids = service.pids("api")
        all_of_it = asyncio.run(_under_load(make, service.url, run))
        assert service.pids("api") == pids, "the API process died"
    print(f"{durability}: {all_of_it.told()}")
    all_of_it.load.assert_right()
    return all_of_it
