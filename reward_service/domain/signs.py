"""Sum up the signs of a collapse: what settled groups say of a policy that comes to give one answer to everything."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from co_rewarding_schema.vocabulary import Abstention

from reward_service.domain.cohort import Ballot, ElectedLabel


class SignSums(NamedTuple):
    """Sums over settled groups, a group being the rollouts of one view of a cohort. Sums of sums are sums.

    Attributes:
        groups, rollouts, answered: how many; of the rollouts, those with an answer.
        distinct: classes of answers, over groups.
        labels: labels that were elected.
        votes: the shares of the electorates behind the labels.
        agreement: the shares of the views' own rollouts that gave their labels.
        pairs, same: questions both of whose views were labelled, together or, by a history, apart; with one label.
        measured, length: rollouts that came with their length, and their tokens.
        rewarded, reward: rollouts with a reward, and the sum of the rewards.
        truths, right: labels that came with a ground truth, and those that equal it.
        no_label, expired, ...: rollouts without a reward, by the reason.
    """

    groups: int = 0
    rollouts: int = 0
    answered: int = 0
    distinct: int = 0
    labels: int = 0
    votes: float = 0.0
    agreement: float = 0.0
    pairs: int = 0
    same: int = 0
    measured: int = 0
    length: int = 0
    rewarded: int = 0
    reward: float = 0.0
    truths: int = 0
    right: int = 0
    no_label: int = 0
    expired: int = 0
    no_ground_truth: int = 0
    no_statistics: int = 0
    quarantined: int = 0
    gated: int = 0

    @property
    def distinct_answers(self) -> float | None:
        """Return the different answers in a group, the mean."""
        return _ratio(self.distinct, self.groups)

    @property
    def mean_reward(self) -> float | None:
        """Return the mean of the rewards."""
        return _ratio(self.reward, self.rewarded)

    @property
    def label_accuracy(self) -> float | None:
        """Return the share of labels that equal the ground truth, where one came."""
        return _ratio(self.right, self.truths)

    @property
    def abstentions(self) -> dict[Abstention, int]:
        """Return the reasons for which rollouts have no reward, and of how many."""
        counts = self[-len(Abstention) :]
        return {reason: int(count) for reason, count in zip(Abstention, counts, strict=True) if count}


class Signs(NamedTuple):
    """The signs as means; None where there is none. `top_share` is that of a whole step."""

    distinct_answers: float | None
    vote_share: float | None
    label_agreement: float | None
    view_agreement: float | None
    answered: float | None
    length: float | None
    reward: float | None
    label_accuracy: float | None
    top_share: float | None


def signs_of(sums: SignSums, top: int) -> Signs:
    """Return the means of sums; `top` is how many rollouts gave the most frequent answer."""
    return Signs(
        distinct_answers=sums.distinct_answers,
        vote_share=_ratio(sums.votes, sums.labels),
        label_agreement=_ratio(sums.agreement, sums.labels),
        view_agreement=_ratio(sums.same, sums.pairs),
        answered=_ratio(sums.answered, sums.rollouts),
        length=_ratio(sums.length, sums.measured),
        reward=sums.mean_reward,
        label_accuracy=sums.label_accuracy,
        top_share=_ratio(top, sums.answered),
    )


def agreement_of(label: ElectedLabel, ballots: Iterable[Ballot]) -> float:
    """Return the share of the counted ballots of the label's view that gave the label."""
    own = [ballot.answer_class for ballot in ballots if ballot.view is label.view and ballot.counted]
    return own.count(label.answer_class) / len(own) if own else 0.0


def _ratio(total: float, count: float) -> float | None:
    """Return a mean; None where there is nothing to average, and of rewards whose sum no float holds."""
    return total / count if count and math.isfinite(total) else None
