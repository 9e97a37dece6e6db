"""Define the blocking client and the client for asyncio: each drives the flows of `Calls`."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, get_args

from co_rewarding_client import address
from co_rewarding_client.calls import Calls
from co_rewarding_client.driving import RetryLog, drive, drive_async
from co_rewarding_client.flow import Flow, Surroundings
from co_rewarding_client.transport import AsyncTransport, Connection, Transport, async_connection

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(call: Callable[Concatenate[Calls, P], Flow[T]]) -> "Callable[Concatenate[RewardClient, P], T]":
    """Make a method that returns what the flow of `call` returns."""

    def method(client: "RewardClient", *args: P.args, **kwargs: P.kwargs) -> T:
        return client._drive(call(client._calls, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    _describe(method, call)
    return method


def _awaited(
    call: Callable[Concatenate[Calls, P], Flow[T]],
) -> "Callable[Concatenate[AsyncRewardClient, P], Coroutine[Any, Any, T]]":
    """Make a method to be awaited, for what the flow of `call` returns."""

    async def method(client: "AsyncRewardClient", *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._drive(call(client._calls, *args, **kwargs))  # pyright: ignore[reportPrivateUsage]

    _describe(method, call)
    return method


def _describe(method: Callable[..., object], call: Callable[..., Flow[object]]) -> None:
    """Give a method the name, docstring and signature of its call; it returns the result, and not the flow."""
    signature = inspect.signature(call)
    described: Any = method
    described.__name__, described.__qualname__, described.__doc__ = call.__name__, call.__qualname__, call.__doc__
    described.__signature__ = signature.replace(return_annotation=get_args(signature.return_annotation)[-1])


class RewardClient:
    """A connection to the reward service, for one run. Threads may share a client; close it after use.

    `base_url` may carry a path, and user:password for HTTP Basic; an `api_key` is sent as Bearer in place of these.
    `timeout_s` bounds connecting, and each answer beyond the time for which it was asked to wait. `patience_s` bounds
    a call with all its tries and polls (the last of them may take `timeout_s` longer); the default outlasts the
    deadline of a cohort. `transport` is an httpx transport; `surroundings` and `sleep` are for tests.

    Every call tries again after 429, 502, 503, 504 and failed connections. When patience is over it raises
    ServiceUnavailable; for a refusal, ProblemError; for what cannot be sent, InvalidRequest, which names the argument;
    for an answer that breaks the contract, ProtocolError. The constructor raises InvalidRequest for an address, a key
    or a duration that is not valid.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        run: str = "default",
        timeout_s: float = 30.0,
        patience_s: float = 900.0,
        transport: Transport | None = None,
        surroundings: Surroundings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        where, surroundings = address.parse(base_url, api_key), surroundings or Surroundings()
        self._calls = Calls(where.url, run, timeout_s, patience_s, surroundings)
        self._connection = Connection(where, timeout_s, transport)
        self._sleep = sleep
        self._retry_log = RetryLog(surroundings.clock_s)

    rewards = _blocking(Calls.rewards)
    submit = _blocking(Calls.submit)
    collect = _blocking(Calls.collect)
    poll = _blocking(Calls.poll)
    put_run = _blocking(Calls.put_run)
    run = _blocking(Calls.run)
    runs = _blocking(Calls.runs)
    cohort = _blocking(Calls.cohort)
    cohorts = _blocking(Calls.cohorts)
    cohorts_page = _blocking(Calls.cohorts_page)
    questions = _blocking(Calls.questions)
    series = _blocking(Calls.series)
    publish = _blocking(Calls.publish)
    prefetch = _blocking(Calls.prefetch)
    paraphrase = _blocking(Calls.paraphrase)
    teacher = _blocking(Calls.teacher)
    ready = _blocking(Calls.ready)
    version = _blocking(Calls.version)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _drive(self, flow: Flow[T]) -> T:
        return drive(flow, self._connection.perform, self._sleep, self._retry_log)


class AsyncRewardClient:
    """A connection to the reward service for asyncio: `RewardClient` with calls that are awaited.

    It belongs to the event loop that it was first used in. The arguments, and the errors of calls, are those of
    `RewardClient`. `transport` is "aiohttp", for many calls at once (which is installed beside, by `pip install
    aiohttp`), "httpx", or an asynchronous transport of httpx.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        run: str = "default",
        timeout_s: float = 30.0,
        patience_s: float = 900.0,
        transport: AsyncTransport | None = None,
        surroundings: Surroundings | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        where, surroundings = address.parse(base_url, api_key), surroundings or Surroundings()
        self._calls = Calls(where.url, run, timeout_s, patience_s, surroundings)
        self._connection = async_connection(where, timeout_s, transport)
        self._sleep = sleep
        self._retry_log = RetryLog(surroundings.clock_s)

    rewards = _awaited(Calls.rewards)
    submit = _awaited(Calls.submit)
    collect = _awaited(Calls.collect)
    poll = _awaited(Calls.poll)
    put_run = _awaited(Calls.put_run)
    run = _awaited(Calls.run)
    runs = _awaited(Calls.runs)
    cohort = _awaited(Calls.cohort)
    cohorts = _awaited(Calls.cohorts)
    cohorts_page = _awaited(Calls.cohorts_page)
    questions = _awaited(Calls.questions)
    series = _awaited(Calls.series)
    publish = _awaited(Calls.publish)
    prefetch = _awaited(Calls.prefetch)
    paraphrase = _awaited(Calls.paraphrase)
    teacher = _awaited(Calls.teacher)
    ready = _awaited(Calls.ready)
    version = _awaited(Calls.version)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _drive(self, flow: Flow[T]) -> T:
        return await drive_async(flow, self._connection.perform, self._sleep, self._retry_log)
