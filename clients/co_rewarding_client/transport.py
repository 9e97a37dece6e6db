"""Send requests by httpx: carry a `Send` out, and return its outcome."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal, Protocol, TypeAlias

import httpx

from co_rewarding_client.address import Address
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.errors import ProtocolError, invalid
from co_rewarding_client.flow import Outcome, Send, TransportFailure
from co_rewarding_client.replicas import Replicas

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport | Literal["aiohttp", "httpx"]

ACCEPT = {"accept": "application/json, application/problem+json"}
CLOSED = "the client was closed before this call; make another client"
CROWD = 64
"""More calls than these at once over httpx are worth a word."""


class AsyncConnecting(Protocol):
    """What sends for an asyncio client, and is closed with it."""

    async def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def has_aiohttp() -> bool:
    """Tell whether aiohttp is installed here."""
    return importlib.util.find_spec("aiohttp") is not None


def async_connection(address: Address, timeout_s: float, transport: AsyncTransport | None) -> AsyncConnecting:
    """Return a connection by httpx, or by aiohttp where `transport` is its name.

    Raises:
        InvalidRequest: aiohttp is not installed, or a text that names nothing.
    """
    if not isinstance(transport, str):
        return AsyncConnection(address, timeout_s, transport)
    if transport == "httpx":
        return AsyncConnection(address, timeout_s, None)
    if transport != "aiohttp":
        raise invalid(f"transport is {transport!r}; give 'aiohttp', 'httpx' or a transport of httpx")
    if not has_aiohttp():
        raise invalid("transport is 'aiohttp', which is not installed: pip install aiohttp")
    from co_rewarding_client.aiohttp_connection import AiohttpConnection  # which the base install cannot import

    return AiohttpConnection(address, timeout_s)


def replicas_of(address: Address) -> Replicas:
    """Return the addresses to choose among: hosts and paths encoded, without a slash at the end."""
    return Replicas([str(httpx.URL(url)).rstrip("/") for url in (address.url, *address.others)], address.look_again)


class Connection:
    """Sends over a pool of connections; safe to share between threads."""

    def __init__(self, address: Address, timeout_s: float, transport: Transport | None) -> None:
        self._timeout_s = timeout_s
        self._replicas = replicas_of(address)
        self._http = httpx.Client(auth=_auth(address), limits=_limits(), transport=transport)

    def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`.

        Raises:
            ProtocolError, InvalidRequest: a failure that would recur.
        """
        url = self._replicas.url
        try:
            outcome = _reply(self._http.send(_request(self._http, url, send, self._timeout_s)))
        except httpx.RequestError as error:
            outcome = _failure(error, send)
        if self._replicas.heed(url, outcome):
            self._replicas.renew()
        return outcome

    def close(self) -> None:
        """Close the pool."""
        self._http.close()


class AsyncConnection:
    """Sends over a pool of connections; safe to share between the tasks of one event loop."""

    def __init__(self, address: Address, timeout_s: float, transport: httpx.AsyncBaseTransport | None) -> None:
        self._timeout_s = timeout_s
        self._crowd = CrowdLog(address.url) if transport is None else nullcontext()
        self._replicas = replicas_of(address)
        self._http = httpx.AsyncClient(auth=_auth(address), limits=_limits(), transport=transport)

    async def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`.

        Raises:
            ProtocolError, InvalidRequest: a failure that would recur.
        """
        url = self._replicas.url
        try:
            with self._crowd:
                outcome = _reply(await self._http.send(_request(self._http, url, send, self._timeout_s)))
        except httpx.RequestError as error:
            outcome = _failure(error, send)
        if self._replicas.heed(url, outcome):
            await asyncio.to_thread(self._replicas.renew)
        return outcome

    async def close(self) -> None:
        """Close the pool."""
        await self._http.aclose()


class CrowdLog:
    """Warns once when more than CROWD calls are under way at once: httpx takes longer for each, the more there are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._calls = 0
        self._told = False

    def __enter__(self) -> None:
        self._calls += 1
        if self._calls <= CROWD or self._told:
            return
        self._told = True
        logging.getLogger("co_rewarding_client").warning(
            "more than %d calls to %s are under way at once, for which httpx takes many times as long as aiohttp: "
            "pip install aiohttp, and make the client with transport='aiohttp'",
            CROWD,
            self._url,
        )

    def __exit__(self, *_error: object) -> None:
        self._calls -= 1


def _limits() -> httpx.Limits:
    # No limit of connections: a part waits for the others, and these must not wait for its connection. But few idle
    # ones: whenever a call begins or ends, httpx asks the system about every idle connection.
    return httpx.Limits(max_connections=None, max_keepalive_connections=20)


def _auth(address: Address) -> Callable[[httpx.Request], httpx.Request] | tuple[str, str] | None:
    if address.api_key is None:
        return address.credentials
    bearer = f"Bearer {address.api_key}"

    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = bearer
        return request

    return sign


def _request(http: httpx.Client | httpx.AsyncClient, url: str, send: Send, timeout_s: float) -> httpx.Request:
    if http.is_closed:
        raise invalid(CLOSED)
    return http.build_request(
        send.request.method,
        url + send.request.target,
        headers=ACCEPT | dict(send.request.headers),
        content=send.request.body,
        timeout=httpx.Timeout(timeout_s, read=send.read_timeout_s),
    )


def _reply(response: httpx.Response) -> HttpReply:
    return HttpReply(response.status_code, dict(response.headers), response.content)


def _failure(error: httpx.RequestError, send: Send) -> TransportFailure:
    """Return the failure as an outcome, if another try may do better."""
    if isinstance(error, httpx.LocalProtocolError):
        raise invalid(f"{send.request} cannot be sent as HTTP ({error}); correct the base URL") from error
    if isinstance(error, httpx.PoolTimeout):  # which says nothing itself; the client's own pool has no limit
        said = "all connections that the given transport allows wait for answers; give it a higher limit, or none"
        return TransportFailure(httpx.PoolTimeout(said))
    if isinstance(error, httpx.TransportError):
        return TransportFailure(error)
    raise ProtocolError(f"{send.request}: unreadable answer ({error}); does a proxy change it?") from error
