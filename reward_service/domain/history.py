"""Say what a question's last labels tell: how often the label changed, how sure it was, who disagreed."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from co_rewarding_schema.vocabulary import View


class PastLabel(NamedTuple):
    """A label that a question had.

    `share` is that of the electorate behind it. `agreement` is the share of the view's own rollouts that gave it: where
    others elected, how far they agree with the policy. Labels that are equal as answers are written alike.
    """

    view: View
    step: int | None
    attempt: int
    share: float
    agreement: float
    answer: str


class Standing(NamedTuple):
    """What the last labels of a question tell, of both views together; each figure is of those that are kept.

    `flips`: neighbours that differ, in the order of steps, within each view.
    `disagreement`: the larger of the two: the mean share of rollouts that did not give their view's label; and, over
    the steps in which both views were labelled, the share in which the labels differ.
    `share`: the mean share of the electorates behind the labels.
    """

    flips: int
    disagreement: float
    share: float


def labels_before(past: Iterable[PastLabel], view: View, step: int | None) -> list[PastLabel]:
    """Return the labels of a view of earlier steps, in their order; of a cohort without a step, all are earlier."""
    return [label for label in past if label.view is view and (step is None or label.step is None or label.step < step)]


def standing_of(past: Sequence[PastLabel]) -> Standing:
    """Return what at least one label tells."""
    answers_of = {view: [label.answer for label in past if label.view is view] for view in View}
    flips = sum(one != other for answers in answers_of.values() for one, other in itertools.pairwise(answers))
    by_step = [{label.step: label.answer for label in past if label.view is view} for view in View]
    both = [step for step in by_step[0] if step is not None and step in by_step[1]]
    differ = sum(by_step[0][step] != by_step[1][step] for step in both) / len(both) if both else 0.0
    astray = sum(1.0 - label.agreement for label in past) / len(past)
    return Standing(flips, max(astray, differ), sum(label.share for label in past) / len(past))
