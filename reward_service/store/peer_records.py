"""Find ballots of a run among its settled cohorts: those that it cast before another run named it as a peer."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import Voter

from reward_service.store.cohort_finder import CohortFinder
from reward_service.store.cohorts import VIEW_LETTERS, parse_batch
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys
from reward_service.store.peers import CastGroup, Group
from reward_service.store.records import VOTERS, BallotRow, CohortRecord, unpack_batch, unpack_cohort
from reward_service.store.run_looks import settings_of

Record = TypeVar("Record")

MOST_COHORTS = 8
"""Cohorts of a question in one step that are looked at, the latest: more are attempts, or batches sent again."""

QUESTIONS_AT_ONCE = 16

POLICY = VOTERS.index(Voter.POLICY)


class PeerRecords:
    """Reads what is kept of settled cohorts. Nothing is changed or kept longer."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open connection; `retention_s` is how long settled cohorts are kept."""
        self._connection = connection
        self._finder = CohortFinder(connection, retention_s)

    async def groups(self, run: str, sought: Sequence[Group], patience_s: float) -> list[CastGroup]:
        """Return those of the groups of a run that its records hold, each of its highest attempt.

        Some questions are read at a time: a record may be as large as a batch. None is found of a run that this release
        cannot read.

        Raises:
            WrongTypeError: a key of the run holds a value of another kind.
        """
        try:
            size = await self._group_size(run)
        except msgspec.MsgspecError:
            return []
        wanted: dict[tuple[str, int | None], list[Group]] = {}
        for group in sought:
            wanted.setdefault((group.question_id, group.step), []).append(group)
        questions, found = list(wanted), list[CastGroup | None]()
        for first in range(0, len(questions), QUESTIONS_AT_ONCE):
            some = questions[first : first + QUESTIONS_AT_ONCE]
            pages = await asyncio.gather(
                *(self._finder.find(run, *question, patience_s, MOST_COHORTS, None) for question in some)
            )
            cohort_of = await self._cohorts(run, {name for page in pages for name in page.names})
            for question, page in zip(some, pages, strict=True):
                cohorts = [cohort_of[name] for name in page.names[::-1] if name in cohort_of]
                found += [_cast(group, cohorts, size) for group in wanted[question]]
        return [each for each in found if each is not None]

    async def _group_size(self, run: str) -> int | None:
        """Return how many rollouts a group of the run has, where a record may hold a part of it; else None."""
        settings = settings_of(run, await self._connection.execute("HGET", RunKeys(run).settings, "settings"))
        return None if settings is None or method_named(settings.method).is_gathered else settings.group_size

    async def _cohorts(self, run: str, names: Iterable[str]) -> Mapping[str, CohortRecord]:
        """Return settled cohorts by their names. A batch is read once, however many of its cohorts are asked for."""
        keys, found = RunKeys(run), dict[str, CohortRecord]()
        asked = set(names)
        for stored in dict.fromkeys(name.partition(".")[0] for name in asked if "." in name):
            data = await self._connection.execute("GET", keys.batch(stored))
            record = parse_batch(data).record if data else None
            if record is not None:
                cohorts = _readable(unpack_batch, record)
                for number, each in enumerate(cohorts.cohorts if cohorts is not None else ()):
                    if (name := f"{stored}.{number}") in asked:
                        found[name] = each
        for name in asked:
            data = None if "." in name else await self._connection.execute("GET", keys.record(name))
            record = _readable(unpack_cohort, data) if data else None
            if record is not None:
                found[name] = record
        return found


def _readable(read: Callable[[bytes], Record], data: bytes) -> Record | None:
    """Return a record; None for one that this release cannot read, which is no ballot for others then."""
    try:
        return read(data)
    except msgspec.MsgspecError:
        return None


def _cast(group: Group, cohorts: Iterable[CohortRecord], size: int | None) -> CastGroup | None:
    """Return a group as cohorts hold it, the earliest first; None where they hold none of it.

    With a `size`, it is whole when it has so many ballots; else the rest is still to come.
    """
    rows: dict[str, BallotRow] = {}
    attempt = -1
    for cohort in cohorts:
        head = cohort.head
        own = [row for row in cohort.rows_B if row.view == group.view and row.voter == POLICY and row.counted]
        if not own or (head.question_id, head.step) != (group.question_id, group.step) or head.attempt < attempt:
            continue
        if head.attempt > attempt:
            attempt, rows = head.attempt, {}
        for place, row in enumerate(own):
            name = f".{place}" if row.rollout is None else f"{row.rollout}"
            rows.setdefault(f"{VIEW_LETTERS[group.view]}{name}", row)
    return CastGroup(group, attempt, size, rows) if rows else None
