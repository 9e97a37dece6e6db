"""Say which runs need a look, and why: rules over the signs of a run's latest steps."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from reward_service.domain.signs import SignSums, signs_of

ONE_ANSWER_SHARE = 0.25
ONE_ANSWER_GROWTH = 2.0
FALLEN_ACCURACY = 0.1
ABSTAINING_SHARE = 0.2
UNANSWERED_SHARE = 0.2
VIEWS_APART = 0.5
LAGGING_STEPS = 2
QUIET_S = 600.0


class Concern(StrEnum):
    """Why a run needs a look, those that need it most first."""

    ONE_ANSWER = "one-answer"
    """One answer to everything: its share of all answers of a step is large, and has doubled."""
    ACCURACY_FALLS = "accuracy-falls"
    """Labels are wrong more often than they were, where ground truths were sent."""
    ABSTAINS = "abstains"
    """Many rollouts have no reward."""
    UNANSWERED = "unanswered"
    """Many rollouts have no answer."""
    VIEWS_DISAGREE = "views-disagree"
    """The two views of most questions have different labels."""
    TEACHER_LAGS = "teacher-lags"
    """The teacher is some steps behind the newest weights."""
    QUIET = "quiet"
    """Cohorts are open, and nothing has come for a while."""


class Point(NamedTuple):
    """The signs of one step; `top` is how many rollouts gave the most frequent answer."""

    sums: SignSums
    top: int


def concerns_of(points: Sequence[Point], *, opened: int, unused_s: float, lag: int) -> list[Concern]:
    """Return why a run needs a look.

    `points` are its latest steps in their order, `opened` its open cohorts, `unused_s` the time since it was used, and
    `lag` the steps that its teacher is behind.
    """
    of_steps = list(_of_steps(points)) if points else []
    others = (Concern.TEACHER_LAGS, lag >= LAGGING_STEPS), (Concern.QUIET, bool(opened) and unused_s > QUIET_S)
    return of_steps + [concern for concern, holds in others if holds]


def _of_steps(points: Sequence[Point]) -> Iterator[Concern]:
    first, latest = points[0], points[-1]
    began, now = signs_of(first.sums, first.top), signs_of(latest.sums, latest.top)
    if now.top_share is not None and began.top_share is not None:
        grown = now.top_share >= ONE_ANSWER_GROWTH * began.top_share
        if grown and now.top_share >= ONE_ANSWER_SHARE:
            yield Concern.ONE_ANSWER
    accuracies = [each.sums.right / each.sums.truths for each in points if each.sums.truths]
    if accuracies and now.label_accuracy is not None and now.label_accuracy < max(accuracies) - FALLEN_ACCURACY:
        yield Concern.ACCURACY_FALLS
    sums = latest.sums
    without = sum(sums.abstentions.values())
    if without > ABSTAINING_SHARE * (without + sums.rewarded):
        yield Concern.ABSTAINS
    if now.answered is not None and now.answered < 1 - UNANSWERED_SHARE:
        yield Concern.UNANSWERED
    if now.view_agreement is not None and now.view_agreement < VIEWS_APART:
        yield Concern.VIEWS_DISAGREE
