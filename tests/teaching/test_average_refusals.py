"""What an average refuses, and that it is then as it was before: in memory, on disk, and for the next update."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")

from reward_service.teaching.average import Average
from reward_service.teaching.safetensors_header import AverageError, OtherModelError, WeightsFolderError
from tests.support.weight_folders import raw_file, weights, write_model
from tests.teaching.averages import SHAPES, assert_equal, kept, moved
from tests.teaching.disks import little_room


@pytest.fixture(params=[False, True], ids=["memory", "mapped"])
def mapped(request: pytest.FixtureRequest) -> bool:
    """How the average is kept."""
    return request.param


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_model(tmp_path / "base", weights(0, **SHAPES))


@pytest.fixture
def average(tmp_path: Path, base: Path, mapped: bool) -> Iterator[Average]:
    with Average.open(tmp_path / "average", base, mapped=mapped, threads=2) as average:
        yield average


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan"), float("inf")])
def test_an_alpha_outside_its_range_is_refused(average: Average, tmp_path: Path, alpha: float) -> None:
    with pytest.raises(AverageError, match="must lie in"):
        average.update(1, tmp_path, alpha)


def spoilt(value: float, *, last: bool) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        tensors = weights(1, **SHAPES)
        tensors["norm" if last else "embed"].reshape(-1)[-1 if last else 0] = value
        write_model(folder, tensors)

    return write


def missing(folder: Path) -> None:
    write_model(folder, {name: value for name, value in weights(1, **SHAPES).items() if name != "norm"})


def extra(folder: Path) -> None:
    write_model(folder, weights(1, **SHAPES, lora=(2,)))


def misshapen(folder: Path) -> None:
    write_model(folder, weights(1, **SHAPES | {"mlp": (33, 16)}))


def cut_off(folder: Path) -> None:
    write_model(folder, weights(1, **SHAPES))
    os.truncate(folder / "model.safetensors", (folder / "model.safetensors").stat().st_size - 1)


def lying(folder: Path) -> None:
    folder.mkdir()
    told = {"embed": {"dtype": "F32", "shape": [37, 16], "data_offsets": [0, 1 << 40]}}
    folder.joinpath("model.safetensors").write_bytes(raw_file(told, bytes(64)))


def linked(folder: Path) -> None:
    write_model(folder.parent / "elsewhere", weights(1, **SHAPES))
    folder.mkdir()
    folder.joinpath("model.safetensors").symlink_to(folder.parent / "elsewhere" / "model.safetensors")


REFUSED: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "not a number at the beginning": (
        spoilt(np.nan, last=False),
        "embed of the policy holds numbers that are not fini",
    ),
    "not a number at the end": (spoilt(np.nan, last=True), "norm of the policy holds numbers that are not finite"),
    "infinite": (spoilt(-np.inf, last=True), "norm of the policy holds numbers that are not finite"),
    "missing": (missing, "step-5: .* 1 missing: norm"),
    "extra": (extra, "1 not the teacher's: lora"),
    "misshapen": (misshapen, r"mlp is \[33, 16\] instead of \[16, 33\]"),
    "cut off": (cut_off, "is cut off"),
    "lying": (lying, "is given 1099511627776 bytes"),
    "linked": (linked, "is a symbolic link"),
    "absent": (lambda folder: None, "is no folder"),
    "empty": (lambda folder: folder.mkdir(), "holds no"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("alpha", [0.9, 0.0])
def test_what_is_refused_changes_nothing(average: Average, tmp_path: Path, base: Path, case: str, alpha: float) -> None:
    write, words = REFUSED[case]
    average.update(1, write_model(tmp_path / "step-1", weights(7, **SHAPES)), 0.5)
    before = moved(weights(0, **SHAPES), weights(7, **SHAPES), 0.5)
    write(tmp_path / "step-5")
    with pytest.raises(WeightsFolderError, match=words):
        average.update(5, tmp_path / "step-5", alpha)
    assert (average.version, average.alpha) == (1, 0.5)
    assert_equal(kept(average, tmp_path), before)
    average.update(5, write_model(tmp_path / "step-5-again", weights(8, **SHAPES)), 0.75)
    after = moved(before, weights(8, **SHAPES), 0.25)
    assert_equal(kept(average, tmp_path), after)
    average.close()
    with Average.open(tmp_path / "average", base) as reopened:
        assert (reopened.version, reopened.alpha) == (5, 0.75)
        assert_equal(kept(reopened, tmp_path), after)


def test_the_average_of_another_model_is_refused(tmp_path: Path, base: Path) -> None:
    Average.open(tmp_path / "average", base).close()
    write_model(tmp_path / "resharded", weights(0, **SHAPES), files=3)
    Average.open(tmp_path / "average", tmp_path / "resharded").close()
    for number, tensors in enumerate([weights(1, **SHAPES), weights(0, **SHAPES, more=(2,))]):
        other = write_model(tmp_path / f"other-{number}", tensors)
        with pytest.raises(OtherModelError, match="of another model"):
            Average.open(tmp_path / "average", other)


@pytest.mark.parametrize("damage", ["state", "version", "gone", "cut", "header"])
def test_a_damaged_folder_is_refused(tmp_path: Path, base: Path, damage: str) -> None:
    Average.open(tmp_path / "average", base).close()
    file, state = tmp_path / "average" / "a.safetensors", tmp_path / "average" / "state.json"
    match damage:
        case "state":
            state.write_text("{")
        case "version":
            state.write_text('{"format": 2}')
        case "gone":
            file.unlink()
        case "cut":
            os.truncate(file, 100)
        case _:
            file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(AverageError, match="remove the folder to begin anew"):
        Average.open(tmp_path / "average", base)


def test_the_file_that_does_not_count_may_be_lost(tmp_path: Path, base: Path) -> None:
    Average.open(tmp_path / "average", base).close()
    (tmp_path / "average" / "b.safetensors").unlink()
    with Average.open(tmp_path / "average", base, mapped=True) as average:
        average.update(1, write_model(tmp_path / "step-1", weights(1, **SHAPES)), 0.5)
        assert_equal(kept(average, tmp_path), moved(weights(0, **SHAPES), weights(1, **SHAPES), 0.5))


def test_a_model_that_is_not_finite_is_not_begun_with(tmp_path: Path, mapped: bool) -> None:
    tensors = weights(0, **SHAPES)
    broken = write_model(tmp_path / "broken", weights(0, np.inf, **SHAPES))
    with pytest.raises(WeightsFolderError, match="not finite"):
        Average.open(tmp_path / "average", broken, mapped=mapped)
    with Average.open(tmp_path / "average", write_model(tmp_path / "base", tensors), mapped=mapped) as average:
        assert_equal(kept(average, tmp_path), tensors)


def test_a_disk_without_room_is_an_error_at_the_beginning(tmp_path: Path, base: Path) -> None:
    with pytest.raises(AverageError, match="an average takes two"), little_room():
        Average.open(tmp_path / "average", base)


def test_a_disk_that_fails_in_an_update_leaves_the_average_as_it_was(average: Average, tmp_path: Path) -> None:
    before, policy = kept(average, tmp_path), write_model(tmp_path / "step-1", weights(1, **SHAPES))
    with pytest.raises(AverageError, match="step 1 was not taken"), little_room():
        average.update(1, policy, 0.5)
    assert average.version == 0
    assert_equal(kept(average, tmp_path), before)
    average.update(1, policy, 0.5)
    assert_equal(kept(average, tmp_path), moved(before, weights(1, **SHAPES), 0.5))


def test_a_state_that_cannot_be_written_leaves_the_average_as_it_was(average: Average, tmp_path: Path) -> None:
    policy = write_model(tmp_path / "step-1", weights(1, **SHAPES))
    blocking = tmp_path / "average" / ".state.json"
    blocking.mkdir()
    with pytest.raises(AverageError, match="step 1 was not taken"):
        average.update(1, policy, 0.5)
    assert average.version == 0
    assert_equal(kept(average, tmp_path), weights(0, **SHAPES))
    blocking.rmdir()
    average.update(1, policy, 0.5)
    assert_equal(kept(average, tmp_path), moved(weights(0, **SHAPES), weights(1, **SHAPES), 0.5))


def test_it_is_open_in_one_place_at_a_time(tmp_path: Path, base: Path) -> None:
    with Average.open(tmp_path / "average", base), pytest.raises(AverageError, match="is open elsewhere"):
        Average.open(tmp_path / "average", base)
    Average.open(tmp_path / "average", base).close()
