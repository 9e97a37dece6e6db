# pyright: standard, reportMissingImports=false
"""Keep one part of a service alive: its actor, and the reservation of its GPUs."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
import structlog
from co_rewarding_client.ray_address import NAMESPACE
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.placement_group import PlacementGroup, get_placement_group, placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from reward_service.on_ray.parts import Part, PartOrder

log = structlog.get_logger(__name__)

LOOK_S = 0.5
ANSWERS_WITHIN_S = 3.0
"""A part that runs answers at once; after so long its node may be lost."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0
REASON_CHARS = 400
NODE_LABEL = "ray.io/node-id"
"""A label that Ray gives each node."""


@dataclass(frozen=True, slots=True)
class Place:
    """What Ray is to give a part: on which node (none: where Ray likes, spread), and what it reserves there.

    With `together` the resources are reserved in a placement group, which outlives the actor: while a part starts
    again, nobody else takes its GPUs.
    """

    resources: Mapping[str, float] = field(default_factory=dict)
    node_id: str | None = None
    together: bool = False


class KeptPart:
    """A part, and what is known of its actor. The actor has a name, so that a later supervisor finds it again.

    Attributes:
        node_id: where it is, or was when it answered last; None before.
        avoids: nodes on which it is not placed, because they were lost when it was made.
    """

    def __init__(
        self, service: str, order: PartOrder, place: Place, runtime_env: Mapping[str, Any], avoids: frozenset[str]
    ) -> None:
        """Starts nothing yet."""
        self.order = order
        self.place = place
        self.avoids = avoids
        self.node_id = place.node_id
        self.state = "starting"
        self.facts: dict[str, Any] | None = None
        self.reason: str | None = None
        self.restarts = 0
        self._name = f"{service}/{order.name}"
        self._runtime_env = runtime_env
        self._actor: Any = None

    @property
    def name(self) -> str:
        """The name of the actor."""
        return self._name

    @property
    def answers(self) -> bool:
        """Whether it has answered its last question, or is not late."""
        return self.state == "running"

    @property
    def hangs(self) -> bool:
        """Whether it does not answer in time, and has before."""
        return self.state == "silent"

    def row(self) -> dict[str, Any]:
        """Return what is told of the part, as plain values."""
        where = {"node_id": None, "address": None, "pid": None, "processes": [], "url": None} | (self.facts or {})
        reason = self._needs() if self.state == "starting" else self.reason
        known = {"role": self.order.role.value, "name": self.order.name, "state": self.state, "reason": reason}
        return known | where | {"restarts": self.restarts}

    def _needs(self) -> str:
        """What a part may wait for: Ray says of no actor whether it waits, or begins."""
        amounts = [f"{amount:g} {resource}" for resource, amount in self.place.resources.items() if amount]
        waits = f", or waits for {' and '.join(amounts)} of one node: `ray status` shows what is free"
        return f"it begins{waits if amounts else ''}"

    async def keep(self) -> None:
        """Start the actor, or find it again, and start it anew whenever it is gone for good; until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._actor = await asyncio.to_thread(self._started)
                await self._follow()
            except (RayError, ValueError) as error:  # the latter where Ray has not yet let go of the name
                was_running, self.facts, self.state = self.facts is not None, None, "waiting"
                self.reason = _reason(error)
                pause_s = FIRST_PAUSE_S if was_running else min(2 * pause_s, LONGEST_PAUSE_S)
                log.warning("a part is gone; it is started anew", part=self._name, reason=self.reason)
                self.restarts += 1
                await asyncio.sleep(pause_s)

    async def stop(self, within_s: float) -> None:
        """Stop the part in order, and end its actor and its reservation; with 0 s, without asking the part."""
        self.state = "stopping"
        actor = self._actor or await asyncio.to_thread(_actor_named, self._name)
        if actor is not None:
            if within_s:
                with contextlib.suppress(RayError, TimeoutError):
                    await asyncio.wait_for(actor.stop.remote(), within_s)
            await asyncio.to_thread(ray.kill, actor, no_restart=True)
        if self.place.together:
            await asyncio.to_thread(_let_go, self._name)

    async def _follow(self) -> None:
        """Note where the part is as long as it lives.

        Raises:
            RayError: it is gone for good, and Ray does not start it again.
        """
        while True:
            try:
                self.facts = await self._answered()
                self.node_id = self.facts["node_id"]
                self.state, self.reason = "running", None
            except ActorUnavailableError:  # Ray starts it again
                if self.answers or self.hangs:
                    self.restarts += 1
                self.facts, self.state = None, "starting"
            await asyncio.sleep(LOOK_S)

    async def _answered(self) -> dict[str, Any]:
        """Return what the part says of itself. One that runs and is late is told to nobody until it answers.

        Raises:
            RayError: it is gone.
        """
        answer = self._actor.facts.remote().as_future()
        try:
            while not (await asyncio.wait((answer,), timeout=ANSWERS_WITHIN_S))[0]:
                if self.state == "running":
                    self.facts, self.state, self.reason = None, "silent", "it does not answer"
            return answer.result()
        finally:
            answer.cancel()

    def _started(self) -> Any:  # noqa: ANN401 - an actor's handle
        reserved = dict(self.place.resources)
        cpus, gpus = reserved.pop("CPU", 0.0), reserved.pop("GPU", 0.0)
        return (
            ray.remote(Part)
            .options(
                name=self._name,
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=-1,
                num_cpus=cpus,
                num_gpus=gpus,
                resources=reserved or None,
                scheduling_strategy=self._strategy(),
                label_selector=None if self.place.together or self.place.node_id else _elsewhere(self.avoids),
                runtime_env=dict(self._runtime_env) or None,
            )
            .remote(self.order)
        )

    def _strategy(self) -> Any:  # noqa: ANN401 - one of Ray's
        if self.place.node_id is not None:
            return NodeAffinitySchedulingStrategy(self.place.node_id, soft=False)
        if not self.place.together:
            return "SPREAD"
        return PlacementGroupSchedulingStrategy(_reserved(self._name, self.place.resources, self.avoids))


def _reason(error: Exception) -> str:
    """Return in a line why an actor is gone; of an actor that did not begin, what its own error says."""
    text = str(error).strip()
    if "creation task" in text:
        text = text.splitlines()[-1].partition(": ")[2] or text
    return " ".join(text.split())[:REASON_CHARS]


def _actor_named(name: str) -> Any:  # noqa: ANN401 - an actor's handle
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _reserved(name: str, resources: Mapping[str, float], avoids: frozenset[str]) -> PlacementGroup:
    """Return the reservation of this name, made if there is none; Ray fulfils it when it can."""
    try:
        return get_placement_group(name)
    except ValueError:
        elsewhere = _elsewhere(avoids)
        return placement_group(
            [dict(resources)],
            strategy="STRICT_PACK",
            name=name,
            lifetime="detached",
            bundle_label_selector=None if elsewhere is None else [elsewhere],
        )


def _elsewhere(avoids: frozenset[str]) -> dict[str, str] | None:
    """Return the labels of all nodes but these, as Ray selects by them; None: of all nodes."""
    return {NODE_LABEL: f"!in({','.join(sorted(avoids))})"} if avoids else None


def _let_go(name: str) -> None:
    with contextlib.suppress(ValueError):
        remove_placement_group(get_placement_group(name))


def end_unknown(service: str, known: set[str]) -> None:
    """End the actors of a service that are none of its parts now, as those of a node that has left."""
    for each in ray.util.list_named_actors(all_namespaces=True):
        name = each["name"]
        if each["namespace"] == NAMESPACE and name.startswith(f"{service}/") and name not in known:
            actor = _actor_named(name)
            if actor is not None:
                ray.kill(actor, no_restart=True)
            _let_go(name)
