"""Compare the labels of a cohort with the last ones of their question, and make them ready to be kept among these."""

from collections.abc import Mapping, Sequence

from co_rewarding_schema.vocabulary import Conventions, View

from reward_service.domain.cohort import Ballot, ElectedLabel
from reward_service.domain.elections import instability
from reward_service.domain.history import PastLabel, labels_before
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

    A label is written as the latest label is that the grader finds equal to it, those of its own view first: so equal
    labels are equal texts, but for two that were settled at one moment. Only labels of earlier steps are compared.
    """
    noted: list[NotedLabel] = []
    instability_of: dict[View, float] = {}
    of_question = past.get(head.question_id, ())
    window = head.rules.of_method.stability_window
    for label in labels:
        if label.share is None:
            continue
        answer = label.answer if len(label.answer) <= MOST_CHARS else f"{DIGEST}{digest(label.answer)}"
        class_of = await _classes(answer, of_question, grader, Conventions(head.rules.conventions))
        before = [class_of[each.answer] for each in labels_before(of_question, label.view, head.step)]
        instability_of[label.view] = instability([*before, class_of[answer]][-window:])
        own_last = sorted(of_question, key=lambda each: each.view is label.view)
        equal = [each.answer for each in own_last if class_of[each.answer] == class_of[answer]]
        text = equal[-1] if equal else answer
        kept = PastLabel(label.view, head.step, head.attempt, label.share, agreement_of(label, ballots_B), text)
        noted.append(NotedLabel(head.question_id, window, KeptLabel.of(kept)))
        of_question = [*of_question, kept]
    return noted, instability_of


async def _classes(
    answer: str, past: Sequence[PastLabel], grader: Grader, conventions: Conventions
) -> Mapping[str, str]:
    """The class of an answer and of each label; a digest is a class by itself, and so is an answer without others."""
    texts = {answer, *(label.answer for label in past)}
    own = {text: text for text in texts}
    read = {text for text in texts if not text.startswith(DIGEST)}
    return own if len(read) < 2 else own | dict((await grader.classify(read, conventions)).class_of)
