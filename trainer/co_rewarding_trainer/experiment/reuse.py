"""Take trainings from the results of other experiments where they are the same trainings."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from co_rewarding_trainer.experiment.cell import CellResult, write_result
from co_rewarding_trainer.experiment.running import read_results, read_suite_of, result_path
from co_rewarding_trainer.experiment.suite import Cell, Suite


def reuse_results(folder: Path, suite: Suite, missing: Iterable[Cell], others: Sequence[Path]) -> list[Cell]:
    """Copies the results that other folders have of missing cells, and returns the cells that none of them has.

    A training is the same if method, settings, start, learning rate, seed and the whole loop are. Its samples for
    pass@k are left out where the suite asks for none; where it asks for some, they must be as many.

    Raises:
        ExperimentError: one of the folders holds no experiment of this release.
    """
    found = {training: result for other in others for training, result in _trainings_of(other)}
    left: list[Cell] = []
    for cell in missing:
        result = found.get(_training(suite, cell))
        if result is None or not set(suite.passes if suite.samples else ()) <= result.passes.keys():
            left.append(cell)
            continue
        passes = {k: result.passes[k] for k in suite.passes} if suite.samples else {}
        here = msgspec.structs.replace(result, row=cell.row, start=cell.start, passes=passes)
        write_result(here, result_path(folder, cell))
    return left


def _trainings_of(folder: Path) -> Iterable[tuple[bytes, CellResult]]:
    """Yields the trainings of a folder twice where they have samples: as they are, and for suites without."""
    suite = read_suite_of(folder)
    cells = {(cell.row, cell.learning_rate, cell.start, cell.seed): cell for cell in suite.cells()}
    for result in read_results(folder, suite):
        cell = cells[result.row, result.learning_rate, result.start, result.seed]
        for samples in {0, suite.samples}:
            yield _training(suite.model_copy(update={"samples": samples}), cell), result


def _training(suite: Suite, cell: Cell) -> bytes:
    """Returns what a training is: cells of two suites are the same training if these bytes are equal."""
    row = suite.all_rows()[cell.row]
    start = suite.all_starts()[cell.start].model_dump(mode="json")
    whole = row.method, row.settings, start, suite.loop(cell), suite.samples
    return msgspec.json.encode(whole, order="sorted")
