"""Every call of the contract as a flow, to be driven by a client."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from co_rewarding_schema.paraphrases import Paraphrases

from co_rewarding_client import decoding, encoding, paraphrasing
from co_rewarding_client.arguments import check_number, check_path, check_text
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import StillPending, invalid
from co_rewarding_client.flow import (
    PASSING_STATUSES,
    Flow,
    Patience,
    Pause,
    Surroundings,
    TransportFailure,
    attempt,
    begin,
    exchange,
)
from co_rewarding_client.model import (
    Paraphrase,
    Pending,
    Question,
    Rewards,
    Rollout,
    RunSettings,
    TeacherState,
    TeacherUpdate,
    Ticket,
)
from co_rewarding_client.uploading import Progress, shared_path, uploaded

# A service or proxy that does not hold the answer back must not be asked in a tight loop.
POLL_INTERVAL_S = 0.5
COHORTS_AT_ONCE = 100

Value = TypeVar("Value")


class UnansweredKeys:
    """The keys of calls that ended without an answer, so that a call which is repeated is known as the same.

    A call that was answered and comes again with the same body is another one: small models do repeat themselves.
    """

    MOST = 1024

    def __init__(self) -> None:
        self._keys: dict[bytes, list[str]] = {}
        self._lock = Lock()

    def taken(self, document: Mapping[str, Any]) -> str | None:
        """A key of such a call; the next one to ask gets another, or None."""
        if not self._keys:
            return None
        name = self._name(document)
        with self._lock:
            keys = self._keys.get(name, [])
            key = keys.pop() if keys else None
            if not keys:
                self._keys.pop(name, None)
        return key

    def keep(self, document: Mapping[str, Any], key: str) -> None:
        """The call under this key went without an answer."""
        with self._lock:
            self._keys.setdefault(self._name(document), []).append(key)
            if len(self._keys) > self.MOST:
                del self._keys[next(iter(self._keys))]

    @staticmethod
    def _name(document: Mapping[str, Any]) -> bytes:
        return hashlib.sha256(encoding.encoded(document)).digest()


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls for one run of the service at `url`. Raises InvalidRequest for a run or durations that are none."""

    url: str
    run_name: str
    timeout_s: float
    patience_s: float
    surroundings: Surroundings = field(default_factory=Surroundings)
    unanswered: UnansweredKeys = field(default_factory=UnansweredKeys)

    def __post_init__(self) -> None:
        check_text("run", self.run_name)
        check_number("timeout_s", self.timeout_s)
        check_number("patience_s", self.patience_s)
        if not self.timeout_s > 0.0:
            raise invalid(f"timeout_s is {self.timeout_s}; it must be more than 0")
        if not self.patience_s >= 0.0:
            raise invalid(f"patience_s is {self.patience_s}; it must be 0 (a single try) or more")

    def rewards(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None,
        method: str | None,
        complete: bool,
        wait_s: float,
        idempotency_key: str | None,
    ) -> Flow[Rewards]:
        """Asks for the rewards of a batch, in the order of its rollouts, and waits until they are settled.

        Raises StillPending when patience ends first, ProtocolError where there is not one reward for each rollout.
        """
        check_number("wait_s", wait_s)
        patience = self._begin()
        document = encoding.batch(rollouts, run=self.run_name, step=step, method=method, complete=complete)
        with self._key(document, idempotency_key) as key:
            request = encoding.rewards_request(document, min(wait_s, self.patience_s), key)
            reply = yield from exchange(request, patience)
            if reply.status == 202:
                accepted = decoding.decoded(reply, request, Pending)
                value = yield from self._settled(accepted.ticket, wait_s, patience)
            else:
                value = _rewards(reply, request)
            return decoding.counted(value, len(rollouts), request)

    def submit(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None,
        method: str | None,
        complete: bool,
        idempotency_key: str | None,
    ) -> Flow[Ticket]:
        """Hands in a batch without waiting for its rewards; they are collected with the ticket."""
        document = encoding.batch(rollouts, run=self.run_name, step=step, method=method, complete=complete)
        with self._key(document, idempotency_key) as key:
            request = encoding.rollouts_request(document, key)
            reply = yield from exchange(request, self._begin())
            return _success(reply, request, Ticket, 202)

    def collect(self, ticket: Ticket | str, *, wait_s: float) -> Flow[Rewards]:
        """Waits for the rewards of a ticket, `wait_s` a request. Raises StillPending when patience ends first."""
        return self._settled(_name(ticket), wait_s, self._begin())

    def poll(self, ticket: Ticket | str, *, wait_s: float) -> Flow[Rewards | Pending]:
        """Asks for the rewards of a ticket, or how far they are if they are not settled within `wait_s`."""
        return self._poll(_name(ticket), wait_s, self._begin())

    def put_run(self, name: str, settings: RunSettings) -> Flow[Mapping[str, Any]]:
        """Makes or changes the run `name`, and returns the run as the service then has it."""
        request = encoding.run_request(name, settings)
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, dict[str, Any], 200, 201)

    def run(self, name: str) -> Flow[Mapping[str, Any]]:
        """Reads the run `name`, as the service tells of it."""
        return self._document(f"/v1/runs/{encoding.segment(name)}")

    def runs(self) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Reads all runs, page by page."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while True:
            request = encoding.runs_request(cursor)
            reply = yield from exchange(request, self._begin())
            page = _success(reply, request, decoding.RunsPage)
            found += page.runs
            cursor = page.cursor
            if cursor is None:
                return tuple(found)

    def cohort(self, cohort_id: str) -> Flow[Mapping[str, Any]]:
        """Reads the ballots, classes, votes and label of one cohort."""
        return self._document(f"/v1/cohorts/{encoding.segment(cohort_id)}")

    def cohorts(
        self, question_id: str, *, step: int | None, most: int, run: str | None
    ) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Reads at most `most` cohorts of a question, page by page; those of any step if `step` is None."""
        check_text("question_id", question_id)
        check_number("most", most)
        found: list[Mapping[str, Any]] = []
        cursor = None
        while True:
            limit = min(most - len(found), COHORTS_AT_ONCE)
            request = encoding.cohorts_request(self._run(run), question_id, step, limit, cursor)
            reply = yield from exchange(request, self._begin())
            page = _success(reply, request, decoding.CohortsPage)
            found += page.cohorts
            cursor = page.cursor
            if cursor is None or len(found) >= most:
                return tuple(found)

    def ready(self) -> Flow[bool]:
        """Asks once whether the service is able to serve; False too where the service cannot be reached.

        Raises what any other status means that is not of a passing trouble.
        """
        request = encoding.get("/ready")
        outcome = yield from attempt(request, self._begin())
        if isinstance(outcome, TransportFailure) or outcome.status in PASSING_STATUSES:
            return False
        if outcome.status != 200:
            raise decoding.problem(outcome, request)
        return True

    def version(self) -> Flow[str]:
        """Reads the version of the service."""
        request = encoding.get("/version")
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, decoding.Version).version

    def publish(
        self,
        step: int,
        folder: str | PathLike[str],
        *,
        run: str | None,
        sha256: str | None,
        upload: bool,
        progress: Progress | None,
    ) -> Flow[TeacherUpdate]:
        """Tells the service that the weights of `step` are in `folder`, for the teacher of the run.

        With `upload`, `folder` is on this machine and its weights are sent first; else it lies below the service's
        weights root. `run` None is the run of these calls, here and below.
        """
        check_path("folder", folder)
        if upload:
            path = yield from uploaded(Path(folder), self._run(run), step, self._begin, progress)
        else:
            path = shared_path(folder)
        request = encoding.update_request(self._run(run), step, path, sha256)
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, TeacherUpdate, 202)

    def prefetch(self, step: int | None, questions: Sequence[Question], *, run: str | None) -> Flow[int]:
        """Has the teacher answer `questions` ahead of `step`, and returns how many of them the service took."""
        request = encoding.prefetch_request(self._run(run), step, questions)
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, decoding.Prefetched, 202).accepted

    def paraphrase(
        self,
        questions: Sequence[Question | str],
        *,
        ground_truths: Mapping[str, str] | None,
        recipe: Mapping[str, Any] | None,
        wait_s: float,
        run: str | None,
    ) -> Flow[tuple[Paraphrase, ...]]:
        """Asks for paraphrases of `questions`, and waits for what becomes of each, in their order."""
        check_number("wait_s", wait_s)
        request = paraphrasing.paraphrases_request(
            self._run(run), questions, ground_truths, recipe, min(wait_s, self.patience_s)
        )
        reply = yield from exchange(request, self._begin())
        return tuple(_success(reply, request, Paraphrases).paraphrases)

    def teacher(self, run: str | None) -> Flow[TeacherState]:
        """Reads the state of a run's teacher: its version, and what waits for it."""
        request = encoding.teacher_request(self._run(run))
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, TeacherState)

    @contextmanager
    def _key(self, document: Mapping[str, Any], given: str | None) -> Generator[str, None, None]:
        """The key of a call: a new one, unless the same call went without an answer before."""
        if given is not None:
            yield given
            return
        key = self.unanswered.taken(document) or self.surroundings.new_key()
        answered = False
        try:
            yield key
            answered = True
        finally:
            if not answered:
                self.unanswered.keep(document, key)

    def _run(self, run: str | None) -> str:
        if run is None:
            return self.run_name
        check_text("run", run)
        return run

    def _begin(self) -> Patience:
        return begin(self.timeout_s, self.patience_s, self.surroundings, self.url)

    def _document(self, path: str) -> Flow[Mapping[str, Any]]:
        request = encoding.get(path)
        reply = yield from exchange(request, self._begin())
        return _success(reply, request, dict[str, Any])

    def _poll(self, ticket: str, wait_s: float, patience: Patience) -> Flow[Rewards | Pending]:
        check_number("wait_s", wait_s)
        request = encoding.ticket_request(ticket, min(wait_s, patience.left_s()))
        reply = yield from exchange(request, patience)
        if reply.status == 202:
            return decoding.decoded(reply, request, Pending)
        return _rewards(reply, request)

    def _settled(self, ticket: str, wait_s: float, patience: Patience) -> Flow[Rewards]:
        clock_s = self.surroundings.clock_s
        while True:
            asked_at = clock_s()
            answer = yield from self._poll(ticket, wait_s, patience)
            if isinstance(answer, Rewards):
                return answer
            left_s = patience.left_s()
            if left_s <= 0.0:
                raise StillPending(ticket, answer.settled, answer.of, self.patience_s)
            rest_s = min(POLL_INTERVAL_S - (clock_s() - asked_at), left_s)
            if rest_s > 0.0:
                yield Pause(rest_s, f"ticket {ticket} is not settled yet")


def _name(ticket: Ticket | str) -> str:
    return ticket.ticket if isinstance(ticket, Ticket) else ticket


def _rewards(reply: HttpReply, request: HttpRequest) -> Rewards:
    if reply.status != 200:
        raise decoding.problem(reply, request)
    return decoding.rewards(reply, request)


def _success(reply: HttpReply, request: HttpRequest, kind: type[Value], *expected: int) -> Value:
    """Return the answer, if its status is `expected` (200 unless said). Raises what another status means."""
    if reply.status not in (expected or (200,)):
        raise decoding.problem(reply, request)
    return decoding.decoded(reply, request, kind)
