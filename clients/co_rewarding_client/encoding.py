"""Write values as requests: JSON in UTF-8, without the fields that are None."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from co_rewarding_schema.limits import MAX_KEY_CHARS
from co_rewarding_schema.rollouts import Evidence, Statistics
from co_rewarding_schema.run_settings import RunSettings

from co_rewarding_client.arguments import check_instance, check_listed, check_number, check_text, plain_number
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Question, Rollout

GroupKey = tuple[str, str, str]
RUNS_IN_A_PAGE = 500


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request. `target` is the path below the base URL, with its query, percent-encoded.

    `wait_s` is how long the service was asked to hold the answer back.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    wait_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


def get(path: str) -> HttpRequest:
    """A request for a fixed path that waits for nothing."""
    return HttpRequest("GET", path)


def rewards_request(document: Mapping[str, Any], wait_s: float, idempotency_key: str) -> HttpRequest:
    """POST /v1/rewards. Raises InvalidRequest for a key that no header can carry, or a number not finite."""
    body = encoded({**document, "wait_s": wait_s})
    return HttpRequest("POST", "/v1/rewards", _keyed(idempotency_key), body, wait_s)


def rollouts_request(document: Mapping[str, Any], idempotency_key: str) -> HttpRequest:
    """POST /v1/rollouts. Raises InvalidRequest as `rewards_request` does."""
    return HttpRequest("POST", "/v1/rollouts", _keyed(idempotency_key), encoded(document))


def ticket_request(ticket: str, wait_s: float) -> HttpRequest:
    """GET /v1/rewards/{ticket}, to be held for at most `wait_s` seconds."""
    query = urlencode({"wait_s": round(wait_s, 3)})
    return HttpRequest("GET", f"/v1/rewards/{segment(ticket)}?{query}", wait_s=wait_s)


def run_request(run: str, settings: RunSettings) -> HttpRequest:
    """PUT /v1/runs/{run}. Raises InvalidRequest for settings that are none."""
    check_instance("settings", settings, RunSettings)
    return _json("PUT", f"/v1/runs/{segment(run)}", settings_document(settings))


def settings_document(settings: RunSettings) -> dict[str, Any]:
    """Return the settings to send: without those that are the default, for a service of an earlier release."""
    defaults = RunSettings()
    chosen = {name: value for name, value in _fields(settings).items() if value != getattr(defaults, name)}
    return {"method": settings.method, "group_size": settings.group_size} | chosen


def runs_request(cursor: str | None) -> HttpRequest:
    """GET /v1/runs, behind the page that gave `cursor`."""
    query = {"limit": RUNS_IN_A_PAGE} if cursor is None else {"limit": RUNS_IN_A_PAGE, "cursor": well_formed(cursor)}
    return get(f"/v1/runs?{urlencode(query)}")


def update_request(run: str, step: int, path: str, sha256: str | None) -> HttpRequest:
    """POST /v1/teacher/updates, for a folder below the service's weights root."""
    return _json(
        "POST", "/v1/teacher/updates", _without_none({"run": run, "step": step, "path": path, "sha256": sha256})
    )


def declaration_request(run: str, step: int, files: Sequence[Mapping[str, Any]]) -> HttpRequest:
    """POST /v1/teacher/uploads: each file with its name, size and sha256."""
    return _json("POST", "/v1/teacher/uploads", {"run": run, "step": step, "files": list(files)})


def append_request(upload: str, name: str, offset: int, data: bytes, wait_s: float) -> HttpRequest:
    """PATCH /v1/teacher/uploads/{upload}/{name}; `wait_s` is what the service may take beyond receiving it."""
    headers = {"content-type": "application/octet-stream", "upload-offset": str(offset)}
    return HttpRequest("PATCH", f"/v1/teacher/uploads/{segment(upload)}/{segment(name)}", headers, data, wait_s)


def prefetch_request(run: str, step: int | None, questions: Sequence[Question]) -> HttpRequest:
    """POST /v1/teacher/prefetch. Raises InvalidRequest for no list of questions, a message without role or content."""
    check_listed("questions", questions, Question)
    items = [_question(question, at) for at, question in enumerate(questions)]
    return _json("POST", "/v1/teacher/prefetch", {**_without_none({"run": run, "step": step}), "questions": items})


def cohorts_request(run: str, question_id: str, step: int | None, limit: int, cursor: str | None) -> HttpRequest:
    """GET /v1/cohorts: a page."""
    asked = {"run": run, "question_id": question_id, "step": step, "limit": limit, "cursor": cursor}
    query = {name: well_formed(str(value)) for name, value in _without_none(asked).items()}
    return HttpRequest("GET", f"/v1/cohorts?{urlencode(query)}")


def questions_request(run: str, sort: str, limit: int, cursor: str | None) -> HttpRequest:
    """GET /v1/runs/{run}/questions: a page."""
    return _page(run, "questions", {"sort": sort, "limit": limit, "cursor": cursor})


def run_cohorts_request(run: str, limit: int, cursor: str | None) -> HttpRequest:
    """GET /v1/runs/{run}/cohorts: a page."""
    return _page(run, "cohorts", {"limit": limit, "cursor": cursor})


def _page(run: str, what: str, asked: Mapping[str, Any]) -> HttpRequest:
    query = {name: well_formed(str(value)) for name, value in _without_none(asked).items()}
    return get(f"/v1/runs/{segment(run)}/{what}?{urlencode(query)}")


def teacher_request(run: str) -> HttpRequest:
    """GET /v1/teacher."""
    return HttpRequest("GET", f"/v1/teacher?{urlencode({'run': well_formed(run)})}")


def batch(
    rollouts: Sequence[Rollout],
    run: str,
    step: int | None,
    method: str | None,
    *,
    complete: bool,
    evaluate: bool = False,
) -> dict[str, Any]:
    """Makes the body that both halves of the contract share.

    In whole groups every rollout has its index. A rollout of a part that has none goes without, because others number
    theirs: the key of its request names the rollout.

    Raises InvalidRequest for what is no list of rollouts, for a statistic that is not finite, for an evaluation by a
    method, and where an index filled in is one that was given.
    """
    if evaluate and method is not None:
        raise invalid(f"method is {method!r}, and an evaluation has none; leave method out, or send ground truths")
    check_listed("rollouts", rollouts, Rollout)
    indices = _indices(rollouts) if complete else [rollout.rollout for rollout in rollouts]
    items = [_rollout(rollout, index, at) for at, (rollout, index) in enumerate(zip(rollouts, indices, strict=True))]
    settings = _without_none({"run": run, "step": step, "method": method, "complete": complete})
    if evaluate:  # only then: a service of an earlier release does not know the field
        settings["evaluate"] = True
    return {**settings, "rollouts": items}


def encoded(document: Mapping[str, Any]) -> bytes:
    """`document` as UTF-8 JSON, lone surrogates replaced. Raises InvalidRequest for what JSON cannot say."""
    try:
        text = json.dumps(
            document,
            ensure_ascii=False,  # as an escape a lone surrogate would pass here, and be refused there
            allow_nan=False,
            separators=(",", ":"),
            default=plain_number,
        )
    except (TypeError, ValueError) as error:
        raise invalid(f"the body cannot be written as JSON: {error}; correct that field") from error
    return well_formed(text).encode("utf-8")


def well_formed(text: str) -> str:
    """`text` with U+FFFD for every lone surrogate: a Python string may hold what no UTF-8 text can."""
    if text.isascii():
        return text
    # By way of UTF-16, so that two surrogates which are a pair become the character that they spell.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def segment(name: str) -> str:
    """`name` as one segment of a path. Raises InvalidRequest if it would climb in it or vanish from it."""
    check_text("the name of a run, ticket or cohort", name)
    if name in {"", ".", ".."}:
        raise invalid(f"{name!r} names no run, ticket or cohort; give the name the service gave")
    return quote(well_formed(name), safe="")


def _keyed(idempotency_key: str) -> dict[str, str]:
    check_text("idempotency_key", idempotency_key)
    if len(idempotency_key) > MAX_KEY_CHARS or not re.fullmatch("[!-~]+", idempotency_key):
        raise invalid(f"idempotency_key {idempotency_key[:40]!r} is not 1 to {MAX_KEY_CHARS} visible ASCII; hash it")
    return {"content-type": "application/json", "idempotency-key": idempotency_key}


def _indices(rollouts: Sequence[Rollout]) -> list[int]:
    """One index per rollout: its own, else its order of appearance in its group."""
    keys = [_group(rollout) for rollout in rollouts]
    given = {(key, r.rollout) for key, r in zip(keys, rollouts, strict=True) if r.rollout is not None}
    seen: dict[GroupKey, int] = {}
    indices: list[int] = []
    for at, (key, rollout) in enumerate(zip(keys, rollouts, strict=True)):
        order = seen.get(key, 0)
        seen[key] = order + 1
        if rollout.rollout is None and (key, order) in given:
            raise invalid(
                f"rollouts[{at}] has no index and is number {order} of its group, an index that another one "
                "was given; number all rollouts of a group or none"
            )
        indices.append(order if rollout.rollout is None else rollout.rollout)
    return indices


def _group(rollout: Rollout) -> GroupKey:
    # As the service will see it: texts that differ only in lone surrogates arrive there as one question.
    if rollout.question_id is not None:
        return "question_id", well_formed(rollout.question_id), rollout.view
    return "prompt", well_formed(rollout.prompt or ""), rollout.view


def _rollout(rollout: Rollout, index: int | None, at: int) -> dict[str, Any]:
    fields = _fields(rollout) | {
        "rollout": index,
        "statistics": _numbers("statistics", rollout.statistics, at),
        "evidence": _numbers("evidence", rollout.evidence, at),
    }
    return _without_none(fields)


def _numbers(part: str, measured: Statistics | Evidence | None, at: int) -> dict[str, Any] | None:
    """Return the numbers of a part of a rollout; a flag is told as it is."""
    if measured is None:
        return None
    values = _without_none(_fields(measured))
    for name, value in values.items():
        if isinstance(value, bool):
            continue
        check_number(f"rollouts[{at}].{part}.{name}", value)
        if not math.isfinite(value):
            raise invalid(f"rollouts[{at}].{part}.{name} is {value}; leave it out or give a finite one")
    return values or None


def _question(question: Question, at: int) -> dict[str, Any]:
    told = _without_none({"prompt": question.prompt, "question": question.question})
    if question.messages is not None:
        told["messages"] = [
            _message(message, f"questions[{at}].messages[{n}]") for n, message in enumerate(question.messages)
        ]
    return {"question_id": question.question_id, "view": question.view, **told}


def _message(message: Mapping[str, str], where: str) -> dict[str, str]:
    try:
        return {"role": message["role"], "content": message["content"]}
    except KeyError as error:
        raise invalid(f"{where} has no {error}; a message has a role and its content") from error


def _json(method: str, target: str, document: Mapping[str, Any]) -> HttpRequest:
    return HttpRequest(method, target, {"content-type": "application/json"}, encoded(document))


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(value)


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
