"""Compare rows: by who fell, at the learning rates that other seeds chose, and with a baseline, one by one."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from co_rewarding_trainer.experiment.cell import CellResult
from co_rewarding_trainer.experiment.results import figures_of, grouped, spread_of

FALL, SURE = 0.15, 0.9
"""An accuracy that a training has lost, and a reward at which nothing seems to be amiss."""

Lines = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The heads of a table, and its lines."""


def chosen_rates(tuned: Iterable[CellResult]) -> Mapping[str, float]:
    """Return the learning rate of each row whose median accuracy at the end is best; the lowest of equal ones."""
    best: dict[str, tuple[float, float]] = {}
    for (row, rate), some in grouped(tuned).items():
        end = statistics.median(figures_of(result).end for result in some)
        if row not in best or end > best[row][0]:
            best[row] = (end, rate)
    return {row: rate for row, (_, rate) in best.items()}


def chosen_lines(tuned: Sequence[CellResult], reported: Sequence[CellResult]) -> Lines:
    """Return the table of the rows at the learning rates that the tuning seeds chose, by the reported seeds."""
    heads = ("row", "learning rate chosen", "chosen by", "end there", "reported by", "end", "lost since the peak")
    groups, tuning = grouped(reported), grouped(tuned)
    lines: list[tuple[str, ...]] = []
    for row, rate in chosen_rates(tuned).items():
        figures = [figures_of(result) for result in groups.get((row, rate), [])]
        choosing = [figures_of(result).end for result in tuning[row, rate]]
        told = (spread_of(each.end for each in figures).told(), spread_of(each.loss for each in figures).told())
        counts = (f"{len(choosing)} trainings", spread_of(choosing).told(), f"{len(figures)} trainings")
        lines.append((f"`{row}`", f"{rate:g}", *counts, *told))
    return heads, lines


def difference_lines(results: Sequence[CellResult], baseline: str) -> Lines:
    """Return the table of what each row has at the end beyond the baseline with the same rate, start and seed."""
    heads = ("learning rate", "row", "pairs", f"end, beyond `{baseline}`", "better in", "least", "most")
    of_baseline = {_place(result): figures_of(result).end for result in results if result.row == baseline}
    lines: list[tuple[str, ...]] = []
    for (row, rate), some in grouped(results).items():
        beyond = [
            figures_of(result).end - of_baseline[_place(result)] for result in some if _place(result) in of_baseline
        ]
        if row == baseline or not beyond:
            continue
        spread = spread_of(beyond)
        bounds = f" ({spread.low:+.2f} to {spread.high:+.2f})" if spread.count > 1 else ""
        counts = (str(len(beyond)), f"{spread.median:+.2f}{bounds}", f"{sum(each > 0 for each in beyond)}")
        lines.append((f"{rate:g}", f"`{row}`", *counts, f"{min(beyond):+.2f}", f"{max(beyond):+.2f}"))
    return heads, lines


def fall_lines(results: Sequence[CellResult]) -> Lines:
    """Return the table of how many trainings fell, and of those how many were rewarded as if they had not."""
    heads = (
        "learning rate",
        "row",
        "runs",
        f"lost {FALL:.0%} since the peak",
        f"of these at a reward of {SURE:g}",
        "most lost",
    )
    lines: list[tuple[str, ...]] = []
    for (row, rate), some in grouped(results).items():
        figures = [figures_of(result) for result in some]
        fallen = [each for each in figures if each.loss >= FALL]
        counts = (str(len(figures)), str(len(fallen)), str(sum(each.reward >= SURE for each in fallen)))
        lines.append((f"{rate:g}", f"`{row}`", *counts, f"{max(each.loss for each in figures):.2f}"))
    return heads, lines


def _place(result: CellResult) -> tuple[float, str, int]:
    """Return what two trainings share that differ in their rows alone."""
    return result.learning_rate, result.start, result.seed
