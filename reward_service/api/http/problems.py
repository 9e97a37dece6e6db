"""Make RFC 9457 problem documents: what was wrong, where, and what to do."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.problems import PROBLEM_TYPE, ProblemKind

Path = tuple[int | str, ...]
"""Where a value stands in a document: field names, and places in lists."""

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL_CHARS = 2000
MAX_ERROR_CHARS = 500


class Problem(CoRewardingError):
    """An answer that is not a result. `detail` says what to do."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        quota: Mapping[str, str | float] | None = None,
    ) -> None:
        """Take the kind's status unless one is given; `errors` lists places ({where, what}) if there are several.

        `quota` says which quota is used up: its name, of what it is, its limit, and what is used.
        """
        super().__init__(detail)
        self.status = kind.status if status is None else status
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        self.quota = quota
        if retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))

    def document(self) -> dict[str, Any]:
        """The problem document."""
        document: dict[str, Any] = {
            "type": PROBLEM_TYPE + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": _cut(self.detail, MAX_DETAIL_CHARS),
        }
        if self.errors:
            document["errors"] = [
                {name: _cut(text, MAX_ERROR_CHARS) for name, text in error.items()} for error in self.errors
            ]
        if self.retry_after_s is not None:
            document["retry_after_s"] = self.retry_after_s
        if self.quota is not None:
            document["quota"] = self.quota
        return document

    def body(self) -> bytes:
        """The document as JSON. What the caller sent may be quoted in it, so it is always encoded, never formatted."""
        return msgspec.json.encode(self.document())


def _cut(text: str, most: int) -> str:
    """Both ends of a text: what is quoted in its middle may be as long as a request."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"


def full(what: str) -> Problem:
    """429: too much is waiting."""
    return Problem(ProblemKind.FULL, f"{what}; try again after the time in Retry-After.", retry_after_s=1.0)


def away(what: str, retry_after_s: float = 1.0) -> Problem:
    """503: something the service needs is not there now."""
    return Problem(
        ProblemKind.UNAVAILABLE,
        f"{what}. Nothing accepted is lost; send the same request again.",
        retry_after_s=retry_after_s,
    )


def key_reused() -> Problem:
    """409: an Idempotency-Key under which another request came before."""
    what = "this Idempotency-Key came with another body before: make a new key a request."
    return Problem(ProblemKind.KEY_REUSED, what)


def text_too_long(where: str, most_chars: int) -> Problem:
    """Return the refusal of a text at a place of a request."""
    return Problem(
        ProblemKind.TEXT_TOO_LONG,
        f"{where} holds a text of more than {most_chars} characters: cut it (an answer is looked for from the end), or "
        "raise CO_REWARDING_MAX_TEXT_CHARS.",
    )


def internal() -> Problem:
    """500: our fault."""
    return Problem(ProblemKind.INTERNAL, "this is a fault of the service, and logged: please report it.")


def unreadable(what: str) -> Problem:
    """500: what is stored is not what this release reads."""
    return Problem(
        ProblemKind.INTERNAL,
        f"{what}. Read it with the release that wrote it, or use another run; other runs are not concerned.",
    )


def no_such_run(run: str) -> Problem:
    """404: a run that was not made."""
    what = f"there is no run {run!r}: make it with PUT /v1/runs/{run}, or name one that is there (GET /v1/runs)."
    return Problem(ProblemKind.UNKNOWN_RUN, what)


def place(path: Path) -> str:
    """Return a place in a document as people write it: rollouts[3].view."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "body"
