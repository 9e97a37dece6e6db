# pyright: standard, reportMissingImports=false
"""Keep the parts of a service alive within a Ray cluster: the actor that `co-rewarding ray up` starts."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from co_rewarding_client.ray_address import NAMESPACE
from ray.exceptions import RayError

from reward_service.background import Background
from reward_service.errors import StoreUnavailableError, TaskFailedError
from reward_service.on_ray.config import ModelTable, RayConfig
from reward_service.on_ray.keeping import KeptPart, Place, end_unknown
from reward_service.on_ray.parts import PartOrder, Role
from reward_service.on_ray.placement import Node, api_nodes, nodes_of
from reward_service.on_ray.scaling import Scale, ScalingRule, scaled
from reward_service.on_ray.signals import SignalReader, Signals
from reward_service.on_ray.watching import NodeWatcher
from reward_service.serving.children import KILLED_AFTER_S, set_up_logging
from reward_service.settings import Settings
from reward_service.store.embedded import NetworkDoor
from reward_service.store.redis_url import without_password

LOOK_S = 0.5
FAILED = 1
ENDING = (Role.API, Role.PARAPHRASER, Role.TEACHER, Role.WORKER, Role.STORE)
"""The order in which parts are stopped, as `co-rewarding serve` stops its processes."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What runs: the configuration, the settings, and the store.

    Attributes:
        settings: of all processes, with the store's URL.
        api_key: the key that was made because the settings have none; clients in the cluster are told it.
        store_node: the node of a Valkey that is run here, and `door` its port and password; None of another store.
    """

    config: RayConfig
    settings: Settings
    api_key: str | None = field(default=None, repr=False)
    store_node: Node | None = None
    door: NetworkDoor | None = None


class RaySupervisor:
    """Keeps the parts of one service, and tells where they are.

    All that it knows follows from its plan, from Ray and from the store. So a supervisor that Ray starts again finds
    the living parts by their names, and goes on with them.
    """

    async def __init__(self, plan: ServicePlan) -> None:
        """Begin to keep the parts."""
        set_up_logging(plan.settings)
        self._plan = plan
        self._service = plan.config.name
        self._parts: dict[str, KeptPart] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._watcher = NodeWatcher(ray.get_runtime_context().get_node_id())
        self._lost_addresses: list[str] = []
        self._signals: Signals | None = None
        self._looked = False
        self._missing = False
        assert plan.settings.redis_url is not None, "a plan names the store"
        self._reader = SignalReader(plan.settings.redis_url, plan.settings)
        living = await asyncio.to_thread(_living, self._service)
        self._scales = {role: Scale(_count(living, role)) for role, _ in self._rules()}
        self._background = Background(on_failure=_end)
        self._looking = self._background.keep(
            "parts", self._look, every_s=LOOK_S, expected=(StoreUnavailableError, RayError)
        )

    async def directory(self) -> dict[str, Any]:
        """Return the URLs of the API replicas that serve, with their nodes, and the key that was made for clients."""
        rows = [part.row() for part in self._parts.values()]
        api = [{name: row[name] for name in ("url", "node_id", "address")} for row in rows if row["url"]]
        return {"api": api, "api_key": self._plan.api_key}

    async def status(self) -> dict[str, Any]:
        """Return what runs where, as plain values."""
        store = self._plan.store_node
        return {
            "name": self._service,
            "ready": self._looked and not self._missing and all(part.answers for part in self._parts.values()),
            "store": without_password(self._plan.settings.redis_url or ""),
            "store_node": None if store is None else store.address,
            "store_folder": None if store is None else str(self._plan.config.store.data_dir),
            "lost_nodes": self._lost_addresses,
            "parts": [part.row() for part in self._parts.values()],
            "scales": {role.value: self._told(role, rule) for role, rule in self._rules()},
            "supervisor": {"pid": os.getpid(), "node_id": ray.get_runtime_context().get_node_id()},
        }

    async def plan(self) -> str:
        """Return what a service is told by: its configuration, as JSON."""
        return self._plan.config.model_dump_json()

    async def down(self) -> None:
        """Stop all parts in order: what was accepted is finished, or kept in the store."""
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        for role in ENDING:
            for name in [name for name, part in self._parts.items() if part.order.role == role]:
                self._leave(name)
            await asyncio.gather(*self._leaving.values())
        await asyncio.to_thread(end_unknown, self._service, set())

    async def _look(self) -> None:
        nodes = nodes_of(await asyncio.to_thread(ray.nodes))
        await self._watcher.look(nodes, self._parts.values())
        lost = self._watcher.lost
        self._lost_addresses = [node.address for node in nodes if node.id in lost]
        store = next((part for part in self._parts.values() if part.order.role == Role.STORE), None)
        waits_for_store = self._plan.door is not None and (store is None or store.state != "running")
        if not waits_for_store:
            await self._scale()
        wanted = {order.name: (order, place) for order, place in self._wanted(nodes)}
        for name, part in list(self._parts.items()):
            if self._misplaced(part, lost):
                self._leave(name, within_s=0.0)
            elif name not in wanted or wanted[name][1] != part.place:
                self._leave(name)
        for name, (order, place) in wanted.items():
            # A part that begins without the store would only fail, and wait longer and longer.
            begins = order.role == Role.STORE or not waits_for_store
            if begins and name not in self._parts and name not in self._leaving:
                part = self._parts[name] = KeptPart(self._service, order, place, self._plan.config.runtime_env, lost)
                self._keeping[name] = self._background.start(f"keep {name}", part.keep())
        self._missing = not wanted.keys() <= self._parts.keys()
        if not waits_for_store and not self._looked:  # what an earlier supervisor of this service has left
            await asyncio.to_thread(end_unknown, self._service, {f"{self._service}/{name}" for name in wanted})
            self._looked = True

    @staticmethod
    def _misplaced(part: KeptPart, lost: frozenset[str]) -> bool:
        """Return whether a part is on a lost node, or waits for room while a node is back that it avoids.

        The store stays where its file is: two over one name would be two stores.
        """
        if part.order.role == Role.STORE:
            return False
        return part.node_id in lost or (part.facts is None and bool(part.avoids - lost))

    async def _scale(self) -> None:
        try:
            self._signals = await self._reader.read()
        except StoreUnavailableError:
            self._signals = None
            raise
        now_s = asyncio.get_running_loop().time()
        for role, rule in self._rules():
            self._scales[role] = scaled(rule, self._scales[role], self._signal(role) or 0.0, now_s)

    def _wanted(self, nodes: list[Node]) -> Iterator[tuple[PartOrder, Place]]:
        """Yield what shall run: an order, and its place."""
        config, settings = self._plan.config, self._plan.settings
        bare = settings.model_copy(update={"workers": 0, "teacher": None, "paraphraser": None})
        if self._plan.store_node is not None and (node := self._node_of_store(nodes)) is not None:
            alone = bare.model_copy(update={"redis_url": None})
            yield PartOrder(Role.STORE, "0", alone, self._plan.door), Place(node_id=node.id)
        current = [part.order.which for part in self._parts.values() if part.order.role == Role.API]
        standing = [node for node in nodes if node.id not in self._watcher.lost]
        for node_id in api_nodes(standing, current, config.api.nodes, config.api.cpus):
            yield PartOrder(Role.API, node_id, bare), Place({"CPU": config.api.cpus}, node_id)
        working = bare.model_copy(update={"workers": 1})
        for which in range(self._scales[Role.WORKER].count):
            yield PartOrder(Role.WORKER, str(which), working), Place({"CPU": config.workers.cpus})
        for role, table in ((Role.TEACHER, config.teacher), (Role.PARAPHRASER, config.paraphraser)):
            if table is not None:
                modelled = bare.model_copy(update={role.value: table.model})
                count = self._scales[role].count if role in self._scales else table.least
                for which in range(count):
                    yield PartOrder(role, str(which), modelled), _place_of(table)

    def _node_of_store(self, nodes: list[Node]) -> Node | None:
        """Return the node of the store; one that was restarted has another id and the same address.

        A lost one stays the store's until another has its address: there is one file.
        """
        meant = self._plan.store_node
        assert meant is not None, "the store is run here"
        same = [node for node in nodes if meant.id == node.id or meant.address == node.address]
        return min(same, key=lambda node: (node.id in self._watcher.lost, node.id != meant.id), default=None)

    def _rules(self) -> list[tuple[Role, ScalingRule]]:
        config = self._plan.config
        tables = ((Role.WORKER, config.workers), (Role.TEACHER, config.teacher))
        return [(role, table.rule) for role, table in tables if table is not None]

    def _signal(self, role: Role) -> float | None:
        if self._signals is None:
            return None
        return self._signals.oldest_job_s if role == Role.WORKER else float(self._signals.labels)

    def _told(self, role: Role, rule: ScalingRule) -> dict[str, Any]:
        count = self._scales[role].count
        return {"count": count, "least": rule.least, "most": rule.most, "signal": self._signal(role)}

    def _leave(self, name: str, within_s: float | None = None) -> None:
        """Stop a part in the background; its name is free when it is gone. With 0 s, it is not asked."""
        part, keeping = self._parts.pop(name), self._keeping.pop(name)
        if within_s is None:
            within_s = self._plan.settings.shutdown_s + KILLED_AFTER_S

        async def leaving() -> None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            with contextlib.suppress(RayError):
                await part.stop(within_s)
            del self._leaving[name]

        self._leaving[name] = self._background.start(f"stop {name}", leaving())


def _place_of(table: ModelTable) -> Place:
    return Place(table.reserved, together="GPU" in table.reserved)


def _living(service: str) -> list[str]:
    """Return the names of the service's actors, without the service's own."""
    found = (each["name"] for each in ray.util.list_named_actors(all_namespaces=True) if each["namespace"] == NAMESPACE)
    return [name.removeprefix(f"{service}/") for name in found if name.startswith(f"{service}/")]


def _count(living: list[str], role: Role) -> int:
    return sum(name.startswith(f"{role.value}/") for name in living)


def _end(_: TaskFailedError) -> None:
    os._exit(FAILED)  # Ray starts another
