"""Stream the rollouts of a file, by its layout."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from co_rewarding_client import View

from reward_service.tools.replay import fields
from reward_service.tools.replay.errors import RolloutFileError, listed
from reward_service.tools.replay.fields import Layout, Record, WantedFields, look_up
from reward_service.tools.replay.sources import Row, Source
from reward_service.tools.replay.values import (
    boxed_answer_of,
    flag_of,
    index_of,
    question_id_of,
    response_of,
    share_of,
    statistic_of,
    truth_of,
    view_of,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRollout:
    """One rollout of a file. `row` is where it was, from 1; `rollout` is None where the file gives no index."""

    row: int
    question_id: str
    response: str
    view: View = View.ORIGINAL
    rollout: int | None = None
    step: int | None = None
    ground_truth: str | None = None
    self_certainty: float | None = None
    entropy: float | None = None
    verified: bool | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """What the rollouts of a row share."""

    row: int
    question_id: str
    ground_truth: str | None
    step: int | None


@dataclass(frozen=True, slots=True)
class RolloutFile:
    """Reads each rollout of a source, in its order, as often as asked."""

    source: Source
    layout: Layout

    def rollouts(self) -> Iterator[FileRollout]:
        """Every rollout; a row in memory at a time.

        Raises:
            RolloutFileError: a row lacks a field it needs, or a field holds something else than it should.
        """
        for number, row in self.source.rows(self.layout.columns):
            question = self._question(number, row)
            if self.layout.rollouts is None:
                yield self._rollout(question, row, self._view(number, row, row))
            else:
                yield from self._listed(question, row)

    def _question(self, number: int, row: Row) -> _Question:
        layout = self.layout
        return _Question(
            number,
            self._needed(number, row, fields.QUESTION, layout.question, question_id_of),
            self._optional(number, row, fields.TRUTH, layout.ground_truth, truth_of),
            self._optional(number, row, fields.STEP, layout.step, index_of),
        )

    def _listed(self, question: _Question, row: Row) -> Iterator[FileRollout]:
        layout = self.layout
        for element in self._elements(question.row, row, fields.ROLLOUTS, layout.rollouts):
            yield self._rollout(question, element, self._view(question.row, element, row))
        for element in self._elements(question.row, row, fields.PARAPHRASES, layout.paraphrase_rollouts):
            yield self._rollout(question, element, View.PARAPHRASE)

    def _elements(self, number: int, row: Row, wanted: WantedFields, name: str | None) -> list[object]:
        """The rollouts in a list; null is a list of none, a missing field an error."""
        return [] if name is None else self._needed(number, row, wanted, name, _list_of)

    def _view(self, number: int, element: object, row: Row) -> View:
        """The view that the rollout names, else the row's."""
        for holder in (element, row):
            if isinstance(holder, Mapping):
                view = self._optional(number, holder, fields.VIEW, self.layout.view, view_of)
                if view is not None:
                    return view
        return View.ORIGINAL

    def _rollout(self, question: _Question, element: object, view: View) -> FileRollout:
        layout, row = self.layout, question.row
        own: Record = element if isinstance(element, Mapping) else {}
        return FileRollout(
            row=row,
            question_id=question.question_id,
            response=self._response(row, element),
            view=view,
            rollout=self._optional(row, own, fields.ROLLOUT, layout.rollout, index_of),
            step=question.step,
            ground_truth=question.ground_truth,
            self_certainty=self._optional(row, own, fields.CERTAINTY, layout.self_certainty, statistic_of),
            entropy=self._optional(row, own, fields.ENTROPY, layout.entropy, statistic_of),
            verified=self._optional(row, own, fields.VERIFIED, layout.verified, flag_of),
            confidence=self._optional(row, own, fields.CONFIDENCE, layout.confidence, share_of),
        )

    def _response(self, number: int, element: object) -> str:
        wanted = fields.PLAIN_ANSWER if self.layout.plain_answers else fields.RESPONSE
        convert = boxed_answer_of if self.layout.plain_answers else response_of
        if isinstance(element, Mapping) and self.layout.response is not None:
            return self._needed(number, element, wanted, self.layout.response, convert)
        return self._converted(number, wanted, "a rollout of the list", element, convert)

    def _needed(
        self, number: int, record: Record, wanted: WantedFields, name: str, convert: Callable[[object], T]
    ) -> T:
        try:
            value = look_up(record, name)
        except KeyError:
            raise RolloutFileError(
                f"{self.source.place(number)}: no field {name!r} for {wanted.what}; there are {listed(list(record))}; "
                f"name another with {wanted.option}"
            ) from None
        return self._converted(number, wanted, repr(name), value, convert)

    def _optional(
        self, number: int, record: Record, wanted: WantedFields, name: str | None, convert: Callable[[object], T]
    ) -> T | None:
        if name is None:
            return None
        try:
            value = look_up(record, name)
        except KeyError:
            return None
        return self._converted(number, wanted, repr(name), value, convert)

    def _converted(
        self, number: int, wanted: WantedFields, name: str, value: object, convert: Callable[[object], T]
    ) -> T:
        try:
            return convert(value)
        except ValueError as cause:
            raise RolloutFileError(
                f"{self.source.place(number)}: {name} is {cause}; name the field of {wanted.what} with {wanted.option}"
            ) from cause


def _list_of(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("no list of rollouts")
    return value
