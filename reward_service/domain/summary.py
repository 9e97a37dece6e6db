"""Summarise a batch: means over its groups and over the labels by which they were rewarded."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from reward_service.domain.elections import Count


class GroupOutcome(NamedTuple):
    """One view of a question as it was rewarded: its classes of answers, its rollouts with an answer, its rewards."""

    distinct: int
    answered: int
    rewards_G: Sequence[float | None]


class CountedLabel(Protocol):
    """A label, elected or as it is answered, with what a summary is made of."""

    @property
    def votes(self) -> Count:
        """Return the ballots for the label."""
        ...

    @property
    def of(self) -> Count:
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
    given = [[reward for reward in group.rewards_G if reward is not None] for group in groups]
    rollouts = sum(len(group.rewards_G) for group in groups)
    shares = [label.votes / label.of for label in labels if label.of]
    matches = [label.matches_truth for label in labels if label.matches_truth is not None]
    return Summary(
        reward_mean=mean([*itertools.chain.from_iterable(given)]),
        label_coverage=mean([bool(rewards) for rewards in given]),
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
