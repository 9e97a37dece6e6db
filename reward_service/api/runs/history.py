"""Tell what a run has come to: its settings, the signs of its steps, and its questions, page by page."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from co_rewarding_schema.vocabulary import QuestionSort, View

from reward_service.api.runs.models import (
    PastLabelDocument,
    QuestionDocument,
    QuestionsDocument,
    RunDocument,
    SignsDocument,
)
from reward_service.domain.history import PastLabel, Standing, doubt_of, standing_of
from reward_service.domain.signs import signs_of
from reward_service.store.run_looks import RunLook
from reward_service.store.traces import SignPoint, TraceStore

QUESTIONS_CURSOR_PATTERN = r"^[0-9a-f]{16}\.([0-9a-f]{2}){1,4096}$"

Place = tuple[float, bytes]
"""In the order of a list: less doubt comes later, and of equal doubt the name decides."""


class _Ranked(NamedTuple):
    """A question at its place: those with more doubt first, of equal ones by name."""

    certainty: float
    question: str
    standing: Standing
    past: Sequence[PastLabel]

    @property
    def place(self) -> Place:
        return self.certainty, self.question.encode("utf-8", "surrogatepass")


async def list_questions(
    traces: TraceStore, run: str, sort: QuestionSort, most: int, cursor: str | None
) -> QuestionsDocument:
    """Return a page of the questions whose labels are kept, from the cursor of a page of the same order on.

    All questions are looked at for each page, some at a time.
    """
    after = None if cursor is None else _place(cursor)
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
    return QuestionsDocument(questions=[_document(each) for each in page], cursor=_cursor(page[-1]) if more else None)


def run_document(look: RunLook) -> RunDocument:
    """Return a run as it is told, with the signs of the latest step that was looked at."""
    return RunDocument(
        **msgspec.structs.asdict(look.settings),
        run=look.run,
        revision=look.revision,
        state=look.state,
        signs=signs_document(look.points[-1]) if look.points else None,
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
        abstentions=sums.abstentions,
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


def _cursor(last: _Ranked) -> str:
    certainty, question = last.place
    return f"{struct.pack('>d', certainty).hex()}.{question.hex()}"


def _place(cursor: str) -> Place:
    """The place behind which the next page begins; one of another order is a place too, at which nothing is wrong."""
    certainty, _, question = cursor.partition(".")
    return struct.unpack(">d", bytes.fromhex(certainty))[0], bytes.fromhex(question)
