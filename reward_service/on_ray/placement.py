"""Decide on which nodes of the cluster something runs, from what Ray says of its nodes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reward_service.errors import SettingsError

HEAD = "node:__internal_head__"
"""The resource by which Ray marks the node that the cluster began with."""


@dataclass(frozen=True, slots=True)
class Node:
    """A living node: its id, its address and its name; the CPUs that it has in all; the port of Ray's process there."""

    id: str
    address: str
    name: str
    cpus: float
    head: bool = False
    port: int = 0


def nodes_of(told: Iterable[Mapping[str, Any]]) -> list[Node]:
    """Return the living nodes among those that `ray.nodes()` tells of, in the order of their addresses."""
    living = (each for each in told if each["Alive"])
    nodes = (
        Node(
            each["NodeID"],
            each["NodeManagerAddress"],
            each["NodeManagerHostname"],
            each["Resources"].get("CPU", 0.0),
            HEAD in each["Resources"],
            each["NodeManagerPort"],
        )
        for each in living
    )
    return sorted(nodes, key=lambda node: (node.address, node.id))


def node_named(nodes: Iterable[Node], name: str | None) -> Node:
    """Return the node of this address, name or id; the head for None.

    Raises:
        SettingsError: there is none, or several have the name.
    """
    known = list(nodes)
    found = [node for node in known if (node.head if name is None else name in {node.address, node.name, node.id})]
    if len(found) == 1:
        return found[0]
    where = ", ".join(f"{node.address} ({node.name}, {node.id})" for node in known)
    what = "the cluster's head" if name is None else f"a node {name!r}"
    trouble = "there is no" if not found else "several nodes of the cluster are"
    raise SettingsError(f"[store] node: {trouble} {what.removeprefix('a ') if not found else what}; nodes are {where}")


def api_nodes(nodes: Sequence[Node], current: Collection[str], wanted: int | None, cpus: float) -> list[str]:
    """Return the ids of the nodes that shall have an API: all that have so many CPUs, or `wanted` of them.

    Those that have one already (`current`) come first, so that none is moved without need.
    """
    able = [node.id for node in nodes if node.cpus >= cpus]
    if wanted is None:
        return able
    return sorted(able, key=lambda node: node not in current)[:wanted]
