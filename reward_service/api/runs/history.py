"""Tell what a run has come to: its settings, the signs of its steps, and its questions, page by page."""

import struct

import msgspec
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import QuestionSort, View

from reward_service.api.runs.models import (
    PastLabelDocument,
    QuestionDocument,
    QuestionsDocument,
    RunDocument,
    SignsDocument,
)
from reward_service.domain.history import standing_of
from reward_service.domain.signs import signs_of
from reward_service.store.run_looks import RunLook
from reward_service.store.traces import PastQuestion, Place, SignPoint, TraceStore

QUESTIONS_CURSOR_PATTERN = r"^[0-9a-f]{16}\.([0-9a-f]{2}){1,4096}$"


async def list_questions(
    traces: TraceStore, run: str, settings: RunSettings, sort: QuestionSort, most: int, cursor: str | None
) -> QuestionsDocument:
    """Return a page of the questions whose labels are kept, from the cursor of a page of the same order on."""
    page, more = await traces.questions(run, sort, most, None if cursor is None else _place(cursor))
    return QuestionsDocument(
        questions=[_document(each) for each in page],
        history=settings.history or METHODS[settings.method].needs_history,
        cursor=_cursor(page[-1].place) if more and page else None,
    )


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


def _document(question: PastQuestion) -> QuestionDocument:
    labels: dict[View, list[PastLabelDocument]] = {}
    for label in question.labels:
        told = PastLabelDocument(
            step=label.step,
            attempt=label.attempt,
            answer=label.answer,
            share=label.share,
            agreement=label.agreement,
        )
        labels.setdefault(label.view, []).append(told)
    standing = standing_of(question.labels)
    return QuestionDocument(question_id=question.question_id, labels=labels, **standing._asdict())


def _cursor(last: Place) -> str:
    return f"{struct.pack('>d', last.number).hex()}.{last.name.hex()}"


def _place(cursor: str) -> Place:
    """The place behind which the next page begins; one of another order is a place too, at which nothing is wrong."""
    number, _, name = cursor.partition(".")
    return Place(*struct.unpack(">d", bytes.fromhex(number)), bytes.fromhex(name))
