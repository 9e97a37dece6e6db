"""Workers die after any command while runs label each other: nobody who waits is forgotten, nothing counts twice."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from uuid import uuid4

from co_rewarding_schema.run_settings import RunSettings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reward_service.domain.quarantine import DisagreementRules
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.store.cohorts import CohortStore
from reward_service.store.connecting import connection_to
from reward_service.store.connection import Argument, Reply
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import JobStore
from reward_service.store.keys import RunKeys
from reward_service.store.pairs import PairStore
from reward_service.store.records import BallotRow, BatchJob, CohortHead, CohortRows, Rules, packed, unpack_batch
from reward_service.store.runs import RunStore
from reward_service.store.server_connection import ServerConnection
from reward_service.store.submissions import StoredBatch, StoreLimits
from reward_service.telemetry import Metrics
from reward_service.workers.worker import Worker, WorkerPace
from tests.support.waiting import until

LIMITS = StoreLimits()
PACE = WorkerPace(beat_s=0.01, claim_idle_s=0.02)
LABEL_OF = {"a": "1", "b": "2", "c": "3"}
"""What the majority of each run answers."""
PEERS_OF = {"a": ("b",), "b": ("c",), "c": ("a", "b")}


class Dying(ServerConnection):
    """Answers so many commands about ballots, waits and batches, and nothing more."""

    def __init__(self, url: str, commands: int) -> None:
        super().__init__(url)
        self._left = commands
        self.dead = asyncio.Event()

    async def execute(self, *command: Argument) -> Reply:
        if not self._left:
            self.dead.set()
            await asyncio.Event().wait()
        self._left -= any(isinstance(word, str) and re.search(r":[vp]:|:b:batch$", word) for word in command)
        return await super().execute(*command)


class Ring:
    """Three runs over a server, of which each waits for others."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.connection = connection_to(url)
        self._name = uuid4().hex[:8]
        self.store = CohortStore(self.connection, LIMITS, "nobody")
        self.runs = RunStore(self.connection, LIMITS)

    def run(self, letter: str) -> str:
        return f"{letter}-{self._name}"

    def settings(self, letter: str) -> RunSettings:
        return RunSettings(method="peer-majority", peers=tuple(map(self.run, PEERS_OF[letter])))

    async def send(self, letter: str) -> None:
        """A batch of two questions in two views."""
        run, at = self.run(letter), await self.runs.put(self.run(letter), self.settings(letter))
        rules = Rules.of("peer-majority", at.settings)
        answers = [LABEL_OF[letter], LABEL_OF[letter], "0"]
        cohorts = [
            CohortRows(
                CohortHead(question, 0, 0, rules),
                [BallotRow(view, 0, n, each) for n, each in enumerate(answers)],
                list(range(3)),
            )
            for question in ("q", "r")
            for view in (0, 1)
        ]
        job = BatchJob(run, 0, "peer-majority", cohorts)
        assert isinstance(await self.store.submit(run, "batch", "0" * 32, packed(job), at), StoredBatch)

    async def labels(self, letter: str) -> set[tuple[str, int, int]] | None:
        kept = await self.store.batch(self.run(letter), "batch")
        if kept is None or kept.record is None:
            return None
        return {
            (label.answer, int(label.votes), int(label.of))
            for cohort in unpack_batch(kept.record).cohorts
            for label in cohort.labels
        }

    @contextlib.asynccontextmanager
    async def worker(self, connection: ServerConnection) -> AsyncIterator[None]:
        reading = connection_to(self._url)
        jobs = JobStore(connection, reading, LIMITS, uuid4().hex)
        watch = PairStore(connection, DisagreementRules())
        worker = Worker(jobs, watch, Heartbeats(connection), SymbolicGrader(), Metrics(), PACE)
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # and no other end
                await task
            await reading.close()

    async def live(self, commands: int) -> None:
        """A worker lives for so many commands, or until it has nothing left to do."""
        connection = Dying(self._url, commands)

        async def is_over() -> bool:
            keys = [RunKeys(self.run(letter)).jobs for letter in LABEL_OF]
            return connection.dead.is_set() or not any([await self.connection.execute("XLEN", key) for key in keys])

        async with self.worker(connection):
            await until(is_over, 20.0)
        await connection.close()

    async def all_settled(self) -> bool:
        return all([await self.labels(letter) is not None for letter in LABEL_OF])

    async def left(self) -> list[int]:
        """What still waits, and is counted as waited for."""
        keys = [RunKeys(self.run(letter)) for letter in LABEL_OF]
        sizes = [await self.connection.execute("ZCARD", each.peer_waits) for each in keys]
        return sizes + [await self.connection.execute("HLEN", each.awaited_peers) for each in keys]


async def history(url: str, order: list[str], lives: list[int]) -> None:
    ring = Ring(url)
    await ring.connection.execute("FLUSHALL")
    for letter in LABEL_OF:
        await ring.runs.put(ring.run(letter), ring.settings(letter))
    for letter in order:
        await ring.send(letter)
        if lives:
            await ring.live(lives.pop(0))
    for commands in lives:
        await ring.live(commands)
    async with ring.worker(ring.connection):
        await until(ring.all_settled, 20.0)
        assert await ring.labels("a") == {("2", 2, 3)}
        assert await ring.labels("b") == {("3", 2, 3)}
        assert await ring.labels("c") == {("1", 2, 6)}, "a tie: the class of the first rollout, by its key"
        await until(lambda: _nothing(ring), 20.0)
    await ring.connection.close()


async def _nothing(ring: Ring) -> bool:
    return not any(await ring.left())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(list(LABEL_OF)), lives=st.lists(st.integers(0, 40), max_size=6))
def test_nobody_who_waits_is_forgotten(store_url: str, order: list[str], lives: list[int]) -> None:
    asyncio.run(history(store_url, list(order), list(lives)))
