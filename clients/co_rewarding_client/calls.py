"""Define each call of the contract as a flow; both clients have the calls as methods."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from co_rewarding_schema.paraphrases import Paraphrases

from co_rewarding_client import decoding, encoding, paraphrasing
from co_rewarding_client.arguments import check_number, check_path
from co_rewarding_client.errors import StillPending
from co_rewarding_client.flow import (
    PASSING_STATUSES,
    Flow,
    Patience,
    Pause,
    TransportFailure,
    attempt,
    exchange,
    success,
)
from co_rewarding_client.model import (
    Paraphrase,
    Pending,
    Question,
    Rewards,
    Rollout,
    TeacherState,
    TeacherUpdate,
    Ticket,
)
from co_rewarding_client.run_calls import RunCalls
from co_rewarding_client.uploading import Progress, shared_path, uploaded

POLL_INTERVAL_S = 0.5  # a service or proxy that does not hold its answer back must not be asked in a tight loop


class Calls(RunCalls):
    """The calls for one run of the service: rewards, the teacher and paraphrases, and those of `RunCalls`."""

    def rewards(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None = None,
        method: str | None = None,
        complete: bool = True,
        evaluate: bool = False,
        wait_s: float = 30.0,
        idempotency_key: str | None = None,
    ) -> Flow[Rewards]:
        """Return the rewards of `rollouts`, in their order, when they are settled.

        `complete` says that the batch holds its groups whole; False, that it is a part, to be joined by others; a
        rollout without an index is one of its own then. With `evaluate` they are kept apart from the training: compared
        with their ground truths, else voted within their view; no `method` then. `wait_s` is how long the service is
        asked to hold one answer back, at most its own limit. `idempotency_key` is made up if not given: one for all
        tries, and for a repeated call that went without an answer.

        Raises:
            StillPending: the rewards are not settled within patience; the error has the ticket, and what is awaited.
            ProtocolError: there is not one reward for each rollout.
        """
        check_number("wait_s", wait_s)
        patience = self._begin()
        document = encoding.batch(rollouts, self._run_name, step, method, complete=complete, evaluate=evaluate)
        with self._unanswered.key(document, idempotency_key) as key:
            request = encoding.rewards_request(document, min(wait_s, self._patience_s), key)
            reply = yield from exchange(request, patience)
            if reply.status == 202:
                accepted = decoding.decoded(reply, request, Pending)
                value = yield from self._settled(accepted.ticket, wait_s, patience)
            else:
                value = decoding.consistent(success(reply, request, Rewards), request)
            return decoding.counted(value, len(rollouts), request)

    def submit(
        self,
        rollouts: Sequence[Rollout],
        *,
        step: int | None = None,
        method: str | None = None,
        complete: bool = True,
        evaluate: bool = False,
        idempotency_key: str | None = None,
    ) -> Flow[Ticket]:
        """Hand `rollouts` in without waiting for their rewards; arguments as for `rewards`."""
        document = encoding.batch(rollouts, self._run_name, step, method, complete=complete, evaluate=evaluate)
        with self._unanswered.key(document, idempotency_key) as key:
            return (yield from self._answer(encoding.rollouts_request(document, key), Ticket, 202))

    def collect(self, ticket: Ticket | str, *, wait_s: float = 20.0) -> Flow[Rewards]:
        """Return the rewards of what was submitted, when they are settled; waits for `wait_s` at a time.

        Raises:
            StillPending: they are not settled within patience.
            NotFound: the ticket has expired.
        """
        return self._settled(_name(ticket), wait_s, self._begin())

    def poll(self, ticket: Ticket | str, *, wait_s: float = 0.0) -> Flow[Rewards | Pending]:
        """Return the rewards of what was submitted if they are settled within `wait_s`, else how far they are."""
        return self._poll(_name(ticket), wait_s, self._begin())

    def publish(
        self,
        step: int,
        folder: str | PathLike[str],
        *,
        run: str | None = None,
        sha256: str | None = None,
        upload: bool = False,
        progress: Progress | None = None,
    ) -> Flow[TeacherUpdate]:
        """Tell the service that the weights from which the rollouts of `step` are sampled are there, for the teacher.

        They are the *.safetensors files of `folder`, a path below the service's weights root; with `upload`, a folder
        of this machine, whose weights are sent first. `sha256` is that of their contents, one after the other in order
        of their names, and is checked if given. The same step twice is one update. `run` is the client's if not given,
        here and below.

        An upload goes on where it was cut, also when the call is repeated with the same files, and every file is
        checked by its SHA-256. Patience then bounds the time without progress. `progress` is called with the bytes
        that have arrived and those of the whole.

        Raises:
            Conflict: the step is older than one that was published.
            InvalidRequest: a folder without weights.
        """
        check_path("folder", folder)
        if upload:
            path = yield from uploaded(Path(folder), self._run(run), step, self._begin, progress)
        else:
            path = shared_path(folder)
        request = encoding.update_request(self._run(run), step, path, sha256)
        return (yield from self._answer(request, TeacherUpdate, 202))

    def prefetch(self, step: int | None, questions: Sequence[Question], *, run: str | None = None) -> Flow[int]:
        """Have the teacher answer `questions`, of which `step` will have rollouts, while the policy generates these.

        Returns how many the service took: those that it has labels for already are among them. Nothing is wrong with
        calling it twice, or never.
        """
        request = encoding.prefetch_request(self._run(run), step, questions)
        return (yield from self._answer(request, decoding.Prefetched, 202)).accepted

    def paraphrase(
        self,
        questions: Sequence[Question | str],
        *,
        ground_truths: Mapping[str, str] | None = None,
        recipe: Mapping[str, Any] | None = None,
        wait_s: float = 60.0,
        run: str | None = None,
    ) -> Flow[tuple[Paraphrase, ...]]:
        """Return what becomes of `questions`, in their order, when all are done.

        Each is a Question told as its bare text, or that text alone, whose question_id is then its place: "0", "1", ...
        `ground_truths` by question_id must not be given away, and are not told to the model. `recipe` has the fields of
        POST /v1/paraphrases, such as {"prompts": ["reword"], "n": 2}. `wait_s` is how long the service is asked to hold
        one answer back; what takes longer goes on there, and is asked for again until patience is over.
        """
        check_number("wait_s", wait_s)
        hold_s = min(wait_s, self._patience_s)
        request = paraphrasing.paraphrases_request(self._run(run), questions, ground_truths, recipe, hold_s)
        return tuple((yield from self._answer(request, Paraphrases)).paraphrases)

    def teacher(self, run: str | None = None) -> Flow[TeacherState]:
        """Return the state of the run's teacher: its version, and what waits for it."""
        return self._answer(encoding.teacher_request(self._run(run)), TeacherState)

    def ready(self) -> Flow[bool]:
        """Ask once whether the service is able to serve; False too where the service cannot be reached."""
        outcome = yield from attempt(request := encoding.get("/ready"), self._begin())
        if isinstance(outcome, TransportFailure) or outcome.status in PASSING_STATUSES:
            return False
        if outcome.status == 200:
            return True
        raise decoding.problem(outcome, request)

    def version(self) -> Flow[str]:
        """Return the version of the service."""
        return (yield from self._answer(encoding.get("/version"), decoding.Version)).version

    def _poll(self, ticket: str, wait_s: float, patience: Patience) -> Flow[Rewards | Pending]:
        check_number("wait_s", wait_s)
        request = encoding.ticket_request(ticket, min(wait_s, patience.left_s()))
        reply = yield from exchange(request, patience)
        if reply.status == 202:
            return decoding.decoded(reply, request, Pending)
        return decoding.consistent(success(reply, request, Rewards), request)

    def _settled(self, ticket: str, wait_s: float, patience: Patience) -> Flow[Rewards]:
        clock_s = self._surroundings.clock_s
        while True:
            asked_at = clock_s()
            found = yield from self._poll(ticket, wait_s, patience)
            if isinstance(found, Rewards):
                return found
            left_s = patience.left_s()
            if left_s <= 0.0:
                awaited = found.waiting_for, found.waiting_for_more
                raise StillPending(ticket, found.settled, found.of, self._patience_s, *awaited)
            rest_s = min(POLL_INTERVAL_S - (clock_s() - asked_at), left_s)
            if rest_s > 0.0:
                yield Pause(rest_s, f"ticket {ticket} is not settled yet")


def _name(ticket: Ticket | str) -> str:
    return ticket.ticket if isinstance(ticket, Ticket) else ticket
