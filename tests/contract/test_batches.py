"""Self-contained batches: queued once, settled once, known again by their name."""

import asyncio
from collections.abc import Callable

import pytest
from redis.exceptions import ResponseError

from reward_service.domain.cohort import CohortEvent, CohortState
from reward_service.errors import StoreUnavailableError, UnusableStoreError
from reward_service.store.connecting import connection_to, listen_at
from reward_service.store.job_records import Job
from reward_service.store.keys import GROUP, RunKeys
from reward_service.store.records import OpenCohort
from reward_service.store.server_checks import check_store
from reward_service.store.server_replies import WrongTypeError
from reward_service.store.settling import BatchEnding, Delivery
from reward_service.store.submissions import Refusal, Refused, StoredBatch
from reward_service.store.traces import Traces
from tests.contract.conftest import World, head, joining
from tests.contract.test_traces import SOME, JobSums, label, noted, summed
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
PRINT = "f" * 32


async def test_a_batch_is_queued_once_however_often_it_comes(world: World) -> None:
    answers = await asyncio.gather(
        *(world.store.submit(world.run, "b", PRINT, b"payload", world.at) for _ in range(10))
    )
    assert answers == [StoredBatch(PRINT, None)] * 10
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    assert (delivery.job.batch, delivery.job.payload, delivery.channel) == ("b", b"payload", world.channel)


async def test_whoever_settles_first_decides(world: World) -> None:
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    one, two = (BatchEnding(delivery, "b", record, settled=2, abstained=1) for record in (b"one", b"two"))
    assert await world.jobs.settle_batch(one) == "settled"
    assert await world.another_worker().settle_batch(two) == "known"
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, b"one")
    assert await world.store.submit(world.run, "b", "0" * 32, b"other", world.at) == StoredBatch(PRINT, b"one")
    state = await world.state()
    assert (state["settled"], state["abstained"], state["queued"]) == (2, 1, 0)


async def test_a_batch_whose_key_holds_something_else_costs_those_beside_it_nothing(world: World) -> None:
    names = ["a", "b", "c"]
    for name in names:
        await world.store.submit(world.run, name, PRINT, b"payload", world.at)
    deliveries = await world.jobs.read([world.run], 10, 0.01)
    await world.connection.execute("DEL", RunKeys(world.run).batch("b"))
    await world.connection.execute("HSET", RunKeys(world.run).batch("b"), "somebody", "else's")
    endings = [BatchEnding(each, each.job.batch or "", b"one", settled=1, abstained=0) for each in deliveries]
    assert await world.jobs.settle_batches(world.run, endings) == "settled"
    kept = [await world.store.batch(world.run, name) for name in names]
    assert [each.record for each in kept if each is not None] == [b"one"] * 3
    state = await world.state()
    assert (state["settled"], state["queued"]) == (3, 0)


UNFIT: dict[str, Callable[[RunKeys], tuple[str, ...]]] = {
    "a history of another kind": lambda keys: ("SET", keys.history, "x"),
    "a question's labels that are none": lambda keys: ("HSET", keys.history, "q", "x"),
    "an order of another kind": lambda keys: ("SET", f"{keys.orders}flips", "x"),
    "sums that wait, of another kind": lambda keys: ("SET", keys.waiting_sums, "x"),
    "a series of another kind": lambda keys: ("SET", keys.series, "x"),
    "sums of a step that are none": lambda keys: ("HSET", keys.series, "1:0", "x"),
}


@pytest.mark.parametrize("fault", UNFIT)
async def test_batches_whose_traces_cannot_be_kept_stay_as_they_were(world: World, fault: str) -> None:
    for name in "abc":
        await world.store.submit(world.run, name, PRINT, b"payload", world.at)
    deliveries = await world.jobs.read([world.run], 10, 0.01)
    *both, other = (BatchEnding(each, each.job.batch or "", b"one", settled=1, abstained=0) for each in deliveries)
    _, key, *_ = wrong = UNFIT[fault](RunKeys(world.run))
    await world.connection.execute(*wrong)
    long = summed(JobSums(1, 0, SOME, {str(number) * 20: 1 for number in range(60)}))  # added to the series at once
    traces = Traces(noted(label(1, "4")), long)
    with pytest.raises(ResponseError) as refused:
        await world.jobs.settle_batches(world.run, both, traces)
    assert isinstance(refused.value, WrongTypeError) == fault.endswith("of another kind")
    assert await world.jobs.settle_batch(other) == "settled", "it leaves none"
    await world.connection.execute("DEL", key)
    kept = [await world.store.batch(world.run, name) for name in "abc"]
    assert kept == [StoredBatch(PRINT, None), StoredBatch(PRINT, None), StoredBatch(PRINT, b"one")]
    state = await world.state()
    assert (state["settled"], state["queued"]) == (1, 2)
    assert await world.jobs.settle_batches(world.run, both, traces) == "settled"
    state = await world.state()
    assert (state["settled"], state["queued"]) == (3, 0)


async def test_batches_of_which_one_is_known_or_comes_twice_are_to_be_settled_apart(world: World) -> None:
    """As a job is that was claimed from a worker which was only slow: the traces of all would be written once more."""
    for name in "ab":
        await world.store.submit(world.run, name, PRINT, b"payload", world.at)
    first, second = await world.jobs.read([world.run], 10, 0.01)
    one, again = (BatchEnding(first, "a", record, settled=1, abstained=0) for record in (b"one", b"two"))
    other = BatchEnding(second, "b", b"other", settled=1, abstained=0)
    assert await world.jobs.settle_batches(world.run, [one, again, other]) == "apart"
    assert await world.store.batch(world.run, "a") == StoredBatch(PRINT, None)
    assert await world.jobs.settle_batch(one) == "settled"
    assert await world.jobs.settle_batches(world.run, [again, other]) == "apart"
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, None)
    assert await world.jobs.settle_batch(again) == "known"
    assert await world.jobs.settle_batch(other) == "settled"
    assert await world.store.batch(world.run, "a") == StoredBatch(PRINT, b"one")
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, b"other")
    state = await world.state()
    assert (state["settled"], state["queued"]) == (2, 0)


async def test_a_store_that_has_lost_its_groups_gives_its_jobs_again(world: World) -> None:
    """As a replica does that is promoted before it has been told of a group."""
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    await world.connection.execute("XGROUP", "DESTROY", RunKeys(world.run).jobs, GROUP)
    assert await world.jobs.times_delivered(delivery) == 0
    assert await world.jobs.claim(world.run, 0.0, 10) == []
    assert await world.jobs.read([world.run], 10, 0.01) == []
    (again,) = await world.jobs.read([world.run], 10, 0.01)
    assert again == delivery
    assert await world.jobs.settle_batch(BatchEnding(delivery, "b", b"one", settled=1, abstained=0)) == "settled"


async def test_a_batch_that_the_store_lost_is_known_by_its_record_to_who_sends_it_again(world: World) -> None:
    """As a replica does that is promoted before it has the batch, when a worker has its job from the old primary."""
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    await world.connection.execute("DEL", RunKeys(world.run).batch("b"))
    assert await world.jobs.settle_batch(BatchEnding(delivery, "b", b"one", settled=1, abstained=0)) == "settled"
    assert await world.store.submit(world.run, "b", PRINT, b"payload", world.at) == StoredBatch(PRINT, b"one")


@pytest.mark.parametrize("kept", ["batch", "cohort", "dropped"])
async def test_a_job_that_a_failover_took_back_takes_no_other_with_it(world: World, kept: str) -> None:
    """A new primary may name an entry as the old one did, and a worker still has the old one's job."""
    await world.store.submit(world.run, "new", PRINT, b"payload", world.at)
    jobs = RunKeys(world.run).jobs
    ((entry, _),) = await world.connection.execute("XRANGE", jobs, "-", "+")
    if kept == "batch":
        old = Delivery(world.run, Job(entry, batch="old", payload=b"payload"), world.channel)
        assert await world.jobs.settle_batch(BatchEnding(old, "old", b"one", settled=1, abstained=0)) == "settled"
    elif kept == "cohort":
        old = Delivery(world.run, Job(entry, cohort="old"))
        seen = OpenCohort(CohortState.COMPLETE, head(), {}, {}, 0)
        assert await world.jobs.settle_cohort(old, "old", seen, CohortEvent.ELECTED, b"record") == "gone"
    else:
        await world.jobs.acknowledge(Delivery(world.run, Job(entry, batch="old")))
    (delivery,) = await world.jobs.read([world.run], 10, 1.0)
    assert delivery.job.batch == "new"
    assert await world.jobs.settle_batch(BatchEnding(delivery, "new", b"one", settled=1, abstained=0)) == "settled"
    assert await world.connection.execute("XLEN", jobs) == 0


async def test_a_full_queue_refuses(world: World) -> None:
    for n in range(world.limits.jobs):
        await world.store.submit(world.run, f"b{n}", PRINT, b"", world.at)
    assert await world.store.submit(world.run, "b", PRINT, b"", world.at) == Refused(Refusal.FULL)
    assert await world.store.submit(world.run, "b0", PRINT, b"", world.at) == StoredBatch(PRINT, None)


@pytest.mark.parametrize("record", [b"record", b"x" * 300_000])
async def test_the_replica_that_waits_is_woken(world: World, record: bytes) -> None:
    """By its name alone if the record is large: what a subscriber has not read yet stands in the store's memory."""
    heard: list[bytes] = []
    ready = asyncio.Event()
    task = asyncio.create_task(listen_at(world.url, world.channel, heard.append, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    await world.jobs.settle_batch(BatchEnding(delivery, "b", record, settled=1, abstained=0))

    async def woken() -> list[bytes]:
        return heard

    told = b"S" + PRINT.encode() + record if len(record) < 1000 else b""
    assert await until(woken) == [f"{world.run}~b\n".encode() + told]
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, record)
    task.cancel()


async def test_answers_match_their_questions_when_many_travel_together(world: World) -> None:
    answers = await asyncio.gather(*(world.connection.execute("ECHO", str(n)) for n in range(2000)))
    assert answers == [str(n).encode() for n in range(2000)]


async def test_a_refused_command_costs_its_neighbours_nothing(world: World) -> None:
    good, bad, other = await asyncio.gather(
        *(world.connection.execute(*words) for words in (("ECHO", "a"), ("NOSUCHCOMMAND", "a"), ("ECHO", "b"))),
        return_exceptions=True,
    )  # fmt: skip
    assert (good, other) == (b"a", b"b")
    assert isinstance(bad, ResponseError)


async def test_a_server_that_forgot_the_scripts_is_told_again(world: World) -> None:
    await world.connection.everywhere("SCRIPT", "FLUSH")
    assert await world.store.submit(world.run, "b", PRINT, b"", world.at) == StoredBatch(PRINT, None)


async def test_a_connection_that_is_cut_is_opened_again(world: World) -> None:
    asking = [asyncio.create_task(world.connection.execute("ECHO", str(n))) for n in range(50)]
    killer = connection_to(world.url)
    await killer.everywhere("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert await asyncio.gather(*asking) == [str(n).encode() for n in range(50)]
    assert await world.store.join(world.run, [joining("c")], world.at) == [None]
    await killer.close()


async def test_an_eviction_policy_that_drops_work_is_refused(world: World) -> None:
    await check_store(world.connection)
    await world.connection.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(UnusableStoreError, match="CONFIG SET maxmemory-policy noeviction"):
            await check_store(world.connection)
    finally:
        await world.connection.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_server_that_is_away_is_said_to_be_away() -> None:
    connection = connection_to("redis://127.0.0.1:1", patience_s=0.2)
    with pytest.raises(StoreUnavailableError, match="did not answer"):
        await connection.execute("PING")
    await connection.close()
