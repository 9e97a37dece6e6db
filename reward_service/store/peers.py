"""Keep the ballots of a run's policy for the runs that it votes for, and find who waits for whose ballots.

A run and its peers may be on different servers of a cluster, so each script touches one run's keys. The order keeps
a wake-up from being lost: what waits is noted in its own run first, then with each peer. A peer that has cast looks who
waits, and tells them; a job that is done again does both again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from co_rewarding_schema.vocabulary import Voter

from reward_service.store import peer_scripts
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.keys import RunKeys, digest
from reward_service.store.records import VOTERS, BallotRow, packed, unpack_row

PEER = VOTERS.index(Voter.PEER)


class Group(msgspec.Struct, frozen=True):
    """The policy's rollouts of one view of a question in one step; `view` is an index into VIEWS."""

    question_id: str
    view: int
    step: int | None

    @property
    def slot(self) -> str:
        """What the group's keys are named by, whatever the step."""
        return digest(self.question_id, VIEW_LETTERS[self.view], size=10)

    @property
    def step_text(self) -> str:
        """The step as scripts read it."""
        return "" if self.step is None else str(self.step)


class CastGroup(msgspec.Struct, frozen=True):
    """Ballots of a group on their way to peers, by their identity; `size` is None where no more will come."""

    group: Group
    attempt: int
    size: int | None
    rows: Mapping[str, BallotRow]


class Sought(msgspec.Struct, frozen=True):
    """A group of a peer's whose ballots are sought, which may lie so many steps behind.

    `number` is the peer's place among those of the run.
    """

    peer: str
    group: Group
    lag: int
    number: int = 0

    @property
    def pair(self) -> str:
        """What it is called where it is waited for."""
        return f"{self.peer} {self.group.slot}"


class PeerWaiter(msgspec.Struct, frozen=True):
    """A cohort (`c` before its name) or batch (`b`) of a run that waits for a group of a peer's."""

    run: str
    name: str
    slot: str
    step: str
    lag: int

    def __str__(self) -> str:
        """Write it as the peer keeps it."""
        return f"{self.run} {self.name} {self.slot} {self.lag} {self.step}"

    @classmethod
    def read(cls, text: bytes) -> "PeerWaiter":
        """Read what a peer keeps."""
        run, name, slot, lag, step = text.decode().split(" ")
        return cls(run, name, slot, step, int(lag))


class Waiting(msgspec.Struct, frozen=True):
    """What waits for peers: a cohort or batch of a run as a PeerWaiter names it, until when, and what its job holds."""

    run: str
    name: str
    due_ms: int
    patience_ms: int
    payload: bytes = b""
    replicas: str = ""


class Asker(msgspec.Struct, frozen=True):
    """A run that asks for ballots of its peers: how long it waits for them, and for how long it has (ms)."""

    run: str
    patience_ms: int
    waited_ms: int = 0


class Look(NamedTuple):
    """What a peer has of a group: its ballots, or None where there are none yet.

    `is_absent`: none are waited for, because the time is over or because the peer is taken as absent.
    `is_recorded`: the peer's records may hold ballots that it cast before a run named it.
    """

    rows: list[BallotRow] | None
    is_absent: bool
    is_recorded: bool


NOBODY = Asker("", 0)


class PeerStore:
    """What workers ask of Redis about the ballots of peers. Every call is atomic and may be repeated."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open connection; ballots are kept for `retention_s` seconds."""
        self._connection = connection
        self._ttl_ms = max(1, round(retention_s * 1000))

    async def cast(
        self, run: str, cast: CastGroup, *, is_alive: bool = True
    ) -> tuple[list[PeerWaiter], list[PeerWaiter]]:
        """Keeps ballots of a run; who waits for them, and who takes ballots of an earlier step by now.

        `is_alive`: the run casts them now, and is taken as absent by nobody. Else they were found among its records.
        """
        keys, group = RunKeys(run), cast.group
        ballots: list[Argument] = []
        for name, row in cast.rows.items():
            ballots += [name, packed(BallotRow(row.view, PEER, row.rollout, row.answer, evidence=row.evidence))]
        here, lagging = await peer_scripts.cast_ballots(
            self._connection,
            group=keys.cast(group.slot, group.step_text),
            steps=keys.cast_steps(group.slot),
            standing=keys.standing,
            lagging=keys.lagging,
            missing=keys.missing,
            step=group.step_text,
            attempt=cast.attempt,
            size=cast.size or 0,
            whole=int(cast.size is None),
            alive=int(is_alive),
            ttl_ms=self._ttl_ms,
            ballots=ballots,
        )
        return [PeerWaiter.read(each) for each in here], [PeerWaiter.read(each) for each in lagging]

    async def look(
        self,
        peer: str,
        slot: str,
        step: str,
        lag: int,
        *,
        asker: Asker = NOBODY,
        final: bool = False,
        waiter: PeerWaiter | None = None,
    ) -> Look:
        """The ballots of a peer on one view of a question.

        `final`: nothing more is waited for. A `waiter` is told when they come.
        """
        keys = RunKeys(peer)
        state, rows, recorded = await peer_scripts.look_at_ballots(
            self._connection,
            group=keys.cast(slot, step),
            steps=keys.cast_steps(slot),
            standing=keys.standing,
            lagging=keys.lagging,
            missing=keys.missing,
            settings=keys.settings,
            clock=keys.clock,
            groups=keys.cast(slot, ""),
            step=step,
            lag=lag,
            final=int(final),
            asker=asker.run,
            patience_ms=asker.patience_ms,
            waiter="" if waiter is None else str(waiter),
            waited_ms=asker.waited_ms,
            ttl_ms=self._ttl_ms,
        )
        return Look([unpack_row(row) for row in rows] if state > 0 else None, state < 0, bool(recorded))

    async def stop_waiting(self, peer: str, waiters: Iterable[PeerWaiter]) -> None:
        """Forgets waiters of a peer's groups: they have been told."""
        keys = RunKeys(peer)
        by_group: dict[tuple[str, str], list[str]] = {}
        for each in waiters:
            by_group.setdefault((each.slot, each.step), []).append(str(each))
        await asyncio.gather(*(
            peer_scripts.stop_waiting(
                self._connection, group=keys.cast(*named), lagging=keys.lagging, waiters=those
            )
            for named, those in by_group.items()
        ))  # fmt: skip

    async def stop_lagging(self, peer: str, waiters: Sequence[PeerWaiter]) -> None:
        """Forgets that waiters would take ballots of an earlier step: the peer has none."""
        if waiters:
            await self._connection.execute("ZREM", RunKeys(peer).lagging, *map(str, waiters))

    async def wait(self, waiting: Waiting, missed: Sequence[str]) -> list[str]:
        """Notes that a cohort or batch waits for these pairs; those that it still waits for, none if it is settled."""
        keys = RunKeys(waiting.run)
        name = waiting.name[1:]
        left = await peer_scripts.await_peers(
            self._connection,
            subject=keys.batch(name) if waiting.name.startswith("b") else keys.open_cohort(name),
            awaiting=keys.awaiting(waiting.name),
            waits=keys.peer_waits,
            awaited=keys.awaited_peers,
            name=waiting.name,
            due_ms=waiting.due_ms,
            payload=waiting.payload,
            replicas=waiting.replicas,
            ttl_ms=self._ttl_ms + max(0, waiting.patience_ms),
            missed=missed,
        )
        return [pair.decode() for pair in left]

    async def waits_no_more(self, run: str, name: str) -> None:
        """A cohort or batch is about to be settled, whatever was noted of it."""
        keys = RunKeys(run)
        await peer_scripts.waits_no_more(
            self._connection,
            awaiting=keys.awaiting(name),
            waits=keys.peer_waits,
            awaited=keys.awaited_peers,
            name=name,
        )

    async def came(self, run: str, name: str, pairs: Sequence[str]) -> bool:
        """Ballots that a cohort or batch waits for are there; whether it goes on now."""
        keys = RunKeys(run)
        return bool(
            await peer_scripts.peers_came(
                self._connection,
                awaiting=keys.awaiting(name),
                jobs=keys.jobs,
                waits=keys.peer_waits,
                awaited=keys.awaited_peers,
                clock=keys.clock,
                name=name,
                ttl_ms=self._ttl_ms,
                came=pairs,
            )
        )
