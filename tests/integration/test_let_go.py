"""What a client leaves behind is let go at once: nothing of it waits for a collection of garbage."""

import asyncio
import contextlib
import gc
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from redis.exceptions import ResponseError

from reward_service.errors import StoreRefusesError
from reward_service.serving.connections import BoundedProtocol
from reward_service.serving.hot_exchange import HotExchange
from reward_service.settings import Settings
from reward_service.store.connecting import connection_to
from reward_service.store.embedded import EmbeddedValkey
from tests.store.scripted_server import handshake_or, scripted
from tests.support.in_process import HOST, InProcess, service
from tests.support.waiting import until

CLIENTS = 20
RUN = "alone"
ANSWERS_WITHIN_S = 20.0
pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def served() -> AsyncIterator[InProcess]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            settings = Settings(data_dir=Path(folder), redis_url=server.url, log_level="ERROR")
            async with service(settings) as served:
                async with httpx.AsyncClient(base_url=f"http://{HOST}:{served.port}", timeout=30.0) as client:
                    await client.put(f"/v1/runs/{RUN}", json={"method": "majority-voting"})
                yield served
        finally:
            server.stop()


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected meanwhile: what is gone has been let go."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living(*kinds: type) -> int:
    return sum(isinstance(each, kinds) for each in gc.get_objects())


def request(method: str, path: str, body: object = None) -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    return f"{method} {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(text)}\r\n\r\n".encode() + text


def single(question: str, n: int) -> bytes:
    label = json.dumps({"question_id": question, "n": n, "run": RUN})
    return request("POST", "/get_reward", {"query": ["Q\\boxed{1}"], "prompts": ["Q"], "labels": [label]})


BATCH = {
    "method": "majority-voting",
    "rollouts": [{"question_id": "b", "view": "original", "response": "\\boxed{4}"} for _ in range(2)],
}


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        pytest.param(request("POST", "/v1/rewards", BATCH), 1, id="a batch"),
        pytest.param(request("GET", "/version"), 1, id="a request of ASGI"),
        pytest.param(request("POST", "/v1/rewards", {"rollouts": "none"}), 1, id="a refused batch"),
        pytest.param(single("alone", 1), 1, id="a single"),
        pytest.param(single("held", CLIENTS + 1), 0, id="a single that is still held"),
        pytest.param(b"no HTTP at all\r\n\r\n", 1, id="no request"),
    ],
)
@pytest.mark.usefixtures("uncollected")
async def test_a_connection_and_its_requests(served: InProcess, sent: bytes, answers: int) -> None:
    async def visit() -> None:
        reader, writer = await asyncio.open_connection(HOST, served.port)
        writer.write(sent)
        for _ in range(answers):
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                assert await reader.read(2**16)
        if not answers:
            await until(in_service)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def in_service() -> bool:
        return living(HotExchange) >= 1

    async def all_gone() -> bool:
        return living(BoundedProtocol, HotExchange) == 0

    await asyncio.gather(*(visit() for _ in range(CLIENTS)))
    await until(all_gone)


@pytest.mark.usefixtures("uncollected")
async def test_errors_of_the_store() -> None:
    async with scripted(handshake_or(lambda _: b"-OOM command not allowed\r\n")) as full:
        connection = connection_to(full.url, patience_s=5.0)
        for _ in range(CLIENTS):
            with pytest.raises(StoreRefusesError):
                await connection.execute("SET", "a", "b")
        await connection.close()
    assert living(ResponseError) == 0
