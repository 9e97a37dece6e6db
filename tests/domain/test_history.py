"""The laws of a question's history, and of the signs of a collapse."""

from co_rewarding_schema.vocabulary import Abstention, View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.history import PastLabel, labels_before, standing_of
from reward_service.domain.signs import SignSums, agreement_of, signs_of

SHARES = st.floats(0.0, 1.0)
LABELS = st.builds(
    PastLabel, st.sampled_from(View), st.integers(0, 9), st.just(0), SHARES, SHARES, st.sampled_from(["1", "2", "3"])
)
PASTS = st.lists(LABELS, min_size=1, max_size=12)


@given(PASTS)
def test_a_standing_lies_within_its_bounds(past: list[PastLabel]) -> None:
    standing = standing_of(past)
    assert 0 <= standing.flips <= max(0, len(past) - 1)
    assert -1e-9 <= standing.disagreement <= 1.0 + 1e-9
    assert min(label.share for label in past) - 1e-9 <= standing.share <= max(label.share for label in past) + 1e-9


@given(PASTS)
def test_other_names_for_the_answers_change_nothing(past: list[PastLabel]) -> None:
    renamed = [label._replace(answer=f"x{label.answer}") for label in past]
    assert standing_of(renamed) == standing_of(past)


@given(PASTS)
def test_labels_that_never_change_have_no_flips_and_views_that_agree_no_difference(past: list[PastLabel]) -> None:
    steady = [label._replace(answer="1", agreement=1.0) for label in past]
    assert standing_of(steady)[:2] == (0, 0.0)


def test_two_views_with_different_labels_disagree_though_each_is_sure() -> None:
    past = [
        PastLabel(View.ORIGINAL, 1, 0, 1.0, 1.0, "1"),
        PastLabel(View.PARAPHRASE, 1, 0, 1.0, 1.0, "2"),
        PastLabel(View.ORIGINAL, 2, 0, 1.0, 1.0, "1"),
        PastLabel(View.PARAPHRASE, 2, 0, 1.0, 1.0, "1"),
        PastLabel(View.PARAPHRASE, 3, 0, 1.0, 1.0, "3"),
    ]
    assert standing_of(past) == (2, 0.5, 1.0)


@given(PASTS, st.integers(0, 9))
def test_only_labels_of_the_view_and_of_earlier_steps_come_before(past: list[PastLabel], step: int) -> None:
    before = labels_before(past, View.ORIGINAL, step)
    assert before == [label for label in past if label.view is View.ORIGINAL and (label.step or 0) < step]
    without = [label._replace(step=None) for label in past]
    assert len(labels_before(without, View.ORIGINAL, None)) == sum(label.view is View.ORIGINAL for label in past)


def test_the_agreement_is_of_the_labels_own_view_and_of_counted_ballots() -> None:
    label = ElectedLabel(View.ORIGINAL, "1", "1", 3, 4, "policy", (View.PARAPHRASE,))
    cast = [(View.ORIGINAL, "1"), (View.ORIGINAL, "2"), (View.ORIGINAL, None), (View.PARAPHRASE, "1")]
    ballots = [Ballot(view, Voter.POLICY, at, answer, answer) for at, (view, answer) in enumerate(cast)]
    ballots.append(ballots[0]._replace(rollout=9, counted=False))
    assert agreement_of(label, ballots) == 1 / 3
    assert agreement_of(label, []) == 0.0


def test_a_mean_over_nothing_is_none() -> None:
    assert set(signs_of(SignSums(), 0)) == {None}
    found = signs_of(SignSums(2, 16, 12, 5, 2, 1.5, 1.0, 1, 0, 4, 100), 6)
    assert found == (2.5, 0.75, 0.5, 0.0, 0.75, 25.0, None, None, 0.5)


def test_reasons_are_counted_under_their_own_names() -> None:
    assert SignSums._fields[-len(Abstention) :] == tuple(reason.name.lower() for reason in Abstention)
    assert SignSums().abstentions == {}
    assert SignSums(expired=3, gated=1).abstentions == {Abstention.EXPIRED: 3, Abstention.GATED: 1}
