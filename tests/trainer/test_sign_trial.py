"""The trial of the signs: a loss is seen when it is there, moments are asked before it, rates are those of a count."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.experiment.cell import CellResult, StepSigns  # noqa: E402
from co_rewarding_trainer.experiment.roc import area, roc  # noqa: E402
from co_rewarding_trainer.experiment.running import ExperimentError, prepare, result_path  # noqa: E402
from co_rewarding_trainer.experiment.sign_report import report_signs  # noqa: E402
from co_rewarding_trainer.experiment.sign_trial import (  # noqa: E402
    NULL_STEP,
    Course,
    alarms_of,
    always_at_null,
    course_of,
    lost_at,
    try_signs,
)
from co_rewarding_trainer.experiment.suite import Suite  # noqa: E402
from co_rewarding_trainer.loop import StepReport  # noqa: E402

STEPS = 200
EVERY = 10


def training(seed: int, falls_at: int | None, rises_before: int = 40) -> CellResult:
    """A training whose accuracy falls at a step, and whose `top_share` rises some steps before; noise elsewhere."""
    rng = np.random.default_rng(seed)
    fallen = 2 * STEPS if falls_at is None else falls_at
    accuracies = [(step, 0.8 if step < fallen else 0.4) for step in range(0, STEPS + 1, EVERY)]
    signs = [
        StepSigns(
            step=step, top_share=0.5 * (step >= fallen - rises_before) + 0.1 * rng.random(), answered=rng.random()
        )
        for step in range(STEPS)
    ]
    return CellResult(
        row="a", method="majority-voting", learning_rate=1e-3, start="shipped", seed=seed, run=f"a-{seed}", took_s=1.0,
        rollouts=1, rollouts_of_others=0, steps=[StepReport(step, 1.0, None, 1.0) for step in range(STEPS)],
        signs=signs, accuracies=accuracies, passes={},
    )  # fmt: skip


def courses(first_seed: int) -> list[Course]:
    """Some trainings that lose, and as many that do not."""
    falls = [90, None, 130, None, 160, None]
    return [course_of(training(first_seed + at, fall)) for at, fall in enumerate(falls)]


def by_pairs(values: list[float], follows: list[bool]) -> float:
    """The area by looking at every pair of a moment before a loss and one that is not."""
    pairs = [
        (one, other)
        for (one, lost), (other, kept) in itertools.product(zip(values, follows, strict=True), repeat=2)
        if lost and not kept
    ]
    return sum((one > other) + (one == other) / 2 for one, other in pairs) / len(pairs)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
def test_the_area_is_the_share_of_pairs_in_order(moments: list[tuple[int, bool]]) -> None:
    values, follows = [float(value) for value, _ in moments], [lost for _, lost in moments]
    found = area(*roc(np.array(values), np.array(follows)))
    if len(set(follows)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(by_pairs(values, follows))


def test_a_loss_is_seen_in_means_of_three() -> None:
    noise = [(0, 0.8), (10, 0.8), (20, 0.8), (30, 0.7), (40, 0.8), (50, 0.8)]
    assert lost_at(noise) is None, "one low evaluation is noise"
    assert lost_at([*noise, (60, 0.7), (70, 0.7)]) == 70
    assert lost_at([(0, 0.2), (10, 0.5), (20, 0.8), (30, 0.9)]) is None, "it rises"


def test_no_moment_is_asked_at_the_loss_or_after_it_and_none_sees_what_comes() -> None:
    course = course_of(training(0, 100))
    assert course.lost_at is not None
    assert max(course.moments) < course.lost_at
    level = dict(zip(course.moments, course.readings["top_share, level"], strict=True))
    assert level[60] < 0.1, "the sign rises at step 60, which the moment before it has not seen"
    assert level[70] > 0.5


def test_warnings_are_counted_as_in_time_early_or_false() -> None:
    some = [course_of(training(at, fall)) for at, fall in enumerate([60, 100, None, 180])]
    assert [course.lost_at for course in some] == [60, 100, None, 180]
    at = {0: 30, 1: 20, 2: 50, 3: None}
    alarms = alarms_of(some, lambda course: at[course.seed], horizon=40)
    assert (alarms.losses, alarms.hits, alarms.early, alarms.kept, alarms.false) == (3, 1, 1, 1, 1)
    assert (alarms.lead, alarms.hit_rate, alarms.false_rate) == (30, 1 / 3, 2 / 4)
    assert [always_at_null(course) for course in some] == [None, NULL_STEP, NULL_STEP, NULL_STEP]


def test_the_sign_that_rises_before_each_loss_is_found_and_noise_is_not() -> None:
    trial = try_signs(courses(100), courses(200), horizon=40)
    best = trial.verdicts[0]
    assert best.reading.startswith("top_share")
    assert best.sign == 1
    assert best.good_enough
    assert (best.alarms.hits, best.alarms.false) == (3, 0)
    assert best.auc.low <= best.auc.value <= best.auc.high
    assert {each.reading for each in trial.verdicts if each.good_enough} <= {"top_share, level", "top_share, change"}
    assert {each.reading.partition(",")[0] for each in trial.verdicts} == {"top_share", "answered"}


def test_a_report_is_made_of_the_folders_of_experiments(tmp_path: Path) -> None:
    tuning, seeds = list(range(10, 18)), list(range(8))
    suite = Suite(methods=["majority-voting"], learning_rates=[1e-3], seeds=seeds, tuning_seeds=tuning)
    prepare(tmp_path, suite, [])
    for cell in suite.cells():
        result = training(cell.seed, 70 + 10 * (cell.seed % 10) if cell.seed % 2 else None)
        result_path(tmp_path, cell).write_bytes(msgspec.json.encode(result))
    report_signs([tmp_path], tmp_path / "out", horizon=40)
    told = (tmp_path / "out/signs.md").read_text()
    assert "4 of 8 trainings on the reported seeds lost 5 points. Good enough for an alarm: top_share" in told
    assert "| always at step 60 | – | – | – |" in told
    assert "| the alert `OneAnswer` | above 0.8 | – | – | 0 of 4 | 0 | 0 of 4 | – |" in told, "it never rises so far"
    assert len({line.count("|") for line in told.splitlines() if line.startswith("|")}) == 1
    assert (tmp_path / "out/signs.png").stat().st_size > 10_000
    report_signs([tmp_path, tmp_path], tmp_path / "twice", horizon=40)
    assert (tmp_path / "twice/signs.md").read_text() == told, "each training counts once"
    with pytest.raises(ExperimentError, match="no loss of 5%"):
        report_signs([tmp_path], tmp_path / "out", horizon=40, rows=["absent"])
    with pytest.raises(ExperimentError, match="holds no experiment"):
        report_signs([tmp_path / "absent"], tmp_path / "out", horizon=40)
