"""Keep cohorts and batches in Redis: add ballots, and find settled cohorts again."""

from collections.abc import Iterable, Sequence

from reward_service.store import cohort_scripts
from reward_service.store.connection import Argument, RedisConnection, as_dict
from reward_service.store.job_records import CastOf
from reward_service.store.keys import RunKeys
from reward_service.store.records import packed
from reward_service.store.submissions import (
    ArrivingRollout,
    JoiningCohort,
    KeptTicket,
    Leaving,
    Placed,
    Refusal,
    Refused,
    Revised,
    StoredBatch,
    StoreLimits,
)

HEARTBEAT_S = 3.0
"""How long a replica is taken for living after it has last said so, should its subscription be lost."""

LEAVING_AT_ONCE = 256
"""How many requests leave in one script: others' commands are answered between them."""

VIEW_LETTERS = "op"
"""How the scripts name the views, in the order of View."""


class CohortStore:
    """What the API asks of Redis about cohorts. Every call is atomic and may be repeated."""

    def __init__(self, connection: RedisConnection, limits: StoreLimits, channel: str) -> None:
        """`channel` is where this replica is woken."""
        self._connection = connection
        self._limits = limits
        self._channel = channel

    async def submit(
        self,
        run: str,
        batch: str,
        fingerprint: str,
        payload: bytes,
        at: Revised,
        count: int = 0,
        cast: CastOf | None = None,
    ) -> StoredBatch | Refused:
        """Remembers a self-contained batch as pending and queues it, unless it is known already.

        `cast` says how the batch holds groups, should their ballots be kept for peers; by default whole.
        """
        keys = RunKeys(run)
        answer = await cohort_scripts.submit(
            self._connection,
            batch=keys.batch(batch),
            jobs=keys.jobs,
            settings=keys.settings,
            ticket=keys.ticket(batch),
            peer_waits=keys.peer_waits,
            clock=keys.clock,
            name=batch,
            fingerprint=fingerprint,
            payload=payload,
            revision=at.revision,
            most_jobs=self._limits.jobs,
            ttl_ms=self._ttl_ms(),
            replica=self._channel,
            rollouts=count,
            most_waiting=most_open(self._limits, at),
            cast=str(cast or CastOf()),
        )
        match answer[0]:
            case b"new":
                return StoredBatch(fingerprint, None, count)
            case b"known":
                return parse_batch(answer[1], fingerprint)
            case _:
                return _refused(answer)

    async def join(
        self, run: str, cohorts: Sequence[JoiningCohort], at: Revised, ticket: tuple[str, bytes] | None = None
    ) -> list[bytes | None] | KeptTicket | Refused:
        """Adds ballots to their cohorts, all or none; answers the record of each cohort that is settled already.

        A ballot that is there already, with the same content, is not added again. Nothing is added where the ticket is
        there already.
        """
        keys = RunKeys(run)
        name, content = ticket or ("", b"")
        cohort_keys: list[str] = []
        coming: list[Argument] = []
        for cohort in cohorts:
            cohort_keys += [keys.open_cohort(cohort.cohort), keys.record(cohort.cohort)]
            coming += [cohort.cohort, cohort.mark, cohort.head, cohort.views]
            coming += [cohort.group_size or at.settings.group_size, len(cohort.ballots)]
            for view, ballot, row in cohort.ballots:
                coming += [VIEW_LETTERS[view], ballot, packed(row)]
        answer = await cohort_scripts.join(
            self._connection,
            jobs=keys.jobs,
            deadlines=keys.deadlines,
            settings=keys.settings,
            ticket=keys.ticket(name),
            batch=keys.batch(name),
            peer_waits=keys.peer_waits,
            clock=keys.clock,
            cohort_keys=cohort_keys,
            revision=at.revision,
            most_jobs=self._limits.jobs,
            most_open=most_open(self._limits, at),
            patience_ms=_ms(at.settings.cohort_deadline_s),
            ttl_ms=self._ttl_ms(at.settings.cohort_deadline_s),
            replica=self._channel,
            content=content,
            lists=keys.found,
            period_ms=self._ttl_ms(),
            coming=coming,
        )
        match answer[0]:
            case b"ok":
                return [record or None for record in answer[1:]]
            case b"known":
                return KeptTicket(answer[1])
            case _:
                return _refused(answer)

    async def place(self, run: str, arrival: ArrivingRollout, at: Revised) -> Placed | Refused:
        """Finds the place of a rollout without identity: the one its abandoned request left, or a new one."""
        (answer,) = await self.place_all(run, [arrival], at)
        return answer

    async def place_all(self, run: str, arrivals: Sequence[ArrivingRollout], at: Revised) -> list[Placed | Refused]:
        """The same for rollouts that come together, each as if it came alone; an error is that of all."""
        keys = RunKeys(run)
        coming: list[Argument] = []
        for each in arrivals:
            coming += (
                each.question, each.digest, VIEW_LETTERS[each.view], each.views, each.group_size, each.head,
                packed(each.row), each.request, each.mark,
            )  # fmt: skip
        answers = await cohort_scripts.place(
            self._connection,
            jobs=keys.jobs,
            deadlines=keys.deadlines,
            settings=keys.settings,
            clock=keys.clock,
            revision=at.revision,
            most_jobs=self._limits.jobs,
            most_open=most_open(self._limits, at),
            patience_ms=_ms(at.settings.cohort_deadline_s),
            ttl_ms=self._ttl_ms(at.settings.cohort_deadline_s),
            replica=self._channel,
            prefix=keys.prefix,
            heartbeat_ms=_ms(HEARTBEAT_S),
            lists=keys.found,
            period_ms=self._ttl_ms(),
            coming=coming,
        )
        return [_refused(answer) if len(answer) == 1 else _placed(*answer[1:]) for answer in answers]

    async def leave(self, run: str, question: str, leaving: Sequence[Leaving]) -> None:
        """Says that requests without identity were answered, or were abandoned by their clients."""
        keys = RunKeys(run)
        for start in range(0, len(leaving), LEAVING_AT_ONCE):
            words: list[str] = []
            for each in leaving[start : start + LEAVING_AT_ONCE]:
                words += each.request, "answered" if each.answered and not each.stepped else "abandoned"
            await cohort_scripts.leave(
                self._connection, rounds=keys.rounds(question), texts=keys.texts(question), leaving=words
            )

    async def beat(self, runs: Iterable[str]) -> None:
        """Says that this replica lives, in the runs whose rollouts it holds."""
        for run in runs:
            keys = RunKeys(run)
            await cohort_scripts.hold(self._connection, alive=keys.alive(self._channel), clock=keys.clock)

    async def watch(self, run: str, cohorts: Sequence[str]) -> list[bytes | None]:
        """The records of settled cohorts, empty for those that are open: this replica is woken when these are settled.

        None for a cohort that is kept no longer.
        """
        keys = RunKeys(run)
        cohort_keys = [key for cohort in cohorts for key in (keys.open_cohort(cohort), keys.record(cohort))]
        if not cohort_keys:
            return []
        return await cohort_scripts.watch(self._connection, cohort_keys=cohort_keys, replica=self._channel)

    async def records(self, run: str, cohorts: Sequence[str]) -> list[bytes | None]:
        """The records of settled cohorts; None for one that is not settled, or is kept no longer."""
        keys = RunKeys(run)
        return await self._connection.execute("MGET", *(keys.record(cohort) for cohort in cohorts)) if cohorts else []

    async def batch(self, run: str, batch: str) -> StoredBatch | None:
        """A self-contained batch."""
        data = await self.kept_batch(run, batch)
        return parse_batch(data) if data else None

    async def kept_batch(self, run: str, batch: str) -> bytes | None:
        """The same as it is kept, which is also how a worker's message carries it."""
        return await self._connection.execute("GET", RunKeys(run).batch(batch))

    async def ticket(self, run: str, ticket: str) -> bytes | None:
        """What a ticket stands for."""
        return await self._connection.execute("GET", RunKeys(run).ticket(ticket))

    async def open_cohort(self, run: str, cohort: str) -> dict[bytes, bytes]:
        """A cohort that is not settled, as it is kept; empty if there is none."""
        return as_dict(await self._connection.execute("HGETALL", RunKeys(run).open_cohort(cohort)))

    def _ttl_ms(self, patience_s: float = 0.0) -> int:
        return _ms(self._limits.retention_s + patience_s)


def most_open(limits: StoreLimits, at: Revised) -> int:
    """Return how many cohorts of a run may be open: its quota, or the service's limit."""
    return limits.open_cohorts if at.most_open is None else min(at.most_open, limits.open_cohorts)


LOST_FINGERPRINT = "0" * 32
"""Of a batch that the store has lost in a failover while a worker had its job, and kept its record all the same."""


def parse_batch(data: bytes, sent: str = "") -> StoredBatch:
    """A batch as it is kept: 'P' with its fingerprint and count, or 'S' with its fingerprint and record.

    `sent` is the fingerprint of who has sent the batch, perhaps again: it is the batch's, where that was lost.
    """
    fingerprint, rest = data[1:33].decode(), data[33:]
    if sent and fingerprint == LOST_FINGERPRINT:
        fingerprint = sent
    return StoredBatch(fingerprint, rest) if data[:1] == b"S" else StoredBatch(fingerprint, None, int(rest or 0))


def _placed(cohort: bytes, ballot: bytes, settled: int) -> Placed:
    return Placed(cohort.decode(), ballot.decode(), bool(settled))


def _refused(answer: Sequence[bytes]) -> Refused:
    cohort = answer[1].decode() if len(answer) > 1 else ""
    about = answer[2].decode() if len(answer) > 2 else ""
    return Refused(Refusal(answer[0].decode()), cohort, about)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
