"""Keep what settlements leave for their run: the last labels of each question, and the signs of each step."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from co_rewarding_schema.vocabulary import QuestionSort

from reward_service.domain.history import PastLabel
from reward_service.domain.signs import SignSums
from reward_service.store import cohort_scripts, run_scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.keys import RUN_TTL_MS, RunKeys
from reward_service.store.records import VIEWS

MOST_QUESTIONS = 200_000
"""Of one run; a question that comes when the labels of so many are kept has no history."""

SHARES = 10_000
"""Shares are kept as whole numbers of these: a float would take three times as much."""

NO_STEP = -1


class KeptLabel(msgspec.Struct, array_like=True, frozen=True):
    """A label among a question's last ones, as it is stored."""

    view: int
    step: int
    attempt: int
    share: int
    agreement: int
    answer: str

    @classmethod
    def of(cls, label: PastLabel) -> "KeptLabel":
        """The label, to be kept."""
        step = NO_STEP if label.step is None else label.step
        shares = round(label.share * SHARES), round(label.agreement * SHARES)
        return cls(VIEWS.index(label.view), step, label.attempt, *shares, label.answer)

    def label(self) -> PastLabel:
        """The label of the domain."""
        step = None if self.step == NO_STEP else self.step
        return PastLabel(
            VIEWS[self.view], step, self.attempt, self.share / SHARES, self.agreement / SHARES, self.answer
        )


class NotedLabel(msgspec.Struct, array_like=True, frozen=True):
    """A label on its way to its question's last ones, of which `window` are kept for each view."""

    question: str
    window: int
    label: KeptLabel


class Traces(NamedTuple):
    """What a settlement leaves for its run, in MessagePack or empty; it is written with the record, and once.

    `noted` are labels (NotedLabel). `sums` are (step, attempt, SignSums, rollouts by the answer that they gave).
    """

    noted: bytes = b""
    sums: bytes = b""


NO_TRACES = Traces()


def packed_labels(labels: Sequence[NotedLabel]) -> bytes:
    """Return labels as scripts read them."""
    return msgspec.msgpack.encode(labels) if labels else b""


class SignPoint(NamedTuple):
    """The signs of one step and attempt; `top` is how many rollouts gave the most frequent answer."""

    step: int
    attempt: int
    sums: SignSums
    top: int


class Place(NamedTuple):
    """The place of a question in an order: those with smaller numbers come first, of equal ones the name decides."""

    number: float
    name: bytes


class PastQuestion(NamedTuple):
    """A question with its last labels, at its place in an order."""

    place: Place
    labels: list[PastLabel]

    @property
    def question_id(self) -> str:
        """The question's id."""
        return self.place.name.decode("utf-8", "surrogatepass")


class TraceStore:
    """Reads what settlements have left."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection

    async def questions(
        self, run: str, sort: QuestionSort, most: int, after: Place | None = None
    ) -> tuple[list[PastQuestion], bool]:
        """A page of the questions with their last labels, those first that are most in doubt; whether there are more.

        It is one call of the store, whose work grows with the logarithm of the number of questions. A question that
        is labelled between two pages may come twice, or not.
        """
        keys = RunKeys(run)
        more, *flat = await run_scripts.list_questions(
            self._connection,
            order=f"{keys.orders}{sort}",
            history=keys.history,
            most=most,
            after="" if after is None else repr(after.number),
            after_name=b"" if after is None else after.name,
        )
        found = [
            PastQuestion(Place(float(number), name), _labels(kept))
            for number, name, kept in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]
        return found, bool(more)

    async def series(self, run: str, most: int) -> list[SignPoint]:
        """The signs of the latest steps, in the order of steps and attempts."""
        keys = RunKeys(run)
        found = await cohort_scripts.read_series(
            self._connection,
            series=keys.series,
            steps=keys.steps,
            waiting_sums=keys.waiting_sums,
            answers=keys.answers,
            most=most,
            ttl_ms=RUN_TTL_MS,
        )
        return points_of(as_dict(found))


def points_of(kept: Mapping[bytes, bytes]) -> list[SignPoint]:
    """Return the signs of steps as they are kept, in the order of steps and attempts."""
    points = [_point(name, sums) for name, sums in kept.items()]
    return sorted(points, key=lambda point: (point.step, point.attempt))


async def last_labels(connection: RedisConnection, run: str, questions: Sequence[str]) -> dict[str, list[PastLabel]]:
    """Return the last labels of some questions, of both views; none of a question that had no label."""
    names = (question.encode("utf-8", "surrogatepass") for question in questions)
    kept = await connection.execute("HMGET", RunKeys(run).history, *names)
    return {name: _labels(labels) for name, labels in zip(questions, kept, strict=True) if labels is not None}


def _labels(kept: bytes) -> list[PastLabel]:
    return [label.label() for label in msgspec.msgpack.decode(kept, type=list[KeptLabel])]


def _point(name: bytes, kept: bytes) -> SignPoint:
    step, attempt = name.split(b":")
    *sums, top = msgspec.msgpack.decode(kept, type=list[int | float])
    known = sums[: len(SignSums._fields)]  # a newer release may have written more
    return SignPoint(int(step), int(attempt), msgspec.convert(known, SignSums), int(top))
