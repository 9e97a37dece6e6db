"""Run an experiment to its end: what is missing is trained, and the results are summed up after each training."""

import sys
from pathlib import Path

from rich.console import Console

from co_rewarding_trainer.experiment import results
from co_rewarding_trainer.experiment.cell import CellResult
from co_rewarding_trainer.experiment.pictures import write_curves, write_sweep
from co_rewarding_trainer.experiment.running import Serve, prepare, read_results, run_cells
from co_rewarding_trainer.experiment.suite import Suite


def run_experiment(suite: Suite, folder: Path, serve: Serve, jobs: int) -> list[CellResult]:
    """Trains the cells that have no result in the folder, and writes what all of them came to there.

    Files: `series.parquet`, `table.md`, `figures.json`, `curves.png`, `sweep.png`, beside the suite, the versions and
    the result of each cell.

    Raises:
        ExperimentError: the folder holds another suite, or some cells failed; the others were trained.
        CoRewardingError: there is no service.
    """
    console = Console()
    missing = prepare(folder, suite, sys.argv)
    cells = list(suite.cells())
    console.print(f"{folder}: {len(cells)} trainings, {len(cells) - len(missing)} done", soft_wrap=True)
    try:
        run_cells(folder, suite, missing, serve, jobs, lambda: _write_table(folder, suite))
    finally:
        found = read_results(folder, suite)
        if found:
            write_results(found, folder)
    console.print(results.table_of(found))
    console.print(f"the whole table: {folder / 'table.md'}, the curves: {folder / 'curves.png'}", soft_wrap=True)
    return found


def write_results(found: list[CellResult], folder: Path) -> None:
    """Writes series, figures, table and pictures of some results."""
    results.write_series(found, folder / "series.parquet")
    results.write_figures(found, folder / "figures.json")
    results.write_markdown(found, folder / "table.md")
    write_curves(found, folder / "curves.png")
    write_sweep(found, folder / "sweep.png")


def _write_table(folder: Path, suite: Suite) -> None:
    results.write_markdown(read_results(folder, suite), folder / "table.md")
