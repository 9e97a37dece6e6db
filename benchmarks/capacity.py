"""Measure how much the service takes, by kind of traffic and number of workers: `make bench-capacity`.

The load test offers more and more until the service falls behind: less than 95 % answered in time, a failure, or more
than a second for a batch (for singles: after a cohort's last ballot) at the 99th percentile. Twice at the same rate:
a machine that others use has its moments.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from reward_service.serving.embedded_service import embedded_service
from reward_service.tools.loadtest.arrivals import Traffic
from reward_service.tools.loadtest.command import LoadTest, run_loadtest
from reward_service.tools.loadtest.records import settle_delays_s
from reward_service.tools.loadtest.report import LATE_S, LoadReport, percentile

KINDS = {"singles": 1, "batches of 16": 16, "batches of 64": 64, "batches of 256": 256}
FIRST_RATE = {1: 250.0, 16: 1000.0, 64: 2000.0, 256: 2000.0}
STEP = 1.6
TRIES = 2
IN_TIME = 0.95
SLOW_S = 1.0
PROMPTS = 32


@dataclass(frozen=True, slots=True)
class Found:
    """The last step that was kept up with, and what ended the climb."""

    kind: str
    workers: int
    kept: LoadReport | None
    why: str


def climb(url: str, kind: str, seconds: float) -> tuple[LoadReport | None, str]:
    """The report of the highest rate that was kept up with, and why the next was not."""
    size = KINDS[kind]
    rate, kept, tries = FIRST_RATE[size], None, 0
    while True:
        traffic = Traffic(rate, seconds, max(size, 16), PROMPTS, share_of_singles=float(size == 1))
        report = run_loadtest(LoadTest(url, traffic))
        why, tries = fell_behind(report), tries + 1
        if not why:
            kept, rate, tries = report, rate * STEP, 0
        elif tries == TRIES:
            return kept, f"{why} at {rate:,.0f}/s"


def fell_behind(report: LoadReport) -> str:
    """Why a load was too much; empty if it was not."""
    if report.failed:
        return "failures"
    if report.late_s > LATE_S:
        return "the generator was late"
    if report.rate < IN_TIME * sum(each.rollouts for each in report.records) / _planned_s(report):
        return "answers fell behind"
    return "slow" if percentile(_waits_s(report), 99) > SLOW_S else ""


def _planned_s(report: LoadReport) -> float:
    return max(each.due_s for each in report.records)


def _waits_s(report: LoadReport) -> list[float]:
    """What the service adds: singles wait for one another, so of those only the time after the last counts."""
    return settle_delays_s(report.records) or [each.latency_s for each in report.records]


def measured(workers: list[int], seconds: float) -> Iterator[Found]:
    """Every kind with every number of workers, each over a store of its own."""
    for kind in KINDS:
        for count in workers:
            with (
                tempfile.TemporaryDirectory(prefix="cr-") as folder,
                embedded_service(Path(folder), workers=count) as url,
            ):
                yield Found(kind, count, *climb(url, kind, seconds))


def main() -> None:
    """Prints the table as it grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each step")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    console = Console(width=150)
    table = Table("", "workers", "rollouts/s", "p50 ms", "p99 ms", "busy parts (cores)", "then")
    for found in measured(options.workers, options.seconds):
        table.add_row(*_cells(found))
        console.print(table)
    console.print(describe())


def _cells(found: Found) -> tuple[str, ...]:
    if found.kept is None:
        return (found.kind, str(found.workers), "-", "-", "-", "-", found.why)
    waits_s = _waits_s(found.kept)
    parts = sorted(found.kept.parts.items(), key=lambda part: -part[1].cores)
    busy = ", ".join(f"{name} {part.cores:.2f}" for name, part in parts)
    times = (f"{1000 * percentile(waits_s, percent):,.1f}" for percent in (50, 99))
    return (found.kind, str(found.workers), f"{found.kept.rate:,.0f}", *times, busy, found.why)


if __name__ == "__main__":
    main()
