"""A suite is read whole or refused in words; its cells are every combination, each with a file of its own."""

import itertools
from pathlib import Path
from typing import Any

import pytest

for needed in ("torch", "transformers"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.experiment.suite import (  # noqa: E402
    Suite,
    SuiteError,
    at_test_time,
    read_suite,
    suite_document,
)

WHOLE: dict[str, Any] = {
    "methods": ["majority-voting", "co-rewarding-i"],
    "rows": {"ii, frozen": {"method": "co-rewarding-ii", "settings": {"alpha_start": 1.0, "alpha_end": 1.0}}},
    "starts": {"A": {"seed": 1}, "B": {"kind": "shared-habits"}},
    "learning_rates": [2e-4, 6e-4],
    "seeds": [0, 1, 2],
}


def test_the_cells_are_every_combination_once() -> None:
    suite = Suite.model_validate(WHOLE)
    cells = list(suite.cells())
    rows = ["majority-voting", "co-rewarding-i", "ii, frozen"]
    every = set(itertools.product(rows, [2e-4, 6e-4], ["A", "B"], [0, 1, 2]))
    assert {(cell.row, cell.learning_rate, cell.start, cell.seed) for cell in cells} == every
    assert len({cell.name for cell in cells}) == len(cells) == len(every)
    assert [cell.start for cell in cells] == sorted(cell.start for cell in cells), "a service for each start in turn"
    assert all(suite.loop(cell).learning_rate == cell.learning_rate for cell in cells)


def test_seeds_that_choose_are_trained_too_and_a_row_may_have_pairs_of_its_own() -> None:
    row = {"method": "co-rewarding-i", "wrong_paraphrases": 0.2, "near_copies": True}
    suite = Suite.model_validate(WHOLE | {"tuning_seeds": [7], "rows": {"bad": row}})
    assert {cell.seed for cell in suite.cells()} == {0, 1, 2, 7}
    pairs = {(cell.row, suite.loop(cell).wrong_paraphrases, suite.loop(cell).near_copies) for cell in suite.cells()}
    assert pairs == {("majority-voting", 0.0, False), ("co-rewarding-i", 0.0, False), ("bad", 0.2, True)}


def test_test_time_is_the_suite_with_the_held_out_problems() -> None:
    suite = at_test_time(Suite.model_validate(WHOLE))
    assert all(suite.loop(cell).test_time for cell in suite.cells())
    with pytest.raises(SuiteError, match="--test-time: suite: ground-truth needs"):
        at_test_time(Suite.model_validate(WHOLE | {"methods": ["ground-truth"]}))


def test_the_same_suite_has_the_same_document() -> None:
    assert suite_document(Suite.model_validate(WHOLE)) == suite_document(Suite.model_validate(WHOLE))
    assert suite_document(Suite.model_validate(WHOLE)) != suite_document(Suite.model_validate(WHOLE | {"steps": 7}))


SHIPPED = ["brisk", "core", "ours", "paraphrases", "signs", "smoke", "smollm2", "sweep", "test-time", "union"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_is_known_by_its_name(name: str) -> None:
    assert list(read_suite(name).cells())


def test_a_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('methods = ["format"]\nlearning_rates = [1e-3]\nseeds = [0]\n[starts.mine]\nfolder = "start"\n')
    start = read_suite(str(path)).starts["mine"]
    assert start.folder == tmp_path / "start"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ["majority"]}, "'majority' is not a method"),
        ({"methods": [], "rows": {}}, "nothing is trained"),
        ({"methods": ["format", "format"]}, "twice"),
        ({"seeds": [1, 1]}, "twice"),
        ({"seeds": []}, "seeds"),
        ({"learning_rates": [0.0]}, "learning_rates.0"),
        ({"rows": {"majority-voting": {"method": "format"}}}, "one name"),
        ({"rows": {"a b": {"method": "format"}, "A-B": {"method": "random"}}}, "signs and capitals"),
        ({"rows": {"x": {"method": "format", "settings": {"absent": 1}}}}, "settings"),
        ({"rows": {"x": {"method": "format", "settings": {"min_votes": -1}}}}, "settings"),
        ({"samples": 4, "passes": [8]}, "at least k samples"),
        ({"distinct_pairs": 17}, "17 pairs"),
        ({"tuning_seeds": [2, 3]}, "to choose settings or to report them: 2"),
        ({"baseline": "co-rewarding-iii"}, "'co-rewarding-iii' is not a row"),
        ({"methods": ["ground-truth"], "unlabelled": True}, "ground-truth needs the ground truth"),
        ({"test_time": True, "evaluation_problems": 30}, "30 pairs"),
        ({"test_time": True, "wrong_paraphrases": 0.1}, "test_time asks the held-out problems"),
        ({"absent": 1}, "absent"),
        ({"task": "absent"}, "'absent' is not a task; choose one of chains"),
        ({"starts": {"x": {"kind": "absent"}}}, r"starts\.x\.kind"),
        ({"starts": {"x": {"absent": 1}}}, "starts.x.absent"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(_toml(WHOLE | changes))
    with pytest.raises(SuiteError, match=said) as refused:
        read_suite(str(path))
    assert str(path) in str(refused.value)


def test_a_file_that_is_none_is_told_with_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=f"shipped are {', '.join(SHIPPED)}"):
        read_suite(str(tmp_path / "absent.toml"))
    (tmp_path / "broken.toml").write_text("methods = [")
    with pytest.raises(SuiteError, match=r"broken\.toml"):
        read_suite(str(tmp_path / "broken.toml"))


def _toml(value: dict[str, Any]) -> str:
    """Simple values first, then a table for each name: as much of TOML as these tests need."""
    plain = {name: each for name, each in value.items() if not isinstance(each, dict)}
    lines = [f"{name} = {_value(each)}" for name, each in plain.items()]
    for name, tables in value.items():
        if isinstance(tables, dict):
            for key, table in tables.items():
                lines += [f'[{name}."{key}"]', *(f"{at} = {_value(each)}" for at, each in table.items())]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
