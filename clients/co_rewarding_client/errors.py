"""Define the client's errors, as one small tree.

    CoRewardingError
    ├── ServiceUnavailable           patience is over; __cause__ is the last trouble met
    │   └── StillPending             the service is well, the rewards are not settled yet: collect later
    ├── ProtocolError                an answer that is not the contract
    └── ProblemError                 the service refused (RFC 9457): status, title, detail, problem
        ├── InvalidRequest           400, 413, 422, or refused here before anything was sent (status is None)
        ├── Unauthorized             401, 403
        ├── NotFound                 404
        ├── Conflict                 409
        └── NotImplementedByService  501

The names say what happened, as HTTP's own do. Every error keeps all it knows in `args`, so that it survives
pickling on its way from a Ray or multiprocessing worker.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.waiting import Awaited, sentence

AWAITED_CHARS = 800


class ServiceUnavailable(CoRewardingError):
    """The service could not be reached, or was not able to serve, until patience was over.

    `__cause__` is the last trouble: the transport's own exception or a `ProblemError`. To repeat the call is
    safe: a ballot that was counted already votes once.
    """


class StillPending(ServiceUnavailable):
    """The rollouts were accepted, but their rewards were not settled within patience. Nothing is lost.

    `ticket` can be given to `collect` again; `settled` of `of` rollouts had their reward when last asked,
    None where the service did not say. `waiting_for` is what some of the others lack, and `waiting_for_more`
    counts the cohorts of which nothing is said; an older service says nothing of any.
    """

    def __init__(
        self,
        ticket: str,
        settled: int | None,
        of: int | None,
        patience_s: float,
        waiting_for: Sequence[Awaited] = (),
        waiting_for_more: int = 0,
    ) -> None:
        super().__init__(ticket, settled, of, patience_s, waiting_for, waiting_for_more)
        self.ticket = ticket
        self.settled = settled
        self.of = of
        self.patience_s = patience_s
        self.waiting_for = waiting_for
        self.waiting_for_more = waiting_for_more

    def __str__(self) -> str:
        progress = "" if self.settled is None else f" ({self.settled} of {self.of} are)"
        said = sentence(self.waiting_for, self.waiting_for_more)
        awaited = one_line(f"; it {said}", AWAITED_CHARS) if said else ""
        return (
            f"ticket {self.ticket} is not settled after {self.patience_s:g} s{progress}{awaited}; nothing is lost: "
            "collect it later, or raise patience_s above the run's cohort_deadline_s"
        )


class ProtocolError(CoRewardingError):
    """An answer that is not the contract: not JSON, a field missing or of another type, another status."""


class ProblemError(CoRewardingError):
    """A refusal, told as a problem document (RFC 9457).

    `status` is the HTTP status, or None where this package refused before anything was sent; `detail` then says
    which argument is wrong and what is due. `title` and
    `detail` are the document's own words, or the status phrase and the beginning of the body where a proxy
    answered in place of the service. `problem` is the whole document with its extensions, {} where there was
    none.
    """

    def __init__(
        self, status: int | None, title: str, detail: str = "", problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(status, title, detail, problem)
        self.status = status
        self.title = title
        self.detail = detail
        self.problem: Mapping[str, Any] = {} if problem is None else problem

    def __str__(self) -> str:
        if self.status is None:
            return one_line(self.detail)
        return one_line(f"{self.status} {self.title}: {self.detail}" if self.detail else f"{self.status} {self.title}")


class InvalidRequest(ProblemError):
    """The caller's mistake: 400, 413, 422, or found here before it was sent. Repeating does not help."""


class Unauthorized(ProblemError):
    """401 or 403: the key is missing, wrong, or not allowed to do this."""


class NotFound(ProblemError):
    """404: no such ticket (it may have expired), run, cohort or path."""


class Conflict(ProblemError):
    """409: it contradicts what the service already holds."""


class NotImplementedByService(ProblemError):
    """501: this service was started without the part that is asked for."""


def invalid(what: str) -> InvalidRequest:
    """The mistake `what`, found before anything was sent."""
    return InvalidRequest(None, "invalid request", what)


def one_line(text: str, limit: int = 600) -> str:
    """`text` fit for a log: one line, at most `limit` characters, control characters escaped.

    A problem document may quote what a model wrote.
    """
    joined = " ".join(text[: 4 * limit].split())
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in joined)
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"
