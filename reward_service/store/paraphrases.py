"""Keep paraphrase jobs in Redis: add their questions, count their outcomes, and read them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from reward_service.domain.paraphrases.rewriting import JobEvent, JobState, Outcome, Question, RewritingRecipe
from reward_service.store import paraphrase_scripts as scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.scripts import Stopwatch

PREFIX = "cr:{paraphrases~}:"
"""Of all keys here: one slot of a cluster, and no run's, for no run's name may hold a ~."""

KEYS = scripts.JobKeys(prefix=PREFIX, clock=f"{PREFIX}clock")

FILLING_TTL_S = 15 * 60.0
"""A job whose questions stop coming in is forgotten after this."""

READ_AT_ONCE = 200
FATE, DRAWN, ACCEPTED, REJECTED = COUNT_KINDS = ("fate", "drawn", "accepted", "rejected")
"""What is counted, as 'fate:rewritten': questions by fate; candidates by prompt, the accepted too; what rejects."""


class JobOrder(msgspec.Struct, frozen=True):
    """What is asked of a job: its recipe, fixed, for a run; and where its questions came from, as people are told."""

    run: str
    recipe: RewritingRecipe
    source: str


class JobQuestion(msgspec.Struct, frozen=True):
    """A question, and the other columns of its row, of which nothing is known but that JSON holds them."""

    question: Question
    columns: dict[str, Any] = {}


class ParaphraserPresence(msgspec.Struct, frozen=True):
    """What one paraphraser says of itself, once in a while; `away` is why its model cannot be asked."""

    model: str
    busy: int
    away: str | None = None


class Begun(StrEnum):
    """How a job begins."""

    FILLING = "filling"  # its questions may come in
    KNOWN = "known"  # it is there
    CONFLICT = "conflict"  # one of its name is there, and is another
    FULL = "full"  # too many are unfinished


@dataclass(frozen=True, slots=True)
class ParaphraseLimits:
    """How many jobs may be unfinished, and how long one is kept that nobody uses: nobody works at it, asks or reads."""

    open_jobs: int = 100
    retention_s: float = 7 * 24 * 3600.0
    urgent_retention_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class JobStanding:
    """What a job has come to.

    Attributes:
        columns: the columns of its rows beside those of a question, with their types' names, in order.
        urgent: whether somebody waits for it, who was not told of a job.
        of, done, taken: questions in all, those with an outcome, and those that workers have in hand.
        created_s, ended_s: by the clock of Redis, in seconds since the epoch.
        counts: by kind, then name.
    """

    job: str
    state: JobState
    order: JobOrder
    columns: Mapping[str, str]
    urgent: bool
    of: int
    done: int
    taken: int
    created_s: float
    ended_s: float | None
    counts: Mapping[str, Mapping[str, int]]


class ParaphraseJobs:
    """What the API asks of Redis about paraphrase jobs. Every call is atomic and may be repeated."""

    def __init__(self, connection: RedisConnection, limits: ParaphraseLimits) -> None:
        """Over an open connection."""
        self._connection = connection
        self._limits = limits
        self._unseen = Stopwatch()

    async def begin(self, job: str, fingerprint: str, order: JobOrder, *, urgent: bool = False) -> Begun:
        """Begins a job, unless it is there or there is no room. One that is begun is seen once it is opened."""
        kept_s = self._limits.urgent_retention_s if urgent else self._limits.retention_s
        answer = await scripts.begin_paraphrases(
            self._connection,
            **KEYS,
            job=job,
            fingerprint=fingerprint,
            order=msgspec.json.encode(order),
            urgent=int(urgent),
            ttl_ms=_ms(kept_s),
            filling_ms=_ms(FILLING_TTL_S),
            most_open=self._limits.open_jobs,
        )
        return Begun(answer.decode())

    async def fill(self, job: str, first: int, items: Sequence[JobQuestion]) -> None:
        """Hands in questions, of which the first has this index."""
        packed = [msgspec.msgpack.encode(item) for item in items]
        await scripts.fill_paraphrases(
            self._connection, **KEYS, job=job, filling_ms=_ms(FILLING_TTL_S), first=first, questions=packed
        )

    async def open(self, job: str, of: int, columns: Mapping[str, str]) -> bool:
        """Gives a job with all of its questions to the workers; False if some have been forgotten meanwhile."""
        return bool(
            await scripts.open_paraphrases(
                self._connection, **KEYS, job=job, of=of, columns=msgspec.json.encode(columns)
            )
        )

    async def steer(self, job: str, event: JobEvent) -> tuple[bool, JobState | None]:
        """Asks something of a job: whether it could be, and its state now; None if there is no job."""
        done, state = await scripts.steer_paraphrases(self._connection, **KEYS, job=job, event=event.value)
        known = state.decode()
        return bool(done), JobState(known) if known not in {"", JobState.FILLING} else None

    async def forget(self, job: str) -> bool:
        """Removes a job, whatever its state; whether it was there."""
        return bool(await scripts.forget_paraphrases(self._connection, **KEYS, job=job))

    async def look(self, job: str) -> JobStanding | None:
        """What a job has come to, which is a use of it; None if there is none."""
        found = await scripts.look_paraphrases(self._connection, **KEYS, job=job)
        if found is None:
            return None
        (state, order, columns, urgent, of, done, created, ended), taken, counts = found
        return JobStanding(
            job=job,
            state=JobState(state.decode()),
            order=decode_order(order),
            columns=msgspec.json.decode(columns or b"{}", type=dict[str, str]),
            urgent=urgent == b"1",
            of=int(of),
            done=int(done),
            taken=taken,
            created_s=int(created) / 1000,
            ended_s=None if ended is None else int(ended) / 1000,
            counts=by_kind(as_dict(counts)),
        )

    async def latest(self, most: int) -> list[JobStanding]:
        """The latest jobs, without those that somebody waits for."""
        names = [name.decode() for name in await self._connection.execute("ZREVRANGE", f"{PREFIX}jobs", 0, most - 1)]
        found = await asyncio.gather(*map(self.look, names))
        return [each for each in found if each is not None]

    async def outcomes(self, job: str, of: int) -> AsyncIterator[tuple[int, JobQuestion, Outcome]]:
        """The outcomes that are there, in the order of their questions, with their indexes."""
        for first in range(0, of, READ_AT_ONCE):
            indexes = range(first, min(first + READ_AT_ONCE, of))
            items = await self._connection.execute("HMGET", f"{PREFIX}q:{job}", *indexes)
            outcomes = await self._connection.execute("HMGET", f"{PREFIX}r:{job}", *indexes)
            for index, item, outcome in zip(indexes, items, outcomes, strict=True):
                if item is not None and outcome is not None:
                    yield index, unpack_item(item), msgspec.msgpack.decode(outcome, type=Outcome)

    async def paraphrasers(self) -> list[ParaphraserPresence]:
        """Who works on jobs now, as far as they have said."""
        said = await scripts.meet_paraphrasers(self._connection, **KEYS, unseen_ms=self._unseen.lap_ms())
        return [msgspec.json.decode(each, type=ParaphraserPresence) for each in said]


def decode_order(text: bytes) -> JobOrder:
    """What was asked of a job."""
    return msgspec.json.decode(text, type=JobOrder)


def unpack_item(record: bytes) -> JobQuestion:
    """A question of a job."""
    return msgspec.msgpack.decode(record, type=JobQuestion)


def by_kind(counts: Mapping[bytes, bytes]) -> dict[str, dict[str, int]]:
    """Counts as they are kept, 'fate:rewritten', by kind and name."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in COUNT_KINDS}
    for field, number in counts.items():
        kind, _, name = field.decode().partition(":")
        found.setdefault(kind, {})[name] = int(number)
    return found


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
