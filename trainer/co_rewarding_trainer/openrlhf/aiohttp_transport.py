"""Send httpx's requests by aiohttp, for a process with a thousand requests waiting.

httpx looks through all of its connections whenever one is taken or given back, which for a thousand held requests took
more of the engine's event loop than all else. aiohttp is there wherever OpenRLHF is.
"""

import aiohttp
import httpx

# aiohttp writes these itself.
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class AiohttpTransport(httpx.AsyncBaseTransport):
    """As many connections as there are requests under way; to be used in one event loop."""

    def __init__(self) -> None:
        """Opens nothing yet: the session must be made in the event loop, at the first request."""
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and reads the whole answer.

        Raises:
            httpx.TransportError: none came, or not in time.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        limits = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(sock_connect=limits.get("connect"), sock_read=limits.get("read"))
        headers = [(name, value) for name, value in request.headers.multi_items() if name not in _FRAMING]
        body = await request.aread()
        try:
            async with self._session.request(
                request.method, str(request.url), data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                content = await answer.read()
                fields = [(name, value) for name, value in answer.headers.items() if name.lower() not in _FRAMING]
                return httpx.Response(answer.status, headers=fields, content=content)
        except TimeoutError as cause:
            raise httpx.ReadTimeout(str(cause)) from cause
        except (aiohttp.ClientError, OSError) as cause:
            raise httpx.ReadError(f"{type(cause).__name__}: {cause}") from cause

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
