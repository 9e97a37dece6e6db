"""Read replies as values: known fields are checked, and unknown fields are left alone, because the service may grow."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeGuard, TypeVar

import msgspec
from co_rewarding_schema.rollouts import Rewards

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

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP response, whole. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RunsPage(msgspec.Struct):
    """A page of runs; `cursor` is for the next, None on the last."""

    items: list[dict[str, Any]] = msgspec.field(name="runs")
    cursor: str | None = None


class CohortsPage(msgspec.Struct):
    """A page of cohorts; `cursor` is for the next, None on the last."""

    items: list[dict[str, Any]] = msgspec.field(name="cohorts")
    cursor: str | None = None


class QuestionsPage(msgspec.Struct):
    """A page of questions; `cursor` is for the next, None on the last."""

    items: list[dict[str, Any]] = msgspec.field(name="questions")
    cursor: str | None = None


Page = RunsPage | CohortsPage | QuestionsPage


class Series(msgspec.Struct):
    """The signs of a run's steps."""

    steps: tuple[dict[str, Any], ...]


class Version(msgspec.Struct):
    """The version of the service."""

    version: str


class Prefetched(msgspec.Struct):
    """How many questions the teacher took."""

    accepted: int


def decoded(reply: HttpReply, request: HttpRequest, kind: type[T]) -> T:
    """Return the body of `reply` as a value of the schema; a field that `kind` does not have is left alone.

    Raises ProtocolError where the body is no JSON, or a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.ValidationError, OverflowError) as error:
        inside = " - at " in str(error)  # msgspec names the place of what is wrong inside an object
        what = str(error) if inside else f"{_beginning(reply)} is not such a JSON object ({error})"
        raise _off_contract(f"the answer to {request}", one_line(what)) from error
    except (ValueError, RecursionError) as error:
        raise _off_contract(str(request), f"{_beginning(reply)} is not JSON ({error})") from error


def document(reply: HttpReply, request: HttpRequest) -> Mapping[str, Any]:
    """Return the body of `reply` as a JSON object. Raises ProtocolError where the body is none."""
    return decoded(reply, request, dict[str, Any])


def consistent(value: Rewards, request: HttpRequest) -> Rewards:
    """Return a settled batch. Raises ProtocolError where its columns contradict each other."""
    lengths = {len(value.rewards), len(value.abstentions), len(value.answers)}
    if len(lengths) > 1:
        raise _off_contract(f"the answer to {request}", f"rewards, abstentions, answers differ in length: {lengths}")
    for at, (reward, abstention) in enumerate(zip(value.rewards, value.abstentions, strict=True)):
        if (reward is None) == (abstention is None):
            what = f"rollout {at} has reward {reward} and abstention {abstention!r}, expected one of them"
            raise _off_contract(f"the answer to {request}", what)
    return value


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


def _off_contract(where: str, what: str) -> ProtocolError:
    return ProtocolError(f"{where}: {what}; do client and service differ in version, or does a proxy answer?")
