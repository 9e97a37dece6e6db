"""What a fake transport cannot show: real connections, and that the examples of the documentation run."""

import asyncio
import doctest
import inspect
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import co_rewarding_client
import pytest
from client_world import rewards_document, rollouts
from co_rewarding_client import AsyncRewardClient, RewardClient


class SmallService(BaseHTTPRequestHandler):
    """Rewards every rollout with 1; keeps what was submitted under the ticket "t"."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/v1/rollouts":
            self._answer(202, {"ticket": str(len(document["rollouts"])), "expires_at": "2026-01-02T03:04:05Z"})
        else:
            self._answer(200, rewards_document(len(document["rollouts"])))

    def do_GET(self) -> None:
        self._answer(200, rewards_document(int(self.path.split("?")[0].rsplit("/", 1)[1])))

    def log_message(self, *_args: object) -> None:
        """Keeps quiet."""

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SmallService)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_examples_run(address: str):
    text = inspect.getdoc(co_rewarding_client) or ""
    assert text.count("http://127.0.0.1:8000") == 3
    examples = doctest.DocTestParser().get_doctest(
        text.replace("http://127.0.0.1:8000", address), {}, "co_rewarding_client", None, 0
    )
    result = doctest.DocTestRunner().run(examples)
    assert result.attempted > 10
    assert result.failed == 0


def test_threads_share_a_client(address: str):
    sizes: list[int] = []
    with RewardClient(address) as client:
        threads = [
            threading.Thread(target=lambda size=size: sizes.append(len(client.rewards(rollouts(size)).rewards)))
            for size in range(1, 9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(sizes) == list(range(1, 9))


def test_parts_that_wait_do_not_keep_the_others_from_coming():
    """More parts than httpx holds connections by default: none is answered before the last is there."""
    parts = 120

    async def all_of_them() -> list[float | None]:
        all_here = asyncio.Barrier(parts)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = [
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")
            ]
            await reader.readexactly(length)
            await all_here.wait()
            body = json.dumps(rewards_document()).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=parts)
        port = server.sockets[0].getsockname()[1]
        async with server, AsyncRewardClient(f"http://127.0.0.1:{port}", timeout_s=10.0, patience_s=0.0) as client:
            values = await asyncio.gather(*[client.rewards(rollouts(), complete=False) for _ in range(parts)])
        return [value.rewards[0] for value in values]

    assert asyncio.run(all_of_them()) == [1.0] * parts
