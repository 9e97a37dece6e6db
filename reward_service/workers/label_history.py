"""Compare the labels of a cohort with the last ones of their question, and make them ready to be kept among these."""

from collections.abc import Mapping, Sequence

from co_rewarding_schema.vocabulary import Conventions, View

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.history import PastLabel, instability_with, labels_before
from reward_service.domain.signs import agreement_of
from reward_service.grading.verdicts import Grader
from reward_service.store.keys import digest
from reward_service.store.records import CohortHead
from reward_service.store.traces import KeptLabel, NotedLabel

Past = Mapping[str, Sequence[PastLabel]]
"""The last labels of questions."""

DIGEST = "sha256:"
MOST_CHARS = 200
"""Of a longer answer a digest is kept: another label is equal to it where the texts are."""


async def note_labels(
    head: CohortHead, labels: Sequence[ElectedLabel], ballots_B: Sequence[Ballot], past: Past, grader: Grader
) -> tuple[list[NotedLabel], dict[View, float]]:
    """Return the labels that were elected, to be kept, and how often the last labels of each view have changed.

    A label is written as the latest earlier one that the grader finds equal to it, so that equal labels are equal
    texts. Only labels of earlier steps are looked at.
    """
    noted: list[NotedLabel] = []
    instability_of: dict[View, float] = {}
    of_question = past.get(head.question_id, ())
    window = head.rules.of_method.stability_window
    for label in labels:
        if label.share is None:
            continue
        text = await _written(label.answer, of_question, grader, Conventions(head.rules.conventions))
        before = labels_before(of_question, label.view, head.step)
        instability_of[label.view] = instability_with(before, text, window)
        kept = PastLabel(label.view, head.step, head.attempt, label.share, agreement_of(label, ballots_B), text)
        noted.append(NotedLabel(head.question_id, window, KeptLabel.of(kept)))
        of_question = [*of_question, kept]
    return noted, instability_of


async def _written(answer: str, past: Sequence[PastLabel], grader: Grader, conventions: Conventions) -> str:
    """Return an answer as the latest label is written that equals it, of either view; else as it is."""
    if len(answer) > MOST_CHARS:
        return f"{DIGEST}{digest(answer)}"
    latest_first = [
        each for each in dict.fromkeys(label.answer for label in reversed(past)) if not each.startswith(DIGEST)
    ]
    if answer in latest_first or not latest_first:
        return answer
    class_of = (await grader.classify({answer, *latest_first}, conventions)).class_of
    return next((each for each in latest_first if class_of[each] == class_of[answer]), answer)
