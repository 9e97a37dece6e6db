"""What comes to a cohort that has closed: as much as its group lacks, at a cost that the whole group bounds."""

import asyncio
import time

import pytest
from co_rewarding_schema.vocabulary import View

from reward_service.domain.cohort import CohortEvent
from reward_service.store.connecting import listen_at
from reward_service.store.keys import RunKeys
from reward_service.store.records import CohortRecord, packed, unpack_cohort
from reward_service.store.submissions import Refusal, Refused
from reward_service.workers.settlement_jobs import abandon_cohort
from tests.contract.conftest import World, ballot, joining
from tests.contract.test_join import read, record, settle_all
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
X = View.ORIGINAL


async def test_a_group_that_has_closed_takes_what_it_lacks_and_no_more(world: World) -> None:
    async def join(*seats: int) -> object:
        return await world.store.join(world.run, [joining("c", *(ballot(X, n, "4") for n in seats))], world.at)

    await world.make(group_size=3, cohort_deadline_s=0.001)
    await join(0)
    await until(lambda: world.jobs.expire(world.run))
    refused = Refused(Refusal.OVERFULL, "c", "o")
    assert await join(0, 1) == [None]  # it has expired, and is not settled yet
    assert await join(0, 1, 2, 3) == refused
    await settle_all(world)
    for group_size in (1, 4):  # a group has the size that its cohort began with
        await world.make(group_size=group_size)
        assert await join(0, 1, 2, 3) == refused
        assert isinstance(await join(0, 1), list)
    assert isinstance(await join(0, 1, 2), list)
    assert await join(3) == refused  # what came late since counts before it is settled too
    await settle_all(world)
    assert await join(3) == refused
    assert isinstance(await join(0, 1, 2), list)
    settled = await record(world, "c")
    assert settled is not None
    assert settled.ids_B == ["o0", "o1", "o2"]


async def test_a_large_part_that_comes_again_after_its_cohort_settled_is_cheap(world: World) -> None:
    """Where each ballot reads the whole record, this takes the store nine seconds."""
    await world.make(group_size=4096)
    part = joining("c", *(ballot(view, n, "4") for view in View for n in range(2048)))
    await world.store.join(world.run, [part], world.at)
    seen, _ = await world.jobs.load(world.run, "c")
    assert seen is not None
    rows_B = list(seen.ballots.values())
    nothing = [0] * len(rows_B)
    made = CohortRecord(
        "settled", list(seen.ballots), seen.head, rows_B, ["4"], nothing, [], [1.0] * len(rows_B), [-1] * len(rows_B)
    )
    await world.connection.execute("SET", RunKeys(world.run).record("c"), packed(made))
    await world.connection.execute("DEL", RunKeys(world.run).open_cohort("c"))
    began_s = time.monotonic()
    (kept,) = await world.store.join(world.run, [part], world.at)  # type: ignore[misc]
    assert kept == packed(made)
    assert time.monotonic() - began_s < 2.0  # 20 ms on a quiet machine


async def test_of_a_large_cohort_only_its_name_is_told(world: World) -> None:
    heard: list[bytes] = []
    ready = asyncio.Event()
    task = asyncio.create_task(listen_at(world.url, world.channel, heard.append, ready.set))
    await asyncio.wait_for(ready.wait(), 10)
    await world.make(group_size=2)
    for cohort, answer in (("small", "4"), ("large", "4" * 300_000)):
        await world.store.join(
            world.run, [joining(cohort, *(ballot(v, n, answer) for v in View for n in (0, 1)))], world.at
        )
    for delivery in await read(world):
        assert delivery.job.cohort is not None
        seen, _ = await world.jobs.load(world.run, delivery.job.cohort)
        assert seen is not None
        made = packed(abandon_cohort(seen))
        await world.jobs.settle_cohort(delivery, delivery.job.cohort, seen, CohortEvent.UNELECTED, made)

    async def both() -> bool:
        return len(heard) == 2

    await until(both)
    small, large = heard
    assert unpack_cohort(small.partition(b"\n")[2]).final_state == "abstained"
    assert large == f"{world.run}~large\n".encode()
    task.cancel()
