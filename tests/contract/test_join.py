"""Cohorts of ballots with identities: joined atomically, closed once, settled once."""

import asyncio
import random

import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View

from reward_service.domain.cohort import CohortState
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.keys import RunKeys
from reward_service.store.records import CohortRecord, packed, unpack_cohort
from reward_service.store.submissions import KeptTicket, Refusal, Refused, Revised, StoredBatch
from reward_service.workers.settlement_jobs import settle_cohort
from tests.contract.conftest import World, ballot, joining, whole
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
X, Y = View.ORIGINAL, View.PARAPHRASE


async def settle(world: World, jobs: JobStore, delivery: Delivery) -> str:
    """What a worker does with a cohort's job."""
    cohort = delivery.job.cohort
    assert cohort is not None
    seen, stored = await jobs.load(world.run, cohort)
    if seen is None:
        await jobs.acknowledge(delivery)
        return "gone"
    event, settled = await settle_cohort(seen, unpack_cohort(stored) if stored else None, SymbolicGrader())
    return await jobs.settle_cohort(delivery, cohort, seen, event, packed(settled.record))


async def read(world: World) -> list[Delivery]:
    return await world.jobs.read([world.run], 100, 0.01)


async def settle_all(world: World) -> list[str]:
    return [await settle(world, world.jobs, delivery) for delivery in await read(world)]


async def record(world: World, cohort: str) -> CohortRecord | None:
    (data,) = await world.store.records(world.run, [cohort])
    return unpack_cohort(data) if data else None


async def test_the_last_ballot_closes_a_cohort(world: World) -> None:
    ballots = [ballot(view, n, "4") for view in View for n in range(2)]
    for each in ballots[:-1]:
        assert await world.store.join(world.run, [joining("c", each)], world.at) == [None]
        assert await read(world) == []
    await world.store.join(world.run, [joining("c", ballots[-1])], world.at)
    assert await settle_all(world) == ["settled"]
    settled = await record(world, "c")
    assert settled is not None
    assert settled.rewards_B == [1.0] * 4
    assert await world.connection.execute("XLEN", RunKeys(world.run).jobs) == 0


async def test_one_view_alone_does_not_close_a_pair(world: World) -> None:
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(X, 1, "4"))], world.at)
    assert await read(world) == []


async def test_any_order_any_number_of_times_at_once_votes_once(world: World) -> None:
    ballots = [ballot(view, n, str(n)) for view in View for n in range(2)] * 5
    random.Random(0).shuffle(ballots)
    await asyncio.gather(*(world.store.join(world.run, [joining("c", each)], world.at) for each in ballots))
    assert await settle_all(world) == ["settled"]
    settled = await record(world, "c")
    assert settled is not None
    assert sorted(settled.ids_B) == ["o0", "o1", "p0", "p1"]


async def test_a_contradiction_keeps_nothing_of_its_request(world: World) -> None:
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"))], world.at)
    refused = await world.store.join(
        world.run, [joining("d", ballot(X, 0, "1")), joining("c", ballot(Y, 0, "4"), ballot(X, 0, "5"))], world.at
    )
    assert refused == Refused(Refusal.CONFLICT, "c", "o0")
    assert await world.store.open_cohort(world.run, "d") == {}
    assert set(await world.store.open_cohort(world.run, "c")) & {b"b:p0", b"b:o0"} == {b"b:o0"}


async def test_a_ticket_that_is_there_says_so_and_nothing_joins(world: World) -> None:
    first = await world.store.join(world.run, [joining("c", ballot(X, 0, "4"))], world.at, ("k", b"first"))
    assert first == [None]
    await world.runs.put(world.run, RunSettings(group_size=3))  # the run has changed meanwhile
    other = [joining("c", ballot(X, 1, "4")), joining("d", ballot(X, 0, "4"))]
    for content in (b"first", b"second"):
        assert await world.store.join(world.run, other, world.at, ("k", content)) == KeptTicket(b"first")
    assert await world.store.open_cohort(world.run, "d") == {}
    assert b"b:o1" not in await world.store.open_cohort(world.run, "c")


async def test_a_batch_and_a_part_do_not_share_a_key(world: World) -> None:
    assert isinstance(await world.store.submit(world.run, "b", "0" * 32, b"payload", world.at), StoredBatch)
    refused = await world.store.join(world.run, [whole("c")], world.at, ("b", b"ticket"))
    assert refused == Refused(Refusal.REUSED)
    await world.store.join(world.run, [whole("c")], world.at, ("t", b"ticket"))
    assert await world.store.submit(world.run, "t", "0" * 32, b"payload", world.at) == Refused(Refusal.REUSED)


async def test_a_ballot_that_contradicts_a_settled_one_keeps_nothing_of_its_request(world: World) -> None:
    await world.store.join(world.run, [whole("c")], world.at)
    assert await settle_all(world) == ["settled"]
    again = [joining("d", ballot(X, 0, "1")), joining("c", ballot(X, 0, "4"), ballot(Y, 0, "5"))]
    refused = await world.store.join(world.run, again, world.at, ("k", b"ticket"))
    assert refused == Refused(Refusal.CONFLICT, "c", "p0")
    assert await world.store.open_cohort(world.run, "d") == {}
    assert await world.store.ticket(world.run, "k") is None


async def test_who_waits_is_told_what_is_open_settled_and_gone(world: World) -> None:
    await world.store.join(world.run, [whole("c")], world.at)
    await settle_all(world)
    await world.store.join(world.run, [joining("d", ballot(X, 0, "4"))], world.at)
    settled, open_, gone = await world.store.watch(world.run, ["c", "d", "never"])
    assert settled is not None
    assert unpack_cohort(settled).rewards_B == [1.0] * 4
    assert (open_, gone) == (b"", None)


async def test_more_than_a_group_is_refused(world: World) -> None:
    refused = await world.store.join(world.run, [joining("c", *(ballot(X, n, "4") for n in range(3)))], world.at)
    assert refused == Refused(Refusal.OVERFULL, "c", "o")


async def test_two_workers_settle_once(world: World) -> None:
    await world.store.join(world.run, [whole("c")], world.at)
    (delivery,) = await read(world)
    other = world.another_worker()
    answers = await asyncio.gather(settle(world, world.jobs, delivery), settle(world, other, delivery))
    assert sorted(answers) == ["gone", "settled"]
    assert (await world.state())["settled"] == 1


async def test_a_late_ballot_is_rewarded_and_does_not_vote(world: World) -> None:
    await world.make(group_size=2, cohort_deadline_s=0.001)
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(Y, 0, "4"))], world.at)
    await until(lambda: world.jobs.expire(world.run))
    assert await settle_all(world) == ["settled"]
    first = await record(world, "c")
    for late, reward in [(ballot(X, 1, "4"), 1.0), (ballot(Y, 1, "9"), 0.0)]:
        (stood,) = await world.store.join(world.run, [joining("c", late)], world.at)  # type: ignore[misc]
        assert stood is not None
        assert await settle_all(world) == ["settled"]
        after = await record(world, "c")
        assert first is not None
        assert after is not None
        assert after.labels == first.labels
        assert after.rewards_B[-1] == reward
        assert not after.rows_B[-1].counted
    assert (await world.state())["settled"] == 1


async def test_a_late_ballot_between_closing_and_settling_does_not_vote(world: World) -> None:
    await world.make(group_size=2, cohort_deadline_s=0.001)
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(Y, 0, "4"))], world.at)
    await until(lambda: world.jobs.expire(world.run))
    (delivery,) = await read(world)
    seen, _ = await world.jobs.load(world.run, "c")
    assert seen is not None
    event, early = await settle_cohort(seen, None, SymbolicGrader())
    await world.store.join(world.run, [joining("c", ballot(Y, 1, "5"))], world.at)
    assert await world.jobs.settle_cohort(delivery, "c", seen, event, packed(early.record)) == "changed"
    assert await settle(world, world.jobs, delivery) == "settled"
    settled = await record(world, "c")
    assert settled is not None
    assert [label.votes for label in settled.labels] == [1, 1]
    assert settled.rewards_B[settled.ids_B.index("p1")] == 0.0


async def test_a_slow_worker_does_not_drop_who_came_late_since(world: World) -> None:
    await world.make(group_size=3, cohort_deadline_s=0.001)
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(Y, 0, "4"))], world.at)
    await until(lambda: world.jobs.expire(world.run))
    await settle_all(world)
    await world.store.join(world.run, [joining("c", ballot(X, 1, "4"))], world.at)
    (delivery,) = await read(world)
    seen, stored = await world.jobs.load(world.run, "c")
    assert seen is not None
    assert stored is not None
    event, slow = await settle_cohort(seen, unpack_cohort(stored), SymbolicGrader())
    assert await settle(world, world.another_worker(), delivery) == "settled"
    await world.store.join(world.run, [joining("c", ballot(X, 2, "4"))], world.at)
    assert await world.jobs.settle_cohort(delivery, "c", seen, event, packed(slow.record)) == "changed"
    await settle_all(world)
    settled = await record(world, "c")
    assert settled is not None
    assert set(settled.ids_B) == {"o0", "p0", "o1", "o2"}


async def test_who_comes_late_finds_the_record_until_it_is_settled(world: World) -> None:
    await world.make(group_size=2, cohort_deadline_s=0.001)
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(Y, 0, "4"))], world.at)
    await until(lambda: world.jobs.expire(world.run))
    await settle_all(world)
    await world.connection.execute("PEXPIRE", RunKeys(world.run).record("c"), 2_000)
    await world.store.join(world.run, [joining("c", ballot(X, 1, "4"))], world.at)
    assert await world.connection.execute("PTTL", RunKeys(world.run).record("c")) > 10_000


async def test_a_group_has_the_size_that_its_cohort_began_with(world: World) -> None:
    await world.make(group_size=3)
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"))], world.at)
    await world.make(group_size=1)
    assert await world.store.join(world.run, [joining("c", ballot(X, 1, "4"))], world.at) == [None]
    await world.make(group_size=4)
    more = joining("c", *(ballot(X, n, "4") for n in (2, 3)))
    assert await world.store.join(world.run, [more], world.at) == Refused(Refusal.OVERFULL, "c", "o")


async def test_a_deadline_settles_with_what_is_there_or_abstains(world: World) -> None:
    await world.make(group_size=2, cohort_deadline_s=0.001)
    await world.store.join(
        world.run, [joining("some", ballot(X, 0, "4"), ballot(Y, 0, "4")), joining("lone", ballot(X, 0, "4"))], world.at
    )
    # The two were opened within a millisecond, and may be due in two.
    closed = [await until(lambda: world.jobs.expire(world.run))]
    while sum(closed) < 2:
        closed.append(await until(lambda: world.jobs.expire(world.run)))
    assert sorted(await settle_all(world)) == ["settled", "settled"]
    some, lone = await record(world, "some"), await record(world, "lone")
    assert some is not None
    assert lone is not None
    assert (some.final_state, some.rewards_B) == (CohortState.SETTLED, [1.0, 1.0])
    assert (lone.final_state, lone.rewards_B) == (CohortState.ABSTAINED, [None])


async def test_a_dead_workers_job_is_claimed(world: World) -> None:
    await world.store.join(world.run, [whole("c")], world.at)
    assert len(await read(world)) == 1
    other = world.another_worker()
    (claimed,) = await until(lambda: other.claim(world.run, 0.001, 10))
    assert await settle(world, other, claimed) == "settled"
    assert await other.claim(world.run, 0.0, 10) == []


async def test_a_change_of_the_run_is_noticed(world: World) -> None:
    await world.runs.put(world.run, RunSettings(group_size=3))
    assert await world.store.join(world.run, [whole("c")], world.at) == Refused(Refusal.STALE)


async def test_what_is_full_refuses_new_cohorts_and_lets_open_ones_end(world: World) -> None:
    for n in range(world.limits.open_cohorts):
        await world.store.join(world.run, [joining(f"c{n}", ballot(X, 0, "4"))], world.at)
    assert await world.store.join(world.run, [whole("new")], world.at) == Refused(Refusal.FULL)
    rest = [ballot(X, 1, "4"), ballot(Y, 0, "4"), ballot(Y, 1, "4")]
    assert await world.store.join(world.run, [joining("c0", *rest)], world.at) == [None]


async def test_too_many_jobs_are_refused_until_some_are_done(world: World) -> None:
    for n in range(world.limits.jobs):
        await world.store.join(world.run, [whole(f"c{n}")], world.at)
    assert await world.store.join(world.run, [whole("new")], world.at) == Refused(Refusal.FULL)
    await settle_all(world)
    assert await world.store.join(world.run, [whole("new")], world.at) == [None]


async def test_every_key_has_a_time_to_live_and_its_runs_tag(world: World) -> None:
    await world.store.join(world.run, [whole("c"), joining("d", ballot(X, 0, "4"))], world.at, ("t", b"ticket"))
    await world.store.submit(world.run, "b", "0" * 32, b"payload", world.at)
    await settle_all_cohorts(world)
    found = await world.connection.everywhere("KEYS", f"*{world.run}*")
    keys = [key.decode() for some in found for key in some]
    assert len(keys) >= 6
    for key in [*keys, "cr:runs"]:
        assert await world.connection.execute("PTTL", key) > 0, key
    assert all(f"{{{world.run}}}" in key for key in keys)


async def settle_all_cohorts(world: World) -> None:
    for delivery in await read(world):
        if delivery.job.cohort is not None:
            await settle(world, world.jobs, delivery)


async def test_settings_come_back_as_they_were_put(world: World) -> None:
    settings = RunSettings(method="majority-voting", group_size=5, min_vote_share=0.25, teacher_model="m")
    first = await world.runs.put(world.run, settings)
    assert await world.runs.use(world.run) == first == Revised(settings, first.revision)
    assert await world.runs.put(world.run, settings) == first
    assert world.run in await world.runs.names()
    assert await world.runs.use("never-made") is None
