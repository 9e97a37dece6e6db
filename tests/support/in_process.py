"""An API with a worker beside it, in this very process, over a real server: what they do can be watched."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import NamedTuple
from uuid import uuid4

import uvicorn

from reward_service.api.app import ApiService
from reward_service.domain.quarantine import DisagreementRules
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.serving.connection_limits import ConnectionLimits, Doorkeeper
from reward_service.serving.connections import BoundedProtocol
from reward_service.settings import Settings
from reward_service.store.connecting import connection_to
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import JobStore
from reward_service.store.pairs import PairStore
from reward_service.store.submissions import StoreLimits
from reward_service.telemetry import Metrics
from reward_service.workers.worker import Worker, WorkerPace

HOST = "127.0.0.1"


class InProcess(NamedTuple):
    """The service, and where it listens."""

    api: ApiService
    port: int


class Server(uvicorn.Server):
    """Says when it accepts."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepts = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepts.set()


@contextlib.asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[InProcess]:
    """An API, with a worker beside it."""
    api = ApiService(settings)
    keeper = Doorkeeper(ConnectionLimits.of(settings), api.metrics)
    http = partial(BoundedProtocol, keeper, api)
    config = uvicorn.Config(api.asgi, host=HOST, port=0, http=http, ws="none", lifespan="on", log_config=None)  # type: ignore[arg-type]
    server = Server(config)
    assert settings.redis_url is not None
    connection, reading = connection_to(settings.redis_url), connection_to(settings.redis_url)
    jobs = JobStore(connection, reading, StoreLimits(), uuid4().hex)
    pace = WorkerPace(beat_s=0.05)
    worker = Worker(
        jobs, PairStore(connection, DisagreementRules()), Heartbeats(connection), SymbolicGrader(), Metrics(), pace
    )
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(worker.run())]
    try:
        await server.accepts.wait()
        yield InProcess(api, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        worker.stop()
        await asyncio.gather(*tasks)
        await connection.close()
        await reading.close()
