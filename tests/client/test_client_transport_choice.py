"""How a client is told what to send by, and what it says where that cannot be."""

import asyncio
import subprocess
import sys

import httpx
import pytest
from client_world import rollouts
from co_rewarding_client import AsyncRewardClient, InvalidRequest, ServiceUnavailable, transport
from co_rewarding_client.training import Endpoint

URL = "http://127.0.0.1:1"


def sends_by(client: AsyncRewardClient) -> str:
    return type(client._connection).__name__


def test_httpx_is_the_default_and_aiohttp_is_named() -> None:
    assert sends_by(AsyncRewardClient(URL)) == "AsyncConnection"
    assert sends_by(AsyncRewardClient(URL, transport="httpx")) == "AsyncConnection"
    assert sends_by(AsyncRewardClient(URL, transport="aiohttp")) == "AiohttpConnection"


def test_an_endpoint_takes_aiohttp_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sends_by(Endpoint(url=URL).async_client()) == "AiohttpConnection"
    assert sends_by(Endpoint(url=URL, transport="httpx").async_client()) == "AsyncConnection"
    monkeypatch.setattr(transport.importlib.util, "find_spec", lambda _name: None)
    assert sends_by(Endpoint(url=URL).async_client()) == "AsyncConnection"
    with pytest.raises(InvalidRequest, match=r"pip install aiohttp"):
        Endpoint(url=URL, transport="aiohttp").async_client()


def test_a_name_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="transport is 'requests'; give 'aiohttp'"):
        AsyncRewardClient(URL, transport="requests")  # pyright: ignore[reportArgumentType]


def test_a_proxy_that_aiohttp_does_not_know_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(InvalidRequest, match=r"names a socks5 proxy.*NO_PROXY"):
        AsyncRewardClient("http://service", transport="aiohttp")


def test_the_client_is_imported_without_aiohttp() -> None:
    told = "import sys, co_rewarding_client.training; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_pool_that_is_full_says_what_to_do() -> None:
    async def main() -> None:
        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        over = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        limited = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
        try:
            async with AsyncRewardClient(url, transport=limited, timeout_s=0.1, patience_s=0.0) as client:
                await asyncio.gather(*(client.rewards(rollouts(), complete=False) for _ in range(2)))
        finally:
            over.set()
            server.close()

    with pytest.raises(ServiceUnavailable, match="all connections that the given transport allows wait for answers"):
        asyncio.run(main())
