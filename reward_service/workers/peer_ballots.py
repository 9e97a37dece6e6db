"""Keep the ballots of a run's policy for its peers, and find or wait for those of peers, as jobs need it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from co_rewarding_schema.methods import method_named
from co_rewarding_schema.run_names import evaluated_run
from co_rewarding_schema.vocabulary import Voter

from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.job_records import CastOf
from reward_service.store.jobs import Delivery, queued_at_ms
from reward_service.store.peer_records import PeerRecords
from reward_service.store.peers import Asker, CastGroup, Group, Look, PeerStore, PeerWaiter, Sought, Waiting
from reward_service.store.records import VIEWS, VOTERS, BallotRow, BatchJob, CohortHead, OpenCohort
from reward_service.store.server_replies import WrongTypeError
from reward_service.workers.answer_classes import PeerVote

PeerRows = Mapping[str, Sequence[BallotRow]]
"""The ballots of peers by what a group of theirs is called."""


class Heard(NamedTuple):
    """The ballots of peers for a job; `is_short`: some that are not there are not waited for."""

    rows: PeerRows
    is_short: bool = False


NO_PEERS = Heard({})


def sought_for(head: CohortHead, rows_B: Iterable[BallotRow]) -> list[Sought]:
    """The groups of peers whose ballots label a cohort; none of a view whose peers' ballots came with it."""
    rules = head.rules
    if rules.peers is None:
        return []
    method, voters_on = method_named(rules.method), {(VOTERS[row.voter], VIEWS[row.view]) for row in rows_B}
    asked = dict.fromkeys(
        box_view
        for view in VIEWS
        if (Voter.POLICY, view) in voters_on
        for box_view in method.rules[view].views_of(Voter.PEER)
        if (Voter.PEER, box_view) not in voters_on
    )
    return [
        Sought(peer, Group(head.question_id, VIEWS.index(view), head.step), rules.peers.max_lag, number)
        for view in asked
        for number, peer in enumerate(rules.peers.runs)
    ]


def votes_for(head: CohortHead, rows_B: Iterable[BallotRow], found: PeerRows) -> list[PeerVote]:
    """The ballots of peers that label a cohort, of those that were found."""
    return [PeerVote(sought.number, row) for sought in sought_for(head, rows_B) for row in found.get(sought.pair, ())]


class PeerBallots:
    """The ballots of peers, for the jobs of a worker."""

    def __init__(self, store: PeerStore, records: PeerRecords, age_s: Callable[[Delivery], float | None]) -> None:
        """Over a store, and the records of settled cohorts; `age_s` tells how long ago a job was queued, or None."""
        self._store = store
        self._records = records
        self._age_s = age_s

    async def cast_batch(self, run: str, batch: str, job: BatchJob, cast: CastOf) -> None:
        """Keeps a batch's ballots of the policy, and wakes who waits for them."""
        groups: list[CastGroup] = []
        for cohort in job.cohorts:
            rows = {
                f"{VIEW_LETTERS[row.view]}{row.rollout}" if cast.numbered else f"{batch}.{position}": row
                for position, row in zip(cohort.positions_B, cohort.rows_B, strict=True)
                if row.counted
            }
            groups += _groups(cohort.head, rows, cast.group_size)
        await self._cast(run, groups)

    async def cast_cohort(self, run: str, cohort: OpenCohort) -> None:
        """Keeps the ballots of a cohort that has closed, and wakes who waits for them."""
        await self._cast(run, _groups(cohort.head, cohort.ballots, None))

    async def _cast(self, run: str, groups: Sequence[CastGroup], *, is_alive: bool = True) -> None:
        if evaluated_run(run) is not None:
            return
        answers = await asyncio.gather(*(self._store.cast(run, group, is_alive=is_alive) for group in groups))
        ready = {str(waiter): waiter for here, _ in answers for waiter in here}
        lagging = {str(waiter): waiter for _, others in answers for waiter in others if str(waiter) not in ready}
        looked = await asyncio.gather(*(self._look(run, waiter) for waiter in lagging.values()))
        ready |= {str(waiter): waiter for waiter, found in zip(lagging.values(), looked, strict=True) if found}
        pairs_of: dict[tuple[str, str], list[str]] = {}
        for waiter in ready.values():
            pairs_of.setdefault((waiter.run, waiter.name), []).append(f"{run} {waiter.slot}")
        await asyncio.gather(*(self._tell(*waiting, pairs) for waiting, pairs in pairs_of.items()))
        await self._store.stop_waiting(run, ready.values())
        # The others have been passed over: they wait for their own step, and are not looked at with every cast.
        await self._store.stop_lagging(run, [each for name, each in lagging.items() if name not in ready])

    async def _tell(self, run: str, name: str, pairs: Sequence[str]) -> None:
        with contextlib.suppress(WrongTypeError):  # a key of the run that waits: it is not served
            await self._store.came(run, name, pairs)

    async def _look(self, run: str, waiter: PeerWaiter) -> bool:
        return (await self._store.look(run, waiter.slot, waiter.step, waiter.lag)).rows is not None

    async def found(
        self, delivery: Delivery, cohorts: Iterable[tuple[CohortHead, Sequence[BallotRow]]], *, overdue: bool
    ) -> Heard | None:
        """The ballots of peers that a job needs; None where it waits for them from now on, and comes again.

        A peer that is taken as absent is not waited for: without its ballots the job is as one that is overdue.
        """
        sought: dict[str, Sought] = {}
        patience_s = 0.0
        for head, rows_B in cohorts:
            sought |= {each.pair: each for each in sought_for(head, rows_B)}
            patience_s = patience_s if head.rules.peers is None else head.rules.peers.patience_s
        job = delivery.job
        asker = Asker(delivery.run, round(patience_s * 1000), round(1000 * (self._age_s(delivery) or 0.0)))
        looks = await self._looks(asker, sought.values(), final=overdue)
        recorded = [sought[pair] for pair, look in looks.items() if look.rows is None and look.is_recorded]
        if recorded and not (overdue or job.ready):
            await self._cast_recorded(recorded, patience_s)
            looks |= await self._looks(asker, recorded)
        missed = [pair for pair, look in looks.items() if look.rows is None]
        awaited = [pair for pair in missed if not looks[pair].is_absent]
        name = f"b{job.batch}" if job.batch is not None else f"c{job.cohort}"
        if not awaited or overdue or job.ready:
            await self._store.waits_no_more(delivery.run, name)
            rows = {pair: look.rows for pair, look in looks.items() if look.rows is not None}
            return Heard(rows, is_short=any(looks[pair].is_absent for pair in missed))
        await self._wait(delivery, name, awaited, sought, asker)
        return None

    async def _wait(
        self, delivery: Delivery, name: str, awaited: Sequence[str], sought: Mapping[str, Sought], asker: Asker
    ) -> None:
        """Notes what a job waits for: in its own run first, so that no peer that casts meanwhile tells nobody.

        A worker that died may have noted more than is missing by now, and told no peer: all that is noted is looked at.
        """
        job, patience_ms = delivery.job, asker.patience_ms
        due_ms = queued_at_ms(job.entry) + patience_ms if job.due_ms is None else job.due_ms
        waiting = Waiting(delivery.run, name, due_ms, patience_ms, job.payload, delivery.channel)
        left = await self._store.wait(waiting, awaited)
        looks = await self._looks(asker, [sought[pair] for pair in left if pair in sought], waiter=name)
        done = [pair for pair, look in looks.items() if look.rows is not None or look.is_absent]
        if done:
            await self._store.came(delivery.run, name, done)

    async def _cast_recorded(self, recorded: Iterable[Sought], patience_s: float) -> None:
        """Keeps ballots that peers have cast before they were named, as if they had been named then."""
        groups_of: dict[str, list[Group]] = {}
        for each in recorded:
            groups_of.setdefault(each.peer, []).append(each.group)
        for peer, groups in groups_of.items():
            with contextlib.suppress(WrongTypeError):  # a key of the peer's: its records tell nothing
                await self._cast(peer, await self._records.groups(peer, groups, patience_s), is_alive=False)

    async def _looks(
        self, asker: Asker, sought: Iterable[Sought], *, final: bool = False, waiter: str | None = None
    ) -> dict[str, Look]:
        async def look(each: Sought) -> Look:
            place = each.group.slot, each.group.step_text
            waits = None if waiter is None else PeerWaiter(asker.run, waiter, *place, each.lag)
            try:
                return await self._store.look(each.peer, *place, each.lag, asker=asker, final=final, waiter=waits)
            except WrongTypeError:  # a key of the peer's: its run is not served, and has no ballots for this one
                return Look(None, is_absent=True, is_recorded=False)

        asked = list(sought)
        looks = await asyncio.gather(*map(look, asked))
        return {each.pair: found for each, found in zip(asked, looks, strict=True)}


def _groups(head: CohortHead, rows: Mapping[str, BallotRow], size: int | None) -> list[CastGroup]:
    """The ballots of the policy by the view that they were cast on."""
    by_view: dict[int, dict[str, BallotRow]] = {}
    for name, row in rows.items():
        if VOTERS[row.voter] is Voter.POLICY:
            by_view.setdefault(row.view, {})[name] = row
    return [
        CastGroup(Group(head.question_id, view, head.step), head.attempt, size, those)
        for view, those in by_view.items()
    ]
