"""Verdicts in Redis: what was put is got, by every worker, for as long as it is kept."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from reward_service.errors import StoreUnavailableError
from reward_service.grading.verdicts import KnownVerdicts, Verdict, VerdictStore
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.verdicts import KEPT_S, RedisVerdicts, verdict_name

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(store_url: str, anyio_backend: str) -> AsyncIterator[RedisConnection]:
    connection = connection_to(store_url)
    yield connection
    await connection.close()


def digest() -> str:
    return uuid4().hex


async def test_what_was_put_is_got(connection: RedisConnection) -> None:
    store: VerdictStore = RedisVerdicts(connection, Verdict)
    same, different, unknown = digest(), digest(), digest()
    await store.put(same, Verdict.SAME)
    await store.put(different, Verdict.DIFFERENT)
    assert await store.get_many([same, unknown, different]) == [Verdict.SAME, None, Verdict.DIFFERENT]
    assert await store.get_many([]) == []


async def test_every_verdict_ends(connection: RedisConnection) -> None:
    key = digest()
    await RedisVerdicts(connection, Verdict).put(key, Verdict.SAME)
    assert 0 < await connection.execute("TTL", verdict_name(key)) <= KEPT_S


async def test_what_is_not_understood_is_not_known(connection: RedisConnection) -> None:
    key = digest()
    await connection.execute("SET", verdict_name(key), "perhaps", "EX", 60)
    assert await RedisVerdicts(connection, Verdict).get_many([key]) == [None]


async def test_another_worker_knows_it(connection: RedisConnection) -> None:
    key = digest()
    await KnownVerdicts(RedisVerdicts(connection, Verdict), lambda: 0.0).put(key, Verdict.SAME)
    assert await KnownVerdicts(RedisVerdicts(connection, Verdict), lambda: 0.0).get_many([key]) == [Verdict.SAME]


async def test_a_store_that_is_away_raises_and_the_memory_does_not(anyio_backend: str) -> None:
    connection = connection_to("redis://127.0.0.1:1", patience_s=0.1)
    store = RedisVerdicts(connection, Verdict)
    with pytest.raises(StoreUnavailableError):
        await store.get_many([digest()])
    known = KnownVerdicts(store, lambda: 0.0)
    key = digest()
    await known.put(key, Verdict.SAME)
    assert await known.get_many([key]) == [Verdict.SAME]
    await connection.close()
