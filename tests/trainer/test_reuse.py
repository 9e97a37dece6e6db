"""An experiment takes from another one what is the same training, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

for needed in ("torch", "transformers"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.experiment.cell import CellResult, write_result  # noqa: E402
from co_rewarding_trainer.experiment.reuse import reuse_results  # noqa: E402
from co_rewarding_trainer.experiment.running import (  # noqa: E402
    ExperimentError,
    prepare,
    read_results,
    result_path,
)
from co_rewarding_trainer.experiment.suite import Cell, Suite  # noqa: E402

SOME: dict[str, Any] = {
    "methods": ["majority-voting", "co-rewarding-ii"],
    "learning_rates": [2e-4, 4e-4],
    "seeds": [0, 1],
    "samples": 8,
    "passes": [1, 8],
}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """An experiment that has ended."""
    folder, suite = tmp_path / "trained", Suite.model_validate(SOME)
    for cell in prepare(folder, suite, ["co-rewarding"]):
        write_result(result_of(cell), result_path(folder, cell))
    return folder


def result_of(cell: Cell) -> CellResult:
    return CellResult(
        row=cell.row, method=cell.row, learning_rate=cell.learning_rate, start=cell.start, seed=cell.seed,
        run=cell.name, took_s=1.0, rollouts=2, rollouts_of_others=0, steps=[], signs=[],
        accuracies=[(0, 0.5)], passes={1: 0.5, 8: 0.7},
    )  # fmt: skip


def reused(folder: Path, trained: Path, changes: dict[str, Any]) -> tuple[dict[str, CellResult], set[str]]:
    """Returns what was taken, by the names of the cells, and what is left to train."""
    suite = Suite.model_validate(SOME | changes)
    left = reuse_results(folder, suite, prepare(folder, suite, ["co-rewarding"]), [trained])
    taken = {cell.name: cell for cell in suite.cells() if result_path(folder, cell).exists()}
    results = {(each.row, each.learning_rate, each.seed): each for each in read_results(folder, suite)}
    by_name = {name: results[cell.row, cell.learning_rate, cell.seed] for name, cell in taken.items()}
    return by_name, {cell.name for cell in left}


def test_more_seeds_rates_and_rows_are_all_that_is_trained(tmp_path: Path, trained: Path) -> None:
    changes = {"seeds": [1, 2], "learning_rates": [4e-4, 8e-4], "methods": ["majority-voting", "format"]}
    taken, left = reused(tmp_path / "wider", trained, changes)
    assert taken == {"majority-voting_0.0004_plain_s1": result_of(Cell("majority-voting", 4e-4, "plain", 1))}
    assert len(left) == 7


def test_a_row_of_another_name_is_the_same_training_if_it_is_one(tmp_path: Path, trained: Path) -> None:
    rows = {
        "II": {"method": "co-rewarding-ii"},
        "frozen": {"method": "co-rewarding-ii", "settings": {"alpha_start": 1.0, "alpha_end": 1.0}},
        "misled": {"method": "co-rewarding-ii", "wrong_paraphrases": 0.2},
    }
    taken, left = reused(tmp_path / "named", trained, {"methods": [], "rows": rows, "starts": {"mine": {}}})
    assert {(each.row, each.start) for each in taken.values()} == {("II", "mine")}
    assert len(taken) == 4
    assert len(left) == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 7},
        {"group_size": 4},
        {"evaluate_every": 20},
        {"unlabelled": True},
        {"starts": {"plain": {"seed": 1}}},
        {"starts": {"plain": {"kind": "own-habits"}}},
        {"task": "sorting"},
        {"samples": 16},
        {"passes": [1, 4]},
    ],
)
def test_what_was_trained_or_measured_otherwise_is_trained_again(
    tmp_path: Path, trained: Path, changes: dict[str, Any]
) -> None:
    taken, left = reused(tmp_path / "other", trained, changes)
    assert not taken
    assert len(left) == 8


@pytest.mark.parametrize(("changes", "passes"), [({"samples": 0}, {}), ({"passes": [8]}, {8: 0.7})])
def test_samples_that_were_not_asked_for_are_left_out(
    tmp_path: Path, trained: Path, changes: dict[str, Any], passes: dict[int, float]
) -> None:
    taken, left = reused(tmp_path / "fewer", trained, changes)
    assert not left
    assert [each.passes for each in taken.values()] == [passes] * 8


def test_a_folder_without_an_experiment_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="nowhere holds no experiment of this release"):
        reused(tmp_path / "out", tmp_path / "nowhere", {})
