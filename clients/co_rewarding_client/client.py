"""The client for code that blocks."""

import time
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar

from co_rewarding_client import address
from co_rewarding_client.calls import Calls
from co_rewarding_client.driving import RetryLog, drive
from co_rewarding_client.flow import Flow, Surroundings
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
from co_rewarding_client.transport import Connection, Transport
from co_rewarding_client.uploading import Progress

T = TypeVar("T")


class RewardClient:
    """A connection to the reward service, for one run; safe to share between threads, to be closed after use.

    `base_url` may carry user:password for HTTP Basic and a path; an `api_key` is sent as Bearer and goes
    before these. `timeout_s` bounds connecting and every single answer, beyond the time it was asked to be
    held back. `patience_s` bounds a call with all its tries and polls (the last of which may take `timeout_s`
    longer); its default outlasts the deadline of a cohort. `transport` is an httpx transport; `surroundings`
    and `sleep` are for tests.

    Every call retries 429, 502, 503, 504 and transport failures, and raises ServiceUnavailable when patience
    is over, ProblemError for a refusal, InvalidRequest (one of these) for what cannot be sent (an argument of
    another type is named, with what is due), ProtocolError for an answer that is not the contract. The constructor
    raises InvalidRequest for an address, key or duration that is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        run: str = "default",
        timeout_s: float = 30.0,
        patience_s: float = 900.0,
        transport: Transport | None = None,
        surroundings: Surroundings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        where, surroundings = address.parse(base_url, api_key), surroundings or Surroundings()
        self._calls = Calls(where.url, run, timeout_s, patience_s, surroundings)
        self._connection = Connection(where, timeout_s, transport)
        self._sleep = sleep
        self._retry_log = RetryLog(surroundings.clock_s)

    def rewards(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None = None,
        method: str | None = None,
        complete: bool = True,
        wait_s: float = 30.0,
        idempotency_key: str | None = None,
    ) -> Rewards:
        """The rewards of `rollouts`, in their order; waits until they are settled.

        `complete` says that the batch holds its groups whole; False, that it is a part, to be joined by
        others; a rollout without an index is one of its own then. `wait_s` is how long the service is asked to hold
        one answer back, at most its own limit. `idempotency_key` is made up if not given, and is the same for all
        tries, and for the same call after one that went without an answer.

        Raises StillPending, which has the ticket, when the rewards are not settled within patience.
        """
        return self._drive(
            self._calls.rewards(
                rollouts,
                step=step,
                method=method,
                complete=complete,
                wait_s=wait_s,
                idempotency_key=idempotency_key,
            )
        )

    def submit(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None = None,
        method: str | None = None,
        complete: bool = True,
        idempotency_key: str | None = None,
    ) -> Ticket:
        """Hands `rollouts` in without waiting for their rewards; arguments as for `rewards`."""
        return self._drive(
            self._calls.submit(
                rollouts,
                step=step,
                method=method,
                complete=complete,
                idempotency_key=idempotency_key,
            )
        )

    def collect(self, ticket: Ticket | str, *, wait_s: float = 20.0) -> Rewards:
        """The rewards of what was submitted; waits, `wait_s` at a time, until they are settled.

        Raises StillPending when they are not settled within patience, NotFound for a ticket that has expired.
        """
        return self._drive(self._calls.collect(ticket, wait_s=wait_s))

    def poll(self, ticket: Ticket | str, *, wait_s: float = 0.0) -> Rewards | Pending:
        """The rewards of what was submitted if they are settled within `wait_s`, else how far they are."""
        return self._drive(self._calls.poll(ticket, wait_s=wait_s))

    def put_run(self, name: str, settings: RunSettings) -> Mapping[str, Any]:
        """Makes or changes the run `name`; the run as the service then has it."""
        return self._drive(self._calls.put_run(name, settings))

    def run(self, name: str) -> Mapping[str, Any]:
        """The state of the run `name`, as the service tells it."""
        return self._drive(self._calls.run(name))

    def runs(self) -> tuple[Mapping[str, Any], ...]:
        """All runs, as the service tells them, the latest used first.

        They come in pages of 500: one that is used while they are read may be missing.
        """
        return self._drive(self._calls.runs())

    def cohort(self, cohort_id: str) -> Mapping[str, Any]:
        """Why a reward is what it is: the ballots, classes, votes and label of a `Label.cohort`."""
        return self._drive(self._calls.cohort(cohort_id))

    def cohorts(
        self, question_id: str, *, step: int | None = None, most: int = 100, run: str | None = None
    ) -> tuple[Mapping[str, Any], ...]:
        """The cohorts of a question, open or settled, the latest first, `most` of them; of any step if none is given.

        Each has its "cohort", for `cohort`, and its "step", "attempt", "method", "state", "views" and "labels".
        """
        return self._drive(self._calls.cohorts(question_id, step=step, most=most, run=run))

    def publish(
        self,
        step: int,
        folder: str | PathLike[str],
        *,
        run: str | None = None,
        sha256: str | None = None,
        upload: bool = False,
        progress: Progress | None = None,
    ) -> TeacherUpdate:
        """Tells the service that the weights from which the rollouts of `step` are sampled are there, for the teacher.

        They are the *.safetensors files of `folder`, a path below the service's weights root; with `upload`, a folder
        of this machine, whose weights are sent first. `sha256` is that of their contents, one after the other in order
        of their names, and is checked if given. The same step twice is one update. `run` is the client's if not given,
        here and below.

        An upload goes on where it was cut, also when this is called again with the same files, and every file is
        checked by its SHA-256. Patience then bounds the time without progress. `progress` is called with the bytes
        that have arrived and those of the whole.

        Raises Conflict for a step older than one that was published, InvalidRequest for a folder without weights.
        """
        return self._drive(self._calls.publish(step, folder, run=run, sha256=sha256, upload=upload, progress=progress))

    def prefetch(self, step: int | None, questions: Sequence[Question], *, run: str | None = None) -> int:
        """Has the teacher answer `questions`, of which `step` will have rollouts, while the policy generates these.

        How many the service took: those that it has labels for already are among them. Nothing is wrong with calling
        it twice, or never.
        """
        return self._drive(self._calls.prefetch(step, questions, run=run))

    def paraphrase(
        self,
        questions: Sequence[Question | str],
        *,
        ground_truths: Mapping[str, str] | None = None,
        recipe: Mapping[str, Any] | None = None,
        wait_s: float = 60.0,
        run: str | None = None,
    ) -> tuple[Paraphrase, ...]:
        """What becomes of `questions`, in their order; waits for them.

        Each is a Question told as its bare text, or that text alone, whose question_id is then its place: "0", "1", ...
        `ground_truths` by question_id must not be given away, and are not told to the model. `recipe` has the fields of
        POST /v1/paraphrases, such as {"prompts": ["reword"], "n": 2}. `wait_s` is how long the service is asked to hold
        one answer back; what takes longer goes on there, and is asked for again until patience is over.
        """
        return self._drive(
            self._calls.paraphrase(questions, ground_truths=ground_truths, recipe=recipe, wait_s=wait_s, run=run)
        )

    def teacher(self, run: str | None = None) -> TeacherState:
        """The run's teacher: its version, and what waits for it."""
        return self._drive(self._calls.teacher(run))

    def ready(self) -> bool:
        """Whether the service is able to serve; asked once, False too when it cannot be reached."""
        return self._drive(self._calls.ready())

    def version(self) -> str:
        """The version of the service."""
        return self._drive(self._calls.version())

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _drive(self, flow: Flow[T]) -> T:
        return drive(flow, self._connection.perform, self._sleep, self._retry_log)
