"""From a closed cohort to labels and rewards: the one place where a rollout earns anything."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from co_rewarding_schema.methods import BY_GROUND_TRUTH, Method, RewardSource, Statistic
from co_rewarding_schema.vocabulary import Abstention, View, Voter

from reward_service.domain.types import Ballot, Label
from reward_service.domain.voting import elect, rank


@dataclass(frozen=True, slots=True)
class ElectionRules:
    """What a label needs before it may reward: at least so many votes, and at least such a share of its electorate."""

    min_votes: int = 1
    min_vote_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a cohort came to, in the order of its B ballots: of each reward and abstention one is None."""

    labels: tuple[Label, ...]
    rewards_B: tuple[float | None, ...]
    abstentions_B: tuple[Abstention | None, ...]

    @property
    def elected(self) -> bool:
        """Whether anything in the cohort was rewarded."""
        return any(reward is not None for reward in self.rewards_B)


def settle(
    method: Method,
    ballots_B: Sequence[Ballot],
    rules: ElectionRules | None = None,
    *,
    electors_E: Sequence[Ballot] = (),
    expired: bool = False,
) -> Settlement:
    """Labels and rewards of a cohort's ballots under a method.

    Args:
        method: a row of the table; its electorates name voters and views.
        ballots_B: every ballot of the cohort, in any order, each identity once.
        rules: what a label needs to be elected.
        electors_E: ballots that vote and earn nothing: those that the service's own teacher has cast.
        expired: the deadline passed before the quorum; a label that is missing then abstains as `expired`.

    Source: arXiv 2508.00410, eq. 7-8 (I), 10 (II); equality of answers stands for the paper's string equality.
    """
    rules = rules or ElectionRules()
    missing = Abstention.EXPIRED if expired else Abstention.NO_LABEL
    match method.source:
        case RewardSource.VOTE:
            labels = _elected_labels(method, [*ballots_B, *electors_E] if electors_E else ballots_B, rules)
            return settle_under(labels, ballots_B, missing)
        case RewardSource.GROUND_TRUTH:
            labels = _given_labels(ballots_B)
            return settle_under(labels, ballots_B, Abstention.NO_GROUND_TRUTH)
        case RewardSource.STATISTIC:
            return _by_statistic(method, ballots_B)


def settle_under(
    labels: Sequence[Label], ballots_B: Sequence[Ballot], missing: Abstention = Abstention.NO_LABEL
) -> Settlement:
    """Rewards of ballots under labels that stand: 1 for the label's class, 0 for any other answer or for none.

    Late ballots come here with the labels of their cohort. Views without a label abstain with `missing`.
    """
    class_of = {label.view: label.answer_class for label in labels}
    rewards_B: list[float | None] = []
    abstentions_B: list[Abstention | None] = []
    # A view is asked for by identity: to look an enum's member up costs more than all the rest of this loop.
    original, paraphrase = class_of.get(View.ORIGINAL), class_of.get(View.PARAPHRASE)
    for ballot in ballots_B:
        elected = original if ballot.view is View.ORIGINAL else paraphrase
        rewards_B.append(None if elected is None else float(ballot.answer_class == elected))
        abstentions_B.append(missing if elected is None else None)
    return Settlement(tuple(labels), tuple(rewards_B), tuple(abstentions_B))


def withheld(settlement: Settlement) -> Settlement:
    """The same ballots without labels and rewards: their pair is in quarantine."""
    count = len(settlement.rewards_B)
    return Settlement((), (None,) * count, (Abstention.QUARANTINED,) * count)


def _elected_labels(method: Method, ballots_B: Sequence[Ballot], rules: ElectionRules) -> list[Label]:
    labels: list[Label] = []
    truth_of = _truths(ballots_B) if any(ballot.ground_truth is not None for ballot in ballots_B) else {}
    for view in View:
        if not any(ballot.view is view and ballot.voter is Voter.POLICY for ballot in ballots_B):
            continue
        electorate = method.electorates[view]
        electors = [
            ballot
            for ballot in ballots_B
            if ballot.voter is electorate.voter and ballot.view in electorate.views and ballot.counted
        ]
        winner = elect(electors)
        if winner is None or winner.votes < rules.min_votes or winner.votes < rules.min_vote_share * winner.of:
            continue
        truth = truth_of.get(view)
        labels.append(
            Label(
                view=view,
                answer=winner.answer,
                answer_class=winner.answer_class,
                votes=winner.votes,
                of=winner.of,
                voter=electorate.voter,
                voted_on=electorate.views,
                matches_truth=None if truth is None else truth[1] == winner.answer_class,
                version=_version(electors) if electorate.voter is Voter.TEACHER else None,
            )
        )
    return labels


def _version(electors: Sequence[Ballot]) -> int | None:
    """The teacher's version behind a label; the oldest one, should views have been answered by different ones."""
    return min((ballot.version for ballot in electors if ballot.version is not None), default=None)


def _given_labels(ballots_B: Sequence[Ballot]) -> list[Label]:
    return [
        Label(view, answer, answer_class, 0, 0, voter=BY_GROUND_TRUTH, voted_on=(), matches_truth=True)
        for view, (answer, answer_class) in _truths(ballots_B).items()
    ]


def _truths(ballots_B: Sequence[Ballot]) -> dict[View, tuple[str, str]]:
    """Each view's ground truth: that of its lowest ranked ballot which carries one, else the other view's (x′ ≡ x)."""
    found: dict[View, tuple[str, str]] = {}
    for ballot in sorted((ballot for ballot in ballots_B if ballot.ground_truth is not None), key=rank):
        if ballot.ground_truth is not None and ballot.ground_truth_class is not None:
            found.setdefault(ballot.view, (ballot.ground_truth, ballot.ground_truth_class))
    if not found:
        return {}
    anyone = found.get(View.ORIGINAL) or found[View.PARAPHRASE]
    return {view: found.get(view, anyone) for view in View if any(b.view is view for b in ballots_B)}


def _by_statistic(method: Method, ballots_B: Sequence[Ballot]) -> Settlement:
    """Each rollout's own statistic; a group in which one is missing or not finite abstains, all of it."""
    read: Callable[[Ballot], float | None] = (
        (lambda ballot: ballot.self_certainty)
        if method.statistic is Statistic.SELF_CERTAINTY
        else (lambda ballot: ballot.entropy)
    )
    values_B = [read(ballot) for ballot in ballots_B]
    whole: Mapping[View, bool] = {
        view: all(
            value is not None and math.isfinite(value)
            for value, ballot in zip(values_B, ballots_B, strict=True)
            if ballot.view is view
        )
        for view in View
    }
    rewards_B = tuple(
        method.sign * value if value is not None and whole[ballot.view] else None
        for value, ballot in zip(values_B, ballots_B, strict=True)
    )
    abstentions_B = tuple(None if reward is not None else Abstention.NO_STATISTICS for reward in rewards_B)
    return Settlement((), rewards_B, abstentions_B)
