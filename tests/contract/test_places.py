"""Rollouts without identity: each text its place, a place again for who was cut off, and a round for every epoch."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import msgspec
import pytest
from co_rewarding_schema.vocabulary import View

from reward_service.store.cohorts import CohortStore
from reward_service.store.connecting import listen_at
from reward_service.store.keys import RunKeys
from reward_service.store.records import BallotRow, packed
from reward_service.store.submissions import ArrivingRollout, Leaving, Placed, Refusal, Refused, StoreLimits
from tests.contract.conftest import World, head
from tests.contract.test_join import read, settle_all
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def listening(world: World) -> AsyncIterator[World]:
    """A world whose API replica is alive: it listens on its channel."""
    ready = asyncio.Event()
    task = asyncio.create_task(listen_at(world.url, world.channel, lambda _: None, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    yield world
    task.cancel()


def arrival(
    text: str, view: View = View.ORIGINAL, *, views: str = "o", size: int = 2, stepped: bool = False
) -> ArrivingRollout:
    index = list(View).index(view)
    row = BallotRow(index, 0, None, text)
    return ArrivingRollout(
        "q", text, index, views, size, packed(head(method="majority-voting")), row, uuid4().hex, stepped
    )


async def leave(world: World, *leaving: tuple[ArrivingRollout, bool]) -> None:
    """These requests end, each answered or not."""
    ends = [Leaving(coming.request, answered, coming.stepped) for coming, answered in leaving]
    await world.store.leave(world.run, "q", ends)


async def place(world: World, coming: ArrivingRollout) -> Placed:
    """A place. The store is asked again while it cannot tell who lives, as it can after a machine stood still."""

    async def sure() -> Placed | Refused | None:
        placed = await world.store.place(world.run, coming, world.at)
        return None if isinstance(placed, Refused) and placed.why is Refusal.UNSURE else placed

    placed = await until(sure)
    assert isinstance(placed, Placed)
    return placed


async def test_twins_of_one_group_both_vote(listening: World) -> None:
    one, two = await place(listening, arrival("same")), await place(listening, arrival("same"))
    assert one.cohort == two.cohort
    assert one.ballot != two.ballot
    assert len(await read(listening)) == 1


async def test_who_was_cut_off_gets_the_place_again(listening: World) -> None:
    first = arrival("text")
    placed = await place(listening, first)
    await leave(listening, (first, False))
    assert await place(listening, arrival("text")) == placed
    assert await read(listening) == []


async def test_only_one_comer_gets_an_abandoned_place(listening: World) -> None:
    first = arrival("text")
    placed = await place(listening, first)
    await leave(listening, (first, False))
    comers = [await place(listening, arrival("text")) for _ in range(2)]
    assert comers[0] == placed
    assert comers[1].ballot != placed.ballot


async def test_a_dead_replicas_places_are_free_once_it_is_known_to_be_dead(world: World) -> None:
    placed = await place(world, arrival("text"))  # nobody listens on this replica's channel
    other, _ = world.another_replica()
    again = arrival("text")
    assert await other.place(world.run, again, world.at) == Refused(Refusal.UNSURE)

    async def told() -> Placed | None:
        answer = await other.place(world.run, again, world.at)
        return None if answer == Refused(Refusal.UNSURE) else answer  # type: ignore[return-value]

    assert await until(told) == placed


async def test_a_replica_that_lost_its_subscription_for_a_moment_keeps_its_places(world: World) -> None:
    placed = await place(world, arrival("text"))
    assert await world.store.place(world.run, arrival("text"), world.at) == Refused(Refusal.UNSURE)
    ready = asyncio.Event()
    task = asyncio.create_task(listen_at(world.url, world.channel, lambda _: None, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    assert (await place(world, arrival("text"))).ballot != placed.ballot
    task.cancel()


async def test_a_command_that_is_repeated_finds_its_own_place(listening: World) -> None:
    coming, twin = arrival("text", size=3), arrival("text", size=3)
    placed = [await place(listening, coming), await place(listening, twin)]
    assert [await place(listening, coming), await place(listening, twin)] == placed


async def test_rollouts_that_come_together_are_placed_as_if_one_came_after_the_other(listening: World) -> None:
    texts = ["a", "a", "b", "c", "d", "a"]  # twins, the next rounds, and one that comes again to a whole group
    together = [arrival(text) for text in texts]
    one_by_one = [msgspec.structs.replace(arrival(text), question="other") for text in texts]
    answers = await listening.store.place_all(listening.run, together, listening.at)
    seats = [(answer.cohort.rpartition("-")[2], answer.ballot) for answer in answers if isinstance(answer, Placed)]
    assert seats == [("1", "a.0"), ("1", "a.1"), ("2", "b.0"), ("2", "c.0"), ("3", "d.0"), ("1", "a.0")]
    others = [await place(listening, each) for each in one_by_one]
    assert [(answer.cohort.rpartition("-")[2], answer.ballot) for answer in others] == seats
    assert len(await read(listening)) == 4
    assert await listening.store.place_all(listening.run, together[1:], listening.at) == answers[1:]


async def test_of_rollouts_that_come_together_some_find_no_room(listening: World) -> None:
    limits = StoreLimits(open_cohorts=1)
    store = CohortStore(listening.connection, limits, listening.channel)
    others = [msgspec.structs.replace(arrival("a"), question=question) for question in ("q", "other", "q")]
    answers = await store.place_all(listening.run, others, listening.at)
    assert [isinstance(answer, Placed) for answer in answers] == [True, False, True]
    assert answers[1] == Refused(Refusal.FULL)


async def test_who_holds_a_place_finds_it_whatever_the_settings_are_now(listening: World) -> None:
    coming, before = arrival("text"), listening.at
    placed = await place(listening, coming)
    await listening.make(group_size=9)
    fresh = arrival("another")
    answers = await listening.store.place_all(listening.run, [coming, fresh], before)
    assert answers == [placed, Refused(Refusal.STALE)]


async def test_a_text_that_comes_again_to_a_whole_group_is_the_same_rollout(listening: World) -> None:
    placed = await place(listening, arrival("a"))
    await place(listening, arrival("b"))
    assert await place(listening, arrival("a")) == placed
    await settle_all(listening)
    again = await place(listening, arrival("a"))
    assert (again.cohort, again.ballot) == (placed.cohort, placed.ballot)
    assert again.settled


async def test_the_next_epoch_is_a_round_of_its_own(listening: World) -> None:
    for epoch in range(3):
        comers = [arrival("a"), arrival("b")]
        placed = [await place(listening, each) for each in comers]
        assert {each.cohort for each in placed} == {f"q-{epoch + 1}"}
        await settle_all(listening)
        await leave(listening, *((each, True) for each in comers))


async def test_views_of_a_pair_meet_in_their_round_though_one_runs_ahead(listening: World) -> None:
    ahead = [await place(listening, arrival(f"o{n}", views="op")) for n in range(4)]
    behind = [await place(listening, arrival(f"p{n}", View.PARAPHRASE, views="op")) for n in range(4)]
    assert [each.cohort for each in ahead] == [each.cohort for each in behind] == ["q-1", "q-1", "q-2", "q-2"]
    assert len(await read(listening)) == 2


async def test_an_expired_round_takes_no_more(listening: World) -> None:
    await listening.make(group_size=2, cohort_deadline_s=0.001)
    await place(listening, arrival("a"))
    while not await listening.jobs.expire(listening.run):
        pass
    assert (await place(listening, arrival("b"))).cohort == "q-2"


async def test_a_place_belongs_to_who_has_it_now(listening: World) -> None:
    first, second = arrival("a", size=1), arrival("a", size=1)
    placed = await place(listening, first)
    assert await place(listening, second) == placed  # the group is whole: the same rollout again
    await leave(listening, (first, True))  # it has no place any more
    assert await place(listening, arrival("a", size=1)) == placed


async def test_each_abandoned_twin_is_given_once(listening: World) -> None:
    twins = [arrival("text", size=5) for _ in range(3)]
    placed = [await place(listening, each) for each in twins]
    await leave(listening, (twins[0], False), (twins[2], False))
    again = [await place(listening, arrival("text", size=5)) for _ in range(3)]
    assert sorted(each.ballot for each in again[:2]) == sorted([placed[0].ballot, placed[2].ballot])
    assert again[2].ballot not in [each.ballot for each in placed]


async def test_with_a_step_a_text_keeps_its_place_after_the_answer(listening: World) -> None:
    first = arrival("a", size=1, stepped=True)
    placed = await place(listening, first)
    await settle_all(listening)
    await leave(listening, (first, True))
    again = await place(listening, arrival("a", size=1, stepped=True))
    assert again == Placed(placed.cohort, placed.ballot, settled=True)


async def test_a_place_in_a_round_that_is_over_is_forgotten(listening: World) -> None:
    first, coming = arrival("a", size=1, stepped=True), arrival("a", size=1, stepped=True)
    await place(listening, first)
    await settle_all(listening)
    await leave(listening, (first, True))
    # To who keeps things for longer, what expires in a minute was settled long ago.
    later = CohortStore(listening.connection, StoreLimits(retention_s=600.0), listening.channel)
    placed = await later.place(listening.run, coming, listening.at)
    assert isinstance(placed, Placed)
    assert placed.cohort == "q-2"
    assert await listening.connection.execute("ZCARD", RunKeys(listening.run).texts("q")) == 1


async def test_a_round_that_was_forgotten_is_not_begun_anew(listening: World) -> None:
    """Places of its rollouts may outlive it: one that came again would be told of a ballot that no cohort holds."""
    await place(listening, arrival("text"))
    await listening.connection.execute("DEL", RunKeys(listening.run).open_cohort("q-1"))
    other = await place(listening, arrival("other", size=1))
    await settle_all(listening)
    again = await place(listening, arrival("text"))
    assert (other.cohort, again.cohort, again.settled) == ("q-2", "q-3", False)


async def test_nothing_is_left_of_those_who_were_answered(listening: World) -> None:
    comers = [arrival(text) for text in ("a", "b", "a")]
    for each in comers:
        await place(listening, each)
    keys = RunKeys(listening.run)
    for key in (keys.rounds("q"), keys.texts("q")):
        assert await listening.connection.execute("PTTL", key) > 0
    await leave(listening, *((each, True) for each in comers))
    assert await listening.connection.execute("EXISTS", keys.texts("q")) == 0
    assert await listening.connection.execute("HKEYS", keys.rounds("q")) == [b"r:o"]


async def test_an_abandoned_place_keeps_its_time(listening: World) -> None:
    first = arrival("a")
    await place(listening, first)
    await leave(listening, (first, False))
    assert await listening.connection.execute("PTTL", RunKeys(listening.run).texts("q")) > 0


async def script_us(world: World, action: Callable[[], Awaitable[object]]) -> float:
    """The least time of a script's call (µs), as the store tells it, of five times an action of 20 rollouts."""

    async def spent() -> tuple[int, int]:
        servers = await world.connection.everywhere("INFO", "commandstats")
        found = [re.search(rb"cmdstat_evalsha:calls=(\d+),usec=(\d+)", about) for about in servers]
        calls, us = (sum(int(each[place]) for each in found if each is not None) for place in (1, 2))
        return calls, us

    costs: list[float] = []
    for _ in range(5):
        calls, us = await spent()
        await action()
        calls_after, us_after = await spent()
        costs.append((us_after - us) / (calls_after - calls))
    return min(costs)


async def test_a_rollout_costs_the_same_however_many_are_alike(listening: World) -> None:
    held: list[ArrivingRollout] = []

    async def come(count: int = 20) -> None:
        comers = [arrival("same", size=20_000) for _ in range(count)]
        await asyncio.gather(*(place(listening, each) for each in comers))
        held.extend(comers)

    async def go_and_come_again() -> None:
        gone, held[-20:] = held[-20:], []
        await leave(listening, *((each, False) for each in gone))
        await come()

    async def be_answered() -> None:
        gone, held[-20:] = held[-20:], []
        await leave(listening, *((each, True) for each in gone))

    costs_us: dict[int, list[float]] = {}
    for alike in (100, 1_000, 10_000):
        while len(held) < alike:
            await come(min(500, alike - len(held)))
        costs_us[alike] = [await script_us(listening, action) for action in (come, go_and_come_again, be_answered)]
    for few, many in zip(costs_us[100], costs_us[10_000], strict=True):
        assert many < 4 * few, costs_us
