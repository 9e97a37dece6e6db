"""Decide what to send and when to pause, without sending or pausing.

A flow is a generator in the manner of httpx's `auth_flow`: it yields `Send`, and is sent the `HttpReply` or
`TransportFailure` that came of it, or yields `Pause` or `Work`, and is sent None when that is over; it returns
the typed result. A client only drives it, so that the sync and the async one cannot differ, and a test needs
neither network nor time.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from co_rewarding_client.decoding import HttpReply, decoded, problem
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import ServiceUnavailable, one_line

T = TypeVar("T")

PASSING_STATUSES = frozenset({429, 502, 503, 504})
BACKOFF_FIRST_S = 0.25
BACKOFF_LONGEST_S = 15.0
RETRY_AFTER_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send `request`; give up when nothing has been read for `read_timeout_s`."""

    request: HttpRequest
    read_timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for `seconds`; `reason` is for the log, one line.

    After trouble, `goes_on_s` is how long it will be tried again; None where all is well and something is waited for.
    """

    seconds: float
    reason: str
    goes_on_s: float | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """Call `do`, which blocks on a disk; a client for asyncio calls it in a thread."""

    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """No whole reply came: refused, reset, timed out."""

    cause: Exception


Outcome = HttpReply | TransportFailure
Flow = Generator[Send | Pause | Work, Outcome | None, T]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the core takes from the world: two clocks, chance, and keys that are used once.

    `clock_s` is monotonic, `wall_clock_s` counts from the Unix epoch; `jitter` is uniform on [0, 1).
    """

    clock_s: Callable[[], float] = time.monotonic
    wall_clock_s: Callable[[], float] = time.time
    # Not the `random` module's own generator: ranks seed it alike, so that they would all come back at once,
    # and would find their seeded numbers moved on.
    jitter: Callable[[], float] = random.SystemRandom().random
    new_key: Callable[[], str] = lambda: str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call to `url` goes on: no try begins after `ends_at` (on `clock_s`); the last may outlast it."""

    ends_at: float
    timeout_s: float
    patience_s: float
    surroundings: Surroundings
    url: str

    def left_s(self) -> float:
        """Return the seconds that are left, 0 when patience is over."""
        return max(0.0, self.ends_at - self.surroundings.clock_s())


def begin(timeout_s: float, patience_s: float, surroundings: Surroundings, url: str) -> Patience:
    """Return the patience of a call that begins now; `url` is for messages."""
    return Patience(surroundings.clock_s() + patience_s, timeout_s, patience_s, surroundings, url)


def attempt(request: HttpRequest, patience: Patience) -> Flow[Outcome]:
    """Send `request` once. An answer that is held back for `wait_s` is waited for that much longer."""
    outcome = yield Send(request, min(request.wait_s, patience.left_s()) + patience.timeout_s)
    assert outcome is not None, "a driver answers a Send with its outcome"
    return outcome


def worked(do: Callable[[], T]) -> Flow[T]:
    """Return what `do` returns, which blocks on a disk."""
    results: list[T] = []
    yield Work(lambda: results.append(do()))
    return results[0]


def exchange(request: HttpRequest, patience: Patience) -> Flow[HttpReply]:
    """Send `request` until its answer is more than a passing trouble.

    Raises:
        ServiceUnavailable: patience is over, or the service asks for a pause longer than what is left of it; the
            error is caused by the last trouble.
    """
    tries = 0
    while True:
        outcome = yield from attempt(request, patience)
        if isinstance(outcome, HttpReply) and outcome.status not in PASSING_STATUSES:
            return outcome
        tries += 1
        trouble = outcome.cause if isinstance(outcome, TransportFailure) else problem(outcome, request)
        told = one_line(f"{request} at {patience.url} failed, try {tries}: {type(trouble).__name__}: {trouble}")
        pause_s = _pause_s(outcome, tries, patience)
        if pause_s is None:
            raise ServiceUnavailable(
                f"{told}; patience of {patience.patience_s:g} s does not allow another; see that the service "
                "is up and its address is right, then repeat the call: what was counted is not counted twice"
            ) from trouble
        yield Pause(pause_s, told, patience.left_s())


def answer(request: HttpRequest, patience: Patience, kind: type[T], *expected: int) -> Flow[T]:
    """Return the document that answers `request`, whose status is one of `expected`, or 200 if none is given.

    Raises what `exchange` and `success` raise.
    """
    return success((yield from exchange(request, patience)), request, kind, *expected)


def success(reply: HttpReply, request: HttpRequest, kind: type[T], *expected: int) -> T:
    """Return the document of a reply whose status is one of `expected`, or 200 if none is given.

    Raises:
        ProblemError: what another status means.
        ProtocolError: the reply is no document.
    """
    if reply.status not in (expected or (200,)):
        raise problem(reply, request)
    return decoded(reply, request, kind)


def _pause_s(outcome: Outcome, tries: int, patience: Patience) -> float | None:
    """Return the seconds until the next try, None if there is to be none.

    Exponential backoff with full jitter, after the time that the service asked for: ranks that were turned
    away together shall not come back together. What is left of patience cuts the backoff short, so that the
    last try is made at its very end, but never what the service asked for.
    """
    left_s = patience.left_s()
    asked_s = retry_after_s(outcome, patience.surroundings.wall_clock_s)
    if left_s <= 0.0 or asked_s > left_s:
        return None
    longest_s = min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2.0 ** min(tries - 1, 30))
    return min(asked_s + patience.surroundings.jitter() * longest_s, left_s)


def retry_after_s(outcome: Outcome, wall_clock_s: Callable[[], float]) -> float:
    """Return what Retry-After asks for, in seconds, at most RETRY_AFTER_LONGEST_S; 0 where it asks for nothing."""
    if isinstance(outcome, TransportFailure) or "retry-after" not in outcome.headers:
        return 0.0
    value = outcome.headers["retry-after"]
    try:
        asked_s = float(value)
    except ValueError:
        asked_s = _until_s(value, outcome.headers, wall_clock_s)
    return 0.0 if math.isnan(asked_s) else min(max(asked_s, 0.0), RETRY_AFTER_LONGEST_S)


def _until_s(date: str, headers: Mapping[str, str], wall_clock_s: Callable[[], float]) -> float:
    """Return the seconds until an HTTP date, by the clock that wrote it if the reply tells its time."""
    due_s = _epoch_s(date)
    now_s = _epoch_s(headers.get("date", ""))
    if due_s is None:
        return 0.0
    return due_s - (wall_clock_s() if now_s is None else now_s)


def _epoch_s(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()  # an HTTP date is always GMT
    except (ValueError, OverflowError):
        return None
