"""Measure how right, fast and safe the grader is, beside others: `python -m benchmarks.grading`.

It makes labelled pairs itself; where shared data is at hand (../shared/data, or --data) it adds labelled pairs that
were derived from real ground truths, answers of language models, and hostile texts. CPU time throughout, children
included. A grader of somebody else that is not installed is left out.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import grading_tables as tables
from benchmarks.grading_accuracy import Accuracy, Examiner
from benchmarks.grading_contestants import CONTESTANTS, VOTERS, Row
from benchmarks.grading_document import document
from benchmarks.grading_hostile import Hostile, Outcome, attempt_all
from benchmarks.grading_made import SEED, made_cohorts, made_hostile, made_pairs
from benchmarks.grading_pairs import (
    MANY_MODELS,
    ONE_POLICY,
    Pair,
    answered,
    cohorts_of,
    gold_pairs,
    hostile_texts,
    is_rich,
    labelled_pairs,
    mixed_cohorts,
)
from benchmarks.grading_rewriting import rewritten
from benchmarks.grading_truths import made_truths, math_truths
from benchmarks.grading_voting import Booth, Voting, Workload
from reward_service.tools.replay.reading import progress_bar

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PARTS = ("accuracy", "rewriting", "voting", "hostile")
SIZE = 16
MADE_TRUTHS = 180  # of each sort
PER_KIND = 20
PLAIN_WIDTH = 150  # of a log, in characters
ROUNDING = "math-verify and ai4math take decimals of 6 digits for the fraction they are near to, as others would not."
GRADER_S = 60.0  # wall time of one grader on one set of pairs
VOTERS_S = 30.0  # wall time of the others on one workload


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, on what, and how much of it to show."""

    data: Path
    parts: tuple[str, ...]
    sample: int
    shown: int
    file: Path | None


def accuracy_of(options: Options, rows: dict[str, Row], console: Console) -> list[Accuracy]:
    """All graders on all pairs. Pairs of rollouts have no label."""
    labelled = labelled_pairs(options.data)
    sets: dict[str, Sequence[Pair]] = {f"made here, seed {SEED}": made_pairs()}
    if labelled:
        sets["derived from real ground truths (pairs_dev)"] = labelled
    for name, file in (("answers of 4 models (rho)", MANY_MODELS), ("answers of one policy (qwen)", ONE_POLICY)):
        pairs = gold_pairs(answered(options.data / file))
        if pairs:
            sets[name] = pairs
    with ticking(console, "pairs", len(rows) * sum(map(len, sets.values()))) as tick:
        examiner = Examiner(rows, GRADER_S, tick)
        found = [examiner.examine(name, pairs) for name, pairs in sets.items()]
    for note in examiner.notes:
        console.print(note, highlight=False)
    return found


def rewritings_of(options: Options, rows: dict[str, Row], console: Console) -> list[Accuracy]:
    """All graders on rewrites of ground truths and on near misses, of which each rule certifies its own."""
    truths = {f"{name}, seed {SEED}": those for name, those in made_truths(MADE_TRUTHS, SEED).items()}
    of_math = math_truths(options.data)
    if of_math:
        truths["ground truths of MATH"] = of_math
    sets = rewritten(truths, PER_KIND, SEED)
    with ticking(console, "rewrites", len(rows) * sum(map(len, sets.values()))) as tick:
        examiner = Examiner(rows, GRADER_S, tick)
        found = [examiner.examine(name, pairs) for name, pairs in sets.items()]
    for note in examiner.notes:
        console.print(note, highlight=False)
    return found


def votes_of(options: Options, rows: dict[str, Row], console: Console) -> list[Voting]:
    """Workloads from the easy to the hard; what is not at hand is left out."""
    rho = answered(options.data / MANY_MODELS)
    rich = [question for question in rho if is_rich(question.gold)]
    policy = answered(options.data / ONE_POLICY)
    workloads = [
        Workload("one policy", cohorts_of(policy, SIZE), options.sample),
        Workload("4 models", cohorts_of(rho, SIZE), options.sample),
        Workload("4 models, LaTeX", cohorts_of(rich, SIZE, with_gold=True), options.sample),
        Workload("16 questions, LaTeX", mixed_cohorts(rich, SIZE, SEED), options.sample // 2),
        Workload("made here", made_cohorts(40, SIZE), options.sample // 2),
    ]
    workloads = [workload for workload in workloads if workload.cohorts]
    with ticking(console, "votes", sum(len(workload.cohorts) for workload in workloads)) as tick:
        booth = Booth(rows, VOTERS_S, tick)
        return [booth.measure(workload) for workload in workloads]


def outcomes_of(options: Options, console: Console) -> list[Outcome]:
    """Hostile texts: those made here, and those of the shared data."""
    texts: list[Hostile] = made_hostile() + hostile_texts(options.data)
    with ticking(console, "hostile texts", len(texts)) as tick:
        return attempt_all(texts, partial(tick, "hostile texts"))


def run(options: Options, console: Console) -> None:
    """Measures part by part, and prints each when it is there."""
    began_s = time.monotonic()
    machine = describe()
    console.print(machine, highlight=False, soft_wrap=True)
    if not options.data.is_dir():
        console.print(f"{options.data} is not there: what is made here is all there is", highlight=False)
    accuracies: list[Accuracy] = []
    votings: list[Voting] = []
    outcomes: list[Outcome] = []
    if "accuracy" in options.parts:
        accuracies = accuracy_of(options, installed(CONTESTANTS, console), console)
        for each in accuracies:
            labelled = all(pair.equal is not None for pair in each.pairs)
            show = tables.accuracy_tables if labelled else tables.agreement_tables
            tables.print_all(console, show(each, options.shown))
            tables.print_all(console, tables.convention_tables(each))
        console.print(ROUNDING, highlight=False)
    if "rewriting" in options.parts:
        rewritings = rewritings_of(options, installed(CONTESTANTS, console), console)
        accuracies = [*accuracies, *rewritings]
        for each in rewritings:
            tables.print_all(console, tables.kind_tables(each))
            tables.print_all(console, tables.mistake_lists(each, options.shown))
    if "voting" in options.parts:
        votings = votes_of(options, installed(VOTERS, console), console)
        console.print(tables.voting_table(votings, SIZE))
        tables.print_all(console, tables.voting_remarks(votings))
    if "hostile" in options.parts:
        outcomes = outcomes_of(options, console)
        tables.print_all(console, tables.hostile_tables(outcomes))
    console.print(f"{time.monotonic() - began_s:.0f} s in all", highlight=False)
    if options.file is not None:
        found = document(machine, accuracies, votings, outcomes)
        options.file.write_text(json.dumps(found, indent=2) + "\n")


def installed(rows: Mapping[str, Row], console: Console) -> dict[str, Row]:
    """The rows that can be opened here, and a word on the others."""
    for name, row in rows.items():
        if row.missing:
            console.print(f"{name} ({row.what}) is left out: {row.needs} is not installed", highlight=False)
    return {name: row for name, row in rows.items() if not row.missing}


@contextmanager
def ticking(console: Console, what: str, count: int) -> Iterator[Callable[[str], None]]:
    """A bar that advances at each call, and shows what with. On a terminal only."""
    with progress_bar(console) as bar:
        task = bar.add_task(what, total=count)
        yield lambda name: bar.update(task, advance=1, description=f"{what}: {name}")


def describe() -> str:
    """The machine and what decides the results, in a line."""
    cpu = platform.processor() or platform.machine()
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found[1] if found is not None else cpu
    packages = ", ".join(f"{name} {version(name)}" for name in ("math-verify", "sympy"))
    return f"{os.cpu_count()} cores, {cpu}; {platform.python_implementation()} {platform.python_version()}; {packages}"


def parsed() -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help=f"shared data (default {DATA})")
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, help="parts to run")
    parser.add_argument("--sample", type=int, default=40, help="cohorts of a workload that others vote on")
    parser.add_argument("--show", type=int, default=tables.SHOWN, help="mistakes to show of each grader")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results there too, with all mistakes")
    given = parser.parse_args()
    if given.sample < 2 or given.show < 0:
        parser.error("--sample must be at least 2, --show at least 0")
    return Options(given.data, tuple(given.only), given.sample, given.show, given.json)


def main() -> None:
    """Measures and prints."""
    run(parsed(), Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH))


if __name__ == "__main__":
    main()
