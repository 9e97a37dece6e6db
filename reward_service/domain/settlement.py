"""Settle a closed cohort: elect labels, reward ballots, and summarise a batch."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from co_rewarding_schema.methods import BY_GROUND_TRUTH, Method, RewardSource, Statistic
from co_rewarding_schema.vocabulary import Abstention, View, Voter

from reward_service.domain.cohort import Ballot, ElectedLabel

Rank = tuple[int, int, int, str, str]


class Winner(NamedTuple):
    """The class that won an election: a representative answer, its votes, and the ballots it was chosen from."""

    answer: str
    answer_class: str
    votes: int
    of: int


def rank(ballot: Ballot) -> Rank:
    """Return a ballot's place in the order that breaks ties: by rollout index, or by key where there is none.

    Where two views vote together the original's rollout comes before the paraphrase's of the same index.
    """
    key = ballot.answer_class or ""
    if ballot.rollout is None:
        return (1, 0, 0, key, ballot.answer or "")
    return (0, ballot.rollout, int(ballot.view is not View.ORIGINAL), key, ballot.answer or "")


def elect(ballots: Iterable[Ballot]) -> Winner | None:
    """Elect the largest class of the ballots; None if not one of them holds an answer.

    A tie goes to the class whose first ballot ranks lowest. Ballots without an answer do not vote, and count in `of`.
    Invariant under any permutation of the ballots and under any relabelling of classes that carry indices.
    """
    cast: dict[str, list[Ballot]] = {}
    of = 0
    for ballot in ballots:
        of += 1
        answer_class = ballot.answer_class
        if answer_class is not None and ballot.answer is not None:
            if answer_class in cast:
                cast[answer_class].append(ballot)
            else:
                cast[answer_class] = [ballot]
    if not cast:
        return None
    votes = max(map(len, cast.values()))
    largest = [(key, those) for key, those in cast.items() if len(those) == votes]
    if len(largest) == 1 and len({ballot.answer for ballot in largest[0][1]}) == 1:
        return Winner(largest[0][1][0].answer or "", largest[0][0], votes, of)
    # Who comes first is asked only where it decides something: a tie, or which of several texts speaks for a class.
    (*_, answer), elected = min((min(map(rank, those)), key) for key, those in largest)
    return Winner(answer, elected, votes, of)


class ElectionRules(NamedTuple):
    """The votes and the share of its electorate that a label needs before it may reward."""

    min_votes: int = 1
    min_vote_share: float = 0.0


class Settlement(NamedTuple):
    """The result of a cohort, in the order of its B ballots: of each reward and abstention one is None."""

    labels: tuple[ElectedLabel, ...]
    rewards_B: tuple[float | None, ...]
    abstentions_B: tuple[Abstention | None, ...]

    @property
    def elected(self) -> bool:
        """Return whether anything in the cohort was rewarded."""
        return any(reward is not None for reward in self.rewards_B)


def settle(
    method: Method,
    ballots_B: Sequence[Ballot],
    rules: ElectionRules | None = None,
    *,
    electors_E: Sequence[Ballot] = (),
    expired: bool = False,
) -> Settlement:
    """Return labels and rewards of a cohort's ballots under a method.

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
    labels: Sequence[ElectedLabel], ballots_B: Sequence[Ballot], missing: Abstention = Abstention.NO_LABEL
) -> Settlement:
    """Reward ballots under labels that stand: 1 for the label's class, 0 for any other answer or for none.

    Late ballots come here with the labels of their cohort. Views without a label abstain with `missing`.
    """
    class_of = {label.view: label.answer_class for label in labels}
    rewards_B: list[float | None] = []
    abstentions_B: list[Abstention | None] = []
    for ballot in ballots_B:
        elected = class_of.get(ballot.view)
        rewards_B.append(None if elected is None else 1.0 if ballot.answer_class == elected else 0.0)
        abstentions_B.append(missing if elected is None else None)
    return Settlement(tuple(labels), tuple(rewards_B), tuple(abstentions_B))


def withheld(settlement: Settlement) -> Settlement:
    """Return the same ballots without labels and rewards: their pair is in quarantine."""
    count = len(settlement.rewards_B)
    return Settlement((), (None,) * count, (Abstention.QUARANTINED,) * count)


def _elected_labels(method: Method, ballots_B: Sequence[Ballot], rules: ElectionRules) -> list[ElectedLabel]:
    labels: list[ElectedLabel] = []
    truth_of = _truths(ballots_B) if any(ballot.ground_truth is not None for ballot in ballots_B) else {}
    policy = Voter.POLICY  # to look up a member of an enum costs more than to compare it
    rewarded = {ballot.view for ballot in ballots_B if ballot.voter is policy}
    for view, electorate in method.electorates.items():
        if view not in rewarded:
            continue
        voter, views = electorate.voter, electorate.views
        electors = [ballot for ballot in ballots_B if ballot.voter is voter and ballot.view in views and ballot.counted]
        winner = elect(electors)
        if winner is None or winner.votes < rules.min_votes or winner.votes < rules.min_vote_share * winner.of:
            continue
        truth = truth_of.get(view)
        labels.append(
            ElectedLabel(
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
    """Return the teacher's version behind a label; the oldest one if different versions answered the views."""
    return min((ballot.version for ballot in electors if ballot.version is not None), default=None)


def _given_labels(ballots_B: Sequence[Ballot]) -> list[ElectedLabel]:
    return [
        ElectedLabel(view, answer, answer_class, 0, 0, voter=BY_GROUND_TRUTH, voted_on=(), matches_truth=True)
        for view, (answer, answer_class) in _truths(ballots_B).items()
    ]


def _truths(ballots_B: Sequence[Ballot]) -> dict[View, tuple[str, str]]:
    """Return each view's ground truth: of its lowest ranked ballot that has one, else of the other view (x′ ≡ x)."""
    found: dict[View, tuple[str, str]] = {}
    for ballot in sorted((ballot for ballot in ballots_B if ballot.ground_truth is not None), key=rank):
        if ballot.ground_truth is not None and ballot.ground_truth_class is not None:
            found.setdefault(ballot.view, (ballot.ground_truth, ballot.ground_truth_class))
    if not found:
        return {}
    anyone = found.get(View.ORIGINAL) or found[View.PARAPHRASE]
    return {view: found.get(view, anyone) for view in View if any(b.view is view for b in ballots_B)}


def _by_statistic(method: Method, ballots_B: Sequence[Ballot]) -> Settlement:
    """Reward each rollout by its own statistic; a group in which one is missing or not finite abstains."""
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


class GroupOutcome(NamedTuple):
    """One view of a question as it was rewarded: its classes of answers, its rollouts with an answer, its rewards."""

    distinct: int
    answered: int
    rewards_G: Sequence[float | None]


class CountedLabel(Protocol):
    """A label, elected or as it is answered, with what a summary is made of."""

    @property
    def votes(self) -> int:
        """Return the ballots for the label."""
        ...

    @property
    def of(self) -> int:
        """Return the ballots of its electorate; 0 for a label that nobody elected."""
        ...

    @property
    def matches_truth(self) -> bool | None:
        """Return whether the label is the ground truth; None where none was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over a batch. Shares are in [0, 1]; a mean over nothing is None: 0 would be taken for a measurement.

    Attributes:
        reward_mean: over the rollouts that were rewarded; None where all abstained.
        label_coverage: the share of groups that were rewarded.
        vote_share_mean: over elected labels, votes over ballots of the electorate.
        answers_distinct_mean: over groups, classes of answers.
        answered: the share of rollouts that held an answer.
        undecided: comparisons that the grader could not decide.
        label_accuracy: the share of labels that equal the ground truth, where one was sent.
    """

    reward_mean: float | None
    label_coverage: float | None
    vote_share_mean: float | None
    answers_distinct_mean: float | None
    answered: float | None
    undecided: int
    label_accuracy: float | None


def summarise(groups: Sequence[GroupOutcome], labels: Sequence[CountedLabel], undecided: int = 0) -> Summary:
    """Summarise groups and the labels they were rewarded by."""
    rewards = [reward for group in groups for reward in group.rewards_G if reward is not None]
    rollouts = sum(len(group.rewards_G) for group in groups)
    shares = [label.votes / label.of for label in labels if label.of]
    matches = [label.matches_truth for label in labels if label.matches_truth is not None]
    return Summary(
        reward_mean=mean(rewards),
        label_coverage=mean([any(reward is not None for reward in group.rewards_G) for group in groups]),
        vote_share_mean=mean(shares),
        answers_distinct_mean=mean([group.distinct for group in groups]),
        answered=sum(group.answered for group in groups) / rollouts if rollouts else None,
        undecided=undecided,
        label_accuracy=mean(matches),
    )


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, also of numbers whose sum no float holds; None of nothing."""
    if not values:
        return None
    total = sum(values)
    if math.isfinite(total):
        return total / len(values)
    return float(sum(map(Fraction, values)) / len(values))  # the sum overflows, and no mean does
