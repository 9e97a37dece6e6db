"""Print the measurements, for a person and for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measuring import Latency, Throughput

CORE_FULL = 0.97


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    machine: str
    pinning: str
    throughputs: Sequence[Throughput]
    latencies: Sequence[Latency]

    @property
    def below_goal(self) -> list[Throughput]:
        """The kinds whose ratio is below its goal."""
        return [each for each in self.throughputs if each.ratio < each.kind.goal]

    def print(self, console: Console) -> None:
        """Tables; the machine was said before."""
        console.print(_rates(self.throughputs))
        console.print(_cores(self.throughputs))
        for line in _remarks(self.throughputs):
            console.print(line)
        if self.latencies:
            console.print(_latencies(self.latencies))

    def document(self) -> dict[str, Any]:
        """The same for a program: rates in rollouts per second, shares of a core, latencies in seconds."""
        return {
            "machine": self.machine,
            "pinning": self.pinning,
            "throughput": [_throughput_document(each) for each in self.throughputs],
            "latency": [_latency_document(each) for each in self.latencies],
        }


def _rates(throughputs: Sequence[Throughput]) -> Table:
    table = Table(title="Rollouts per second", title_justify="left")
    table.add_column("")
    for heading in ("body", "connections", "service", "no-op", "ratio", "min-max", "goal", "by CPU time"):
        table.add_column(heading, justify="right")
    for each in throughputs:
        body_kb = each.kind.workloads["service"].body_bytes / 1000
        good = each.ratio >= each.kind.goal
        table.add_row(
            each.kind.name,
            f"{body_kb:,.0f} kB",
            str(each.kind.connections),
            f"{each.rate('service'):,.0f}",
            f"{each.rate('no-op'):,.0f}",
            f"[{'green' if good else 'red'}]{each.ratio:.2f}[/]",
            f"{min(each.ratios):.2f}-{max(each.ratios):.2f}",
            f"≥ {each.kind.goal:.1f}",
            f"{each.ratio_by_cpu:.2f}",
        )
    return table


def _cores(throughputs: Sequence[Throughput]) -> Table:
    table = Table(title="Share of a core (median)", title_justify="left")
    table.add_column("")
    for heading in ("API", "worker", "Valkey", "generator", "no-op's API", "generator", "others, core of API"):
        table.add_column(heading, justify="right")
    for each in throughputs:
        shares = [each.busy("service", role) for role in ("API", "worker", "Valkey", "generator")]
        shares += [each.busy("no-op", role) for role in ("API", "generator")]
        others = _others(each)
        table.add_row(
            each.kind.name, *(f"{share:.0%}" for share in shares), "unknown" if others is None else f"{others:.0%}"
        )
    return table


def _remarks(throughputs: Sequence[Throughput]) -> list[str]:
    remarks: list[str] = []
    for each in throughputs:
        rest = sum(each.busy("service", role) for role in ("worker", "Valkey", "generator"))
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
        values = [each.quantile_s(server, share) for server in ("service", "no-op") for share in (0.5, 0.99)]
        values += [each.added_s(0.5), each.added_s(0.99)]
        table.add_row(each.name, *(f"{1000 * value:.2f}" for value in values), str(len(each.samples_s["service"])))
    return table


def _others(each: Throughput) -> float | None:
    shares = [turn.busy.others for turns in each.turns.values() for turn in turns if turn.busy.others is not None]
    return max(shares) if shares else None


def _throughput_document(each: Throughput) -> dict[str, Any]:
    return {
        "name": each.kind.name,
        "goal": each.kind.goal,
        "ratio": each.ratio,
        "ratios": each.ratios,
        "ratio_by_cpu": each.ratio_by_cpu,
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
