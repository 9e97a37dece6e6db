"""Accept batches and parts of batches, and answer when they are settled."""

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import msgspec
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import Pending, RewardRequest, Rewards

from reward_service.api.http.problems import Problem, key_reused
from reward_service.api.rewards.cohort_builder import batch_of, part_of
from reward_service.api.rewards.evaluation import is_compared
from reward_service.api.rewards.extraction import Extraction
from reward_service.api.rewards.peer_requests import cast_of, check_peers
from reward_service.api.rewards.progress import Progress
from reward_service.api.rewards.rendering import (
    Seat,
    SettledCohort,
    answer_of,
    answer_of_batch,
    cohort_in,
    seats_of_part,
    settled_with,
)
from reward_service.api.rewards.run_cache import RunCache, usable_method
from reward_service.api.rewards.teacher_labels import taught
from reward_service.api.rewards.waiting_room import BATCH, COHORT, Waiter, WaitingRoom
from reward_service.store.cohorts import CohortStore, parse_batch
from reward_service.store.keys import digest, qualified, split_qualified
from reward_service.store.labels import LabelStore, WantedLabel
from reward_service.store.records import (
    BatchRecord,
    TicketRecord,
    packed,
    unpack_batch,
    unpack_ticket,
)
from reward_service.store.submissions import KeptTicket, Refused, Revised, StoredBatch
from reward_service.store.teachers import TeacherStore


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """What was accepted and may not be settled yet. `part` is None for a self-contained batch.

    `known` holds what the store said was settled when it took the request; None means that it was not asked now.
    """

    run: str
    name: str
    count: int
    part: TicketRecord | None = None
    known: Mapping[str, bytes] | None = None

    @property
    def ticket(self) -> str:
        """What a client asks for it with."""
        return qualified(self.run, self.name)


class Scorer:
    """Scores requests over a store, a room to wait in and the book of runs."""

    def __init__(
        self,
        store: CohortStore,
        labels: LabelStore,
        teachers: TeacherStore,
        room: WaitingRoom,
        run_cache: RunCache,
        progress: Progress,
        max_text_chars: int,
    ) -> None:
        """Composed once, in the app's lifespan."""
        self.progress = progress
        self._store = store
        self._labels = labels
        self._teachers = teachers
        self._room = room
        self._run_cache = run_cache
        self._max_text_chars = max_text_chars
        self.extraction = Extraction()

    async def accept(self, request: RewardRequest, idempotency_key: str | None) -> AcceptedRequest:
        """Takes a request: after this, all of it is in Redis.

        Raises:
            Problem: the request cannot be taken; nothing of it was kept.
        """
        tries = self._run_cache.tries(request.run)
        while True:
            try:
                revised = await tries.settings()
                method = usable_method(request.method or revised.settings.method)
                check_peers(request, method, revised.settings)
                # A rollout that its teacher or a ground truth labels needs no other: whole or a part is the same there.
                joined = method.is_gathered and not is_compared(request)
                accept = self._accept_batch if request.complete or not joined else self._accept_part
                taken = await accept(request, method, revised, idempotency_key)
            except Problem:  # by old settings it may be none
                if await tries.changed():
                    continue
                raise
            if isinstance(taken, AcceptedRequest):
                return taken
            await tries.refused(*taken)

    async def collect(self, pending: AcceptedRequest, wait_s: float) -> Rewards | Pending:
        """The rewards, if all are settled within `wait_s` seconds; else how far they are.

        Raises:
            Problem: 404 for what is kept no longer.
            DrainingError: the process is stopping.
        """
        if pending.part is None:
            return await self._collect_batch(pending, wait_s)
        return await self._collect_part(pending, pending.part, wait_s)

    async def find(self, ticket: str) -> AcceptedRequest:
        """What a ticket stands for.

        Raises:
            Problem: 404 for a ticket that was never given or is kept no longer.
        """
        split = split_qualified(ticket)
        if split is not None:
            run, name = split
            data = await self._store.ticket(run, name)
            if data is not None:
                part = unpack_ticket(data)
                return AcceptedRequest(run, name, len(part.places_N), part)
            kept = await self._store.batch(run, name)
            if kept is not None:
                return AcceptedRequest(run, name, kept.count)
        raise _unknown_ticket(ticket)

    async def _accept_batch(
        self, request: RewardRequest, method: Method, revised: Revised, idempotency_key: str | None
    ) -> AcceptedRequest | tuple[Refused, str]:
        run, count = request.run, len(request.rollouts)
        found = await self.extraction.of_long(request.rollouts, revised.settings)
        job = batch_of(request, method, revised.settings, self._max_text_chars, found)
        wanted: list[WantedLabel] | None = None
        if method.needs_teacher:
            job, wanted = taught(job, request, method, revised.settings)
        payload = packed(job)
        if idempotency_key is not None:
            name, fingerprint = _keyed(idempotency_key), fingerprint_of(request)
        else:
            texts = [] if wanted is None else await self._apart(request)
            name, fingerprint = digest(payload, revised.revision, *texts, size=12), digest(payload)
        cast = cast_of(request, revised.settings)
        if wanted is None:
            answer = await self._store.submit(run, name, fingerprint, payload, revised, count, cast)
        else:
            answer = await self._labels.submit(run, name, fingerprint, payload, revised, count, wanted, cast)
        if isinstance(answer, Refused):
            return answer, "a rollout"
        return _pending(run, name, count, fingerprint, answer)

    async def _apart(self, request: RewardRequest) -> list[str]:
        """Return what keeps a request apart from others of the same rollouts, where a teacher labels them.

        What comes again without a step belongs to the teacher of its time.
        """
        newest = None if request.step is not None else await self._teachers.accepted(request.run)
        return [str(newest), *(rollout.response for rollout in request.rollouts)]

    async def _accept_part(
        self, request: RewardRequest, method: Method, revised: Revised, idempotency_key: str | None
    ) -> AcceptedRequest | tuple[Refused, str]:
        if idempotency_key is None:
            name, key, fingerprint = f"t{uuid4().hex[:22]}", None, ""
        else:
            name = key = _keyed(idempotency_key)
            fingerprint = fingerprint_of(request)
        found = await self.extraction.of_long(request.rollouts, revised.settings)
        part = part_of(request, method, revised.settings, key, self._max_text_chars, found)
        ticket = TicketRecord(request.run, request.step, part.method, part.places_N, fingerprint)
        answer = await self._store.join(request.run, part.cohorts, revised, (name, packed(ticket)))
        if isinstance(answer, Refused):
            return answer, part.named(request, answer.cohort, answer.about)
        if isinstance(answer, KeptTicket):
            earlier = unpack_ticket(answer.content)
            if earlier.fingerprint != fingerprint:
                raise key_reused()
            return AcceptedRequest(request.run, name, len(earlier.places_N), earlier)
        known = {c.cohort: record for c, record in zip(part.cohorts, answer, strict=True) if record is not None}
        return AcceptedRequest(request.run, name, len(request.rollouts), ticket, known)

    async def _collect_batch(self, pending: AcceptedRequest, wait_s: float) -> Rewards | Pending:
        with self._room.watch(BATCH, pending.ticket) as watch:
            known = pending.known
            if known is None:
                kept = await self._store.batch(pending.run, pending.name)
                known = {pending.name: kept.record} if kept is not None and kept.record is not None else {}
            try:
                async with asyncio.timeout(wait_s):
                    record = await settled_batch(watch, known.get(pending.name))
            except TimeoutError:
                return await self.progress.of_batch(pending.run, pending.name, pending.count)
        return answer_of_batch(pending.name, record)

    async def _collect_part(self, pending: AcceptedRequest, part: TicketRecord, wait_s: float) -> Rewards | Pending:
        wanted: dict[str, set[str]] = {}
        for cohort, ballot in part.places_N:
            wanted.setdefault(cohort, set()).add(ballot)
        cohorts: dict[str, SettledCohort] = {}
        with contextlib.ExitStack() as stack:
            watches = {
                name: stack.enter_context(self._room.watch(COHORT, qualified(pending.run, name))) for name in wanted
            }
            known = pending.known
            if known is None:
                found = await self._store.watch(pending.run, list(wanted))
                if None in found:
                    raise _unknown_ticket(pending.ticket)
                known = {name: data for name, data in zip(wanted, found, strict=True) if data}
            for name, data in known.items():
                watches[name].put_if_empty(data)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    for name, ballots in wanted.items():
                        await settled_cohort(watches[name], ballots)
            for name, watch in watches.items():
                if watch.data is not None:
                    cohorts[name] = cohort_in(watch.data, watch)
        seats = seats_of_part(part, cohorts)
        settled: list[Seat] = [seat for seat in seats if seat is not None]
        if len(settled) < len(seats):
            open_ones = dict.fromkeys(name for (name, _), seat in zip(part.places_N, seats, strict=True) if not seat)
            return await self.progress.of_part(pending.run, pending.name, len(settled), len(seats), list(open_ones))
        return answer_of(part.run, part.step, part.method, settled)


async def settled_batch(watch: Waiter, known: bytes | None) -> BatchRecord:
    """Waits until a batch is settled."""
    while known is None:
        if watch.data is not None:
            known = parse_batch(watch.data).record
        if known is None:
            await watch.change()
    return unpack_batch(known)


async def settled_cohort(watch: Waiter, ballots: set[str]) -> SettledCohort:
    """Waits until a cohort is settled and these ballots are in it."""
    while (cohort := settled_with(watch, ballots)) is None:
        await watch.change()
    return cohort


def _pending(run: str, name: str, count: int, fingerprint: str, answer: StoredBatch) -> AcceptedRequest:
    """Return a batch as the store has taken it.

    Raises:
        Problem: 409 where another batch has its name.
    """
    if answer.fingerprint != fingerprint:
        raise key_reused()
    return AcceptedRequest(run, name, count, known={} if answer.record is None else {name: answer.record})


def _unknown_ticket(ticket: str) -> Problem:
    what = f"the ticket {ticket[:200]!r} was never given, or its rewards are kept no longer."
    return Problem(ProblemKind.UNKNOWN_TICKET, what)


def _keyed(idempotency_key: str) -> str:
    return f"k{digest(idempotency_key, size=12)}"


COMPARED_CHARS = 256


def fingerprint_of(request: RewardRequest) -> str:
    """What two requests under one key are compared by: all that they ask for, but for how long they wait.

    A checksum stands for a long text: the whole of every text would be read as slowly as it was parsed.
    """
    asked = (request.run, request.step, request.method, request.complete)
    rollouts = [
        (
            each.question_id, _sum_of(each.prompt), each.view, each.rollout, each.attempt, each.voter,
            _sum_of(each.response), each.ground_truth, each.statistics, each.evidence,
        )
        for each in request.rollouts
    ]  # fmt: skip
    return digest(msgspec.msgpack.encode((asked, rollouts)))


def _sum_of(text: str | None) -> object:
    if text is None or len(text) <= COMPARED_CHARS:
        return text
    return len(text), zlib.crc32(text.encode("utf-8", "surrogatepass"))
