"""Self-contained batches: queued once, settled once, known again by their name."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis.exceptions import ResponseError

from reward_service.errors import StoreUnavailableError, UnusableStoreError
from reward_service.store import cohort_scripts
from reward_service.store.connection import RedisConnection
from reward_service.store.job_records import Job
from reward_service.store.keys import GROUP, RunKeys
from reward_service.store.server_checks import check_store
from reward_service.store.server_replies import WrongTypeError
from reward_service.store.settling import ENDED_BYTES, Delivery
from reward_service.store.submissions import Refusal, Refused, StoredBatch
from reward_service.store.subscription import listen
from reward_service.store.traces import NO_TRACES, Traces
from tests.contract.conftest import World, joining
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
    assert await world.jobs.settle_batch(delivery, "b", b"one", settled=2, abstained=1) == "settled"
    assert await world.another_worker().settle_batch(delivery, "b", b"two", settled=2, abstained=1) == "known"
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
    answers = await asyncio.gather(*(
        world.jobs.settle_batch(each, each.job.batch or "", b"one", settled=1, abstained=0) for each in deliveries
    ))  # fmt: skip
    assert answers == ["settled"] * 3
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
async def test_a_batch_whose_traces_cannot_be_kept_keeps_none_beside_it_from_ending(world: World, fault: str) -> None:
    keys, names = RunKeys(world.run), ["a", "b", "c"]
    for name in names:
        await world.store.submit(world.run, name, PRINT, b"payload", world.at)
    deliveries = await world.jobs.read([world.run], 10, 0.01)
    _, key, *_ = wrong = UNFIT[fault](keys)
    await world.connection.execute(*wrong)
    long = summed(JobSums(1, 0, SOME, {str(number) * 20: 1 for number in range(60)}))  # added to the series at once

    async def settle(number: int) -> str:
        traces = Traces(noted(label(1, "4")), long) if number == 1 else NO_TRACES
        return await world.jobs.settle_batch(
            deliveries[number], names[number], b"one", settled=1, abstained=0, traces=traces
        )

    first, error, last = await asyncio.gather(*map(settle, range(3)), return_exceptions=True)
    assert (first, last) == ("settled", "settled")
    assert isinstance(error, ResponseError)
    assert isinstance(error, WrongTypeError) == fault.endswith("of another kind")
    assert [await world.store.batch(world.run, name) for name in names] == [
        StoredBatch(PRINT, b"one"), StoredBatch(PRINT, None), StoredBatch(PRINT, b"one")
    ]  # fmt: skip
    state = await world.state() if "kind" not in fault else None
    assert state is None or (state["settled"], state["queued"]) == (2, 1)
    await world.connection.execute("DEL", key)
    assert await settle(1) == "settled"
    state = await world.state()
    assert (state["settled"], state["queued"]) == (3, 0)


async def test_batches_that_leave_much_end_in_some_scripts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else waits in the server while a script runs: it is given so many bytes, traces included."""
    asked: list[int] = []
    settle_batches = cohort_scripts.settle_batches

    async def counted(*args: Any, batches: Sequence[str], **more: Any) -> Any:
        asked.append(len(batches))
        return await settle_batches(*args, batches=batches, **more)

    monkeypatch.setattr(cohort_scripts, "settle_batches", counted)
    traces = Traces(noted(label(1, "4" * (ENDED_BYTES // 4))), summed(JobSums(1, 0, SOME, {"4": 9})))
    answers = await asyncio.gather(*(
        world.jobs.settle_batch(
            Delivery(world.run, Job(b"0-1", batch=name)), name, b"one", settled=1, abstained=0, traces=traces
        )
        for name in "abcdef"
    ))  # fmt: skip
    assert answers == ["settled"] * 6
    assert asked == [3, 3]


async def test_a_batch_that_comes_twice_at_once_is_settled_once(world: World) -> None:
    """As a job is that was claimed from a worker which was only slow, by the worker itself."""
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    answers = await asyncio.gather(*(
        world.jobs.settle_batch(delivery, "b", record, settled=1, abstained=0) for record in (b"one", b"two")
    ))  # fmt: skip
    assert answers == ["settled", "known"]
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, b"one")
    assert (await world.state())["settled"] == 1


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
    assert await world.jobs.settle_batch(delivery, "b", b"one", settled=1, abstained=0) == "settled"


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
    task = asyncio.create_task(listen(world.url, world.channel, heard.append, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    await world.jobs.settle_batch(delivery, "b", record, settled=1, abstained=0)

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
        *(world.connection.execute(*words) for words in (("ECHO", "a"), ("NOSUCHCOMMAND",), ("ECHO", "b"))),
        return_exceptions=True,
    )  # fmt: skip
    assert (good, other) == (b"a", b"b")
    assert isinstance(bad, ResponseError)


async def test_a_server_that_forgot_the_scripts_is_told_again(world: World) -> None:
    await world.connection.execute("SCRIPT", "FLUSH")
    assert await world.store.submit(world.run, "b", PRINT, b"", world.at) == StoredBatch(PRINT, None)


async def test_a_connection_that_is_cut_is_opened_again(world: World) -> None:
    asking = [asyncio.create_task(world.connection.execute("ECHO", str(n))) for n in range(50)]
    killer = RedisConnection(world.url)
    await killer.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
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
    connection = RedisConnection("redis://127.0.0.1:1", patience_s=0.2)
    with pytest.raises(StoreUnavailableError, match="did not answer"):
        await connection.execute("PING")
    await connection.close()
