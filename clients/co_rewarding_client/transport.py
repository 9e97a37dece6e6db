"""Send requests by httpx: carry a `Send` out, and return its outcome."""

from collections.abc import Callable
from typing import TypeAlias

import httpx

from co_rewarding_client.address import Address
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.errors import ProtocolError, invalid
from co_rewarding_client.flow import Outcome, Send, TransportFailure

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport


class Connection:
    """Sends over a pool of connections; safe to share between threads."""

    def __init__(self, address: Address, timeout_s: float, transport: Transport | None) -> None:
        self._timeout_s = timeout_s
        auth, limits = _auth(address), _limits()
        self._http = httpx.Client(base_url=address.url, auth=auth, limits=limits, transport=transport)

    def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`.

        Raises:
            ProtocolError, InvalidRequest: a failure that would recur.
        """
        try:
            return _reply(self._http.send(_request(self._http, send, self._timeout_s)))
        except httpx.RequestError as error:
            return _failure(error, send)

    def close(self) -> None:
        """Close the pool."""
        self._http.close()


class AsyncConnection:
    """Sends over a pool of connections; safe to share between the tasks of one event loop."""

    def __init__(self, address: Address, timeout_s: float, transport: AsyncTransport | None) -> None:
        self._timeout_s = timeout_s
        auth, limits = _auth(address), _limits()
        self._http = httpx.AsyncClient(base_url=address.url, auth=auth, limits=limits, transport=transport)

    async def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`.

        Raises:
            ProtocolError, InvalidRequest: a failure that would recur.
        """
        try:
            return _reply(await self._http.send(_request(self._http, send, self._timeout_s)))
        except httpx.RequestError as error:
            return _failure(error, send)

    async def close(self) -> None:
        """Close the pool."""
        await self._http.aclose()


def _limits() -> httpx.Limits:
    # Without a limit: a part waits for the others, and these must not wait for its connection.
    return httpx.Limits(max_connections=None, max_keepalive_connections=20)


def _auth(address: Address) -> Callable[[httpx.Request], httpx.Request] | tuple[str, str] | None:
    if address.api_key is None:
        return address.credentials
    bearer = f"Bearer {address.api_key}"

    def sign(request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = bearer
        return request

    return sign


def _request(http: httpx.Client | httpx.AsyncClient, send: Send, timeout_s: float) -> httpx.Request:
    if http.is_closed:
        raise invalid("the client was closed before this call; make another client")
    return http.build_request(
        send.request.method,
        send.request.target,
        headers={"accept": "application/json, application/problem+json", **send.request.headers},
        content=send.request.body,
        timeout=httpx.Timeout(timeout_s, read=send.read_timeout_s),
    )


def _reply(response: httpx.Response) -> HttpReply:
    return HttpReply(response.status_code, dict(response.headers), response.content)


def _failure(error: httpx.RequestError, send: Send) -> TransportFailure:
    """Return the failure as an outcome, if another try may do better."""
    if isinstance(error, httpx.LocalProtocolError):
        raise invalid(f"{send.request} cannot be sent as HTTP ({error}); correct the base URL") from error
    if isinstance(error, httpx.TransportError):
        return TransportFailure(error)
    raise ProtocolError(f"{send.request}: unreadable answer ({error}); does a proxy change it?") from error
