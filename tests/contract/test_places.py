"""Rollouts without identity: each text its place, a place again for who was cut off, and a round for every epoch."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from reward_service.domain.types import View
from reward_service.store.cohorts import Arrival, Leaving, Placed, Refusal, Refused
from reward_service.store.link import listen
from reward_service.store.records import Row, packed
from tests.contract.conftest import World, head
from tests.contract.test_join import read, settle_all
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def listening(world: World) -> AsyncIterator[World]:
    """A world whose API replica is alive: it listens on its channel."""
    ready = asyncio.Event()
    task = asyncio.create_task(listen(world.url, world.channel, lambda _: None, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    yield world
    task.cancel()


def arrival(text: str, view: View = View.ORIGINAL, *, views: str = "o", size: int = 2) -> Arrival:
    index = list(View).index(view)
    row = Row(index, 0, None, text)
    return Arrival("q", text, index, views, size, packed(head(method="majority-voting")), row, uuid4().hex)


async def place(world: World, coming: Arrival) -> Placed:
    placed = await world.store.place(world.run, coming, world.at)
    assert not isinstance(placed, Refused)
    return placed


async def test_twins_of_one_group_both_vote(listening: World) -> None:
    one, two = await place(listening, arrival("same")), await place(listening, arrival("same"))
    assert one.cohort == two.cohort
    assert one.ballot != two.ballot
    assert len(await read(listening)) == 1


async def test_who_was_cut_off_gets_the_place_again(listening: World) -> None:
    first = arrival("text")
    placed = await place(listening, first)
    await listening.store.leave(listening.run, first.question, [Leaving(first.digest, first.request, False)])
    assert await place(listening, arrival("text")) == placed
    assert await read(listening) == []


async def test_only_one_comer_gets_an_abandoned_place(listening: World) -> None:
    first = arrival("text")
    placed = await place(listening, first)
    await listening.store.leave(listening.run, first.question, [Leaving(first.digest, first.request, False)])
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
    task = asyncio.create_task(listen(world.url, world.channel, lambda _: None, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    assert (await place(world, arrival("text"))).ballot != placed.ballot
    task.cancel()


async def test_a_command_that_is_repeated_finds_its_own_place(listening: World) -> None:
    coming, twin = arrival("text", size=3), arrival("text", size=3)
    placed = [await place(listening, coming), await place(listening, twin)]
    assert [await place(listening, coming), await place(listening, twin)] == placed


async def test_a_text_that_comes_again_to_a_whole_group_is_the_same_rollout(listening: World) -> None:
    placed = await place(listening, arrival("a"))
    await place(listening, arrival("b"))
    assert await place(listening, arrival("a")) == placed
    await settle_all(listening)
    again = await place(listening, arrival("a"))
    assert (again.cohort, again.ballot) == (placed.cohort, placed.ballot)
    assert again.record is not None


async def test_the_next_epoch_is_a_round_of_its_own(listening: World) -> None:
    for epoch in range(3):
        comers = [arrival("a"), arrival("b")]
        placed = [await place(listening, each) for each in comers]
        assert {each.cohort for each in placed} == {f"q-{epoch + 1}"}
        await settle_all(listening)
        for each in comers:
            await listening.store.leave(listening.run, each.question, [Leaving(each.digest, each.request, True)])


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
