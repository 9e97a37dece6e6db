"""Compute figures of each column and of each pair of columns, judged by one reference grader."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median, pstdev

from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.settlement import mean
from reward_service.grading.verdicts import Grader
from reward_service.tools.replay.columns import Column
from reward_service.tools.replay.recording import Recording

Z_95 = 1.959964
"""Of the normal distribution 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole: `part` of `of`."""

    part: int
    of: int

    @property
    def value(self) -> float | None:
        """In [0, 1]; None of nothing."""
        return self.part / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of 95 %: between which shares of all questions the true one is likely to lie."""
        if not self.of:
            return None
        share, spread = self.part / self.of, Z_95**2 / self.of
        middle = (share + spread / 2) / (1 + spread)
        half = Z_95 * math.sqrt(share * (1 - share) / self.of + spread / (4 * self.of)) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class RewardFigures:
    """What a column's rewards would have taught. A mean over nothing is None.

    Attributes:
        mean, spread: of the rewards of the rollouts that were rewarded, `rewarded` in number; spread is the standard
            deviation.
        flat: of the groups that were rewarded, those whose rewards are all equal: nothing is learnt from them.
        advantage: mean size of the advantages, which are normalised within each group: (r - mean) / spread.
    """

    rewarded: int
    mean: float | None
    spread: float | None
    flat: Share
    advantage: float | None


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """A column's figures. A mean over nothing is None.

    Attributes:
        label_accuracy: of the labels whose question has a ground truth, those that equal it for the reference grader.
        coverage: of the groups, those that have a label.
        rewards: the figures of the rewards, by rollouts and by groups.
        undecided: comparisons that the column's own grader gave up on.
        cohorts: what was decided together: one view of a question or both, as the method needs.
        cpu_ms_median, cpu_ms_p99: CPU time of grading a cohort, in milliseconds; p99 is the nearest rank.
    """

    method: str
    grader: str
    label_accuracy: Share
    coverage: Share
    rewards: RewardFigures
    undecided: int
    cohorts: int
    cpu_ms_median: float | None
    cpu_ms_p99: float | None

    @property
    def reward_mean(self) -> float | None:
        """Over the rollouts that were rewarded."""
        return self.rewards.mean

    @property
    def rewarded(self) -> int:
        """How many rollouts were."""
        return self.rewards.rewarded


@dataclass(frozen=True, slots=True)
class Agreement:
    """Tells how far two columns agree, `first` and `second` by their place.

    `labels` are those that are equal for the reference grader, of the groups that both label; `rewards` are those that
    are the same, of the rollouts that both reward.
    """

    first: int
    second: int
    labels: Share
    rewards: Share

    @property
    def comparable(self) -> bool:
        """Whether they have anything in common to be compared."""
        return self.labels.of > 0 or self.rewards.of > 0


class ReferenceGrader:
    """The reference grader. It compares two answers at a time, so that no column has a say in another's figures."""

    def __init__(self, grader: Grader, conventions: Conventions) -> None:
        """What it was asked once it remembers."""
        self._grader = grader
        self._conventions = conventions
        self._right: dict[tuple[str, str], bool] = {}
        self._equal: dict[frozenset[str], bool] = {}
        self.undecided = 0

    async def right(self, truth: str, label: str) -> bool:
        """Whether a label matches the ground truth."""
        key = truth, label
        if key not in self._right:
            matches = await self._grader.match(truth, [label], self._conventions)
            self.undecided += matches.undecided
            self._right[key] = label in matches.equal
        return self._right[key]

    async def equal(self, one: str, other: str) -> bool:
        """Whether two labels are equal."""
        if one == other:
            return True
        key = frozenset((one, other))
        if key not in self._equal:
            classes = await self._grader.classify([one, other], self._conventions)
            self.undecided += classes.undecided
            self._equal[key] = classes.class_of[one] == classes.class_of[other]
        return self._equal[key]


async def figures_of(column: Column, recording: Recording, judge: ReferenceGrader) -> ColumnFigures:
    """A column's figures."""
    labels = right = judged = 0
    for question, settled in zip(recording.questions_Q, column.settled_Q, strict=True):
        for view, label in settled.labels.items():
            labels += 1
            truth = question.truths.get(view)
            if truth is not None:
                judged += 1
                right += await judge.right(truth, label)
    has_labels = METHODS[column.method].has_labels
    groups = sum(len(question.views) for question in recording.questions_Q) if has_labels else 0
    cpu_ms = sorted(1000 * seconds for seconds in column.cohort_cpu_s)
    return ColumnFigures(
        method=column.method,
        grader=column.grader,
        label_accuracy=Share(right, judged),
        coverage=Share(labels, groups),
        rewards=reward_figures(column, recording),
        undecided=column.undecided,
        cohorts=len(cpu_ms),
        cpu_ms_median=median(cpu_ms) if cpu_ms else None,
        cpu_ms_p99=nearest_rank(cpu_ms, 0.99) if cpu_ms else None,
    )


def reward_figures(column: Column, recording: Recording) -> RewardFigures:
    """The figures of a column's rewards."""
    groups: list[list[float]] = []
    for question, settled in zip(recording.questions_Q, column.settled_Q, strict=True):
        paired = list(zip(question.ballots_B, settled.rewards_B, strict=True))
        groups += [[r for ballot, r in paired if ballot.view is view and r is not None] for view in question.views]
    groups = [group for group in groups if group]
    rewards = [reward for group in groups for reward in group]
    advantages = [abs(advantage) for group in groups for advantage in advantages_of(group)]
    return RewardFigures(
        rewarded=len(rewards),
        mean=mean(rewards),
        spread=pstdev(rewards) if rewards else None,
        flat=Share(sum(len(set(group)) == 1 for group in groups), len(groups)),
        advantage=mean(advantages),
    )


def advantages_of(rewards_G: Sequence[float]) -> list[float]:
    """Return each reward's distance from the group's mean, in spreads of the group; 0 where all rewards are equal."""
    if len(set(rewards_G)) < 2:
        return [0.0] * len(rewards_G)
    middle, spread = fmean(rewards_G), pstdev(rewards_G)
    return [(reward - middle) / spread for reward in rewards_G]


async def agreements_of(columns: Sequence[Column], judge: ReferenceGrader) -> list[Agreement]:
    """How each pair of columns agrees."""
    return [
        Agreement(
            first, second, await _labels(columns[first], columns[second], judge), _rewards(columns, first, second)
        )
        for first, second in combinations(range(len(columns)), 2)
    ]


def nearest_rank(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least such a share of the values does not exceed."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


async def _labels(one: Column, other: Column, judge: ReferenceGrader) -> Share:
    pairs = [
        (mine.labels[view], theirs.labels[view])
        for mine, theirs in zip(one.settled_Q, other.settled_Q, strict=True)
        for view in mine.labels
        if view in theirs.labels
    ]
    equal = 0
    for mine, theirs in pairs:
        equal += await judge.equal(mine, theirs)
    return Share(equal, len(pairs))


def _rewards(columns: Sequence[Column], first: int, second: int) -> Share:
    pairs = list(_both_rewarded(columns[first], columns[second]))
    return Share(sum(mine == theirs for mine, theirs in pairs), len(pairs))


def _both_rewarded(one: Column, other: Column) -> Iterator[tuple[float, float]]:
    for mine_B, theirs_B in zip(one.settled_Q, other.settled_Q, strict=True):
        for mine, theirs in zip(mine_B.rewards_B, theirs_B.rewards_B, strict=True):
            if mine is not None and theirs is not None:
                yield mine, theirs
