"""Find ballots of a run among its settled cohorts: those that it cast before another run named it as a peer."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from co_rewarding_schema.vocabulary import Voter

from reward_service.store.cohort_finder import CohortFinder
from reward_service.store.cohorts import VIEW_LETTERS, parse_batch
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys
from reward_service.store.peers import CastGroup, Group
from reward_service.store.records import VOTERS, BallotRow, CohortRecord, unpack_batch, unpack_cohort

MOST_COHORTS = 8
"""Cohorts of a question in one step that are looked at, the latest: more are attempts, or batches sent again."""

POLICY = VOTERS.index(Voter.POLICY)


class PeerRecords:
    """Reads what is kept of settled cohorts. Nothing is changed or kept longer."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open connection; `retention_s` is how long settled cohorts are kept."""
        self._connection = connection
        self._finder = CohortFinder(connection, retention_s)

    async def groups(self, run: str, sought: Sequence[Group], patience_s: float) -> list[CastGroup]:
        """Return those of the groups of a run that its records hold, each of its highest attempt."""
        questions = list(dict.fromkeys((group.question_id, group.step) for group in sought))
        pages = await asyncio.gather(
            *(self._finder.find(run, *question, patience_s, MOST_COHORTS, None) for question in questions)
        )
        names_of = {question: page.names[::-1] for question, page in zip(questions, pages, strict=True)}
        cohort_of = await self._cohorts(run, {name for names in names_of.values() for name in names})
        found = (
            _cast(group, [cohort_of[n] for n in names_of[group.question_id, group.step] if n in cohort_of])
            for group in sought
        )
        return [each for each in found if each is not None]

    async def _cohorts(self, run: str, names: Iterable[str]) -> Mapping[str, CohortRecord]:
        """Return settled cohorts by their names. A batch is read once, however many of its cohorts are asked for."""
        keys, found = RunKeys(run), dict[str, CohortRecord]()
        stored = list(dict.fromkeys(name.partition(".")[0] for name in names if "." in name))
        alone = [name for name in names if "." not in name]
        batches, records = await asyncio.gather(
            asyncio.gather(*(self._connection.execute("GET", keys.batch(name)) for name in stored)),
            asyncio.gather(*(self._connection.execute("GET", keys.record(name)) for name in alone)),
        )
        for name, data in zip(stored, batches, strict=True):
            record = parse_batch(data).record if data else None
            if record is not None:
                found |= {f"{name}.{number}": each for number, each in enumerate(unpack_batch(record).cohorts)}
        return found | {name: unpack_cohort(data) for name, data in zip(alone, records, strict=True) if data}


def _cast(group: Group, cohorts: Iterable[CohortRecord]) -> CastGroup | None:
    """Return a group as cohorts hold it, the earliest first; None where they hold none of it."""
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
    return CastGroup(group, attempt, None, rows) if rows else None
