"""What both ways of sending for asyncio, httpx and aiohttp, do alike over real connections."""

import asyncio
import gc
import gzip
import json
import logging
import pickle
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from client_world import rewards_document, rollouts
from co_rewarding_client import (
    AsyncRewardClient,
    InvalidRequest,
    ProtocolError,
    Rollout,
    RunSettings,
    ServiceUnavailable,
    Unauthorized,
)
from co_rewarding_client.transport import CROWD

TRANSPORTS = [None, "aiohttp"]
OWN_HEADERS = {"user-agent", "accept-encoding", "connection"}
BASE = "http://127.0.0.1"

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS, ids=["httpx", "aiohttp"])

Answer = Callable[["Asked"], Awaitable[bytes | None]]


class Asked:
    """A request as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = [line.split(": ", 1) for line in lines]
        self.headers = {name.lower(): value for name, value in fields}
        self.body = body

    @property
    def own(self) -> tuple[Any, ...]:
        """All of it but what the library says of itself."""
        headers = {name: value for name, value in self.headers.items() if name not in OWN_HEADERS}
        return self.line, headers, self.body


class Wire:
    """A server of raw bytes; an answer of None cuts the connection, and where none is kept open, so does any."""

    def __init__(self, answer: Answer, keep_open: bool = True) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self._keep_open = keep_open
        self.port = 0

    @asynccontextmanager
    async def open(self, host: str = "127.0.0.1", family: int = socket.AF_INET) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._serve, host, 0, backlog=512, family=family)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = Asked(head, b"")
                request.body = await reader.readexactly(int(request.headers.get("content-length", "0")))
                self.asked.append(request)
                answer = await self._answer(request)
                writer.write(answer or b"")
                await writer.drain()
                if answer is None or not self._keep_open:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def http(document: object, status: str = "200 OK", *headers: str, body: bytes | None = None) -> bytes:
    body = json.dumps(document).encode() if body is None else body
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def rewarded(_request: Asked) -> bytes:
    return http(rewards_document())


def answering(*answers: bytes | None) -> Answer:
    """Give these in turn, and the last of them for ever."""
    left = list(answers)

    async def answer(_request: Asked) -> bytes | None:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def client_of(url: str, transport: Any, **options: Any) -> AsyncRewardClient:
    return AsyncRewardClient(url, transport=transport, **{"timeout_s": 5.0, "patience_s": 5.0, **options})


def asked_of(
    answer: Answer,
    transport: Any,
    call: Callable[[AsyncRewardClient], Awaitable[Any]],
    base: str = BASE,
    keep_open: bool = True,
    **options: Any,
) -> tuple[Any, list[Asked]]:
    """Return what the call returned, and the requests that came."""

    async def main() -> tuple[Any, list[Asked]]:
        async with Wire(answer, keep_open).open() as wire:
            scheme, host_and_path = base.split("127.0.0.1")
            url = f"{scheme}127.0.0.1:{wire.port}{host_and_path}"
            async with client_of(url, transport, **options) as client:
                return await call(client), wire.asked

    return asyncio.run(main())


async def many_calls(client: AsyncRewardClient) -> None:
    await client.rewards(rollouts(), step=3, idempotency_key="key")
    await client.poll("t/1 ü~%2F")
    await client.cohort("a+b c&d=é;:@$,'()*!")
    await client.put_run("ru/n", RunSettings(method="majority-voting", group_size=2))


@pytest.mark.parametrize(
    ("base", "api_key"),
    [
        (BASE, None),
        (f"{BASE}/", "k"),
        (f"{BASE}/below/a path/ü%20", None),
        ("http://x:s%40c%2Frü@127.0.0.1/below/", None),
        ("http://x:secret@127.0.0.1", "k"),
    ],
)
def test_the_same_bytes_are_sent(transport: Any, base: str, api_key: str | None) -> None:
    def sent(by: Any) -> list[tuple[Any, ...]]:
        _, asked = asked_of(rewarded, by, many_calls, base, api_key=api_key)
        return [(line, headers | {"host": "h"}, body) for line, headers, body in (each.own for each in asked)]

    found = sent(transport)
    assert len(found) == 4
    assert found[0][1]["accept"] == "application/json, application/problem+json"
    assert found == sent(None)


def test_a_long_body_arrives_whole_and_without_a_warning(transport: Any) -> None:
    batch = [Rollout(question_id="q", response="ü" * 2**20)] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, (request,) = asked_of(answering(http(rewards_document(2))), transport, lambda client: client.rewards(batch))
    assert [each["response"] for each in json.loads(request.body)["rollouts"]] == ["ü" * 2**20] * 2


def test_a_refused_connection_is_told_with_the_url_and_its_cause(transport: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    async def main() -> None:
        async with client_of(f"{BASE}:{port}", transport, patience_s=0.0) as client:
            await client.rewards(rollouts())

    with pytest.raises(ServiceUnavailable, match=f"at http://127.0.0.1:{port} failed, try 1: .*[Cc]onnect") as gone:
        asyncio.run(main())
    assert gone.value.__cause__ is not None
    assert str(pickle.loads(pickle.dumps(gone.value))) == str(gone.value)


@pytest.mark.parametrize(
    "cut",
    [None, http(rewards_document())[:-9], b"HTTP/1.1 two hundred\r\n\r\n", http({}, "503 Service Unavailable")],
    ids=["no answer", "half an answer", "no HTTP", "503"],
)
def test_what_may_pass_is_tried_again_with_the_same_key(transport: Any, cut: bytes | None) -> None:
    answer = answering(cut, http(rewards_document()))
    value, asked = asked_of(answer, transport, lambda client: client.rewards(rollouts()), keep_open=False)
    assert value.rewards == [1.0]
    assert len(asked) == 2
    assert asked[0].own == asked[1].own


async def silence(_request: Asked) -> bytes | None:
    await asyncio.Event().wait()
    return None


def test_an_answer_that_does_not_come_is_waited_for_as_long_as_was_asked(transport: Any) -> None:
    with pytest.raises(ServiceUnavailable, match=r"(?i)timeout"):
        asked_of(silence, transport, lambda c: c.rewards(rollouts(), wait_s=0.0), timeout_s=0.2, patience_s=0.0)


def test_a_service_that_does_not_read_is_given_up(transport: Any) -> None:
    async def main() -> None:
        deaf = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await deaf.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024)
        url = f"{BASE}:{server.sockets[0].getsockname()[1]}"
        batch = [Rollout(question_id="q", response="x" * 2**24)]
        try:
            async with client_of(url, transport, timeout_s=0.2, patience_s=0.0) as client:
                await client.rewards(batch, wait_s=0.0)
        finally:
            deaf.set()
            server.close()

    with pytest.raises(ServiceUnavailable, match=r"(?i)timeout"):
        asyncio.run(main())


def test_a_compressed_answer_is_read_and_a_spoilt_one_is_not_tried_again(transport: Any) -> None:
    body = gzip.compress(json.dumps(rewards_document()).encode())
    good, bad = (http(None, "200 OK", "content-encoding: gzip", body=each) for each in (body, b"no gzip at all"))
    value, _ = asked_of(answering(good), transport, lambda client: client.rewards(rollouts()))
    assert value.rewards == [1.0]
    with pytest.raises(ProtocolError, match="unreadable answer"):
        asked_of(answering(bad), transport, lambda client: client.version())


def test_a_redirect_is_not_followed(transport: Any) -> None:
    elsewhere = http({}, "308 Permanent Redirect", "location: http://127.0.0.1:1/")
    with pytest.raises(ProtocolError, match=r"to http://127\.0\.0\.1:1/; check the base URL"):
        asked_of(answering(elsewhere), transport, lambda client: client.rewards(rollouts()), api_key="k")


def test_a_refusal_is_an_error_at_once(transport: Any) -> None:
    with pytest.raises(Unauthorized, match="no key"):
        asked_of(answering(http({"detail": "no key"}, "401 Unauthorized")), transport, lambda c: c.version())


def test_retry_after_is_kept(transport: Any) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    full = http({"title": "full"}, "429 Too Many Requests", "Retry-After: 3")
    asked_of(answering(full, http({"version": "1"})), transport, lambda client: client.version(), sleep=sleep)
    assert 3.0 <= paused[0] < 4.0


def test_a_closed_client_says_so(transport: Any) -> None:
    async def main() -> None:
        client = client_of(f"{BASE}:1", transport)
        await client.close()
        await client.close()
        await client.version()

    with pytest.raises(InvalidRequest, match="the client was closed before this call"):
        asyncio.run(main())


def test_a_call_that_is_cancelled_leaves_the_client_well(transport: Any) -> None:
    async def main() -> list[float | None]:
        reached = asyncio.Event()

        async def answer(request: Asked) -> bytes | None:
            if request.line.startswith("GET"):
                reached.set()
                return await silence(request)
            return http(rewards_document())

        async with Wire(answer).open() as wire, client_of(f"{BASE}:{wire.port}", transport) as client:
            call = asyncio.create_task(client.version())
            await reached.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return list((await client.rewards(rollouts())).rewards)

    assert asyncio.run(main()) == [1.0]


def test_ipv6(transport: Any) -> None:
    async def main() -> str:
        async with (
            Wire(answering(http({"version": "6"}))).open("::1", socket.AF_INET6) as wire,
            client_of(f"http://[::1]:{wire.port}/below", transport) as client,
        ):
            return await client.version() + " " + wire.asked[0].headers["host"].partition("]")[0]

    assert asyncio.run(main()) == "6 [::1"


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_of_the_environment_is_used_but_where_it_must_not_be(
    transport: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    async def main() -> list[Asked]:
        async with Wire(answering(http({"version": "1"}))).open() as wire:
            monkeypatch.setenv(variable, f"http://u:p%40@127.0.0.1:{wire.port}")
            async with client_of("http://service.invalid/below", transport, api_key="k") as client:
                await client.version()
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            async with client_of(f"{BASE}:{wire.port}", transport) as client:
                await client.version()
            return wire.asked

    through, past = asyncio.run(main())
    assert through.line == "GET http://service.invalid/below/version HTTP/1.1"
    assert through.headers["proxy-authorization"] == "Basic dTpwQA=="
    assert through.headers["authorization"] == "Bearer k"
    assert past.line == "GET /version HTTP/1.1"


def test_many_calls_are_held_at_once_and_only_httpx_has_a_word_to_say(
    transport: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(calls: int) -> int:
        all_here = asyncio.Barrier(calls)

        async def answer(request: Asked) -> bytes:
            await all_here.wait()
            return await rewarded(request)

        async with Wire(answer).open() as wire, client_of(f"{BASE}:{wire.port}", transport) as client:
            for _ in range(2):
                await asyncio.gather(*(client.rewards(rollouts(), complete=False) for _ in range(calls)))
            return wire.port

    asyncio.run(main(CROWD))
    assert caplog.messages == []
    port = asyncio.run(main(CROWD + 1))
    told = [] if transport else [f"more than {CROWD} calls to {BASE}:{port} are under way at once"]
    assert [each.partition(",")[0] for each in caplog.messages] == told


@pytest.mark.parametrize("loop_is", ["closed", "running", "stopped", "stopped beside another"])
def test_a_client_that_nobody_closes_is_let_go_in_silence(
    transport: Any, loop_is: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def call(wire: Wire) -> AsyncRewardClient:
        client = client_of(f"{BASE}:{wire.port}", transport)
        await client.rewards(rollouts())
        return client

    async def main() -> AsyncRewardClient | None:
        async with Wire(rewarded).open() as wire:
            client = await call(wire)
            if loop_is != "running":
                return client
            del client
            gc.collect()
            await asyncio.sleep(0)
            return None

    async def dropped(clients: list[AsyncRewardClient | None]) -> None:
        clients.clear()
        gc.collect()

    with caplog.at_level(logging.WARNING):
        with asyncio.Runner() as runner:
            left = [runner.run(main())]
            if loop_is == "stopped":
                left.clear()
                gc.collect()
            if loop_is == "stopped beside another":
                asyncio.run(dropped(left))
        left.clear()
        gc.collect()
    assert caplog.messages == []
