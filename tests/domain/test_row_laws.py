"""Laws that hold for every row of the method table, whatever its five parts are."""

from random import Random

import pytest
from co_rewarding_schema.method_rules import Method, RewardShape
from co_rewarding_schema.methods import METHODS, method_named
from co_rewarding_schema.vocabulary import View, Voter
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import MethodParameters
from reward_service.domain.settlement import Settlement, settle
from tests.contract.election_model import Needs, Vote
from tests.methods.drawn_cohorts import LETTER_OF, Shape, ballots_of, draw_cohort, draw_needs, parameters_of

EVERY_ROW = pytest.mark.parametrize("name", METHODS)
CHANCE = st.integers(0, 2**32).map(Random)
"""Whole cohorts drawn from a seed: hypothesis would take ten times as long to draw each ballot by itself."""
NEW_NAMES = {"4": "6", "4.0": "6", "5": "4", "6": "7", "7": "5", "8": "8"}


def draw(rng: Random, name: str, *, ask_nothing: bool = False) -> tuple[Method, list[Ballot], MethodParameters]:
    """A cohort of the method, and the settings of its run; `ask_nothing`: whatever is elected gets its reward."""
    needs = Needs(0, 0.0) if ask_nothing else draw_needs(rng)
    return method_named(name), ballots_of(draw_cohort(rng, name, "q", needs, Shape()).votes), parameters_of(needs)


def labels_of(settlement: Settlement) -> dict[View, tuple[str, float, float]]:
    return {label.view: (label.answer_class, label.votes, label.of) for label in settlement.labels}


@EVERY_ROW
@given(rng=CHANCE)
def test_the_order_of_arrival_decides_nothing(name: str, rng: Random) -> None:
    method, ballots, parameters = draw(rng, name)
    order = rng.sample(range(len(ballots)), len(ballots))
    settled = settle(method, ballots, parameters)
    shuffled = settle(method, [ballots[place] for place in order], parameters)
    assert {*shuffled.labels} == {*settled.labels}
    assert shuffled.rewards_B == tuple(settled.rewards_B[place] for place in order)
    assert shuffled.abstentions_B == tuple(settled.abstentions_B[place] for place in order)


@EVERY_ROW
@given(rng=CHANCE)
def test_answers_by_other_names_earn_the_same(name: str, rng: Random) -> None:
    method, ballots, parameters = draw(rng, name)
    renamed = [
        each._replace(
            answer=each.answer and NEW_NAMES[each.answer],
            answer_class=each.answer_class and NEW_NAMES[each.answer_class],
            ground_truth_class=each.ground_truth_class and NEW_NAMES[each.ground_truth_class],
        )
        for each in ballots
    ]
    settled, other = settle(method, ballots, parameters), settle(method, renamed, parameters)
    assert other.rewards_B == settled.rewards_B
    assert other.abstentions_B == settled.abstentions_B
    expected = {view: (NEW_NAMES[answer], *counts) for view, (answer, *counts) in labels_of(settled).items()}
    assert labels_of(other) == expected


@EVERY_ROW
@given(rng=CHANCE)
def test_a_group_twice_as_large_of_the_same_answers_earns_the_same(name: str, rng: Random) -> None:
    method, ballots, parameters = draw(rng, name, ask_nothing=True)
    doubled = [each._replace(rollout=2 * (each.rollout or 0) + more) for each in ballots for more in (0, 1)]
    settled, other = settle(method, ballots, parameters), settle(method, doubled, parameters)
    assert labels_of(other) == {view: (answer, 2 * v, 2 * of) for view, (answer, v, of) in labels_of(settled).items()}
    if method.rules[View.ORIGINAL].reward is not RewardShape.DRAW:
        assert other.rewards_B == tuple(each for each in settled.rewards_B for _ in (0, 1))


@EVERY_ROW
@given(rng=CHANCE)
def test_rewards_and_shares_stay_in_their_bounds(name: str, rng: Random) -> None:
    method, ballots, parameters = draw(rng, name)
    settled = settle(method, ballots, parameters, instability_of={view: rng.random() for view in View})
    for label in settled.labels:
        assert label.share is None or 0 < label.share <= 1
        boxes = method.rules[label.view].boxes
        gave_it = [
            each for each in ballots if (each.voter, each.view) in boxes and each.answer_class == label.answer_class
        ]
        assert len(gave_it) >= parameters.min_votes or not label.of
    for reward, ballot in zip(settled.rewards_B, ballots, strict=True):
        if reward is not None and method.statistic is None:
            assert 0 <= reward <= 1
            assert reward == 0 or ballot.answer is not None or method.rules[ballot.view].reward is RewardShape.DRAW


@EVERY_ROW
@given(rng=CHANCE)
def test_equal_answers_earn_equally_and_a_group_abstains_as_one(name: str, rng: Random) -> None:
    method, ballots, parameters = draw(rng, name)
    settled = settle(method, ballots, parameters, instability_of={view: rng.random() for view in View})
    earned: dict[tuple[View, str | None], set[float | None]] = {}
    reasons: dict[View, set[str | None]] = {}
    for ballot, reward, why in zip(ballots, settled.rewards_B, settled.abstentions_B, strict=True):
        assert (reward is None) == (why is not None)
        reasons.setdefault(ballot.view, set()).add(why)
        earned.setdefault((ballot.view, ballot.answer_class), set()).add(reward)
    assert all(len(of_view) == 1 for of_view in reasons.values())
    if method.rules[View.ORIGINAL].reward not in {RewardShape.DRAW, RewardShape.STATISTIC}:
        assert all(len(of_class) == 1 for of_class in earned.values())


@EVERY_ROW
@given(rng=CHANCE, flips=st.floats(0, 1))
def test_a_question_that_all_answer_alike_earns_the_most(name: str, rng: Random, flips: float) -> None:
    method, ballots, parameters = draw(rng, name, ask_nothing=True)
    seen = {(ballot.voter, ballot.view) for ballot in ballots}
    alike = [
        each._replace(answer="4", answer_class="4", ground_truth="4", ground_truth_class="4", confidence=1.0)
        for each in ballots
    ]
    settled = settle(method, alike, parameters, instability_of=dict.fromkeys(View, flips))
    for ballot, reward in zip(alike, settled.rewards_B, strict=True):
        rule = method.rules[ballot.view]
        if ballot.voter is not Voter.POLICY or rule.reward in {RewardShape.DRAW, RewardShape.STATISTIC}:
            continue
        elected = {*rule.boxes} <= seen if name.endswith("harmony") else not rule.boxes or {*rule.boxes} & seen
        most = 1 - 0.5 * flips if "stability" in rule.gates else 1.0
        assert reward == (most if elected else None)


@EVERY_ROW
@given(rng=CHANCE, answers=st.permutations(["4", "5", "6"]))
def test_a_tie_goes_to_the_first_ballot(name: str, rng: Random, answers: list[str]) -> None:
    method = method_named(name)
    if not method.voters:
        return
    boxes = dict.fromkeys(box for rule in method.rules.values() for box in rule.boxes)
    policy = [ballot_at(view, 9, None) for view in View]
    ballots = [
        ballot_at(box.view, index, answer)._replace(voter=box.voter)
        for box in boxes
        for index, answer in enumerate(answers)
    ]
    rng.shuffle(ballots)
    settled = settle(method, [*policy, *ballots])
    assert [label.answer for label in settled.labels] == [answers[0]] * 2


def ballot_at(view: View, index: int, answer: str | None) -> Ballot:
    """The policy's ballot on a view, of full weight."""
    (made,) = ballots_of([Vote(LETTER_OF[view], index, answer, verified=False, confidence=1.0)])
    return made
