"""Read what open cohorts and waiting batches still lack, in few short commands: nothing is changed or kept longer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from co_rewarding_schema.run_names import DEFAULT_RUN

from reward_service.domain.cohort import CohortState
from reward_service.store import label_scripts
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys
from reward_service.store.records import CohortHead, unpack_head


@dataclass(frozen=True, slots=True)
class ViewCount:
    """The ballots of one view of an open cohort: how many were cast, of how many that it needs, if that is known."""

    view: int
    cast: int
    needed: int | None

    @property
    def whole(self) -> bool:
        """Whether the view lacks none."""
        return self.needed is not None and self.cast >= self.needed


@dataclass(frozen=True, slots=True)
class CohortProgress:
    """A cohort whose ballots are not all settled; `views` are those that it waits for."""

    state: CohortState
    head: CohortHead
    views: tuple[ViewCount, ...]


@dataclass(frozen=True, slots=True)
class AwaitedPeer:
    """A peer whose ballots are waited for: of how many groups, and whether the run was made."""

    peer: str
    groups: int
    is_made: bool


@dataclass(frozen=True, slots=True)
class AwaitedLabels:
    """The labels that a batch waits for: how many, and which version of the teacher is to give them."""

    count: int
    version: int


class WaitStore:
    """What is asked of Redis about those that wait."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection

    async def cohorts(self, run: str, names: Sequence[str]) -> list[CohortProgress | None]:
        """How far each cohort is; None for one that has nothing to wait for, or is kept no longer."""
        return await asyncio.gather(*(self._cohort(RunKeys(run).open_cohort(name)) for name in names))

    async def _cohort(self, key: str) -> CohortProgress | None:
        counts = [f"{kind}:{letter}" for letter in VIEW_LETTERS for kind in "cn"]
        state, head, views, *found = await self._connection.execute("HMGET", key, "s", "m", "v", *counts)
        if state is None or head is None:
            return None
        cast, needed = found[::2], found[1::2]
        known = [int(each) for each in needed if each is not None]
        waited_for = [VIEW_LETTERS.index(letter) for letter in (views or b"").decode()]
        return CohortProgress(
            CohortState(state.decode()),
            unpack_head(head),
            tuple(
                # A view of which nothing has come needs as many as the other.
                ViewCount(view, int(cast[view] or 0), int(needed[view]) if needed[view] else max(known, default=None))
                for view in waited_for
            ),
        )

    async def peers(self, run: str, *, batch: str | None = None, cohort: str | None = None) -> list[AwaitedPeer]:
        """The peers for which a batch, or a cohort whose groups are whole, waits."""
        name = f"c{cohort}" if batch is None else f"b{batch}"
        fields = await self._connection.execute("HKEYS", RunKeys(run).awaiting(name))
        groups = Counter(field[2:].partition(b" ")[0].decode() for field in fields if field.startswith(b"x:"))
        made = await asyncio.gather(
            *(self._connection.execute("HEXISTS", RunKeys(peer).settings, "settings") for peer in groups)
        )
        return [
            AwaitedPeer(peer, count, bool(is_made) or peer == DEFAULT_RUN)
            for (peer, count), is_made in zip(groups.items(), made, strict=True)
        ]

    async def labels(self, run: str, batch: str) -> AwaitedLabels | None:
        """The labels that a batch waits for; None where it waits for none."""
        keys = RunKeys(run)
        found = await label_scripts.awaited_labels(
            self._connection, waiting=keys.waiting(batch), prefix=keys.prefix, batch=batch
        )
        return AwaitedLabels(*found) if found else None
