"""Measure what wrong paraphrases do, and what the quarantine does: `python -m benchmarks.robustness`.

The laptop trainer asks the same pairs in every epoch. In a share of them one number of the paraphrase is another, so
that the two views have different answers. Each share is trained with the quarantine and without, from several seeds,
two runs at a time, against one service. All rewards come from it, and so does the list of the pairs that it accuses;
which of them are bad ones is known here alone. Leaves `robustness.json` and `robustness.png`.
"""

import argparse
import itertools
import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import torch
from co_rewarding_client import RewardClient, RunSettings
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, train
from co_rewarding_trainer.policy import load_policy
from co_rewarding_trainer.task import draw_pairs
from co_rewarding_trainer.task_table import task_named
from co_rewarding_trainer.warm_start import SHIPPED
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import describe
from reward_service.serving.embedded_service import embedded_service

SHARES = (0.0, 0.1, 0.2, 0.4)
QUARANTINES = ("off", "own-view", "abstain")
COLOURS = ("#D55E00", "#0072B2", "#009E73")
PAIRS = 320
LEARNING_RATE = 2e-4
"""Half of the demo's: with it, two epochs make another policy, and a pair is judged by what many have said of it."""
LOOK_EVERY = 20
"""Steps between two looks at the quarantine: an epoch."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    share: float
    quarantine: str
    seed: int
    steps: int
    learning_rate: float = LEARNING_RATE

    @property
    def config(self) -> LoopConfig:
        """As it is trained."""
        return LoopConfig(
            steps=self.steps,
            learning_rate=self.learning_rate,
            distinct_pairs=PAIRS,
            wrong_paraphrases=self.share,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class Look:
    """The quarantine after a step: bad pairs in it, and good ones."""

    step: int
    found: int
    wrongly: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    case: Case
    bad: int
    evaluations: Sequence[HeldOutAccuracy]
    looks: Sequence[Look]

    @property
    def end(self) -> float:
        """Mean accuracy of the last three evaluations."""
        return statistics.fmean(each.accuracy for each in self.evaluations[-3:])


class Watcher:
    """Asks the service for its quarantine, and compares."""

    def __init__(self, url: str, run: str, bad: frozenset[str]) -> None:
        """`bad` are the questions whose paraphrases are wrong."""
        self._url = f"{url}/v1/runs/{run}/quarantine"
        self._bad = bad
        self.looks: list[Look] = []

    def on_step(self, report: StepReport, _: HeldOutAccuracy) -> None:
        """Looks once in a while."""
        if (report.step + 1) % LOOK_EVERY == 0:
            listed = httpx.get(self._url, params={"limit": 10_000}).raise_for_status().json()["pairs"]
            accused = {pair["question_id"] for pair in listed}
            self.looks.append(Look(report.step + 1, len(accused & self._bad), len(accused - self._bad)))


def run_case(url: str, case: Case) -> Outcome:
    """Trains one run; in a process of its own."""
    torch.set_num_threads(1)
    config = case.config
    pairs = draw_pairs(task_named(config.task), PAIRS, f"training {case.seed}", case.share)
    bad = frozenset(pair.problem.key for pair in pairs if pair.mistold is not None)
    run = f"robustness-{case.share:g}-{case.quarantine}-{case.seed}"
    settings = RunSettings(method="co-rewarding-i", group_size=config.group_size, quarantine=case.quarantine)
    watcher = Watcher(url, run, bad)
    with RewardClient(url, run=run) as client:
        client.put_run(run, settings)
        training = train(load_policy(SHIPPED), client, config, watcher.on_step)
    return Outcome(case, len(bad), training.evaluations, watcher.looks)


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """A row for each share and quarantine: means over the seeds, and the range of accuracies."""
    table = Table(box=None)
    columns = ("wrong", "quarantine", "accuracy", "from", "to", "bad pairs", "found", "wrongly accused", "ever at most")
    for name in columns:
        table.add_column(name, justify="left" if name == "quarantine" else "right")
    for share, quarantine in itertools.product(SHARES, QUARANTINES):
        some = [each for each in outcomes if (each.case.share, each.case.quarantine) == (share, quarantine)]
        if not some:
            continue
        ends = [each.end for each in some]
        numbers = [f"{statistics.fmean(ends):.2f}", f"{min(ends):.2f}", f"{max(ends):.2f}"]
        if quarantine == "off":
            table.add_row(f"{share:.0%}", quarantine, *numbers, f"{some[0].bad}", "", "", "")
            continue
        last = [each.looks[-1] for each in some]
        found, wrongly = statistics.fmean(x.found for x in last), statistics.fmean(x.wrongly for x in last)
        most = max(look.wrongly for each in some for look in each.looks)
        table.add_row(
            f"{share:.0%}", quarantine, *numbers, f"{some[0].bad}", f"{found:.1f}", f"{wrongly:.1f}", f"{most}"
        )
    return table


def write_picture(outcomes: Sequence[Outcome], path: Path) -> None:
    """Accuracy over the steps, a panel for each share; thin lines are seeds, thick ones their mean."""
    figure = Figure(figsize=(13, 3.4), layout="constrained")
    panels = figure.subplots(1, len(SHARES), sharey=True, squeeze=False)[0]
    for panel, share in zip(panels, SHARES, strict=True):
        for quarantine, colour in zip(QUARANTINES, COLOURS, strict=True):
            some = [each for each in outcomes if (each.case.share, each.case.quarantine) == (share, quarantine)]
            curves = [[evaluation.accuracy for evaluation in each.evaluations] for each in some]
            if not curves:
                continue
            steps = [evaluation.step for evaluation in some[0].evaluations]
            for curve in curves:
                panel.plot(steps, curve, color=colour, linewidth=0.7, alpha=0.4)
            mean = [statistics.fmean(column) for column in zip(*curves, strict=True)]
            panel.plot(steps, mean, color=colour, linewidth=2, label=f"quarantine {quarantine}")
        panel.set_title(f"{share:.0%} of the paraphrases are wrong", loc="left", fontsize=10)
        panel.set_xlabel("training step")
        panel.set_ylim(0, 1.03)
        panel.grid(alpha=0.2)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("accuracy on held-out problems")
    panels[0].legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Trains, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=2, help="runs at a time")
    parser.add_argument("--out", type=Path, default=Path("runs/robustness"))
    given = parser.parse_args()
    cases = [
        Case(share, quarantine, seed, given.steps, given.learning_rate)
        for seed, share, quarantine in itertools.product(range(given.seeds), SHARES, QUARANTINES)
    ]
    console = Console(width=None if Console().is_terminal else 120)
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="cr-") as folder,
        embedded_service(Path(folder)) as url,
        ProcessPoolExecutor(given.at_once, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        runs = pool.map(run_case, itertools.repeat(url), cases)
        outcomes: list[Outcome] = []
        for outcome in track(runs, "training", len(cases), console=console):
            outcomes.append(outcome)
            console.print(f"{outcome.case}: accuracy {outcome.end:.2f}, {outcome.looks[-1]}", highlight=False)
            (given.out / "robustness.json").write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n")
    write_picture(outcomes, given.out / "robustness.png")
    console.print(describe(), highlight=False)
    console.print(table_of(outcomes))


if __name__ == "__main__":
    main()
