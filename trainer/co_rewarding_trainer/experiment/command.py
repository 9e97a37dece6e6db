"""Run an experiment to its end: what is missing is trained, and the results are summed up after each training."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from co_rewarding_trainer.experiment import comparisons, results
from co_rewarding_trainer.experiment.cell import CellResult
from co_rewarding_trainer.experiment.pictures import write_curves, write_sweep
from co_rewarding_trainer.experiment.reuse import reuse_results
from co_rewarding_trainer.experiment.running import Serve, prepare, read_results, run_cells
from co_rewarding_trainer.experiment.suite import Suite


def run_experiment(
    suite: Suite, folder: Path, serve: Serve, jobs: int, others: Sequence[Path] = ()
) -> list[CellResult]:
    """Trains the cells that have no result in the folder, and writes what all of them came to there.

    Results that `others`, the folders of other experiments, have of the same trainings are taken from there.

    Files: `series.parquet`, `table.md`, `falls.md`, `figures.json`, `curves.png`, `sweep.png`, where the suite asks for
    them `chosen.md` and `differences.md`, beside the suite, the versions and the result of each cell.

    Raises:
        ExperimentError: the folder holds another suite, one of `others` holds none, or some cells failed; the others
            were trained.
        CoRewardingError: there is no service.
    """
    torch.set_num_threads(1)  # a start is taught here: the model is small, and the other cores are the trainings'
    console = Console()
    missing = reuse_results(folder, suite, prepare(folder, suite, sys.argv), others)
    cells = list(suite.cells())
    console.print(f"{folder}: {len(cells)} trainings, {len(cells) - len(missing)} done", soft_wrap=True)
    try:
        run_cells(folder, suite, missing, serve, jobs, lambda: _write_table(folder, suite))
    finally:
        found = read_results(folder, suite)
        if found:
            write_results(suite, found, folder)
    console.print(results.table_of([result for result in found if result.seed in suite.seeds]))
    console.print(f"the whole table: {folder / 'table.md'}, the curves: {folder / 'curves.png'}", soft_wrap=True)
    return found


def write_results(suite: Suite, found: list[CellResult], folder: Path) -> None:
    """Writes series, figures, tables and pictures of some results of a suite.

    The tables and pictures are of the seeds that are reported.
    """
    results.write_series(found, folder / "series.parquet")
    results.write_figures(found, folder / "figures.json")
    reported = [result for result in found if result.seed in suite.seeds]
    results.write_markdown(*results.lines_of(reported), folder / "table.md")
    results.write_markdown(*comparisons.fall_lines(reported), folder / "falls.md")
    if reported:
        write_curves(reported, folder / "curves.png")
        write_sweep(reported, folder / "sweep.png")
    if suite.tuning_seeds:
        tuned = [result for result in found if result.seed in suite.tuning_seeds]
        results.write_markdown(*comparisons.chosen_lines(tuned, reported), folder / "chosen.md")
    if suite.baseline is not None:
        results.write_markdown(*comparisons.difference_lines(reported, suite.baseline), folder / "differences.md")


def _write_table(folder: Path, suite: Suite) -> None:
    reported = [result for result in read_results(folder, suite) if result.seed in suite.seeds]
    results.write_markdown(*results.lines_of(reported), folder / "table.md")
