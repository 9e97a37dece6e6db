"""Sum up a whole file batch by batch, and keep only numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from co_rewarding_client import Rewards
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import View

from reward_service.tools.replay.batches import Batch
from reward_service.tools.replay.rewarding import Scored, why_no_answer


@dataclass(frozen=True, slots=True)
class Totals:
    """A file's numbers. Shares are in [0, 1]; a mean over nothing is None.

    Attributes:
        cohorts: what was decided together: a question's view, or both where the method needs both.
        groups: the rollouts of one view of one question in one step are a group.
        groups_rewarded: those that did not abstain.
        vote_share_mean: over elected labels, votes over ballots of the electorate.
        answers_distinct_mean: over groups, classes of equal answers.
        reward_mean: over rewarded rollouts.
        labels_judged: labels that could be compared with a ground truth.
        label_accuracy: the share of these that equal it.
        undecided: comparisons that the grader could not decide.
        abstentions, unanswered: rollouts, by reason.
        views: the views there were, with their groups.
    """

    method: str
    rollouts: int
    cohorts: int
    groups: int
    groups_rewarded: int
    answered: int
    vote_share_mean: float | None
    answers_distinct_mean: float | None
    reward_mean: float | None
    labels_judged: int
    label_accuracy: float | None
    undecided: int
    abstentions: Mapping[str, int]
    unanswered: Mapping[str, int]
    views: Mapping[str, int]


@dataclass(slots=True)
class _Sum:
    """A mean in the making; exact, since a sum of rewards may be more than a float holds."""

    total: Fraction = Fraction()
    count: int = 0

    def add(self, total: float | Fraction, count: int = 1) -> None:
        self.total += Fraction(total)
        self.count += count

    @property
    def mean(self) -> float | None:
        return float(self.total / self.count) if self.count else None


@dataclass(slots=True)
class ScoreTally:
    """Sums over the batches of a file. `plain_answers` is the layout's, and only changes words."""

    plain_answers: bool = False
    _method: str = ""
    _rollouts: int = 0
    _cohorts: int = 0
    _groups_rewarded: int = 0
    _undecided: int = 0
    _shares: _Sum = field(default_factory=_Sum)
    _distinct: _Sum = field(default_factory=_Sum)
    _rewards: _Sum = field(default_factory=_Sum)
    _judged: _Sum = field(default_factory=_Sum)
    _abstentions: Counter[str] = field(default_factory=Counter)
    _unanswered: Counter[str] = field(default_factory=Counter)
    _views: Counter[str] = field(default_factory=Counter)

    def add(self, scored: Scored) -> None:
        """Adds a batch."""
        batch, rewards = scored.batch, scored.rewards
        self._method = rewards.method
        self._rollouts += len(batch.rollouts_B)
        groups = {(rollout.question_id, rollout.view) for rollout in batch.rollouts_B}
        self._views.update(view for _, view in groups)
        self._cohorts += len({(question, _decided_with(rewards.method, view)) for question, view in groups})
        self._groups_rewarded += len(_rewarded_groups(batch, rewards))
        self._add_metrics(rewards, len(groups))
        truths = {rollout.question_id for rollout in batch.rollouts_B if rollout.ground_truth is not None}
        self._add_labels(rewards, truths)
        self._add_rollouts(batch, rewards)

    def totals(self) -> Totals:
        """The sums so far."""
        return Totals(
            method=self._method,
            rollouts=self._rollouts,
            cohorts=self._cohorts,
            groups=self._views.total(),
            groups_rewarded=self._groups_rewarded,
            answered=self._rollouts - self._unanswered.total(),
            vote_share_mean=self._shares.mean,
            answers_distinct_mean=self._distinct.mean,
            reward_mean=self._rewards.mean,
            labels_judged=self._judged.count,
            label_accuracy=self._judged.mean,
            undecided=self._undecided,
            abstentions=dict(self._abstentions.most_common()),
            unanswered=dict(self._unanswered.most_common()),
            views=dict(self._views),
        )

    def _add_metrics(self, rewards: Rewards, groups: int) -> None:
        """What only the service knows, since it has the classes: its means over the batch, as sums."""
        self._distinct.add((rewards.metrics.get("answers_distinct_mean") or 0.0) * groups, groups)
        self._undecided += round(rewards.metrics.get("undecided") or 0.0)

    def _add_labels(self, rewards: Rewards, truths: set[str]) -> None:
        for label in rewards.labels:
            if label.of:
                self._shares.add(label.votes / label.of)
        accuracy = rewards.metrics.get("label_accuracy")
        if accuracy is not None:
            judged = sum(label.question_id in truths for label in rewards.labels)
            self._judged.add(round(accuracy * judged), judged)  # the number of labels that match is a whole one

    def _add_rollouts(self, batch: Batch, rewards: Rewards) -> None:
        given = [reward for reward in rewards.rewards if reward is not None]
        self._rewards.add(sum(map(Fraction, given), Fraction()), len(given))
        self._abstentions.update(reason for reason in rewards.abstentions if reason is not None)
        self._unanswered.update(
            why_no_answer(rollout.response, plain=self.plain_answers)
            for rollout, answer in zip(batch.rollouts_B, rewards.answers, strict=True)
            if answer is None
        )


def _decided_with(method: str, view: str) -> tuple[str, ...]:
    """The views of a view's cohort; both, where a service knows a method that this release does not."""
    row = METHODS.get(method)
    return tuple(View) if row is None else row.views_decided_with(View(view))


def _rewarded_groups(batch: Batch, rewards: Rewards) -> set[tuple[str, str]]:
    return {
        (rollout.question_id, rollout.view)
        for rollout, reward in zip(batch.rollouts_B, rewards.rewards, strict=True)
        if reward is not None
    }
