"""A store that takes no writes for a while: who reads is answered, and what was to be kept is kept afterwards."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from reward_service.errors import StoreUnavailableError
from reward_service.store.run_looks import RunLooks
from reward_service.store.settling import BatchEnding
from reward_service.store.submissions import StoredBatch
from reward_service.store.traces import TraceStore
from tests.contract.conftest import World
from tests.contract.test_traces import SOME, JobSums, settle, summed

pytestmark = pytest.mark.anyio
PRINT = "f" * 32
CODES = ["OOM", "NOREPLICAS", "READONLY"]


@contextlib.asynccontextmanager
async def refusing(world: World, code: str) -> AsyncIterator[None]:
    """The server takes no writes meanwhile."""
    if code == "READONLY":
        if b"cluster_enabled:1" in (await world.connection.everywhere("INFO", "cluster"))[0]:
            pytest.skip("a node of a cluster is made a replica in another way")
        refuse, accept = ("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")
    else:
        name = {"OOM": "maxmemory", "NOREPLICAS": "min-replicas-to-write"}[code]
        refuse, accept = ("CONFIG", "SET", name, 1), ("CONFIG", "SET", name, 0)
    await world.connection.everywhere(*refuse)
    try:
        yield
    finally:
        await world.connection.everywhere(*accept)


@pytest.mark.parametrize("code", CODES)
async def test_who_reads_is_answered_and_what_waits_is_added_once(world: World, code: str) -> None:
    store, looks = TraceStore(world.connection), RunLooks(world.connection)
    await settle(world, sums=summed(JobSums(1, 0, SOME, {"4": 9})))
    before = await store.series(world.run, 10)
    await settle(world, sums=summed(JobSums(1, 0, SOME, {"4": 9})))
    async with refusing(world, code):
        look = await looks.look(world.run, 10)
        assert look is not None
        read = await store.series(world.run, 10)
    after = await store.series(world.run, 10)
    assert [point.sums.groups for point in (*before, *after)] == [SOME.groups, 2 * SOME.groups]
    assert list(look.points) == read
    assert read == (after if code == "OOM" else before), "what frees memory is taken: the rest of a script is too"


@pytest.mark.parametrize("code", ["OOM", "NOREPLICAS"])
async def test_a_batch_that_could_not_end_ends_when_writes_are_taken_again(world: World, code: str) -> None:
    await world.store.submit(world.run, "b", PRINT, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    ending = BatchEnding(delivery, "b", b"one", settled=1, abstained=0)
    async with refusing(world, code):
        with pytest.raises(StoreUnavailableError, match=code):
            await world.jobs.settle_batch(ending)
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, None)
    assert await world.jobs.settle_batch(ending) == "settled"
    assert await world.store.batch(world.run, "b") == StoredBatch(PRINT, b"one")
