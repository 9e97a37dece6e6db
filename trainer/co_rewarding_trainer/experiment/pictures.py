"""Draw an experiment: a column for each learning rate, the median of each row over the steps, and all trainings."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from co_rewarding_trainer.experiment.cell import CellResult
from co_rewarding_trainer.experiment.results import Group, figures_of, grouped
from co_rewarding_trainer.report import COLOURS, LEGEND_COLUMNS, smoothed

Points = Sequence[tuple[int, float]]


def write_curves(results: Sequence[CellResult], path: Path) -> None:
    """Draw accuracy and reward over the steps: bold the median over seeds and starts, faint each training."""
    groups = grouped(results)
    rates = sorted({rate for _, rate in groups})
    rows = list(dict.fromkeys(row for row, _ in groups))
    columns = min(LEGEND_COLUMNS, 2 * len(rates))  # as many names stand side by side as there is room
    figure = Figure(figsize=(4.2 * len(rates) + 1, 6.6 + 0.2 * (len(rows) // columns)), layout="constrained")
    axes = figure.subplots(2, len(rates), sharex=True, sharey=True, squeeze=False)
    for at, rate in enumerate(rates):
        for row in rows:
            some = groups.get((row, rate), [])
            colour = COLOURS[rows.index(row) % len(COLOURS)]
            dashes = ("-", "--", ":")[rows.index(row) // len(COLOURS) % 3]
            _draw(axes[0][at], some, lambda result: result.accuracies, row, colour, dashes)
            _draw(axes[1][at], some, _rewards, row, colour, dashes)
        _dress(axes[0][at], f"Held-out accuracy, learning rate {rate:g}")
        _dress(axes[1][at], "Reward, as the trainer sees it")
        axes[1][at].set_xlabel("training step")
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=columns, frameon=False)
    figure.savefig(path, dpi=150)


def write_sweep(results: Sequence[CellResult], path: Path) -> None:
    """Draw the accuracy at the end by learning rate: a line through the medians, a point for each training."""
    groups = grouped(results)
    rows = list(dict.fromkeys(row for row, _ in groups))
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        of_row: list[Group] = [group for group in groups if group[0] == row]
        ends = [(rate, [figures_of(result).end for result in groups[row, rate]]) for _, rate in of_row]
        colour = COLOURS[rows.index(row) % len(COLOURS)]
        dashes = ("-", "--", ":")[rows.index(row) // len(COLOURS) % 3]
        medians = [statistics.median(values) for _, values in ends]
        axes.plot([rate for rate, _ in ends], medians, color=colour, linestyle=dashes, linewidth=2, label=row)
        for rate, values in ends:
            axes.plot([rate] * len(values), values, "o", color=colour, markersize=3, alpha=0.6)
    axes.set_xscale("log")
    rates = sorted({rate for _, rate in groups})
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("learning rate")
    _dress(axes, "Held-out accuracy at the end")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)  # lines may run everywhere within
    figure.savefig(path, dpi=150)


def _rewards(result: CellResult) -> Points:
    return smoothed([(step.step, step.reward) for step in result.steps if step.reward is not None])


def _draw(
    axes: Axes,
    results: Sequence[CellResult],
    points_of: Callable[[CellResult], Points],
    row: str,
    colour: str,
    dashes: str,
) -> None:
    by_step: dict[int, list[float]] = {}
    for result in results:
        points = points_of(result)
        for step, share in points:
            by_step.setdefault(step, []).append(share)
        if len(results) > 1 and points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=dashes, linewidth=0.7, alpha=0.3)
    steps = sorted(by_step)
    medians = [statistics.median(by_step[step]) for step in steps]
    axes.plot(steps, medians, color=colour, linestyle=dashes, linewidth=2, label=row)


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_ylim(0, 1.03)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
