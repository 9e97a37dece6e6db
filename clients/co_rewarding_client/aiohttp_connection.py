"""Send requests by aiohttp: carry a `Send` out as `transport` does by httpx, and faster where many wait at once.

httpx looks through all of its connections whenever one is taken or given back; aiohttp does not.
"""

import asyncio
import base64
import contextlib
import io
import weakref
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from co_rewarding_client.address import Address
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.errors import ProtocolError, invalid
from co_rewarding_client.flow import Outcome, Send, TransportFailure
from co_rewarding_client.transport import ACCEPT, CLOSED, replicas_of

WRITTEN_AT_ONCE = 2**20  # aiohttp warns of longer bytes, and writes a file in pieces


class AiohttpConnection:
    """Sends over as many connections as there are calls; safe to share between the tasks of one event loop."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._replicas = replicas_of(address)
        self._options: dict[str, Any] = {"allow_redirects": False, "proxy": _proxy(httpx.URL(address.url))}
        if any(url.startswith("https:") for url in (address.url, *address.others)):
            self._options["ssl"] = httpx.create_ssl_context()  # the same certificates are trusted
        authorization = _authorization(address)
        self._headers = ACCEPT if authorization is None else ACCEPT | {"authorization": authorization}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def perform(self, send: Send) -> Outcome:
        """Return the outcome of `send`.

        Raises:
            ProtocolError, InvalidRequest: a failure that would recur.
        """
        url = self._replicas.url
        outcome = await self._sent(url, send)
        if self._replicas.heed(url, outcome):
            await asyncio.to_thread(self._replicas.renew)
        return outcome

    async def _sent(self, url: str, send: Send) -> Outcome:
        if self._closed:
            raise invalid(CLOSED)
        if self._session is None:
            self._session = self._open()
        request = send.request
        # aiohttp has no limit of time for writing: the whole is bounded, with as much for it as for connecting.
        whole_s = 2.0 * self._timeout_s + send.read_timeout_s
        try:
            async with self._session.request(
                request.method,
                URL(url + request.target, encoded=True),
                data=_body(request.body),
                headers=self._headers | dict(request.headers),
                timeout=aiohttp.ClientTimeout(whole_s, connect=self._timeout_s, sock_read=send.read_timeout_s),
                **self._options,
            ) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpReply(answer.status, headers, await answer.read())
        except aiohttp.InvalidURL as error:
            raise invalid(f"{request} cannot be sent as HTTP ({error}); correct the base URL") from error
        except TimeoutError as error:
            return TransportFailure(error if str(error) else TimeoutError(f"no whole answer within {whole_s:g} s"))
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, ContentEncodingError):
                raise ProtocolError(f"{request}: unreadable answer ({error}); does a proxy change it?") from error
            return TransportFailure(error)

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Return a session of the running loop, which is where it must be made."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers={"content-type"},
        )
        weakref.finalize(self, _let_go, session, asyncio.get_running_loop())
        return session


def _let_go(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
    """Close the session of a client that nobody closed, of which aiohttp would log an error.

    Frameworks that have an event loop for each call leave such clients behind, with loops that are closed.
    """
    if session.closed:
        return

    def close() -> None:
        closing = session.close()
        with contextlib.suppress(StopIteration):
            closing.send(None)  # closes all; what follows only waits until that is done
        closing.close()

    if loop.is_running():
        loop.call_soon_threadsafe(close)
    elif loop.is_closed() or _is_in_a_loop():
        close()
    else:
        loop.run_until_complete(session.close())


def _is_in_a_loop() -> bool:
    """Tell whether a loop is running in this thread, in which no other can run."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _authorization(address: Address) -> str | None:
    if address.api_key is not None:
        return f"Bearer {address.api_key}"
    if address.credentials is None:
        return None
    return "Basic " + base64.b64encode(":".join(address.credentials).encode()).decode()


def _proxy(base: httpx.URL) -> str | None:
    """Return the proxy that the environment names for the service, as for httpx: HTTP_PROXY, ALL_PROXY, NO_PROXY, ...

    Raises:
        InvalidRequest: a proxy that aiohttp does not speak to.
    """
    proxies = getproxies()
    proxy = proxies.get(base.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(base.host):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = proxy.partition(":")[0]
        raise invalid(
            f"the environment names a {scheme} proxy, to which aiohttp cannot speak; make the client without transport "
            "(httpx then sends), or name the service's host in NO_PROXY"
        )
    return proxy


def _body(body: bytes | None) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if body is not None and len(body) > WRITTEN_AT_ONCE else body
