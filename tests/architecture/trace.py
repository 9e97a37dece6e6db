"""The modules that one request passes, from the socket to Redis, through the worker, and back to the socket.

The API and a worker run in one process here, over a real server, so that one profile sees both.
"""

import asyncio
import contextlib
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from uuid import uuid4

import uvicorn
import uvloop

import reward_service
from reward_service.api.app import ApiService
from reward_service.domain.quarantine import DisagreementRules
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.serving.connection_limits import ConnectionLimits, Doorkeeper
from reward_service.serving.connections import BoundedProtocol
from reward_service.settings import Settings
from reward_service.store.connection import RedisConnection
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import JobStore
from reward_service.store.pairs import PairStore
from reward_service.store.submissions import StoreLimits
from reward_service.telemetry import Metrics
from reward_service.workers.worker import Worker, WorkerPace

ROOT = Path(reward_service.__file__).parent
HOST = "127.0.0.1"
TIMES = 5
"""A request is traced so often: what each of them passed is its way, and the rest was under way beside it."""


@contextlib.contextmanager
def passing() -> Iterator[dict[str, None]]:
    """The modules of ours in which a function is called meanwhile, in the order of the first call."""
    passed: dict[str, None] = {}
    root = str(ROOT) + "/"

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            passed.setdefault(frame.f_code.co_filename.removeprefix(root).removesuffix(".py").replace("/", "."))

    sys.setprofile(note)
    try:
        yield passed
    finally:
        sys.setprofile(None)


class Server(uvicorn.Server):
    """Says when it accepts."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepts = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepts.set()


@contextlib.asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[int]:
    """The port of an API, with a worker beside it."""
    api = ApiService(settings)
    keeper = Doorkeeper(ConnectionLimits.of(settings), api.metrics)
    http = partial(BoundedProtocol, keeper, api)
    config = uvicorn.Config(api.asgi, host=HOST, port=0, http=http, ws="none", lifespan="on", log_config=None)  # type: ignore[arg-type]
    server = Server(config)
    assert settings.redis_url is not None
    connection, reading = RedisConnection(settings.redis_url), RedisConnection(settings.redis_url)
    jobs = JobStore(connection, reading, StoreLimits(), uuid4().hex)
    pace = WorkerPace(beat_s=0.05)
    worker = Worker(
        jobs, PairStore(connection, DisagreementRules()), Heartbeats(connection), SymbolicGrader(), Metrics(), pace
    )
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(worker.run())]
    try:
        await server.accepts.wait()
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        worker.stop()
        await asyncio.gather(*tasks)
        await connection.close()
        await reading.close()


async def answered(port: int, request: bytes) -> None:
    """Sends a request, and reads its answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    status = await reader.readline()
    assert b" 200 " in status, status + await reader.read(2000)
    writer.close()


async def way(port: int, requests: Callable[[int], Sequence[bytes]]) -> list[str]:
    """The modules that the requests of a number pass, which are answered together."""
    ways: list[dict[str, None]] = []
    for number in range(TIMES):
        sent = requests(number)
        with passing() as passed:
            await asyncio.gather(*(answered(port, request) for request in sent))
        ways.append(passed)
    return [module for module in ways[-1] if all(module in each for each in ways)]


def post(path: str, document: object) -> bytes:
    """A request with a body in JSON."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pair_of_singles(number: int) -> list[bytes]:
    """A question's two rollouts, one of each view, as OpenRLHF sends them."""
    labels = [json.dumps({"question_id": f"q{number}", "view": view, "n": 1}) for view in ("original", "paraphrase")]
    return [post("/get_reward", {"query": ["p \\boxed{4}"], "prompts": ["p"], "labels": [label]}) for label in labels]


async def traced() -> list[str]:
    """The way of a rollout without an index, whose cohort is complete with the next one."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            settings = Settings(data_dir=Path(folder), redis_url=server.url, log_level="ERROR")
            async with service(settings) as port:
                return await way(port, pair_of_singles)
        finally:
            server.stop()


if __name__ == "__main__":
    for module in uvloop.run(traced()):
        print(module)
