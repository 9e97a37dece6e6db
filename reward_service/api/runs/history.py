"""List the questions of a run by their last labels, page by page, and tell the signs of its steps."""

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from co_rewarding_schema.vocabulary import QuestionSort, View

from reward_service.api.runs.models import PastLabelDocument, QuestionDocument, QuestionsDocument, SignsDocument
from reward_service.domain.history import PastLabel, Standing, doubt_of, standing_of
from reward_service.domain.signs import signs_of
from reward_service.store.runs import CursorError
from reward_service.store.traces import SignPoint, TraceStore

QUESTIONS_CURSOR_PATTERN = r"^[A-Za-z0-9_=-]{1,8192}$"


class _Ranked(NamedTuple):
    """A question at its place: those with more doubt first, of equal ones by name."""

    certainty: float
    question: str
    standing: Standing
    past: Sequence[PastLabel]

    @property
    def place(self) -> tuple[float, str]:
        return self.certainty, self.question


async def list_questions(
    traces: TraceStore, run: str, sort: QuestionSort, most: int, cursor: str | None
) -> QuestionsDocument:
    """Return a page of the questions whose labels are kept. All are looked at for each page, some at a time.

    Raises:
        CursorError: the cursor is not one that a page of this order gave.
    """
    after = None if cursor is None else _place(cursor, sort)
    first: dict[str, _Ranked] = {}
    more = False
    async for some in traces.questions(run):
        for question, past in some:
            standing = standing_of(past)
            ranked = _Ranked(-doubt_of(standing, sort), question, standing, past)
            if after is None or ranked.place > after:
                first[question] = ranked
        if len(first) > most:
            more = True
            kept = sorted(first.values(), key=lambda ranked: ranked.place)[:most]
            first = {ranked.question: ranked for ranked in kept}
    page = sorted(first.values(), key=lambda ranked: ranked.place)
    return QuestionsDocument(
        questions=[_document(each) for each in page], cursor=_cursor(page[-1], sort) if more else None
    )


def signs_document(point: SignPoint) -> SignsDocument:
    """Return the signs of a step as they are told."""
    sums = point.sums
    return SignsDocument(
        step=point.step,
        attempt=point.attempt,
        groups=sums.groups,
        rollouts=sums.rollouts,
        labels=sums.labels,
        **signs_of(sums, point.top)._asdict(),
    )


def _document(ranked: _Ranked) -> QuestionDocument:
    labels: dict[View, list[PastLabelDocument]] = {}
    for label in ranked.past:
        told = PastLabelDocument(
            step=label.step,
            attempt=label.attempt,
            answer=label.answer,
            share=label.share,
            agreement=label.agreement,
        )
        labels.setdefault(label.view, []).append(told)
    return QuestionDocument(question_id=ranked.question, labels=labels, **ranked.standing._asdict())


def _cursor(last: _Ranked, sort: QuestionSort) -> str:
    text = msgspec.json.encode((sort, last.certainty, last.question))
    return base64.urlsafe_b64encode(text).decode()


def _place(cursor: str, sort: QuestionSort) -> tuple[float, str]:
    try:
        text = base64.b64decode(cursor, b"-_", validate=True)
        named, certainty, question = msgspec.json.decode(text, type=tuple[QuestionSort, float, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as cause:
        raise CursorError("it is not one that a page gave") from cause
    if named is not sort:
        raise CursorError(f"it is of a list by {named.value}: ask for the first page by {sort.value}")
    return certainty, question
