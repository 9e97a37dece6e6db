"""Report the demo: a table for the terminal, a picture of the curves, and the series as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import View, Voter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from co_rewarding_trainer.loop import LoopConfig, TrainingLog

# Okabe and Ito's colours, which colour-blind readers can tell apart; dashes say the same once more.
COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#F0E442", "#000000")
VOTED, TAUGHT, BY_PEERS, UNVOTED = "-", "-.", ":", "--"
LEGEND_COLUMNS = 5
TOLD_IN_FULL = 4
"""So many methods have a legend that says who elects their labels."""
VOTERS = {Voter.POLICY: "the policy", Voter.TEACHER: "a slow teacher", Voter.PEER: "another policy"}
SMOOTHING_STEPS = 10
# One evaluation of 400 problems is within 5 points of the truth (two standard errors): the end is a mean of three.
EVALUATIONS_AT_END = 3


@dataclass(frozen=True)
class MethodReport:
    """One method's training run; all numbers but `took_s` are shares between 0 and 1."""

    method: str
    run: str
    took_s: float
    training: TrainingLog

    @property
    def start(self) -> float:
        """Returns the accuracy before the first step."""
        return self.training.evaluations[0].accuracy

    @property
    def peak(self) -> float:
        """Returns the highest accuracy seen."""
        return max(each.accuracy for each in self.training.evaluations)

    @property
    def end(self) -> float:
        """Returns the mean accuracy of the last evaluations; the start is none of them, however short the training."""
        start, *others = self.training.evaluations
        return _mean([each.accuracy for each in (others or [start])[-EVALUATIONS_AT_END:]])

    @property
    def reward_at_end(self) -> float:
        """Returns the mean reward of the last steps that had a reward."""
        return _mean([reward for _, reward in self.rewards][-SMOOTHING_STEPS:])

    @property
    def rewards(self) -> list[tuple[int, float]]:
        """Lists the mean reward by step, without the steps in which every cohort abstained."""
        return [(each.step, each.reward) for each in self.training.steps if each.reward is not None]

    @property
    def label_accuracies(self) -> list[tuple[int, float]]:
        """Lists the share of right labels by step, without the steps for which the service told none."""
        return [(each.step, each.label_accuracy) for each in self.training.steps if each.label_accuracy is not None]

    @property
    def label_accuracy_at_end(self) -> float:
        """Returns the mean share of right labels in the last steps."""
        return _mean([share for _, share in self.label_accuracies][-SMOOTHING_STEPS:])

    def figures(self) -> tuple[str, ...]:
        """Returns the cells of the method's row; a dash for a mean over nothing, such as labels that there are not."""
        shares = (self.start, self.peak, self.end, self.reward_at_end, self.label_accuracy_at_end)
        return *("–" if math.isnan(share) else f"{share:.2f}" for share in shares), f"{self.took_s:.0f}"


@dataclass(frozen=True)
class DemoReport:
    """All methods of a demo, and the settings of their training."""

    config: LoopConfig
    methods: tuple[MethodReport, ...]

    def table(self) -> Table:
        """Makes the table that the demo prints."""
        table = Table(title="Accuracy (held out) at start, peak and end; reward and right labels at end")
        table.add_column("method", no_wrap=True)
        for name in ("start", "peak", "end", "reward", "labels", "seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        for each in self.methods:
            table.add_row(each.method, *each.figures())
        return table

    def write(self, folder: Path) -> None:
        """Writes `series.json`, `table.md` and `curves.png` into a folder."""
        self.write_series(folder / "series.json")
        self.write_table(folder / "table.md")
        self.write_picture(folder / "curves.png")

    def write_table(self, path: Path) -> None:
        """Writes the same table as Markdown."""
        heads = ("method", "accuracy at start", "peak", "end", "reward at end", "labels right at end", "seconds")
        rows = [(f"`{each.method}`", *each.figures()) for each in self.methods]
        lines = [heads, ("---",) * len(heads), *rows]
        path.write_text("".join(f"| {' | '.join(cells)} |\n" for cells in lines).replace(" --- ", "---"))

    def write_series(self, path: Path) -> None:
        """Writes the settings, and every step and evaluation of every method, as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def write_picture(self, path: Path) -> None:
        """Draws accuracy, reward and label accuracy over the steps, one line for each method."""
        # A figure without pyplot needs no display and does not change the caller's matplotlib.
        few = len(self.methods) <= TOLD_IN_FULL
        columns = 2 if few else LEGEND_COLUMNS
        rows = -(-len(self.methods) // columns)
        figure = Figure(figsize=(11, 3.4 + 0.24 * rows), layout="constrained")
        reward, accuracy, labels = figure.subplots(1, 3, sharex=True, sharey=True)
        for each in self.methods:
            evaluations = each.training.evaluations
            _draw(accuracy, each.method, [(e.step, e.accuracy) for e in evaluations])
            if METHODS[each.method].statistic is None:  # a statistic is no share, and has no place between 0 and 1
                _draw(reward, each.method, smoothed(each.rewards))
            _draw(labels, each.method, smoothed(each.label_accuracies))
        _dress(reward, "The reward that the trainer sees")
        _dress(accuracy, "Held-out problems that are solved")
        _dress(labels, "Labels that are right")
        handles, names = accuracy.get_legend_handles_labels()
        told = [f"{name}: {labelled_by(METHODS[name])}" for name in names] if few else names
        figure.legend(
            handles, told, loc="outside upper center", ncols=columns, frameon=False, fontsize=11 if few else 9
        )
        figure.savefig(path, dpi=150)


def write_comparison(reports: Sequence[tuple[str, DemoReport]], path: Path) -> None:
    """Draws the accuracy of several demos side by side, each under its name."""
    figure = Figure(figsize=(3.7 * len(reports), 3.6), layout="constrained")
    row = figure.subplots(1, len(reports), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, report) in zip(row, reports, strict=True):
        for each in report.methods:
            _draw(axes, each.method, [(e.step, e.accuracy) for e in each.training.evaluations])
        _dress(axes, name)
    handles, names = row[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=150)


def labelled_by(method: Method) -> str:
    """Says in a few words whose votes elect the labels of a method."""
    rule = method.rules[View.ORIGINAL]
    if not rule.boxes:
        return "the right answers" if method.needs_ground_truth else "no labels"
    who = " and ".join(VOTERS[voter] for voter in rule.voters)
    own = "the same view" if rule.views == (View.ORIGINAL,) else "the other view"
    where = own if len(rule.views) == 1 else "both views"
    return f"{who} votes on {where}"


def _draw(axes: Axes, method: str, points: Sequence[tuple[int, float]]) -> None:
    row = METHODS[method]
    colour = COLOURS[list(METHODS).index(method) % len(COLOURS)]
    by_others = TAUGHT if row.needs_teacher else BY_PEERS if row.needs_peers else VOTED
    dashes = by_others if row.voters else UNVOTED
    steps, shares = [step for step, _ in points], [share for _, share in points]
    axes.plot(steps, shares, color=colour, linestyle=dashes, linewidth=2, label=method)


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("training step")
    axes.set_ylim(0, 1.03)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def smoothed(shares: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Returns the steps, with the mean of the last SMOOTHING_STEPS shares in place of each share."""
    known = [share for _, share in shares]
    return [(step, _mean(known[max(0, at + 1 - SMOOTHING_STEPS) : at + 1])) for at, (step, _) in enumerate(shares)]


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares) if shares else float("nan")
