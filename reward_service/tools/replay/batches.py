"""Collect a stream of rollouts into batches that hold their questions whole, in any order of the file.

A batch is settled by itself, so that a question torn in two would be voted on twice. A first reading therefore counts
each question's rollouts; in the second a question is held back until it has them all. Memory holds the counts, and of
the rollouts those of the questions that are not whole yet: a few where a file keeps its groups together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.rollout_files import FileRollout

MAX_BATCH_CHARS = 8_000_000
"""Text of one request, at most: as UTF-8 JSON it stays under the service's limit of a body."""

Place = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Census:
    """How many rollouts each question has in each step, and how many there are in all."""

    of_question: Mapping[tuple[int | None, str], int]
    rollouts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole questions of one step, their rollouts numbered."""

    step: int | None
    rollouts_B: tuple[FileRollout, ...]


def take_census(rollouts: Iterable[FileRollout]) -> Census:
    """Counts a stream of rollouts."""
    of_question = Counter((rollout.step, rollout.question_id) for rollout in rollouts)
    return Census(of_question, of_question.total())


def batches(rollouts: Iterable[FileRollout], census: Census, most: int, place: Place) -> Iterator[Batch]:
    """The rollouts in batches of at most `most`, more only where a single question has more.

    Raises:
        RolloutFileError: two rollouts of a group have one index. `place` tells where a row is.
    """
    pending: list[FileRollout] = []
    chars = 0
    for question in _questions(rollouts, census):
        question = numbered(question, place)
        size = sum(len(rollout.response) for rollout in question)
        full = len(pending) + len(question) > most or chars + size > MAX_BATCH_CHARS
        if pending and (full or pending[0].step != question[0].step):
            yield Batch(pending[0].step, tuple(pending))
            pending, chars = [], 0
        pending += question
        chars += size
    if pending:
        yield Batch(pending[0].step, tuple(pending))


def numbered(question: list[FileRollout], place: Place) -> list[FileRollout]:
    """A question's rollouts, in their order, each with its index and the question's ground truth.

    A rollout without an index takes the first that is free in its group. The ground truth of one row is that of all: a
    paraphrase has the same answer.

    Raises:
        RolloutFileError: two rollouts of a group have one index.
    """
    rows: dict[tuple[str, int], int] = {}
    for rollout in question:
        if rollout.rollout is None:
            continue
        seat = rollout.view, rollout.rollout
        if seat in rows:
            raise _twice(rollout, place(rollout.row), place(rows[seat]))
        rows[seat] = rollout.row
    free = {view: _free(rows, view) for view in ("original", "paraphrase")}
    truth = next((rollout.ground_truth for rollout in question if rollout.ground_truth is not None), None)
    return [
        replace(
            rollout,
            rollout=next(free[rollout.view]) if rollout.rollout is None else rollout.rollout,
            ground_truth=truth if rollout.ground_truth is None else rollout.ground_truth,
        )
        for rollout in question
    ]


def _questions(rollouts: Iterable[FileRollout], census: Census) -> Iterator[list[FileRollout]]:
    """Each question's rollouts as soon as all have come."""
    held: dict[tuple[int | None, str], list[FileRollout]] = {}
    for rollout in rollouts:
        key = rollout.step, rollout.question_id
        group = held.setdefault(key, [])
        group.append(rollout)
        if len(group) == census.of_question.get(key):
            yield held.pop(key)
    yield from held.values()  # a file that changed between its readings


def _free(rows: Mapping[tuple[str, int], int], view: str) -> Iterator[int]:
    return (index for index in count() if (view, index) not in rows)


def _twice(rollout: FileRollout, here: str, there: str) -> RolloutFileError:
    return RolloutFileError(
        f"{here}: rollout {rollout.rollout} of {rollout.question_id!r} ({rollout.view}) is there already, at {there}; "
        "keep one of them, name the field of the steps with --step-field, or that of the indices with --rollout-field"
    )
