"""Print the measurements, for a person and for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.held import Held
from benchmarks.measuring import NOOP, SERVICE, Latency, Throughput

CORE_FULL = 0.97

HELD_PER_S = 4000.0
HELD_BYTES_EACH = 12_000.0
HELD_P99_S = 1.0
"""Goals of singles that are held at once."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    machine: str
    pinning: str
    throughputs: Sequence[Throughput]
    latencies: Sequence[Latency]
    held: Held | None = None

    @property
    def missed(self) -> list[str]:
        """The goals that were not reached."""
        ratios = [
            f"{each.kind.name} {each.ratio(other):.3f} x {other}"
            for each in self.throughputs
            for other, goal in each.kind.goals.items()
            if each.ratio(other) < goal
        ]
        if self.held is not None:
            ratios += [f"held: {said}" for said, good in _held_goals(self.held) if not good]
        return ratios

    def print(self, console: Console) -> None:
        """Tables; the machine was said before."""
        if self.throughputs:
            console.print(_rates(self.throughputs))
            console.print(_cores(self.throughputs))
        for line in _remarks(self.throughputs):
            console.print(line)
        if self.latencies:
            console.print(_latencies(self.latencies))
        if self.held is not None:
            console.print(_held(self.held))

    def document(self) -> dict[str, Any]:
        """The same for a program: rates in rollouts per second, shares of a core, latencies in seconds."""
        return {
            "machine": self.machine,
            "pinning": self.pinning,
            "throughput": [_throughput_document(each) for each in self.throughputs],
            "latency": [_latency_document(each) for each in self.latencies],
            "held": None if self.held is None else self.held.document(),
        }


def _rates(throughputs: Sequence[Throughput]) -> Table:
    table = Table(title="Rollouts per second", title_justify="left")
    table.add_column("")
    rates = ("body", "connections", "service", "beside", "its", "ratio", "min-max", "goal")
    for heading in (*rates, "by CPU time", "core beside"):
        table.add_column(heading, justify="right")
    for each in throughputs:
        body_kb = each.kind.workloads[SERVICE].body_bytes / 1000
        for other, goal in each.kind.goals.items():
            ratio, ratios = each.ratio(other), each.ratios(other)
            table.add_row(
                each.kind.name,
                f"{body_kb:,.0f} kB",
                str(each.kind.connections),
                f"{each.rate(SERVICE):,.0f}",
                other,
                f"{each.rate(other):,.0f}",
                f"[{'green' if ratio >= goal else 'red'}]{ratio:.2f}[/]",
                f"{min(ratios):.2f}-{max(ratios):.2f}",
                f"≥ {goal:.1f}",
                f"{each.ratio_by_cpu(other):.2f}",
                f"{each.most_by_core_beside(other):.2f}",
            )
    return table


def _held(held: Held) -> Table:
    table = Table(title=f"{held.requests:,} singles held at once", title_justify="left")
    for heading in ("answers/s", "API's memory each", "lost", "p99 after the last ballot"):
        table.add_column(heading, justify="right")
    for role in held.cpu_s_each:
        table.add_column(f"{role}, µs each", justify="right")
    goals = [f"[{'green' if good else 'red'}]{said}[/]" for said, good in _held_goals(held)]
    table.add_row(*goals, *(f"{1e6 * cpu_s:.0f}" for cpu_s in held.cpu_s_each.values()))
    return table


def _held_goals(held: Held) -> list[tuple[str, bool]]:
    return [
        (f"{held.per_s:,.0f} (≥ {HELD_PER_S:,.0f})", held.per_s >= HELD_PER_S),
        (f"{held.bytes_each / 1000:.1f} kB (≤ {HELD_BYTES_EACH / 1000:.0f})", held.bytes_each <= HELD_BYTES_EACH),
        (f"{held.lost}", held.lost == 0),
        (f"{1000 * held.p99_s:,.0f} ms (≤ {1000 * HELD_P99_S:,.0f})", held.p99_s <= HELD_P99_S),
    ]


def _cores(throughputs: Sequence[Throughput]) -> Table:
    table = Table(title="Share of a core (median)", title_justify="left")
    table.add_column("")
    for heading in ("API", "worker", "Valkey", "generator", "no-op's API", "generator", "others, core of API"):
        table.add_column(heading, justify="right")
    for each in throughputs:
        shares = [each.busy(SERVICE, role) for role in ("API", "worker", "Valkey", "generator")]
        shares += [each.busy(NOOP, role) for role in ("API", "generator")]
        others = _others(each)
        table.add_row(
            each.kind.name, *(f"{share:.0%}" for share in shares), "unknown" if others is None else f"{others:.0%}"
        )
    return table


def _remarks(throughputs: Sequence[Throughput]) -> list[str]:
    remarks: list[str] = []
    for each in throughputs:
        rest = sum(each.busy(SERVICE, role) for role in ("worker", "Valkey", "generator"))
        if rest > CORE_FULL:
            remarks.append(f"[yellow]{each.kind.name}: the core beside the API was full; the service could do more.[/]")
        others = _others(each)
        if others is not None and others > 0.1:
            remarks.append(f"[yellow]{each.kind.name}: others took {others:.0%} of the API's core; measure again.[/]")
    return remarks


def _latencies(latencies: Sequence[Latency]) -> Table:
    table = Table(title="Latency, ms", title_justify="left")
    table.add_column("")
    for heading in ("service p50", "p99", "no-op p50", "p99", "added p50", "added p99", "samples"):
        table.add_column(heading, justify="right")
    for each in latencies:
        values = [each.quantile_s(server, share) for server in (SERVICE, NOOP) for share in (0.5, 0.99)]
        values += [each.added_s(0.5), each.added_s(0.99)]
        table.add_row(each.name, *(f"{1000 * value:.2f}" for value in values), str(len(each.samples_s[SERVICE])))
    return table


def _others(each: Throughput) -> float | None:
    shares = [turn.busy.others for turns in each.turns.values() for turn in turns if turn.busy.others is not None]
    return max(shares) if shares else None


def _throughput_document(each: Throughput) -> dict[str, Any]:
    return {
        "name": each.kind.name,
        "beside": {
            other: {
                "goal": goal,
                "ratio": each.ratio(other),
                "ratios": each.ratios(other),
                "ratio_by_cpu": each.ratio_by_cpu(other),
                "most_by_core_beside": each.most_by_core_beside(other),
            }
            for other, goal in each.kind.goals.items()
        },
        "others_on_api_core": _others(each),
        "rollouts_per_s": {server: [turn.rate for turn in turns] for server, turns in each.turns.items()},
        "busy": {server: [dict(turn.busy.shares) for turn in turns] for server, turns in each.turns.items()},
    }


def _latency_document(each: Latency) -> dict[str, Any]:
    quantiles_s = {
        server: {"p50_s": each.quantile_s(server, 0.5), "p99_s": each.quantile_s(server, 0.99), "samples": len(samples)}
        for server, samples in each.samples_s.items()
    }
    return {"name": each.name, **quantiles_s, "added": {"p50_s": each.added_s(0.5), "p99_s": each.added_s(0.99)}}
