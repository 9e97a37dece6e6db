"""Whether a peer is waited for: one that has cast nothing for a whole deadline is not, until it casts again."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.store.keys import RUNS, RunKeys
from reward_service.store.peers import Asker, CastGroup, Group, Look, PeerStore, PeerWaiter
from reward_service.store.records import BallotRow
from reward_service.store.run_looks import RunLooks
from reward_service.store.runs import RunStore
from reward_service.store.submissions import StoreLimits
from tests.contract.histories import EPOCH_MS
from tests.contract.virtual_time import TimedConnection

pytestmark = pytest.mark.anyio
PATIENCE_MS = 10_000


class Timed:
    """A peer `b`, in its own time, and the run that waits for it."""

    def __init__(self, url: str) -> None:
        self.connection = TimedConnection(url)
        name = uuid4().hex[:8]
        self.run, self.peer = f"a-{name}", f"b-{name}"
        self.store = PeerStore(self.connection, 60.0)
        self.runs = RunStore(self.connection, StoreLimits(retention_s=60.0))
        self.settings = RunSettings(method="peer-majority", peers=(self.peer,))
        self.now_ms = 0

    async def at(self, now_ms: int) -> None:
        self.now_ms = now_ms
        for run in (self.run, self.peer):
            await self.connection.pass_time(run, EPOCH_MS + now_ms, 1000 + now_ms // 1000)

    async def look(
        self, step: int, lag: int = 0, *, final: bool = False, waits: bool = False, waited_ms: int = 0
    ) -> Look:
        group, asker = Group("q", 0, step), Asker(self.run, PATIENCE_MS, waited_ms)
        waiter = PeerWaiter(self.run, f"c{step}", group.slot, str(step), lag) if waits else None
        return await self.store.look(self.peer, group.slot, str(step), lag, asker=asker, final=final, waiter=waiter)

    async def cast(self, step: int, answer: str = "4", question: str = "q", *, is_alive: bool = True) -> None:
        cast = CastGroup(Group(question, 0, step), 0, None, {"o0": BallotRow(0, 0, 0, answer)})
        await self.store.cast(self.peer, cast, is_alive=is_alive)

    async def absent(self) -> list[str]:
        return await RunLooks(self.connection).absent_peers(self.run, self.settings)


WAITS, NONE_COMES = Look(None, False, False), Look(None, True, False)


@pytest.fixture
async def timed(server_url: str, anyio_backend: str) -> AsyncIterator[Timed]:
    made = Timed(server_url)
    await made.at(0)
    yield made
    for run in (made.run, made.peer):
        await made.connection.forget_run(run)
        await made.connection.execute("ZREM", RUNS, run)
    await made.connection.close()


async def test_a_peer_is_absent_that_casts_nothing_for_a_whole_deadline(timed: Timed) -> None:
    assert await timed.look(1, waits=True) == WAITS
    await timed.at(PATIENCE_MS)
    assert await timed.look(2) == WAITS, "nobody has waited in vain yet"
    assert await timed.absent() == []
    assert await timed.look(1, final=True) == NONE_COMES
    assert await timed.absent() == [timed.peer]
    assert await timed.look(2, waits=True) == NONE_COMES
    assert await timed.connection.execute("HLEN", RunKeys(timed.peer).cast(Group("q", 0, 2).slot, "2")) == 0


async def test_a_wait_that_was_shorter_than_a_deadline_says_nothing(timed: Timed) -> None:
    assert await timed.look(1, waits=True) == WAITS
    await timed.at(PATIENCE_MS // 2)
    assert await timed.look(1, final=True) == NONE_COMES
    assert await timed.look(2, waits=True) == WAITS
    await timed.at(PATIENCE_MS)
    assert await timed.look(2, final=True) == NONE_COMES
    assert await timed.absent() == [timed.peer], "since the first of them began to wait"


async def test_who_has_waited_before_it_asks_has_waited(timed: Timed) -> None:
    assert await timed.look(1, waits=True, waited_ms=PATIENCE_MS // 2) == WAITS
    await timed.at(PATIENCE_MS // 2)
    await timed.look(1, final=True)
    assert await timed.absent() == [timed.peer]


async def test_a_peer_that_casts_anything_is_there(timed: Timed) -> None:
    assert await timed.look(1, waits=True) == WAITS
    await timed.at(PATIENCE_MS - 1)
    await timed.cast(0, question="another")
    await timed.at(PATIENCE_MS)
    assert await timed.look(1, final=True) == NONE_COMES
    assert await timed.absent() == []
    assert await timed.look(2, waits=True) == WAITS


@pytest.mark.parametrize("step", [0, 3])
async def test_it_returns_with_its_next_ballot(timed: Timed, step: int) -> None:
    await timed.look(1, waits=True)
    await timed.at(PATIENCE_MS)
    await timed.look(1, final=True)
    await timed.cast(step, is_alive=False)
    assert await timed.absent() == [timed.peer], "what is found among its records is no sign of life"
    await timed.cast(step)
    assert await timed.absent() == []
    assert await timed.look(2, waits=True) == WAITS


async def test_a_run_that_is_made_again_waits_again(timed: Timed) -> None:
    await timed.look(1, waits=True)
    await timed.at(PATIENCE_MS)
    await timed.look(1, final=True)
    await timed.runs.use(timed.run)
    assert await timed.absent() == [timed.peer]
    await timed.runs.put(timed.run, timed.settings)
    assert await timed.absent() == []
    assert await timed.look(1, waits=True) == WAITS


async def test_ballots_of_an_absent_peer_count_as_at_the_deadline(timed: Timed) -> None:
    await timed.cast(3, "5")
    assert await timed.look(4, 1, waits=True) == WAITS
    await timed.at(PATIENCE_MS)
    for final in (True, False):
        rows = (await timed.look(4, 1, final=final)).rows
        assert [row.answer for row in rows or []] == ["5"], "its earlier step stands in"
    assert await timed.look(5, 1) == NONE_COMES
    whole = (await timed.look(3)).rows
    assert [row.answer for row in whole or []] == ["5"]


async def test_a_part_of_a_group_of_an_absent_peer_votes(timed: Timed) -> None:
    part = CastGroup(Group("q", 0, 2), 0, 3, {"o0": BallotRow(0, 0, 0, "7")})
    await timed.store.cast(timed.peer, part)
    assert await timed.look(2, waits=True) == WAITS
    await timed.at(PATIENCE_MS)
    await timed.look(2, final=True)
    rows = (await timed.look(2)).rows
    assert [row.answer for row in rows or []] == ["7"]


async def test_each_run_finds_out_for_itself(timed: Timed) -> None:
    await timed.look(1, waits=True)
    await timed.at(PATIENCE_MS)
    await timed.look(1, final=True)
    other = Asker("another", PATIENCE_MS)
    assert await timed.store.look(timed.peer, Group("q", 0, 2).slot, "2", 0, asker=other) == WAITS


async def test_nobody_is_absent_for_longer_than_things_are_kept(timed: Timed) -> None:
    await timed.look(1, waits=True)
    await timed.at(PATIENCE_MS)
    await timed.look(1, final=True)
    await timed.at(PATIENCE_MS + 60_000)
    assert await timed.absent() == []


async def test_records_are_asked_for_what_was_cast_before_a_run_was_named(timed: Timed) -> None:
    await timed.runs.put(timed.peer, RunSettings())
    assert await timed.look(1) == WAITS, "nobody names it"
    await timed.runs.put(timed.run, timed.settings)
    recorded = WAITS._replace(is_recorded=True)
    assert await timed.look(1) == recorded
    assert await timed.look(1, final=True) == NONE_COMES._replace(is_recorded=True)
    group, asker = Group("q", 0, None), Asker(timed.run, PATIENCE_MS)
    assert await timed.store.look(timed.peer, group.slot, "", 0, asker=asker) == WAITS, "a step is needed to find it"
    await timed.cast(2, is_alive=False)
    assert await timed.look(5) == recorded
    await timed.cast(3, question="another")
    assert await timed.look(3) == recorded, "in part it may have been cast before"
    assert await timed.look(4) == WAITS, "what it casts is kept by now"
    await timed.cast(4)
    assert not (await timed.look(4)).is_recorded
    assert await timed.look(1) == recorded
    await timed.at(60_000 - 1)
    assert await timed.look(1) == recorded
    await timed.at(60_000)
    assert await timed.look(1) == WAITS, "they are kept no longer"


async def test_a_run_that_is_made_after_it_was_named_has_cast_nothing_before(timed: Timed) -> None:
    await timed.runs.put(timed.run, timed.settings)
    await timed.runs.put(timed.peer, RunSettings())
    await timed.runs.use(timed.run)
    assert await timed.look(1) == WAITS


async def test_a_run_that_was_named_long_ago_is_named_late_again(timed: Timed) -> None:
    await timed.runs.put(timed.run, timed.settings)
    await timed.runs.put(timed.peer, RunSettings())
    await timed.cast(1)
    await timed.at(59_000)
    await timed.cast(2)
    await timed.at(60_000)
    await timed.runs.use(timed.run)
    assert await timed.look(3) == WAITS._replace(is_recorded=True)


async def test_a_run_that_was_never_made_may_have_cast_before(timed: Timed) -> None:
    await timed.connection.execute("HSET", RunKeys(timed.peer).stats, "settled", 1)
    await timed.runs.put(timed.run, timed.settings)
    assert await timed.look(3) == WAITS._replace(is_recorded=True)
