"""The numbers that travel with a batch's rewards: what a person watches for collapse."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reward_service.domain.types import Label


class Outcome(NamedTuple):
    """One rollout as it was rewarded; `group` names its question and view, whatever stands for them."""

    group: Hashable
    answer_class: Hashable | None
    reward: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over a batch. Shares are in [0, 1]; a mean over nothing is 0, but `label_accuracy` is None without truths.

    Attributes:
        reward_mean: over the rollouts that were rewarded.
        label_coverage: the share of groups that were rewarded.
        vote_share_mean: over elected labels, votes over ballots of the electorate.
        answers_distinct_mean: over groups, classes of answers.
        answered: the share of rollouts that held an answer.
        undecided: comparisons that the grader could not decide.
        label_accuracy: the share of labels that equal the ground truth, where one was sent.
    """

    reward_mean: float
    label_coverage: float
    vote_share_mean: float
    answers_distinct_mean: float
    answered: float
    undecided: int
    label_accuracy: float | None


def summarise(outcomes_N: Sequence[Outcome], labels: Sequence[Label], undecided: int = 0) -> Summary:
    """The summary of N rollouts and the labels they were rewarded by."""
    classes: dict[Hashable, set[Hashable]] = {}
    rewarded: dict[Hashable, bool] = {}
    rewards: list[float] = []
    answered = 0
    for group, answer_class, reward in outcomes_N:
        seen = classes.get(group)
        if seen is None:
            seen = classes[group] = set()
        if answer_class is not None:
            answered += 1
            seen.add(answer_class)
        rewarded[group] = reward is not None
        if reward is not None:
            rewards.append(reward)
    shares = [label.share for label in labels if label.share is not None]
    matches = [label.matches_truth for label in labels if label.matches_truth is not None]
    return Summary(
        reward_mean=_mean(rewards),
        label_coverage=_mean(list(rewarded.values())),
        vote_share_mean=_mean(shares),
        answers_distinct_mean=_mean([len(seen) for seen in classes.values()]),
        answered=answered / len(outcomes_N) if outcomes_N else 0.0,
        undecided=undecided,
        label_accuracy=_mean(matches) if matches else None,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
