"""From replies to values: what is known is checked, what is unknown is left alone (the service may grow)."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, NoReturn, TypeGuard, TypeVar, cast

from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotImplementedByService,
    ProblemError,
    ProtocolError,
    Unauthorized,
    one_line,
)
from co_rewarding_client.model import Label, Pending, Rewards, TeacherState, TeacherUpdate, Ticket

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP response, whole. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object that is read by name; `where` says which it is, for the message of a ProtocolError.

    Every accessor raises ProtocolError where the field is of another type or, unless it ends in `_or_none`,
    missing.
    """

    values: Mapping[str, Any]
    where: str

    def text(self, name: str) -> str:
        """Reads a string."""
        return self._required(name, self.text_or_none(name))

    def text_or_none(self, name: str) -> str | None:
        """Reads a string; None where the field is null or missing."""
        value = self.values.get(name)
        return value if value is None or isinstance(value, str) else self._refuse(name, value, "a string")

    def integer(self, name: str) -> int:
        """Reads a whole number; neither true nor 1.0 is one."""
        return self._required(name, self.integer_or_none(name))

    def integer_or_none(self, name: str) -> int | None:
        """Reads a whole number; None where the field is null or missing."""
        value = self.values.get(name)
        return value if value is None or type(value) is int else self._refuse(name, value, "a whole number")

    def number(self, name: str) -> float:
        """Reads a finite number, whole or not, as a float; true is none."""
        return self._required(name, self.number_or_none(name))

    def number_or_none(self, name: str) -> float | None:
        """Reads a finite number as a float; None where the field is null or missing."""
        value = self.values.get(name)
        if not _is_number_or_none(value):
            return self._refuse(name, value, "a finite number")
        return None if value is None else float(value)

    def truth(self, name: str) -> bool:
        """Reads true or false; neither 0 nor 1 is one."""
        return self._required(name, self.truth_or_none(name))

    def truth_or_none(self, name: str) -> bool | None:
        """Reads true or false; None where the field is null or missing."""
        value = self.values.get(name)
        return value if value is None or isinstance(value, bool) else self._refuse(name, value, "true or false")

    def instant_or_none(self, name: str) -> datetime | None:
        """Reads an ISO 8601 time; None where the field is null or missing."""
        text = self.text_or_none(name)
        try:
            return None if text is None else datetime.fromisoformat(text)
        except ValueError:
            return self._refuse(name, text, "an ISO 8601 time")

    def objects(self, name: str) -> tuple["Fields", ...]:
        """Reads a list of objects, each of which knows its place in the list."""
        items = self._column(name, _is_object, "objects")
        return tuple(Fields(item, f"{name}[{at}] of {self.where}") for at, item in enumerate(items))

    def texts(self, name: str) -> tuple[str, ...]:
        """Reads a list of strings."""
        return self._column(name, lambda value: isinstance(value, str), "strings")

    def texts_or_none(self, name: str) -> tuple[str | None, ...]:
        """Reads a list of strings and nulls. The list itself must not be missing."""
        return self._column(name, _is_text_or_none, "strings or nulls")

    def numbers_or_none(self, name: str) -> tuple[float | None, ...]:
        """Reads a list of finite numbers, as floats, and nulls. The list itself must not be missing."""
        column = self._column(name, _is_number_or_none, "finite numbers or nulls")
        return tuple(None if value is None else float(value) for value in column)

    def numbers(self, name: str) -> dict[str, float | None]:
        """The numbers and nulls in the object `name`; anything else in it is left out, as an unknown field is."""
        value = self.values.get(name, {})
        if not _is_object(value):
            return self._refuse(name, value, "an object")
        return {key: None if it is None else float(it) for key, it in value.items() if _is_number_or_none(it)}

    def verdicts(self, name: str) -> dict[str, bool | float]:
        """The truths and numbers in the object `name`; anything else in it is left out, as an unknown field is."""
        value = self.values.get(name)
        if not _is_object(value):
            return self._refuse(name, value, "an object")
        return {key: each for key, each in value.items() if isinstance(each, bool) or _is_number(each)}

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        return cast(list[Any], value) if isinstance(value, list) else self._refuse(name, value, "a list")

    def _column(self, name: str, is_right: Callable[[object], bool], what: str) -> tuple[Any, ...]:
        items = self._list(name)
        for at, item in enumerate(items):
            if not is_right(item):
                return self._refuse(f"{name}[{at}]", item, what)
        return tuple(items)

    def _required(self, name: str, value: T | None) -> T:
        return self._refuse(name, None, "a value") if value is None else value

    def _refuse(self, name: str, value: object, expected: str) -> NoReturn:
        raise _off_contract(self.where, f"{name} is {one_line(repr(value), 80)}, expected {expected}")


def fields(reply: HttpReply, request: HttpRequest) -> Fields:
    """The body of `reply` as a JSON object. Raises ProtocolError where it is not one."""
    try:
        document: object = json.loads(reply.body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _off_contract(str(request), f"{_beginning(reply)} is not JSON ({error})") from error
    if not _is_object(document):
        raise _off_contract(str(request), f"{_beginning(reply)} is not a JSON object")
    return Fields(document, f"the answer to {request}")


def rewards(document: Fields) -> Rewards:
    """A settled batch. Raises ProtocolError where it is not one, or its columns differ in length."""
    value = Rewards(
        run=document.text("run"),
        step=document.integer_or_none("step"),
        method=document.text("method"),
        rewards=document.numbers_or_none("rewards"),
        abstentions=document.texts_or_none("abstentions"),
        answers=document.texts_or_none("answers"),
        labels=tuple(_label(label) for label in document.objects("labels")),
        metrics=document.numbers("metrics"),
    )
    lengths = {len(value.rewards), len(value.abstentions), len(value.answers)}
    if len(lengths) > 1:
        raise _off_contract(document.where, f"rewards, abstentions, answers differ in length: {lengths}")
    for at, (reward, abstention) in enumerate(zip(value.rewards, value.abstentions, strict=True)):
        if (reward is None) == (abstention is None):
            what = f"rollout {at} has reward {reward} and abstention {abstention!r}, expected one of them"
            raise _off_contract(document.where, what)
    return value


def ticket(document: Fields) -> Ticket:
    """An accepted batch. Raises ProtocolError where there is no ticket."""
    return Ticket(document.text("ticket"), document.instant_or_none("expires_at"))


def pending(document: Fields) -> Pending:
    """A batch on its way. Raises ProtocolError where there is no ticket."""
    settled, of = document.integer_or_none("settled"), document.integer_or_none("of")
    return Pending(document.text("ticket"), settled, of)


def teacher_update(document: Fields) -> TeacherUpdate:
    """Weights that were taken. Raises ProtocolError where the version or its alpha is missing."""
    return TeacherUpdate(document.integer("version"), document.number("alpha"))


def teacher_state(document: Fields) -> TeacherState:
    """A run's teacher. Raises ProtocolError where it is not told whether it is ready and what waits for it."""
    return TeacherState(
        version=document.integer_or_none("version"),
        step=document.integer_or_none("step"),
        alpha=document.number_or_none("alpha"),
        model=document.text_or_none("model"),
        ready=document.truth("ready"),
        queue=document.integer("queue"),
        waiting_for=document.text_or_none("waiting_for"),
        refused=document.text_or_none("refused"),
        waiting=document.integer_or_none("waiting") or 0,
        teachers=document.integer_or_none("teachers") or 0,
    )


def counted(value: Rewards, sent: int, request: HttpRequest) -> Rewards:
    """`value`, having as many rewards as rollouts were sent. Raises ProtocolError where it has not."""
    if len(value.rewards) != sent:
        raise _off_contract(str(request), f"{len(value.rewards)} rewards for {sent} rollouts")
    return value


def problem(reply: HttpReply, request: HttpRequest) -> ProblemError | ProtocolError:
    """What a reply means that is no success: the problem it tells of, or that it is not the contract."""
    if reply.status < 400:
        location = reply.headers.get("location")
        to = "" if location is None else f" to {one_line(location, 200)}; check the base URL"
        return _off_contract(str(request), f"status {reply.status} was not expected{to}")
    document = _problem_document(reply)
    title = document.get("title")
    detail = document.get("detail")
    if detail is not None and not isinstance(detail, str):
        detail = json.dumps(detail, ensure_ascii=False)
    title = title if isinstance(title, str) else _phrase(reply.status)
    detail = detail or ("" if document else _beginning(reply))
    return _kind(reply.status)(reply.status, title, detail, document)


def _label(label: Fields) -> Label:
    return Label(
        question_id=label.text_or_none("question_id"),
        view=label.text("view"),
        answer=label.text_or_none("answer"),
        votes=label.integer("votes"),
        of=label.integer("of"),
        voter=label.text_or_none("voter"),
        voted_on=label.texts("voted_on"),
        cohort=label.text_or_none("cohort"),
        matches_truth=label.truth_or_none("matches_truth"),
        teacher_version=label.integer_or_none("teacher_version"),
    )


def _kind(status: int) -> type[ProblemError]:
    match status:
        case 400 | 413 | 422:
            return InvalidRequest
        case 401 | 403:
            return Unauthorized
        case 404:
            return NotFound
        case 409:
            return Conflict
        case 501:
            return NotImplementedByService
        case _:
            return ProblemError


def _problem_document(reply: HttpReply) -> Mapping[str, Any]:
    try:
        document: object = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return document if _is_object(document) else {}


def _beginning(reply: HttpReply) -> str:
    """The first words of a body that is not what it should be, without the tags of a proxy's HTML page."""
    start = reply.body[:2000].decode("utf-8", "replace")
    words = one_line(re.sub("<[^<>]*>", " ", start), 200)
    return f"body {words!r}" if words else "an empty body"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)  # JSON knows no keys but strings


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON has whole numbers that no float holds
        return False


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _off_contract(where: str, what: str) -> ProtocolError:
    return ProtocolError(f"{where}: {what}; do client and service differ in version, or does a proxy answer?")
