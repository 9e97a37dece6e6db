"""The teacher's rules: versions that may answer, updates that are composed, seeds that nothing shares."""

import math

import pytest
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot
from reward_service.domain.settlement import settle
from reward_service.domain.teacher import (
    MAX_STEPS_AT_ONCE,
    InvalidScheduleError,
    OldStepError,
    alpha,
    draw_seed,
    needed_version,
    update_to,
)

SETTINGS = RunSettings(method="co-rewarding-ii", total_steps=300)
steps = st.integers(0, 2000)


@given(steps, st.integers(0, 50))
def test_a_label_serves_a_step_while_it_lags_no_more_than_it_may(step: int, lag: int) -> None:
    needed = needed_version(step, RunSettings(method="co-rewarding-ii", max_teacher_lag=lag))
    assert needed is not None
    for version in range(max(0, step - 60), step + 1):
        assert (version >= needed) == (step - version <= lag)


def test_what_needs_no_update_waits_for_none() -> None:
    frozen = RunSettings(method="co-rewarding-ii", alpha_start=1.0, alpha_end=1.0)
    assert needed_version(40, frozen) == needed_version(None, frozen) == 0
    assert needed_version(None, SETTINGS) is None


@given(steps, st.lists(steps, min_size=1, max_size=6, unique=True))
def test_steps_that_were_skipped_are_composed(first: int, later: list[int]) -> None:
    """However the steps are cut into updates, what is left of the teacher at the end is the same."""
    ends = sorted(first + 1 + step for step in later)
    kept, at = 1.0, first
    for end in ends:
        kept *= update_to(end, at, SETTINGS).alpha
        at = end
    assert math.isclose(kept, update_to(ends[-1], first, SETTINGS).alpha, rel_tol=1e-9)


@given(steps)
def test_one_step_is_the_schedule(step: int) -> None:
    assert update_to(step, step - 1 if step else None, SETTINGS).alpha == pytest.approx(
        alpha(step, 300, 0.99, 0.9999), rel=1e-12
    )


def test_what_comes_late_or_far_too_early_is_refused() -> None:
    with pytest.raises(OldStepError, match="step 4 is older than step 5"):
        update_to(4, 5, SETTINGS)
    assert update_to(MAX_STEPS_AT_ONCE, None, SETTINGS).step == MAX_STEPS_AT_ONCE
    with pytest.raises(InvalidScheduleError, match="more than"):
        update_to(MAX_STEPS_AT_ONCE + 1, None, SETTINGS)


names = st.text(max_size=20)
places = st.tuples(names, st.integers(0, 2**31), names, st.sampled_from(View))


@given(places, places)
def test_labels_share_no_draws(one: tuple[str, int, str, View], other: tuple[str, int, str, View]) -> None:
    assert 0 <= draw_seed(*one) < 2**31
    assert (draw_seed(*one) == draw_seed(*other)) == (one == other)


def taught(view: View, *answers: str | None, version: int = 3) -> list[Ballot]:
    return [Ballot(view, Voter.TEACHER, n, a, a, version=version) for n, a in enumerate(answers)]


def cast(view: View, *answers: str | None, truth: str | None = None) -> list[Ballot]:
    return [Ballot(view, Voter.POLICY, n, a, a, truth, truth) for n, a in enumerate(answers)]


@pytest.mark.parametrize(("method", "asked"), [("co-rewarding-ii", "original"), ("co-rewarding-iii", "paraphrase")])
def test_the_teacher_elects_by_the_table_and_earns_nothing(method: str, asked: str) -> None:
    electors = taught(View(asked), "4", "5", "4", None)
    settlement = settle(METHODS[method], cast(View.ORIGINAL, "4", "5", None, truth="5"), electors_E=electors)
    (label,) = settlement.labels
    assert (label.answer, label.votes, label.of, label.voter, label.version) == ("4", 2, 4, "teacher", 3)
    assert (label.voted_on, label.matches_truth) == ((View(asked),), False)
    assert settlement.rewards_B == (1.0, 0.0, 0.0)


@given(st.permutations(range(5)))
def test_a_rollout_earns_the_same_alone_and_in_its_group(order: list[int]) -> None:
    electors = taught(View.ORIGINAL, "4", "4", "5")
    ballots = cast(View.ORIGINAL, "4", "5", "6", None, "4")
    together = settle(METHODS["co-rewarding-ii"], [ballots[n] for n in order], electors_E=electors).rewards_B
    alone = [settle(METHODS["co-rewarding-ii"], [ballots[n]], electors_E=electors).rewards_B[0] for n in order]
    assert list(together) == alone


def test_without_its_teacher_a_group_abstains_and_the_other_view_of_it_has_no_say() -> None:
    electors = taught(View.PARAPHRASE, "4", "4")
    settlement = settle(METHODS["co-rewarding-ii"], cast(View.ORIGINAL, "4", "4"), electors_E=electors, expired=True)
    assert settlement.rewards_B == (None, None)
    assert settlement.abstentions_B == ("expired", "expired")
