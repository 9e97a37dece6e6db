"""Tell how far rollouts are that have no reward yet, and what they wait for."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec
from co_rewarding_schema.rollouts import Pending
from co_rewarding_schema.waiting import Awaited, Lacking, sentence

from reward_service.api.rewards.waiting_room import BATCH
from reward_service.domain.cohort import CohortState
from reward_service.errors import StoreUnavailableError
from reward_service.store.keys import SEPARATOR, qualified
from reward_service.store.records import VIEWS
from reward_service.store.teachers import TeacherStanding, TeacherStore
from reward_service.store.waiting import AwaitedLabels, AwaitedPeer, CohortProgress, WaitStore

MOST_COHORTS = 8
"""How many cohorts are looked at for one answer."""

LOOKED_WITHIN_S = 1.0
"""For how long the store is waited for: an answer is not held up for what explains it."""

MOST_REFUSED_CHARS = 300


class Progress:
    """Looks at what waits, when an answer says that it waits: never on the way of a rollout that is settled."""

    def __init__(self, waits: WaitStore, teachers: TeacherStore) -> None:
        """Composed once, in the app's lifespan."""
        self._waits = waits
        self._teachers = teachers

    async def of_batch(self, run: str, name: str, count: int) -> Pending:
        """A self-contained batch of `count` rollouts that is not settled."""
        waiting_for = await self.awaited_by_batch(run, name)
        return Pending(ticket=qualified(run, name), settled=0, of=count, waiting_for=waiting_for)

    async def of_part(self, run: str, name: str, settled: int, count: int, cohorts: Sequence[str]) -> Pending:
        """A part of which `settled` of `count` rollouts have their reward; those of `cohorts` have not."""
        waiting_for, more = await self.awaited_in(run, cohorts)
        return Pending(
            ticket=qualified(run, name), settled=settled, of=count, waiting_for=waiting_for, waiting_for_more=more
        )

    async def said(self, kinds: Mapping[str, str]) -> str:
        """Say what a request waits for, given the kinds of what it awaits by their qualified names.

        Where that is of several runs or of several batches, the first of them stands for all.
        """
        found: dict[str, list[str]] = {}
        for qualified_name, kind in kinds.items():
            run, _, name = qualified_name.partition(SEPARATOR)
            if kind == BATCH:
                return sentence(await self.awaited_by_batch(run, name))
            found.setdefault(run, []).append(name)
        for run, cohorts in found.items():
            return sentence(*await self.awaited_in(run, cohorts))
        return ""

    async def awaited_in(self, run: str, cohorts: Sequence[str]) -> tuple[list[Awaited], int]:
        """What the first of some open cohorts wait for, and how many cohorts are left."""
        found: list[CohortProgress | None] = []
        with_peers: list[list[Awaited]] = []
        looked_at = cohorts[:MOST_COHORTS]
        with contextlib.suppress(StoreUnavailableError, TimeoutError):
            async with asyncio.timeout(LOOKED_WITHIN_S):
                found = await self._waits.cohorts(run, looked_at)
                with_peers = await asyncio.gather(*map(partial(self._of_peers, run), looked_at, found))
        awaited = [
            each
            for cohort, peers in zip(found, with_peers, strict=True)
            if cohort is not None
            for each in peers or _lacking(cohort)
        ]
        return awaited, len(cohorts) - len(looked_at) if awaited else 0

    async def _of_peers(self, run: str, name: str, cohort: CohortProgress | None) -> list[Awaited]:
        """The peers for which a cohort waits whose groups are whole."""
        if cohort is None or cohort.state is not CohortState.COMPLETE or cohort.head.rules.peers is None:
            return []
        views = [VIEWS[each.view] for each in cohort.views]
        question_id, view = cohort.head.question_id, views[0] if len(views) == 1 else None
        peers = await self._waits.peers(run, cohort=name)
        return [msgspec.structs.replace(_of_peer(each), question_id=question_id, view=view) for each in peers]

    async def awaited_by_batch(self, run: str, name: str) -> list[Awaited]:
        """What a self-contained batch waits for: its teacher's labels, ballots of peers, else a worker."""
        with contextlib.suppress(StoreUnavailableError, TimeoutError):
            async with asyncio.timeout(LOOKED_WITHIN_S):
                labels = await self._waits.labels(run, name)
                if labels is None:
                    peers = await self._waits.peers(run, batch=name)
                    return [_of_peer(each) for each in peers] or [Awaited(what=Lacking.WORKER)]
                return list(_of_teacher(labels, await self._teachers.standing(run)))
        return []


def _lacking(cohort: CohortProgress) -> Iterator[Awaited]:
    """What one cohort lacks: ballots while it is open, then a worker."""
    if cohort.state is not CohortState.OPEN:
        yield Awaited(what=Lacking.WORKER, question_id=cohort.head.question_id)
        return
    for each in cohort.views:
        if not each.whole:
            yield Awaited(
                what=Lacking.BALLOTS,
                question_id=cohort.head.question_id,
                view=VIEWS[each.view],
                ballots=each.cast,
                of=each.needed,
                step=cohort.head.step,
            )


def _of_peer(peer: AwaitedPeer) -> Awaited:
    return Awaited(what=Lacking.PEER if peer.is_made else Lacking.PEER_RUN, peer=peer.peer, groups=peer.groups)


def _of_teacher(labels: AwaitedLabels, standing: TeacherStanding) -> Iterator[Awaited]:
    """What keeps the teacher of a run from giving labels."""
    newest, count = standing.accepted, labels.count
    published = labels.version <= (newest or 0)
    if not published:
        yield Awaited(what=Lacking.UPDATE, step=labels.version, newest=newest, labels=count)
    if not standing.teachers:
        yield Awaited(what=Lacking.TEACHER, labels=count)
    elif published and standing.version < labels.version:
        refused = standing.refused and standing.refused[:MOST_REFUSED_CHARS]
        yield Awaited(what=Lacking.AVERAGE, step=labels.version, newest=newest, labels=count, refused=refused)
    elif published:
        yield Awaited(what=Lacking.GENERATION, labels=count)
