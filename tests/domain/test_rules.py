"""The tables and schedules: methods, the cohort's life, the EMA, runs, summaries."""

import math

import pytest
from co_rewarding_schema.errors import InvalidRunError, UnknownMethodError
from co_rewarding_schema.methods import METHODS, evaluated_by, method_named
from co_rewarding_schema.run_names import check_own_run, check_run_name, evaluated_run, evaluation_run
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Quarantine, View
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import (
    FINAL_STATES,
    TRANSITIONS,
    CohortEvent,
    CohortState,
    ElectedLabel,
    IllegalTransitionError,
    advance,
    is_complete,
)
from reward_service.domain.summary import GroupOutcome, summarise
from reward_service.domain.teacher import InvalidScheduleError, alpha, composed

BOTH = tuple(View)


def test_what_makes_a_cohort_follows_from_the_table() -> None:
    together = {name: row.views_decided_with(View.ORIGINAL) for name, row in METHODS.items()}
    assert together == {
        "co-rewarding-i": BOTH,
        "co-rewarding-ii": (View.ORIGINAL,),
        "co-rewarding-iii": (View.ORIGINAL,),
        "majority-voting": (View.ORIGINAL,),
        "majority-voting-union": BOTH,
        "self-harmony": BOTH,
        "teacher-harmony": (View.ORIGINAL,),
        "soft-majority": (View.ORIGINAL,),
        "verified-majority": (View.ORIGINAL,),
        "confident-majority": (View.ORIGINAL,),
        "stable-majority": (View.ORIGINAL,),
        "peer-majority": (View.ORIGINAL,),
        "ground-truth": (View.ORIGINAL,),
        "self-certainty": (View.ORIGINAL,),
        "entropy": (View.ORIGINAL,),
        "random": (View.ORIGINAL,),
        "format": (View.ORIGINAL,),
    }
    taught = [name for name, row in METHODS.items() if row.needs_teacher]
    assert taught == ["co-rewarding-ii", "co-rewarding-iii", "teacher-harmony"]


def test_an_unknown_method_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownMethodError, match="co-rewarding-i, "):
        method_named("co-rewarding-x")


@given(st.lists(st.sampled_from(CohortEvent), max_size=8))
def test_a_cohort_is_settled_at_most_once(events: list[CohortEvent]) -> None:
    state, ends = CohortState.OPEN, 0
    for event in events:
        try:
            state = advance(state, event)
        except IllegalTransitionError:
            assert (state, event) not in TRANSITIONS
            continue
        ends += event in {CohortEvent.ELECTED, CohortEvent.UNELECTED}
    assert ends <= 1
    assert (state in FINAL_STATES) == (ends == 1)


def test_every_state_can_be_reached_and_every_open_cohort_can_end() -> None:
    assert set(TRANSITIONS.values()) == set(CohortState)
    assert advance(advance(CohortState.OPEN, CohortEvent.DEADLINE), CohortEvent.UNELECTED) is CohortState.ABSTAINED


@given(
    st.dictionaries(st.sampled_from(View), st.integers(1, 5)), st.dictionaries(st.sampled_from(View), st.integers(0, 6))
)
def test_a_cohort_is_complete_when_no_group_is_short(needed: dict[View, int], cast: dict[View, int]) -> None:
    short = [view for view in needed if cast.get(view, 0) < needed[view]]
    assert is_complete(needed, cast) == (not short)


@given(st.integers(1, 10_000), st.floats(0.5, 1), st.floats(0.5, 1))
def test_the_schedule_meets_both_ends_and_never_turns(total: int, start: float, end: float) -> None:
    assert math.isclose(alpha(0, total, start, end), start)
    assert math.isclose(alpha(total, total, start, end), end)
    assert alpha(total + 7, total, start, end) == alpha(total, total, start, end)
    alphas = [alpha(k, total, start, end) for k in range(0, total + 1, max(1, total // 20))]
    assert alphas == sorted(alphas, reverse=start > end) or math.isclose(start, end, rel_tol=1e-9)


def test_the_schedule_at_a_quarter() -> None:
    # 1 - α = 1e-4 + ½ (1e-2 - 1e-4)(1 + cos(π/4)), by hand
    assert math.isclose(1 - alpha(25, 100), 0.0085501785, rel_tol=1e-6)


@given(st.lists(st.floats(0, 1), max_size=5), st.floats(-1, 1), st.floats(-1, 1))
def test_skipped_updates_compose(alphas: list[float], teacher: float, policy: float) -> None:
    stepwise = teacher
    for a in alphas:
        stepwise = a * stepwise + (1 - a) * policy
    once = composed(alphas)
    assert math.isclose(once * teacher + (1 - once) * policy, stepwise, abs_tol=1e-9)


@pytest.mark.parametrize(
    "bad", [(-1, 10, 0.9, 0.99), (0, 0, 0.9, 0.99), (0, 10, 1.1, 0.99), (0, 10, -0.5, 0.99), (0, 10, 0.9, math.nan)]
)
def test_a_schedule_that_is_none(bad: tuple[int, int, float, float]) -> None:
    with pytest.raises(InvalidScheduleError):
        alpha(*bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"group_size": 0},
        {"group_size": "8"},
        {"cohort_deadline_s": 0},
        {"min_votes": 0},
        {"min_vote_share": 1.5},
        {"teacher_group_size": 0},
        {"end_tokens": "<|end|>"},
        {"thinking": "sometimes"},
    ],
)
def test_a_run_that_is_none(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidRunError, match=next(iter(bad))):
        RunSettings(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"answer_formats": ()}, "answer_formats is empty.*boxed, fbox, json, final-answer, hashes"),
        ({"answer_formats": ("boxed", "xml")}, r"answer_formats\[1\] holds 'xml'.*boxed, fbox, json"),
        ({"answer_formats": "boxed"}, "answer_formats is 'boxed' and no list"),
        ({"answer_formats": ("json", "boxed", "json")}, "twice"),
        ({"conventions": "loose"}, "conventions holds 'loose': choose from lenient, strict"),
    ],
)
def test_a_choice_that_is_none_is_told_the_choices(bad: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidRunError, match=told):
        RunSettings(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a~b", "{a}", "-a", "ä", "a" * 129, "a\n"])
def test_a_name_that_cannot_be_a_run(name: str) -> None:
    with pytest.raises(InvalidRunError):
        check_run_name(name)


NAMES = st.builds(
    str.__add__,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,116}", fullmatch=True),
    st.sampled_from(["", ".evaluation", "01234567890", ".evaluated"]),
)


@given(NAMES)
def test_the_name_of_an_evaluation_leads_to_its_run_and_is_no_run_of_its_own(name: str) -> None:
    if len(name) > 117 and evaluated_run(name) is None:
        with pytest.raises(InvalidRunError, match="at most 117"):
            evaluation_run(name)
        return
    evaluation = evaluation_run(name)
    assert check_run_name(evaluation) == evaluation == evaluation_run(evaluation)
    assert evaluated_run(evaluation) == name.removesuffix(".evaluation")
    with pytest.raises(InvalidRunError, match="evaluate: true"):
        check_own_run(evaluation)


@given(
    st.sampled_from(sorted(METHODS)), st.integers(1, 64), st.none() | st.integers(1, 64), st.sampled_from(Quarantine)
)
def test_an_evaluation_waits_for_nobody(method: str, size: int, own_size: int | None, quarantine: Quarantine) -> None:
    if METHODS[method].apart is None:
        quarantine = Quarantine.OFF
    settings = RunSettings(
        method=method,
        group_size=size,
        evaluation_group_size=own_size,
        quarantine=quarantine,
        answer_formats=("json",),
        peers=("other",) if METHODS[method].needs_peers else (),
    )
    derived = settings.for_evaluation()
    assert (derived.group_size, derived.quarantine) == (own_size or size, Quarantine.OFF)
    assert (derived.answer_formats, derived.min_votes) == (settings.answer_formats, settings.min_votes)
    assert derived.for_evaluation() == derived
    for row in (method_named(derived.method), evaluated_by(truth=True), evaluated_by(truth=False)):
        assert not row.needs_teacher
        assert not row.needs_both_views
        assert all(row.views_decided_with(view) == (view,) for view in View)
    assert evaluated_by(truth=True).needs_ground_truth


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["1", "2", None]), st.sampled_from([0.0, 1.0])), min_size=1), max_size=5
    )
)
def test_a_summary_stays_within_its_bounds(rows: list[list[tuple[str | None, float]]]) -> None:
    groups = [
        GroupOutcome(
            len({answer for answer, _ in group} - {None}),
            sum(answer is not None for answer, _ in group),
            [reward for _, reward in group],
        )
        for group in rows
    ]
    summary = summarise(groups, [])
    assert summary.label_coverage == (1.0 if rows else None)
    for mean in (summary.reward_mean, summary.answered, summary.answers_distinct_mean):
        assert mean is not None if rows else mean is None
    assert 0 <= (summary.reward_mean or 0.0) <= 1
    assert 0 <= (summary.answered or 0.0) <= 1
    assert (summary.label_accuracy, summary.vote_share_mean) == (None, None)


def test_a_teacher_may_be_the_policy_itself() -> None:
    assert alpha(3, 10, alpha_start=0.0, alpha_end=0.0) == 0.0


def test_a_summary_counts_what_the_labels_say() -> None:
    elected = [
        ElectedLabel(View.ORIGINAL, "4", "4", 3, 4, "policy", (View.PARAPHRASE,), matches_truth=True),
        ElectedLabel(View.PARAPHRASE, "5", "5", 1, 4, "policy", (View.ORIGINAL,), matches_truth=False),
        ElectedLabel(View.ORIGINAL, "6", "6", 2, 4, "policy", (View.ORIGINAL,)),
        ElectedLabel(View.ORIGINAL, "7", "7", 0, 0, "ground-truth", (), matches_truth=True),
    ]
    summary = summarise([GroupOutcome(1, 1, [1.0])], elected)
    assert summary.vote_share_mean == 0.5
    assert summary.label_accuracy == 2 / 3
    assert (summary.undecided, summarise([], [], 3).undecided) == (0, 3)


def test_a_batch_that_abstained_has_no_mean_reward() -> None:
    summary = summarise([GroupOutcome(0, 0, [None, None]), GroupOutcome(1, 2, [None, None])], [])
    assert (summary.reward_mean, summary.vote_share_mean, summary.label_accuracy) == (None, None, None)
    assert (summary.label_coverage, summary.answers_distinct_mean, summary.answered) == (0.0, 0.5, 0.5)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(1, 5))
def test_every_mean_of_rewards_is_a_number(rewards: list[float], times: int) -> None:
    summary = summarise([GroupOutcome(1, 1, rewards)] * times, [])
    assert summary.reward_mean is not None
    spread = 1e-12 * max(map(abs, rewards))
    assert min(rewards) - spread <= summary.reward_mean <= max(rewards) + spread


def test_a_mean_is_told_though_the_sum_overflows() -> None:
    summary = summarise([GroupOutcome(1, 2, [1.7e308, 1.7e308]), GroupOutcome(1, 1, [1.7e308, None])], [])
    assert summary.reward_mean == 1.7e308
