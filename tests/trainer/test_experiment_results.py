"""Figures of an experiment: pass@k is unbiased, bounds hold their medians, tables and series tell all cells."""

import io
import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.experiment import comparisons, results  # noqa: E402
from co_rewarding_trainer.experiment.cell import CellResult, StepSigns  # noqa: E402
from co_rewarding_trainer.experiment.pass_at_k import pass_at_k  # noqa: E402
from co_rewarding_trainer.experiment.pictures import write_curves, write_sweep  # noqa: E402
from co_rewarding_trainer.loop import StepReport  # noqa: E402
from pyarrow.parquet import read_table  # noqa: E402
from rich.console import Console  # noqa: E402


def by_draws(right: int, samples: int, k: int) -> float:
    """The same by looking at every way to draw k of the samples."""
    draws = list(itertools.combinations([True] * right + [False] * (samples - right), k))
    return sum(map(any, draws)) / len(draws)


@given(st.data())
def test_pass_at_k_is_the_mean_over_every_draw(data: st.DataObject) -> None:
    samples = data.draw(st.integers(1, 8))
    right_N = data.draw(st.lists(st.integers(0, samples), min_size=1, max_size=4))
    k = data.draw(st.integers(1, samples))
    expected = sum(by_draws(right, samples, k) for right in right_N) / len(right_N)
    assert pass_at_k(samples, right_N, k) == pytest.approx(expected)


@pytest.mark.parametrize(("samples", "right_N", "k"), [(4, [1], 0), (4, [1], 5), (4, [], 1)])
def test_pass_at_k_that_is_not_defined_is_refused(samples: int, right_N: list[int], k: int) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(samples, right_N, k)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_bounds_hold_the_median(values: list[float]) -> None:
    spread = results.spread_of([*values, math.nan])
    assert min(values) <= spread.low <= spread.median <= spread.high <= max(values)
    assert spread == results.spread_of(reversed(values)), "whatever the order"


def test_nothing_is_a_dash() -> None:
    assert results.spread_of([math.nan]).told() == "–"


def cell(row: str, rate: float, seed: int, accuracies: list[float], reward: float | None = 0.5) -> CellResult:
    return CellResult(
        row=row, method="majority-voting", learning_rate=rate, start="shipped", seed=seed, run=f"{row}-{seed}",
        took_s=1.0, rollouts=320, rollouts_of_others=0,
        steps=[StepReport(step, reward, None, 0.5, step / 100) for step in range(20)],
        signs=[StepSigns(step=step, top_share=step / 20) for step in range(20)],
        accuracies=[(5 * at, share) for at, share in enumerate(accuracies)], passes={1: accuracies[-1]},
    )  # fmt: skip


SOME = [
    cell("b", 6e-4, 0, [0.5, 0.9, 0.3, 0.2, 0.1]),
    cell("b", 6e-4, 1, [0.5, 0.8, 0.4, 0.3, 0.2]),
    cell("a", 6e-4, 0, [0.5, 0.6, 0.6, 0.6, 0.6], reward=None),
    cell("b", 2e-4, 0, [0.5, 0.6, 0.7, 0.8, 0.9]),
]


def test_the_end_is_the_mean_of_the_last_evaluations_and_the_loss_is_from_the_peak() -> None:
    figures = results.figures_of(SOME[0])
    assert (figures.start, figures.peak, figures.end) == (0.5, 0.9, pytest.approx(0.2))
    assert figures.loss == pytest.approx(0.7)
    assert results.figures_of(cell("x", 1e-4, 0, [0.5])).end == 0.5, "a training of no evaluation but the first"


def test_a_line_for_each_row_and_rate_in_the_order_of_rows(tmp_path: Path) -> None:
    _, lines = results.lines_of(SOME)
    assert [line[:3] for line in lines] == [("0.0002", "`b`", "1"), ("0.0006", "`b`", "2"), ("0.0006", "`a`", "1")]
    assert lines[1][5] == "0.25 (0.20 to 0.30)"
    assert lines[2][7] == "–", "a row without a reward"
    results.write_markdown(*results.lines_of(SOME), tmp_path / "table.md")
    told = (tmp_path / "table.md").read_text().splitlines()
    assert len(told) == 2 + len(lines)
    assert len({line.count("|") for line in told}) == 1


@pytest.mark.parametrize("row", ["co-rewarding-ii", "co-rewarding-ii, frozen teacher, of another start"])
def test_no_figure_of_the_table_is_cut_off_in_80_columns(row: str) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(results.table_of([cell(row, 6e-4, seed, [0.5, 0.6]) for seed in range(2)]))
    assert "…" not in out.getvalue()
    assert "accuracy (held out)   lost   reward   labels" in out.getvalue()
    assert "0.60 (0.60 to 0.60)   0.00     0.50        –" in out.getvalue()


def test_series_figures_and_pictures_are_of_every_training(tmp_path: Path) -> None:
    results.write_series(SOME, tmp_path / "series.parquet")
    series = read_table(tmp_path / "series.parquet").to_pylist()
    assert len(series) == sum(len(each.steps) + 1 for each in SOME)
    told = {(row["run"], row["step"]): row["accuracy"] for row in series if row["accuracy"] is not None}
    assert told == {(each.run, step): share for each in SOME for step, share in each.accuracies}
    assert {(row["step"], row["top_share"]) for row in series} == {(step, step / 20) for step in range(20)} | {
        (20, None)
    }
    results.write_figures(SOME, tmp_path / "figures.json")
    assert [each["end"] for each in json.loads((tmp_path / "figures.json").read_text())] == [0.2, 0.3, 0.6, 0.8]
    [waits] = {
        (each["waited_p50_s"], each["waited_p99_s"]) for each in json.loads((tmp_path / "figures.json").read_text())
    }
    assert waits == (0.09, 0.19)
    for write in (write_curves, write_sweep):
        write(SOME, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_rate_is_chosen_by_other_seeds_and_reported_by_these() -> None:
    tuned = [cell("b", 2e-4, 7, [0.5, 0.4, 0.4, 0.4]), cell("b", 6e-4, 7, [0.5, 0.6, 0.6, 0.6])]
    assert comparisons.chosen_rates(tuned) == {"b": 6e-4}
    _, [line] = comparisons.chosen_lines(tuned, SOME)
    assert line == ("`b`", "0.0006", "1 trainings", "0.60", "2 trainings", "0.25 (0.20 to 0.30)", "0.60 (0.50 to 0.70)")


def test_differences_are_those_of_the_same_rate_start_and_seed() -> None:
    _, [line] = comparisons.difference_lines(SOME, "b")
    assert line == ("0.0006", "`a`", "1", "+0.40", "1", "+0.40", "+0.40")


def test_who_fell_is_counted_and_who_was_rewarded_all_the_same() -> None:
    sure = cell("b", 6e-4, 2, [0.5, 0.8, 0.4, 0.3, 0.2], reward=0.95)
    _, lines = comparisons.fall_lines([*SOME, sure])
    assert lines == [
        ("0.0002", "`b`", "1", "0", "0", "0.10"),
        ("0.0006", "`b`", "3", "3", "1", "0.70"),
        ("0.0006", "`a`", "1", "0", "0", "0.00"),
    ]
