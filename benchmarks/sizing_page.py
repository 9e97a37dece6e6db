"""Write the tables of docs/sizing.md: each stands between two marks that name it."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.held_many import HeldMany
from benchmarks.sizing_model import (
    BATCHES,
    CALLS,
    FULL,
    PROMPTS_PER_NODE,
    SINGLES,
    Size,
    Training,
    cpu_us,
    most_per_s,
    size_of,
)
from benchmarks.two_nodes import TwoNodes
from benchmarks.unit_costs import ROLES, UnitCosts

PAGE = Path(__file__).parents[1] / "docs" / "sizing.md"
MADE = "made by `make sizing`"
NIC_GBIT = 25.0
GIB = 2**30
WIDTH = 120
NODES = (1, 8, 64, 512)
HELD_PROMPTS = (512, 1024, 2048)

Rows = Sequence[Sequence[str]]


def table_rows(training: Training, size: Size) -> list[tuple[str, str]]:
    """What a size says, a line for each figure."""
    return [
        ("rollouts/s while GPUs generate, on average", f"{training.rollouts_per_s:,.0f}"),
        ("rollouts/s at the peak", f"{training.peak_per_s:,.0f}"),
        ("held at once", f"{training.held:,}"),
        ("API processes", f"{size.api_processes} ({size.cores['API']:.2f} cores at the peak)"),
        ("workers", f"{size.workers} ({size.cores['worker']:.2f} cores at the peak)"),
        ("stores", f"{size.stores} ({size.cores['Valkey']:.2f} cores at the peak)"),
        ("memory of the API processes", f"{size.api_bytes / GIB:.1f} GiB"),
        ("memory of the store", f"{size.store_bytes / GIB:,.1f} GiB after {training.retention_s / 3600:,.1f} h"),
        ("growth of the store's file", f"{size.file_bytes_per_s / 1e6:,.2f} MB/s between two rewrites"),
        ("network into the API", f"{size.in_gbit:,.2f} Gbit/s"),
        ("network of the store", f"{size.store_gbit:,.3f} Gbit/s"),
    ]


def written_again(page: str, costs: UnitCosts, nodes: TwoNodes, held: HeldMany) -> str:
    """The page with its tables made anew.

    Raises:
        KeyError: the page names a table that there is none of.
    """
    made = {name: table(costs) for name, table in TABLES.items()} | {"nodes": _nodes(nodes), "held-many": _many(held)}

    def block(found: re.Match[str]) -> str:
        name = found[1]
        return "\n".join([f"<!-- {name}: {MADE} -->", *made[name], f"<!-- end of {name} -->"])

    return re.sub(rf"<!-- (\S+): {re.escape(MADE)} -->\n.*?<!-- end of \1 -->", block, page, flags=re.DOTALL)


def _costs(costs: UnitCosts) -> list[str]:
    rows = [
        [
            each.kind,
            f"{each.body_bytes:,.0f}",
            *(f"{each.cpu_us[role]:.1f}" for role in ROLES),
            *(f"{each.store[name]:,.0f}" for name in ("in_bytes", "out_bytes", "file_bytes", "kept_bytes")),
        ]
        for each in costs.costs
    ]
    head = ("", "request, B", *(f"{role}, µs" for role in ROLES), "into the store, B", "out, B", "file, B", "memory, B")
    held = costs.held
    told = f"{held.requests:,} singles held at once took {held.api_bytes / 1000:.1f} kB of the API's memory each."
    return [*_table(head, rows), "", *_wrapped(f"{told} Measured on {costs.machine}.")]


def _limits(costs: UnitCosts) -> list[str]:
    rows: list[list[str]] = []
    for calls in CALLS:
        limits = sorted(most_per_s(costs, Training(calls=calls), NIC_GBIT).items(), key=lambda limit: limit[1])
        rows.append([calls, *(f"{part}: {per_s:,.0f}" for part, per_s in limits)])
    return _table(("rollouts/s, 7 kB each", "full first", "second", "third", "last"), rows)


def _sizes(costs: UnitCosts) -> list[str]:
    rows: list[list[str]] = []
    for calls in (BATCHES, SINGLES):
        for nodes in NODES:
            training = Training(nodes=nodes, calls=calls, prompts=PROMPTS_PER_NODE * nodes)
            rows.append([f"{nodes}", calls, *_what_to_run(costs, training)])
    head = ("nodes", "calls", "rollouts/s", "at the peak", "held", "API processes", "workers", "stores", *_LAST)
    return _table(head, rows)


_LAST = ("into the API, Gbit/s", "store after a day, GiB")


def _what_to_run(costs: UnitCosts, training: Training) -> list[str]:
    size = size_of(costs, training)
    return [
        f"{training.rollouts_per_s:,.0f}",
        f"{training.peak_per_s:,.0f}",
        f"{training.held:,}",
        f"{size.api_processes} ({size.cores['API']:.2f} cores)",
        f"{size.workers} ({size.cores['worker']:.2f})",
        f"{size.stores} ({size.cores['Valkey']:.2f})",
        f"{size.in_gbit:.2f}",
        f"{size.store_bytes / GIB:,.1f}",
    ]


def _held(costs: UnitCosts) -> list[str]:
    used_us = cpu_us(costs, Training(calls=SINGLES))
    rows: list[list[str]] = []
    for prompts in HELD_PROMPTS:
        training = replace(Training(calls=SINGLES), prompts=prompts)
        size = size_of(costs, training)
        within_s = training.held * used_us["API"] / 1e6 / (FULL * size.api_processes)
        store_s = training.held * used_us["Valkey"] / 1e6 / FULL
        figures = (f"{size.api_processes}", f"{size.api_bytes / GIB:.2f}", f"{within_s:.1f}", f"{store_s:.1f}")
        rows.append([f"{training.held:,}", *figures])
    head = ("held", "API processes", "their memory, GiB", "the APIs take them in, s", "the store takes them in, s")
    return _table(head, rows)


def _nodes(nodes: TwoNodes) -> list[str]:
    rows = [
        [
            each.kind,
            f"{each.near_per_s:,.0f}",
            f"{each.far_per_s:,.0f}",
            f"**{each.ratio:.2f}**",
            *(f"{1000 * latency_s:.1f}" for latency_s in (each.near_p50_s, each.far_p50_s)),
            *(f"{1000 * latency_s:.1f}" for latency_s in (each.near_p99_s, each.far_p99_s)),
        ]
        for each in nodes.kinds
    ]
    latencies = ("p50 near, ms", "p50 far, ms", "p99 near, ms", "p99 far, ms")
    head = ("", "near its store, rollouts/s", "far from it", "far / near", *latencies)
    link = f"The link took {nodes.rate_mbit / 1000:g} Gbit/s, and a round trip {1000 * nodes.round_trip_s:g} ms."
    return [*_table(head, rows), "", *_wrapped(f"{link} Measured on {nodes.machine}.")]


def _many(held: HeldMany) -> list[str]:
    told = (
        f"{held.requests:,} singles were held at once by {held.api_processes} API processes over one store and one "
        f"worker: {held.most_open:,} connections were open at the same time, and {held.lost} were lost. "
        f"{held.per_s:,.0f} were answered a second, 99 of 100 within {held.p99_after_last_s:.1f} s of their cohort's "
        f"last ballot. Each took {held.api_bytes_each / 1000:.1f} kB of an API's memory, and "
        f"{1e6 * held.store_cpu_s / held.requests:.0f} µs of the store's CPU time. The generators shared the machine: "
        f"{held.machine}."
    )
    return _wrapped(told)


TABLES: Mapping[str, Callable[[UnitCosts], list[str]]] = {
    "costs": _costs,
    "limits": _limits,
    "sizes": _sizes,
    "held": _held,
}


def _table(head: Sequence[str], rows: Rows) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
