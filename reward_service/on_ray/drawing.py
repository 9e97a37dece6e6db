"""Draw the state of a service within a Ray cluster, in 80 columns."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

UNITS = {"worker": "s is the age of the oldest job", "teacher": "labels wait"}


def picture(status: Mapping[str, Any]) -> RenderableType:
    """Return what is printed of `RayService.status`."""
    return Group(*_parts(status))


def _parts(status: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield Text(f"{status['name']} on Ray: ray://{status['name']} for clients in the cluster", style="bold")
    yield Text("every part runs" if status["ready"] else "NOT whole: see below", style="" if status["ready"] else "red")
    where = "a store of yours"
    if status["store_node"] is not None:
        where = f"a Valkey on the node {status['store_node']}, over {status['store_folder']}"
    yield Text(f"store: {status['store']}, {where}")
    for role, scale in status["scales"].items():
        signal = "the store does not answer" if scale["signal"] is None else f"{scale['signal']:.4g} {UNITS[role]}"
        yield Text(f"{role}s: {scale['count']} of {scale['least']} to {scale['most']}; {signal}")
    for address in status["lost_nodes"]:
        yield Text(f"the node {address} does not answer: its parts are elsewhere until it does", style="red")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("part", "state", "node", "restarts", "address"):
        table.add_column(name, justify="right" if name == "restarts" else "left")
    for part in status["parts"]:
        role, _, which = part["name"].partition("/")
        name = role if role == "api" else f"{role} {which}"
        table.add_row(name, part["state"], part["address"] or "-", str(part["restarts"]), part["url"] or "")
    yield table
    for part in status["parts"]:
        if part["reason"] is not None:
            yield Text(f"{part['name'][:20]}: {part['reason']}", style="red")
