"""The laws of rewards, for every row of the method table."""

import math

import pytest
from co_rewarding_schema.methods import METHODS, method_named
from co_rewarding_schema.vocabulary import Abstention, View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import MethodParameters, elect
from reward_service.domain.settlement import settle, settle_under
from tests.domain.ballots import ballot, cohorts, groups

POLICY_VOTES = [row.name for row in METHODS.values() if row.is_joined]


@given(st.sampled_from(sorted(METHODS)), cohorts(), st.booleans())
def test_each_ballot_is_rewarded_or_abstains_with_its_whole_group(
    name: str, ballots: list[Ballot], expired: bool
) -> None:
    settlement = settle(method_named(name), ballots, expired=expired)
    for view in View:
        group = [i for i, b in enumerate(ballots) if b.view is view]
        abstained = {settlement.rewards_B[i] is None for i in group}
        assert len(abstained) <= 1
    for reward, abstention in zip(settlement.rewards_B, settlement.abstentions_B, strict=True):
        assert (reward is None) != (abstention is None)
        assert reward is None or 0.0 <= reward <= 1.0


@given(st.sampled_from(POLICY_VOTES), cohorts(), st.randoms(use_true_random=False))
def test_rewards_follow_their_ballots_in_any_order(name: str, ballots: list[Ballot], random: object) -> None:
    order = list(range(len(ballots)))
    random.shuffle(order)  # type: ignore[attr-defined]
    settled = settle(method_named(name), ballots)
    shuffled = settle(method_named(name), [ballots[i] for i in order])
    assert shuffled.labels == settled.labels
    assert shuffled.rewards_B == tuple(settled.rewards_B[i] for i in order)


@given(cohorts())
def test_co_rewarding_i_crosses_the_views(ballots: list[Ballot]) -> None:
    settlement = settle(method_named("co-rewarding-i"), ballots)
    for view, other in [(View.ORIGINAL, View.PARAPHRASE), (View.PARAPHRASE, View.ORIGINAL)]:
        winner = elect([each for each in ballots if each.view is other])
        for b, reward, why in zip(ballots, settlement.rewards_B, settlement.abstentions_B, strict=True):
            if b.view is view:
                assert reward == (None if winner is None else float(b.answer_class == winner.answer_class))
                assert why == (Abstention.NO_LABEL if winner is None else None)


@given(groups(), groups(View.PARAPHRASE), groups(View.PARAPHRASE))
def test_majority_voting_does_not_look_at_the_other_view(
    group: list[Ballot], one: list[Ballot], another: list[Ballot]
) -> None:
    method = method_named("majority-voting")
    rewards = [settle(method, group + other).rewards_B[: len(group)] for other in (one, another)]
    assert rewards[0] == rewards[1]


@given(cohorts())
def test_the_union_gives_both_views_one_label(ballots: list[Ballot]) -> None:
    labels = settle(method_named("majority-voting-union"), ballots).labels
    assert len({label.answer_class for label in labels}) <= 1
    assert {label.view for label in labels} in (set(), {b.view for b in ballots})


@given(cohorts(), st.integers(0, 3))
def test_ballots_that_are_not_counted_do_not_move_a_label(ballots: list[Ballot], late: int) -> None:
    method = method_named("co-rewarding-i")
    extra = [ballot(View.ORIGINAL, 50 + n, "late")._replace(counted=False) for n in range(late)]
    settled, with_late = settle(method, ballots), settle(method, ballots + extra)
    known = {b.view for b in ballots}
    assert [label for label in with_late.labels if label.view in known] == list(settled.labels)
    assert with_late.rewards_B[: len(ballots)] == settled.rewards_B


@given(cohorts())
def test_late_ballots_are_rewarded_by_the_label_that_stands(ballots: list[Ballot]) -> None:
    method = method_named("co-rewarding-i")
    settlement = settle(method, ballots)
    late = settle_under(method, settlement.labels, ballots, ballots, MethodParameters())
    assert late.rewards_B == settlement.rewards_B


def test_ground_truth_is_compared_and_the_other_view_shares_it() -> None:
    ballots = [ballot(View.ORIGINAL, 0, "4", "4"), ballot(View.ORIGINAL, 1, "5"), ballot(View.PARAPHRASE, 0, "4")]
    settlement = settle(method_named("ground-truth"), ballots)
    assert settlement.rewards_B == (1.0, 0.0, 1.0)
    assert {label.view for label in settlement.labels} == {View.ORIGINAL, View.PARAPHRASE}


def test_without_a_ground_truth_the_group_abstains() -> None:
    settlement = settle(method_named("ground-truth"), [ballot(View.ORIGINAL, 0, "4")])
    assert settlement.abstentions_B == (Abstention.NO_GROUND_TRUTH,)


@pytest.mark.parametrize(
    ("name", "field", "sign"), [("self-certainty", "self_certainty", 1), ("entropy", "entropy", -1)]
)
def test_a_statistic_is_the_reward_for_all_of_a_group_or_none(name: str, field: str, sign: int) -> None:
    group = [ballot(View.ORIGINAL, n, None)._replace(**{field: n + 0.5}) for n in range(3)]
    assert settle(method_named(name), group).rewards_B == tuple(sign * (n + 0.5) for n in range(3))
    for missing in (None, math.nan, math.inf):
        broken = [*group[:2], group[2]._replace(**{field: missing})]
        other_view = ballot(View.PARAPHRASE, 0, None)._replace(**{field: 1.0})
        settlement = settle(method_named(name), [*broken, other_view])
        assert settlement.abstentions_B == (Abstention.NO_STATISTICS,) * 3 + (None,)


@given(cohorts(), st.integers(1, 12), st.floats(0, 1))
def test_a_label_needs_its_votes_and_its_share(ballots: list[Ballot], votes: int, share: float) -> None:
    method = method_named("majority-voting")
    free = {label.view: label for label in settle(method, ballots).labels}
    bound = {label.view: label for label in settle(method, ballots, MethodParameters(votes, share)).labels}
    for view, label in free.items():
        assert (view in bound) == (label.votes >= votes and label.votes >= share * label.of)


def test_what_expired_says_so() -> None:
    lone = [ballot(View.ORIGINAL, 0, "4")]
    assert settle(method_named("co-rewarding-i"), lone, expired=True).abstentions_B == (Abstention.EXPIRED,)
    assert settle(method_named("majority-voting"), lone, expired=True).rewards_B == (1.0,)


def test_the_teacher_votes_for_its_own_methods() -> None:
    ballots = [
        ballot(View.ORIGINAL, 0, "1"),
        ballot(View.ORIGINAL, 0, "2")._replace(voter=Voter.TEACHER),
        ballot(View.PARAPHRASE, 0, "1")._replace(voter=Voter.TEACHER),
    ]
    assert settle(method_named("co-rewarding-ii"), ballots).rewards_B[0] == 0.0
    assert settle(method_named("co-rewarding-iii"), ballots).rewards_B[0] == 1.0


@pytest.mark.parametrize("texts", [["1/2", "0.5"], ["0.5", "1/2"]])
def test_of_several_truths_the_order_of_arrival_picks_none(texts: list[str]) -> None:
    """Two rollouts without indices say the same answer in two ways, and name different truths."""
    truth_of = {"1/2": "7", "0.5": "8"}
    ballots = [ballot(View.ORIGINAL, None, text, truth_of[text])._replace(answer_class="half") for text in texts]
    (label,) = settle(method_named("ground-truth"), ballots).labels
    assert label.answer == "8"
