"""Sum up an experiment: the series as parquet, and a table of medians over seeds and starts with their intervals."""

import json
import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
from pyarrow.parquet import write_table
from rich.box import SIMPLE_HEAD
from rich.table import Table

from co_rewarding_trainer.experiment.cell import SIGNS, CellResult

EVALUATIONS_AT_END = 3
STEPS_AT_END = 10
RESAMPLES = 2000
LEAST_FOR_INTERVAL = 5
"""Fewer values have no interval worth the name: the least and the largest are told."""


@dataclass(frozen=True)
class CellFigures:
    """What a training came to: shares between 0 and 1; NaN for a mean over nothing.

    `end` is the mean of the last three evaluations, `loss` how far it is below the peak.
    """

    start: float
    peak: float
    end: float
    reward: float
    labels: float

    @property
    def loss(self) -> float:
        """Return the accuracy lost since the peak."""
        return self.peak - self.end


def figures_of(result: CellResult) -> CellFigures:
    """Return the figures of one training; the start is none of the evaluations at the end."""
    (_, start), *others = result.accuracies
    accuracies = [accuracy for _, accuracy in others or result.accuracies]
    rewards = [step.reward for step in result.steps if step.reward is not None]
    labels = [step.label_accuracy for step in result.steps if step.label_accuracy is not None]
    return CellFigures(
        start,
        max(accuracy for _, accuracy in result.accuracies),
        _mean(accuracies[-EVALUATIONS_AT_END:]),
        _mean(rewards[-STEPS_AT_END:]),
        _mean(labels[-STEPS_AT_END:]),
    )


@dataclass(frozen=True)
class Spread:
    """A median of some trainings, and where the others lie.

    `low` and `high` bound the median with 95 % (percentile bootstrap) from LEAST_FOR_INTERVAL values on; of fewer they
    are the least and the largest value.
    """

    median: float
    low: float
    high: float
    count: int

    def told(self) -> str:
        """Return the median with its bounds, as `0.83 (0.81 to 0.87)`; a dash without a value."""
        if self.count < 2:
            return self.alone()
        return f"{self.alone()} ({self.low:.2f} to {self.high:.2f})"

    def alone(self) -> str:
        """Return the median; a dash without a value."""
        return f"{self.median:.2f}" if self.count else "–"


def spread_of(values: Iterable[float]) -> Spread:
    """Return the spread of those values that are numbers; the same values always have the same."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return Spread(math.nan, math.nan, math.nan, 0)
    median = statistics.median(known)
    if len(known) < LEAST_FOR_INTERVAL:
        return Spread(median, known[0], known[-1], len(known))
    rng = random.Random(0)  # noqa: S311 - data, not secrets
    medians = sorted(statistics.median(rng.choices(known, k=len(known))) for _ in range(RESAMPLES))
    tail = round(0.025 * RESAMPLES)
    return Spread(median, medians[tail], medians[-tail - 1], len(known))


Group = tuple[str, float]
"""A row and a learning rate: what a line of the table tells of."""


def grouped(results: Iterable[CellResult]) -> dict[Group, list[CellResult]]:
    """Return the results of each row and learning rate, in the order in which rows first appear."""
    found: dict[Group, list[CellResult]] = {}
    for result in results:
        found.setdefault((result.row, result.learning_rate), []).append(result)
    rows = list(dict.fromkeys(row for row, _ in found))
    return dict(sorted(found.items(), key=lambda each: (each[0][1], rows.index(each[0][0]))))


HEADS = (
    "learning rate", "row", "runs", "start", "peak", "end", "lost since the peak", "reward", "labels right",
    "rollouts", "of others",
)  # fmt: skip


def lines_of(results: Sequence[CellResult]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads and the lines of the table; rows in backquotes."""
    passes = sorted({k for result in results for k in result.passes})
    columns: list[Callable[[CellFigures], float]] = [
        lambda each: each.start, lambda each: each.peak, lambda each: each.end, lambda each: each.loss,
        lambda each: each.reward, lambda each: each.labels,
    ]  # fmt: skip
    lines: list[tuple[str, ...]] = []
    for (row, rate), some in grouped(results).items():
        figures = [figures_of(result) for result in some]
        told = [spread_of(map(column, figures)).told() for column in columns]
        solved = [spread_of(result.passes.get(k, math.nan) for result in some).told() for k in passes]
        rollouts = (f"{some[0].rollouts:,}", f"{some[0].rollouts_of_others:,}")
        lines.append((f"{rate:g}", f"`{row}`", str(len(some)), *told, *rollouts, *solved))
    return (*HEADS, *(f"pass@{k}" for k in passes)), lines


def table_of(results: Sequence[CellResult]) -> Table:
    """Return the table for a terminal of 80 columns: accuracy at the end with its bounds, other medians alone."""
    table = Table(title="Medians over seeds and starts, at the end", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("rate", no_wrap=True, justify="right")
    table.add_column("row", overflow="fold")
    for head in ("runs", "accuracy (held out)", "lost", "reward", "labels"):
        table.add_column(head, no_wrap=True, justify="right")
    for (row, rate), some in grouped(results).items():
        figures = [figures_of(result) for result in some]
        others = ([each.loss for each in figures], [each.reward for each in figures], [each.labels for each in figures])
        end = spread_of(each.end for each in figures).told()
        table.add_row(f"{rate:g}", row, str(len(some)), end, *(spread_of(values).alone() for values in others))
    return table


def write_markdown(heads: Sequence[str], lines: Iterable[Sequence[str]], path: Path) -> None:
    """Write a table as Markdown."""
    rows = [heads, ["---"] * len(heads), *lines]
    path.write_text("".join(f"| {' | '.join(cells)} |\n" for cells in rows))


def write_series(results: Sequence[CellResult], path: Path) -> None:
    """Write every step of every training, a row each, with the signs of the step.

    `accuracy` is that before the step, where it was measured.
    """
    columns: dict[str, list[object]] = {name: [] for name in _SCHEMA.names}
    for result in results:
        accuracy_at = dict(result.accuracies)
        signs_at = {each.step: msgspec.structs.asdict(each) for each in result.signs}
        rows: list[Mapping[str, object]] = [signs_at.get(each.step, {}) | asdict(each) for each in result.steps]
        last, _ = result.accuracies[-1]
        for row in [*rows, {"step": last}]:
            identity = {
                "row": result.row, "method": result.method, "learning_rate": result.learning_rate,
                "start": result.start, "seed": result.seed, "run": result.run,
            }  # fmt: skip
            told = {**identity, **row, "accuracy": accuracy_at.get(int(str(row["step"])))}
            for name, values in columns.items():
                values.append(told.get(name))
    write_table(pa.table(columns, schema=_SCHEMA), path)


_SCHEMA = pa.schema(
    [
        ("row", pa.string()), ("method", pa.string()), ("learning_rate", pa.float64()), ("start", pa.string()),
        ("seed", pa.int64()), ("run", pa.string()), ("step", pa.int64()), ("reward", pa.float64()),
        ("label_accuracy", pa.float64()), ("accuracy", pa.float64()), ("waited_s", pa.float64()),
        *((sign, pa.float64()) for sign in SIGNS),
    ]
)  # fmt: skip


def write_figures(results: Sequence[CellResult], path: Path) -> None:
    """Write what each training came to, as JSON, and how long the rewards of a step took."""
    told = [
        {"row": each.row, "learning_rate": each.learning_rate, "start": each.start, "seed": each.seed,
         "took_s": round(each.took_s, 1), "passes": each.passes, "waited_p50_s": _waited(each, 0.5),
         "waited_p99_s": _waited(each, 0.99)}
        | {name: None if math.isnan(value) else round(value, 4) for name, value in vars(figures_of(each)).items()}
        for each in results
    ]  # fmt: skip
    path.write_text(json.dumps(told, indent=1) + "\n")


def _waited(result: CellResult, share: float) -> float | None:
    """Return the time that this share of the steps did not exceed in waiting for rewards, in seconds."""
    waits_s = sorted(step.waited_s for step in result.steps if step.waited_s is not None)
    return round(waits_s[math.ceil(share * len(waits_s)) - 1], 4) if waits_s else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
