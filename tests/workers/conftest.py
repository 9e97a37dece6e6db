"""Workers in the test's own event loop, over an embedded server."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.domain.quarantine import DisagreementRules
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.store.cohorts import CohortStore
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import JobStore
from reward_service.store.keys import channel
from reward_service.store.pairs import PairStore
from reward_service.store.records import (
    BallotRow,
    BatchJob,
    BatchRecord,
    CohortHead,
    CohortRows,
    Rules,
    packed,
    unpack_batch,
)
from reward_service.store.runs import RunStore
from reward_service.store.submissions import StoredBatch, StoreLimits
from reward_service.telemetry import Metrics
from reward_service.workers.worker import Worker, WorkerPace
from tests.support.waiting import until


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    valkey = EmbeddedValkey(folder)
    valkey.start()
    yield valkey.url
    valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Shop:
    """Batches go in here, and workers settle them."""

    connection: RedisConnection
    reading: list[RedisConnection]
    store: CohortStore
    runs: RunStore
    metrics: Metrics
    url: str
    working: set[asyncio.Task[None]] = field(default_factory=set)

    def open(self, grader: SymbolicGrader, **pace: float) -> tuple[Worker, asyncio.Task[None]]:
        """One more worker is at work."""
        reading = connection_to(self.url)
        self.reading.append(reading)
        jobs = JobStore(self.connection, reading, StoreLimits(), uuid4().hex)
        made = WorkerPace(**{"beat_s": 0.02, **pace})  # type: ignore[arg-type]
        worker = Worker(
            jobs,
            PairStore(self.connection, DisagreementRules()),
            Heartbeats(self.connection),
            grader,
            self.metrics,
            made,
        )
        task = asyncio.create_task(worker.run())
        self.working.add(task)
        return worker, task

    async def send(
        self,
        run: str,
        *cohorts: list[BallotRow],
        method: str = "majority-voting",
        settings: RunSettings = RunSettings(),  # noqa: B008 - it is frozen
        step: int | None = None,
    ) -> str:
        """A batch of some cohorts is queued: its name."""
        at = await self.runs.put(run, settings)
        name = uuid4().hex
        rules = Rules.of(method, settings)
        rows = [
            CohortRows(CohortHead(str(number), step, 0, rules), rows_B, list(range(len(rows_B))))
            for number, rows_B in enumerate(cohorts)
        ]
        kept = await self.store.submit(run, name, "0" * 32, packed(BatchJob(run, None, method, rows)), at)
        assert isinstance(kept, StoredBatch)
        return name

    def failures(self) -> float:
        """How many jobs have failed."""
        (metric,) = self.metrics.failures.collect()
        return sum(sample.value for sample in metric.samples if sample.name.endswith("_total"))

    async def record(self, run: str, name: str) -> BatchRecord | None:
        """What a batch came to, if it is settled."""
        kept = await self.store.batch(run, name)
        return None if kept is None or kept.record is None else unpack_batch(kept.record)

    async def settled(self, run: str, name: str, timeout_s: float = 60.0) -> BatchRecord:
        """What a batch comes to."""
        record = await until(lambda: self.record(run, name), timeout_s)
        assert record is not None
        return record


@pytest.fixture
async def shop(store_url: str, anyio_backend: str) -> AsyncIterator[Shop]:
    connection = connection_to(store_url)
    await connection.execute("FLUSHALL")
    limits = StoreLimits()
    made = Shop(
        connection,
        [],
        CohortStore(connection, limits, channel(uuid4().hex)),
        RunStore(connection, limits),
        Metrics(),
        store_url,
    )
    yield made
    for task in made.working:
        task.cancel()
    await asyncio.gather(*made.working, return_exceptions=True)
    for each in (connection, *made.reading):
        await each.close()


@contextlib.asynccontextmanager
async def longest_stall() -> AsyncIterator[list[float]]:
    """The longest that the event loop has computed (s of CPU) without letting others go on."""
    longest = [0.0]

    async def look() -> None:
        while True:
            before_s = time.thread_time()
            await asyncio.sleep(0)
            longest[0] = max(longest[0], time.thread_time() - before_s)

    looking = asyncio.create_task(look())
    yield longest
    looking.cancel()
