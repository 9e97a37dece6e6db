"""The ballots of peers in Redis: kept once for runs that are named, and whoever waits for them goes on."""

from dataclasses import replace

import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View

from reward_service.store.job_records import CastOf
from reward_service.store.jobs import Delivery
from reward_service.store.keys import RunKeys
from reward_service.store.peers import PEER, CastGroup, Group, PeerStore, PeerWaiter, Waiting
from reward_service.store.records import BallotRow
from reward_service.store.settling import BatchEnding
from reward_service.store.submissions import Refusal, Refused, StoredBatch
from tests.contract.conftest import World, ballot, joining
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
PRINT = "f" * 32
PATIENCE_MS = 1_000_000_000_000_000


def peers(world: World) -> PeerStore:
    return PeerStore(world.connection, world.limits.retention_s)


def cast(*answers: str, step: int | None = 3, attempt: int = 0, size: int | None = None, first: int = 0) -> CastGroup:
    rows = {f"o{n}": BallotRow(0, 0, n, answer, "the truth") for n, answer in enumerate(answers, first)}
    return CastGroup(Group("q", 0, step), attempt, size, rows)


SLOT = Group("q", 0, 3).slot


async def look(world: World, step: int | None = 3, lag: int = 0, *, final: bool = False) -> list[str | None] | None:
    text = "" if step is None else str(step)
    rows = (await peers(world).look(world.run, SLOT, text, lag, final=final)).rows
    return None if rows is None else sorted(row.answer for row in rows)  # type: ignore[type-var]


async def submit(world: World, name: str = "b", run: str | None = None) -> None:
    kept = await world.store.submit(run or world.run, name, PRINT, b"payload", world.at, 1, CastOf(4, numbered=False))
    assert isinstance(kept, StoredBatch)


async def jobs(world: World) -> list[Delivery]:
    return await world.jobs.read([world.run], 100, 0.01)


async def test_ballots_are_kept_once(world: World) -> None:
    assert await look(world) is None
    await peers(world).cast(world.run, cast("4", "5"))
    await peers(world).cast(world.run, cast("6", "7"))
    assert await look(world) == ["4", "5"]
    (row, _) = (await peers(world).look(world.run, SLOT, "3", 0)).rows or []
    assert (row.voter, row.ground_truth) == (PEER, None), "a peer tells no truth of its own"


async def test_a_higher_attempt_replaces_and_a_lower_one_is_too_late(world: World) -> None:
    await peers(world).cast(world.run, cast("4", "5"))
    await peers(world).cast(world.run, cast("6", attempt=2))
    await peers(world).cast(world.run, cast("7", "8", attempt=1))
    assert await look(world) == ["6"]


async def test_a_group_is_there_when_it_is_whole(world: World) -> None:
    await peers(world).cast(world.run, cast("4", size=3))
    await peers(world).cast(world.run, cast("5", first=1, size=3))
    await peers(world).cast(world.run, cast("5", first=1, size=3))
    assert await look(world) is None
    assert await look(world, final=True) == ["4", "5"], "at the end with what is there"
    await peers(world).cast(world.run, cast("6", first=2, size=3))
    assert await look(world) == ["4", "5", "6"]


async def test_without_a_step_the_latest_group_counts(world: World) -> None:
    await peers(world).cast(world.run, cast("4", "5", step=None))
    await peers(world).cast(world.run, cast("4", "5", step=None))
    assert await look(world, step=None) == ["4", "5"]
    await peers(world).cast(world.run, cast("6", "7", step=None))
    assert await look(world, step=None) == ["6", "7"]


async def test_an_earlier_step_stands_in_within_the_lag_once_the_run_has_gone_on(world: World) -> None:
    for step in (1, 2):
        await peers(world).cast(world.run, cast(str(step), step=step))
    assert await look(world, lag=2) is None
    assert await look(world, lag=2, final=True) == ["2"]
    await peers(world).cast(world.run, CastGroup(Group("another", 0, 4), 0, None, {"o0": BallotRow(0, 0, 0, "9")}))
    assert await look(world, lag=2) == ["2"]
    assert await look(world, lag=0, final=True) is None
    assert await look(world, step=5, lag=2, final=True) is None
    await peers(world).cast(world.run, cast("3"))
    assert await look(world, lag=2) == ["3"], "its own step is there"


async def test_an_earlier_attempt_is_too_late_for_a_group_that_is_not_whole(world: World) -> None:
    await peers(world).cast(world.run, cast("4", size=2, attempt=1))
    await peers(world).cast(world.run, cast("5", size=2, first=1))
    assert await look(world, final=True) == ["4"]


async def test_the_latest_64_steps_may_stand_in(world: World) -> None:
    for step in range(66):
        await peers(world).cast(world.run, cast("4", step=step))
    steps = await world.connection.execute("ZRANGE", RunKeys(world.run).cast_steps(SLOT), 0, -1)
    assert [int(step) for step in steps] == list(range(2, 66))


async def test_who_waits_is_found_by_whoever_casts(world: World) -> None:
    waiter, lagging = PeerWaiter("a", "bname", SLOT, "3", 0), PeerWaiter("a", "cname", SLOT, "3", 1)
    for each in (waiter, lagging):
        assert (await peers(world).look(world.run, SLOT, "3", each.lag, waiter=each)).rows is None
    assert await peers(world).cast(world.run, cast("1", step=2)) == ([], [])
    assert await peers(world).cast(world.run, cast("2", step=4)) == ([], [lagging])
    here, _ = await peers(world).cast(world.run, cast("3"))
    assert sorted(map(str, here)) == sorted(map(str, (waiter, lagging)))
    assert await peers(world).cast(world.run, cast("3")) == (here, [lagging]), "until they have been told"
    await peers(world).stop_lagging(world.run, [lagging])
    still_here, none = await peers(world).cast(world.run, cast("3"))
    assert (len(still_here), none) == (2, []), "it waits for its own step"
    await peers(world).stop_waiting(world.run, here)
    assert await peers(world).cast(world.run, cast("3")) == ([], [])


async def test_a_batch_goes_on_with_the_last_of_its_peers(world: World) -> None:
    await submit(world)
    (first,) = await jobs(world)
    waiting = Waiting(world.run, "bb", PATIENCE_MS, 0, b"payload", "one\ntwo")
    assert sorted(await peers(world).wait(waiting, ["x s", "y s"])) == ["x s", "y s"]
    await world.jobs.acknowledge(first)
    assert not await peers(world).came(world.run, "bb", ["x s"])
    assert not await peers(world).came(world.run, "bb", ["x s"]), "told twice it counts once"
    assert await peers(world).wait(waiting, ["x s", "y s"]) == ["y s"], "a job that is done again waits for the rest"
    assert (await world.state())["waiting_for_peers"] == 1
    assert await world.connection.execute("HGETALL", RunKeys(world.run).awaited_peers) == [b"y", b"1"]
    assert await peers(world).came(world.run, "bb", ["y s"])
    (delivery,) = await jobs(world)
    job = delivery.job
    assert (job.batch, job.payload, job.ready, job.overdue, job.cast) == ("b", b"payload", True, False, None)
    assert delivery.channel == "one\ntwo"
    assert not await peers(world).came(world.run, "bb", ["y s"])
    assert await jobs(world) == []
    assert "waiting_for_peers" not in (await world.state())
    assert await world.connection.execute("HGETALL", RunKeys(world.run).awaited_peers) == []


async def test_what_is_settled_waits_for_nobody(world: World) -> None:
    waiting = Waiting(world.run, "bb", PATIENCE_MS, 0)
    assert await peers(world).wait(waiting, ["x s"]) == []
    assert await peers(world).wait(Waiting(world.run, "cc", PATIENCE_MS, 0), ["x s"]) == []
    await submit(world)
    (delivery,) = await jobs(world)
    await world.jobs.settle_batch(BatchEnding(delivery, "b", b"record", settled=1, abstained=0))
    assert await peers(world).wait(waiting, ["x s"]) == []
    assert "waiting_for_peers" not in (await world.state())


async def test_a_cohort_that_has_waited_long_enough_goes_on(world: World) -> None:
    await world.store.join(world.run, [joining("c", ballot(View.ORIGINAL, 0, "4"))], world.at)
    assert await peers(world).wait(Waiting(world.run, "cc", 0, 0), ["x s", "x t"]) == ["x s", "x t"]

    async def closed() -> int:
        return await world.jobs.expire(world.run)

    assert await until(closed) == 1
    (delivery,) = await jobs(world)
    assert (delivery.job.cohort, delivery.job.overdue, delivery.job.ready) == ("c", True, False)
    assert await world.connection.execute("HGETALL", RunKeys(world.run).awaited_peers) == []


@pytest.mark.parametrize("followed", [False, True])
async def test_jobs_tell_of_ballots_to_keep_only_where_somebody_names_the_run(world: World, followed: bool) -> None:
    if followed:
        namer = RunSettings(method="peer-majority", peers=(world.run,))
        await world.runs.put(f"of-{world.run}", namer)
    await submit(world)
    await world.store.join(
        world.run, [joining("c", *(ballot(view, n, "4") for view in View for n in range(2)))], world.at
    )
    batch, cohort = await jobs(world)
    assert batch.job.cast == (CastOf(4, numbered=False) if followed else None)
    assert cohort.job.cast == (CastOf() if followed else None)
    assert (cohort.job.due_ms is not None) == followed


async def test_a_run_is_named_as_soon_as_the_run_that_names_it_is_made_or_used(world: World) -> None:
    peer = f"peer-of-{world.run}"
    await world.make(method="peer-majority", peers=(peer,), group_size=2)
    await world.connection.execute("HDEL", RunKeys(peer).settings, "followed")
    assert await world.runs.look(peer) is None, "it was not made"
    await world.runs.use(world.run)
    at = await world.runs.put(peer, RunSettings(group_size=2))
    await world.jobs.runs()
    assert isinstance(await world.store.submit(peer, "b", PRINT, b"payload", at), StoredBatch)
    (delivery,) = await world.jobs.read([peer], 10, 0.01)
    assert delivery.job.cast == CastOf()


async def test_no_more_wait_for_peers_than_may(world: World) -> None:
    await world.make(method="peer-majority", peers=("nobody",), group_size=1)
    whole = [joining(f"c{n}", ballot(View.ORIGINAL, 0, "4")) for n in range(world.limits.open_cohorts)]
    one_view = [replace(each, views="o") for each in whole]
    await world.store.join(world.run, one_view, world.at)
    for n in range(world.limits.open_cohorts):
        assert await peers(world).wait(Waiting(world.run, f"cc{n}", PATIENCE_MS, 0), ["nobody s"])
    for delivery in await jobs(world):
        await world.jobs.acknowledge(delivery)
    full = Refused(Refusal.FULL)
    assert await world.store.submit(world.run, "b", PRINT, b"payload", world.at) == full
    assert await world.store.join(world.run, [joining("one-more", ballot(View.ORIGINAL, 0, "4"))], world.at) == full
