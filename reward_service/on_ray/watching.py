# pyright: standard, reportMissingImports=false
"""Watch the nodes of the cluster: Ray itself takes 15 s and more until it says that a node is dead."""

import asyncio
import contextlib
from collections.abc import Collection, Iterable

import ray
import structlog
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from reward_service.on_ray.keeping import KeptPart
from reward_service.on_ray.lost_nodes import NodeSigns, NodeWatch, watched
from reward_service.on_ray.placement import Node

log = structlog.get_logger(__name__)

CONNECTS_WITHIN_S = 2.0


class NodeWatcher:
    """Knows which nodes are lost. The node of this process is not watched: who looks is there."""

    def __init__(self, own_id: str) -> None:
        """Trust every node at first."""
        self._own_id = own_id
        self._watches: dict[str, NodeWatch] = {}
        self._trials: dict[str, _Trial] = {}

    @property
    def lost(self) -> frozenset[str]:
        """Return the ids of the nodes that are lost; Ray still takes them for living."""
        return frozenset(node for node, watch in self._watches.items() if watch.lost)

    async def look(self, nodes: Collection[Node], parts: Iterable[KeptPart]) -> None:
        """Look at every node that Ray takes for living, and at the parts there."""
        on_nodes: dict[str | None, list[KeptPart]] = {}
        for part in parts:
            on_nodes.setdefault(part.node_id, []).append(part)
        others = [node for node in nodes if node.id != self._own_id]
        found = await asyncio.gather(*(self._signs(node, on_nodes.get(node.id, [])) for node in others))
        before, self._watches = self._watches, {}
        for node, signs in zip(others, found, strict=True):
            known = before.get(node.id, NodeWatch())
            watch = self._watches[node.id] = watched(known, signs)
            if watch.lost != known.lost:
                log.warning("a node is lost" if watch.lost else "a node is back", node=node.id, address=node.address)
        self._try_lost()

    async def _signs(self, node: Node, parts: list[KeptPart]) -> NodeSigns:
        trial = self._trials.get(node.id)
        if trial is not None:
            return NodeSigns(works=trial.passed)
        if any(part.answers for part in parts):
            return NodeSigns(answers=True)
        if any(part.hangs for part in parts):
            return NodeSigns(hangs=True)
        return NodeSigns(listens=await _listens(node))

    def _try_lost(self) -> None:
        """Give each lost node an actor to run: it runs when the node works again."""
        lost = self.lost
        for node, trial in list(self._trials.items()):
            if node not in lost or trial.failed:
                self._trials.pop(node).end()
        for node in lost - self._trials.keys():
            self._trials[node] = _Trial(node)


class _Trial:
    """An actor on a node, which does nothing and ends with this object: a task would leave its process behind."""

    def __init__(self, node_id: str) -> None:
        strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
        self._actor = ray.remote(_Idler).options(num_cpus=0, scheduling_strategy=strategy).remote()
        self._answer = self._actor.nothing.remote().as_future()

    @property
    def passed(self) -> bool:
        return self._answer.done() and not self.failed

    @property
    def failed(self) -> bool:
        return self._answer.done() and (self._answer.cancelled() or self._answer.exception() is not None)

    def end(self) -> None:
        self._answer.cancel()
        del self._actor


class _Idler:
    def nothing(self) -> None: ...


async def _listens(node: Node) -> bool:
    with contextlib.suppress(OSError):  # refused, or no answer in time
        async with asyncio.timeout(CONNECTS_WITHIN_S):
            _, writer = await asyncio.open_connection(node.address, node.port)
        writer.close()
        return True
    return False
