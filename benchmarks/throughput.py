"""Measure rollouts per second beside a no-op FastAPI endpoint, and latency: `python -m benchmarks.throughput`.

Both validate the same JSON, on the same core, in alternating turns; the service besides extracts, votes and answers,
with Redis in the path. Singles are compared with a server in memory too, as a user would write it, and are held by
the thousand. The exit code of `--check` is 1 when a goal is missed.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import short_responses
from benchmarks.held import Held, hold
from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import IN_MEMORY, NOOP, SERVICE, Bench, Kind, Latency, Server, Throughput
from benchmarks.recorded import Recorded, questions_in
from benchmarks.report import Report
from benchmarks.servers import in_memory, noop, service
from reward_service.tools.loadtest.workload import QUESTIONS, Batches, Singles, Workload

SINGLES = "singles"
SHORT = "256 short"
HELD = "held"
KINDS = ("256", SHORT, "16", SINGLES, HELD)
RECORDED = "recorded 256"
SHORT_QUESTIONS = 160
HELD_AT_ONCE = 16_384
PLAIN_WIDTH = 130  # of a log, in characters
LATENCY_ROUNDS = 2
LAST_BALLOT_LOAD = 0.3  # of what the no-op can do: moderate, whatever the machine


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and for how long (seconds of one turn)."""

    seconds: float
    rounds: int
    only: tuple[str, ...]
    recorded: Path | None
    latency: bool
    file: Path | None
    check: bool


def kinds_of(only: Sequence[str], recorded: Path | None = None) -> list[Kind]:
    """The rows of the table.

    There are enough connections to keep the API busy while some of them wait for Redis and the worker; and for singles,
    enough that whole cohorts are in flight. The no-op has as many.
    """
    kinds = [
        _kind("256", Batches(QUESTIONS), connections=8, goal=2.3),
        _kind(SHORT, Recorded(SHORT, short_responses.questions(SHORT_QUESTIONS)), connections=8, goal=1.4),
        _kind("16", Batches(1), connections=32, goal=1.7),
        _kind(SINGLES, Singles(), connections=512, goal=1.8, in_memory_goal=2.5),
    ]
    if recorded is not None:
        kinds.insert(1, _kind(RECORDED, Recorded(RECORDED, questions_in(recorded)), connections=8, goal=1.4))
    return [kind for kind in kinds if kind.name in (*only, RECORDED)]


def _kind(name: str, workload: Workload, connections: int, goal: float, in_memory_goal: float | None = None) -> Kind:
    workloads = {SERVICE: workload, NOOP: workload.on(f"{workload.route}/{name.replace(' ', '-')}")}
    if in_memory_goal is None:
        return Kind(name, workloads, connections, {NOOP: goal})
    return Kind(name, workloads | {IN_MEMORY: workload}, connections, {NOOP: goal, IN_MEMORY: in_memory_goal})


async def probed(server: Server, kinds: Sequence[Kind], cores: Cores) -> dict[str, bytes]:
    """The service's own answers, which the no-op shall give."""
    bench = Bench([server], cores)
    return {kind.workloads[NOOP].route: await bench.probe(server, kind) for kind in kinds}


async def measure(
    bench: Bench, kinds: Sequence[Kind], options: Options, console: Console
) -> tuple[list[Throughput], list[Latency]]:
    """Everything that was asked for."""
    throughputs: list[Throughput] = []
    latencies: list[Latency] = []
    for kind in kinds:
        with console.status(f"{kind.name}: {options.rounds} rounds and a warm-up, {options.seconds:g} s a turn"):
            throughputs.append(await bench.throughput(kind, options.seconds, options.rounds))
    if not options.latency:
        return throughputs, latencies
    for found in throughputs:
        with console.status(f"{found.kind.name}: latency"):
            if found.kind.name == SINGLES:
                rate = LAST_BALLOT_LOAD * found.rate(NOOP)
                latencies.append(await bench.last_ballot(found.kind, rate, 2 * options.seconds, LATENCY_ROUNDS))
            else:
                latencies.append(await bench.latency(found.kind, options.seconds, LATENCY_ROUNDS))
    return throughputs, latencies


def run(options: Options, console: Console) -> Report:
    """Starts the servers, measures, and stops them."""
    cores = Cores.of_this_machine()
    machine = describe()
    console.print(machine, highlight=False, soft_wrap=True)
    console.print(str(cores), highlight=False, soft_wrap=True)
    kinds = kinds_of(options.only, options.recorded)
    pin(os.getpid(), cores.rest)
    gc.freeze()
    gc.disable()
    with tempfile.TemporaryDirectory(prefix="co-rewarding-bench-") as name:
        folder = Path(name)
        throughputs, latencies = _in_turns(folder, cores, kinds, options, console) if kinds else ([], [])
        held = _held(folder, cores, console) if HELD in options.only else None
    return Report(machine, str(cores), throughputs, latencies, held)


def _in_turns(
    folder: Path, cores: Cores, kinds: Sequence[Kind], options: Options, console: Console
) -> tuple[list[Throughput], list[Latency]]:
    with service(folder / "data", cores) as served:
        answers = uvloop.run(probed(served, kinds, cores))
        with noop(folder, answers, cores) as idle, in_memory(folder, cores) as simple:
            pids = ", ".join(f"{role} {some[0]}" for role, some in served.pids.items())
            others = ", ".join(f"{other.name} {other.pids['API'][0]}" for other in (idle, simple))
            console.print(f"processes: {pids}, {others}", style="dim", highlight=False)
            return uvloop.run(measure(Bench([served, idle, simple], cores), kinds, options, console))


def _held(folder: Path, cores: Cores, console: Console) -> Held:
    """In a service of its own, whose memory nobody has used before."""
    with service(folder / "held", cores) as served, console.status("singles held at once"):
        return uvloop.run(hold(served, HELD_AT_ONCE))


def parsed() -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn, in seconds")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of turns that count")
    parser.add_argument("--only", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument(
        "--recorded", type=Path, metavar="FILE", help="also batches of 256 responses from a file (JSON lines)"
    )
    parser.add_argument("--no-latency", action="store_true", help="measure throughput alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    given = parser.parse_args()
    if given.seconds <= 0 or given.rounds < 1:
        parser.error("--seconds must be above 0, --rounds at least 1")
    return Options(
        given.seconds, given.rounds, tuple(given.only), given.recorded, not given.no_latency, given.json, given.check
    )


def main() -> None:
    """Measures, prints, and judges if asked to."""
    options = parsed()
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    report = run(options, console)
    report.print(console)
    if options.file is not None:
        options.file.write_text(json.dumps(report.document(), indent=2) + "\n")
    if options.check and report.missed:
        raise SystemExit(f"below the goal: {', '.join(report.missed)}")


if __name__ == "__main__":
    main()
