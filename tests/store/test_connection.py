"""Every call ends within its patience, by its answer or by an error, whatever the server or the connection does."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from reward_service.errors import StoreUnavailableError
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.server_connection import ServerConnection
from reward_service.store.server_replies import PASSING, REFUSALS, open_connection
from reward_service.store.subscription import listen
from tests.store.scripted_server import OK, SILENT, handshake_or, scripted
from tests.support.waiting import until

PATIENCE_S = 1.0
SLACK_S = 3.0  # of a machine that does something else besides; without a bound these calls take for ever

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path_factory.mktemp("v"))
    server.start()
    yield server
    server.stop()


async def ends(call: Any, within_s: float = PATIENCE_S + SLACK_S) -> Any:
    """The call's answer, or the error that it ended with."""
    began_s = time.monotonic()
    async with asyncio.timeout(within_s + 20.0):
        found = (await asyncio.gather(call, return_exceptions=True))[0]
    assert time.monotonic() - began_s < within_s
    return found


async def test_a_server_that_accepts_and_says_nothing() -> None:
    async with scripted(lambda _: SILENT) as server:
        connection = ServerConnection(server.url, patience_s=PATIENCE_S)
        errors = await asyncio.gather(*(ends(connection.execute("GET", n)) for n in range(50)))
        assert {type(error) for error in errors} == {StoreUnavailableError}
        await connection.close()


async def test_a_server_that_falls_silent_is_left_for_a_new_connection() -> None:
    silent = True
    async with scripted(handshake_or(lambda _: SILENT if silent else OK)) as server:
        connection = ServerConnection(server.url, patience_s=PATIENCE_S)
        assert isinstance(await ends(connection.execute("GET", "a")), StoreUnavailableError)
        silent = False
        assert await ends(connection.execute("GET", "b")) == b"OK"
        assert server.connections == 2
        await connection.close()


async def test_calls_that_come_while_a_server_is_silent_end_in_their_own_time() -> None:
    async with scripted(handshake_or(lambda _: SILENT)) as server:
        connection = ServerConnection(server.url, patience_s=PATIENCE_S)
        first = asyncio.ensure_future(ends(connection.execute("GET", "a")))
        await until(lambda: asyncio.sleep(0, server.connections))
        await asyncio.sleep(PATIENCE_S / 2)  # half of the first call's time
        second = asyncio.ensure_future(ends(connection.execute("GET", "b")))
        assert isinstance(await first, StoreUnavailableError)
        assert isinstance(await second, StoreUnavailableError)
        await connection.close()


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_refusal_of_writes_ends_the_call_at_once(code: str) -> None:
    async with scripted(handshake_or(lambda _: f"-{code} something\r\n".encode())) as server:
        connection = ServerConnection(server.url, patience_s=60.0)
        error = await ends(connection.execute("SET", "a", 1))
        assert isinstance(error, StoreUnavailableError)
        assert code in str(error)
        assert error.retry_after_s > 0
        await connection.close()


@pytest.mark.parametrize("code", PASSING)
async def test_a_refusal_that_passes_is_tried_again(code: str) -> None:
    turns = count()
    refusal = f"-{code} 1 127.0.0.1:1\r\n".encode()
    async with scripted(handshake_or(lambda _: refusal if next(turns) < 2 else OK)) as server:
        connection = ServerConnection(server.url, patience_s=30.0)
        assert await ends(connection.execute("SET", "a", 1)) == b"OK"
        await connection.close()


@pytest.mark.parametrize("code", PASSING)
async def test_a_refusal_that_does_not_pass_ends_with_the_patience(code: str) -> None:
    async with scripted(handshake_or(lambda _: f"-{code} 1 127.0.0.1:1\r\n".encode())) as server:
        connection = ServerConnection(server.url, patience_s=PATIENCE_S)
        error = await ends(connection.execute("SET", "a", 1))
        assert isinstance(error, StoreUnavailableError)
        assert code in str(error)
        await connection.close()


async def test_any_other_refusal_is_the_callers() -> None:
    async with scripted(handshake_or(lambda _: b"-WRONGTYPE a list\r\n")) as server:
        connection = ServerConnection(server.url)
        assert isinstance(await ends(connection.execute("SET", "a", 1)), ResponseError)
        await connection.close()


class Breaking:
    """Opens connections that raise now and then, at any of the moments in which a driver or an event loop may."""

    def __init__(self, url: str, faults: list[tuple[str, type[Exception]]]) -> None:
        self._url = url
        self._faults = faults

    def __call__(self, _: str) -> AbstractConnection:
        connection: Any = open_connection(self._url)
        if self._faults:
            method, error = self._faults.pop()
            setattr(connection, method, _raising(error))
        return connection


def _raising(error: type[Exception]) -> Callable[..., Any]:
    async def fail(*_: object, **__: object) -> None:
        raise error("the handler is closed")

    return fail


FAULTS = st.tuples(
    st.sampled_from(["connect", "send_packed_command", "read_response", "disconnect"]),
    st.sampled_from([RuntimeError, ValueError, KeyError, AssertionError, OSError, TimeoutError, AttributeError]),
)


@given(faults=st.lists(FAULTS, max_size=6))
def test_an_exception_of_any_kind_fails_its_calls_and_no_later_one(
    valkey: EmbeddedValkey, faults: list[tuple[str, type[Exception]]]
) -> None:
    async def play() -> None:
        connection = ServerConnection(valkey.url, patience_s=30.0, connect=Breaking(valkey.url, list(faults)))
        answers = await asyncio.gather(*(ends(connection.execute("ECHO", n), 30.0 + SLACK_S) for n in range(5)))
        assert answers == [str(n).encode() for n in range(5)]
        await connection.close()

    asyncio.run(play())


@pytest.mark.parametrize("error", [RuntimeError, OSError, ValueError])
@pytest.mark.parametrize("method", ["connect", "send_command", "read_response", "disconnect"])
async def test_a_subscription_outlives_exceptions_of_any_kind(
    valkey: EmbeddedValkey, method: str, error: type[Exception]
) -> None:
    heard: list[bytes] = []
    subscribed: list[int] = []
    opened = Breaking(valkey.url, [(method, error)])
    listening = asyncio.create_task(
        listen(valkey.url, "channel", heard.append, lambda: subscribed.append(1), connect=opened)
    )
    connection = ServerConnection(valkey.url)

    async def hears() -> bool:
        await connection.execute("PUBLISH", "channel", "hello")
        return bool(heard)

    await until(hears)
    listening.cancel()
    await connection.close()


async def test_an_exception_of_a_callback_is_raised(valkey: EmbeddedValkey) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(20.0):
            await listen(valkey.url, "channel", lambda _: None, fail)
