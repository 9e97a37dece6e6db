"""A cluster of primaries, each with a replica: real processes, killed and started again by a test."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot

from tests.support.waiting import wait_until
from tests.support.watched_store import StoreNode

NODE_TIMEOUT_MS = 1000
"""After how long a silent node is taken for dead."""

WHOLE_WITHIN_S = 60.0


class ClusterNode(StoreNode):
    """A node by its id, with the cluster's own port 10,000 above."""

    def __init__(self, binary: str, folder: Path, node_timeout_ms: int, options: tuple[str, ...]) -> None:
        timeout = ("--cluster-node-timeout", str(node_timeout_ms))
        super().__init__(binary, folder, ("--cluster-enabled", "yes", *timeout, *options))
        self.id = secrets.token_hex(20)
        self.folder = folder / str(self.port)

    @property
    def slots(self) -> set[int]:
        """Those that it has by its own word, as a primary."""
        own = self.nodes()[self.id]
        if "master" not in own["flags"].split(","):
            return set()
        ranges = [(int(first), int(last[0] if last else first)) for first, *last in own["slots"]]
        return {slot for first, last in ranges for slot in range(first, last + 1)}

    def nodes(self) -> dict[str, dict[str, Any]]:
        """All nodes as it knows them, by id."""
        return {each["node_id"]: each for each in self.client.execute_command("CLUSTER NODES").values()}

    @property
    def state(self) -> str:
        """Of the cluster, as the node sees it: ok or fail."""
        return self.client.execute_command("CLUSTER INFO")["cluster_state"]

    def sees_all(self, nodes: int) -> bool:
        """Whether it takes the cluster for whole, and no node for dead."""
        try:
            known = self.nodes().values()
            state = self.state
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
            return False
        return state == "ok" and len(known) == nodes and not any("fail" in each["flags"] for each in known)


class ClusterStore:
    """Primaries that have the slots in equal parts, and a replica of each that takes its place."""

    def __init__(self, nodes: list[ClusterNode], primaries: int) -> None:
        """Starts nothing yet. The first so many nodes are the primaries, the others replicas of one each."""
        self.nodes = nodes
        self._primaries = primaries

    def start(self) -> None:
        """Returns when every node knows all others, and replicas are in step."""
        for node in self.nodes:
            (node.folder / "nodes.conf").write_text(self._known_to(node))
            node.start()
        self.whole()

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.nodes[:2])}"

    def primary_of(self, key: str) -> ClusterNode:
        """The node that has the slot of a key, by its own word and by that of most others."""
        return wait_until(lambda: self._primary_of(key_slot(key.encode())), WHOLE_WITHIN_S, every_s=0.05)

    def replica_of(self, primary: ClusterNode) -> ClusterNode:
        """Its replica by its own word."""
        return next(each for each in self.nodes if each.nodes()[each.id]["master_id"] == primary.id)

    def fail_over(self, old: ClusterNode, replica: ClusterNode) -> None:
        """Has a replica take the place of its primary before the nodes notice that it is needed."""
        replica.client.execute_command("CLUSTER", "FAILOVER", "FORCE")
        self.failed_over(old)

    def failed_over(self, old: ClusterNode) -> None:
        """Returns when another node has the slots of this one by its own word."""
        others = [each for each in self.nodes if each is not old]
        wait_until(lambda: sum(len(each.slots) for each in others if each.running) == SLOTS, WHOLE_WITHIN_S, 0.02)

    def bring_back(self, node: ClusterNode) -> None:
        """Starts a killed node, and returns when it is a replica in step."""
        node.start()
        self.whole()

    def whole(self) -> None:
        """Returns when all nodes are there, and each primary has its replica in step."""
        wait_until(self._is_whole, WHOLE_WITHIN_S, every_s=0.05)

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _is_whole(self) -> bool:
        if not all(node.sees_all(len(self.nodes)) for node in self.nodes):
            return False
        having = [node for node in self.nodes if node.slots]
        if len(having) != self._primaries or sum(len(node.slots) for node in having) != SLOTS:
            return False
        replicas = [node for node in self.nodes if node not in having]
        # A primary calls a replica online that still reads its data.
        in_step = all(node.info("replication")["master_link_status"] == "up" for node in replicas)
        return not replicas or (in_step and all(node.has_replicas(1) for node in having))

    def _primary_of(self, slot: int) -> ClusterNode | None:
        return next((node for node in self.nodes if node.running and slot in node.slots), None)

    def _known_to(self, node: ClusterNode) -> str:
        """What a node would have written down itself, had the others been introduced to it."""
        lines: list[str] = []
        for place, each in enumerate(self.nodes):
            which = place % self._primaries
            myself = "myself," if each is node else ""
            address = f"{each.id} 127.0.0.1:{each.port}@{each.port + 10_000}"
            if place < self._primaries:
                first, last = (SLOTS * n // self._primaries for n in (which, which + 1))
                lines.append(f"{address} {myself}master - 0 0 {which + 1} connected {first}-{last - 1}")
            else:
                lines.append(f"{address} {myself}slave {self.nodes[which].id} 0 0 {which + 1} connected")
        return "\n".join((*lines, f"vars currentEpoch {self._primaries} lastVoteEpoch 0", ""))


class MovingSlot:
    """The slot of a key on its way from its primary to another, key by key."""

    def __init__(self, store: ClusterStore, key: str) -> None:
        """Nothing moves yet."""
        self._store = store
        self._slot = key_slot(key.encode())
        self._old = store.primary_of(key)
        self.new = next(node for node in store.nodes if node.slots and node is not self._old)

    def whole(self) -> None:
        """All of it, as valkey-cli does it."""
        self.begin()
        while keys := self._old.client.execute_command("CLUSTER", "GETKEYSINSLOT", self._slot, 100):
            self.move(*keys)
        self.end()

    def begin(self) -> None:
        self._say(self.new, "IMPORTING", self._old)
        self._say(self._old, "MIGRATING", self.new)

    def move(self, *keys: str | bytes) -> None:
        """Those that have not vanished meanwhile."""
        self._old.client.execute_command("MIGRATE", "127.0.0.1", self.new.port, "", 0, 5000, "KEYS", *keys)

    def end(self) -> None:
        """Returns when every node knows it."""
        for node in (self.new, self._old):
            self._say(node, "NODE", self.new)
        wait_until(lambda: all(self._is_known_to(node) for node in self._store.nodes), WHOLE_WITHIN_S)

    def _say(self, node: ClusterNode, word: str, about: ClusterNode) -> None:
        node.client.execute_command("CLUSTER", "SETSLOT", self._slot, word, about.id)

    def _is_known_to(self, node: ClusterNode) -> bool:
        has = node.nodes()[self.new.id]["slots"]
        return any(int(first) <= self._slot <= int(last[0] if last else first) for first, *last in has)


@contextlib.contextmanager
def cluster_store(
    binary: str,
    *options: str,
    primaries: int = 3,
    replicated: bool = True,
    node_timeout_ms: int = NODE_TIMEOUT_MS,
) -> Iterator[ClusterStore]:
    """A cluster, while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="cr-cluster-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        count = 2 * primaries if replicated else primaries
        store = ClusterStore([ClusterNode(binary, folder, node_timeout_ms, options) for _ in range(count)], primaries)
        stack.callback(store.close)
        store.start()
        yield store
