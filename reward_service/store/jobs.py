"""Read jobs from every run's stream, and look after the runs: the workers' side of Redis."""

import asyncio
import time
from collections.abc import Sequence

import structlog
from redis.exceptions import ResponseError

from reward_service.store import cohort_scripts, label_scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.job_records import CastOf, Job
from reward_service.store.keys import GROUP, RUNS, RunKeys
from reward_service.store.label_records import TeacherLabel
from reward_service.store.labels import labels_in
from reward_service.store.peer_records import PeerRecords
from reward_service.store.peers import PeerStore
from reward_service.store.records import OpenCohort, open_cohort
from reward_service.store.server_replies import WrongTypeError
from reward_service.store.settling import Delivery, Settlements
from reward_service.store.submissions import StoreLimits

DUE_AT_ONCE = 500
HELD_AT_ONCE = 500
FORGET_CONSUMER_AFTER_MS = 600_000
FORGET_RUN_AFTER_S = 3600.0
LATEST_RUNS = 256
OTHER_RUNS = 128
SAID_EVERY_S = 10.0

log = structlog.get_logger(__name__)


class JobStore(Settlements):
    """Jobs for one consumer. `reading` is a connection of its own, since a read waits for work."""

    def __init__(
        self, connection: RedisConnection, reading: RedisConnection, limits: StoreLimits, consumer: str
    ) -> None:
        """Over two open links."""
        super().__init__(connection, limits.retention_s)
        self._reading = reading
        self.consumer = consumer
        self.peers = PeerStore(connection, limits.retention_s)
        self.peer_records = PeerRecords(connection, limits.retention_s)
        self._times: dict[str, tuple[float, int]] = {}  # of each run: when it was looked after, and its time then
        self._grouped: set[str] = set()
        self._unreadable: set[str] = set()
        self._left_out: dict[str, float] = {}  # when it was said of a run (s)
        self._turn = LATEST_RUNS

    async def runs(self) -> list[str]:
        """The runs to look after now; each has its group of consumers after this. Those that cannot are left out.

        They are the LATEST_RUNS that were used last and, of all others, OTHER_RUNS a call in turn: what is asked of
        Redis does not grow with the runs of the last 30 days.
        """
        latest, others = await asyncio.gather(
            self._connection.execute("ZREVRANGE", RUNS, 0, LATEST_RUNS - 1),
            self._connection.execute("ZREVRANGE", RUNS, self._turn, self._turn + OTHER_RUNS - 1),
        )
        self._turn = self._turn + OTHER_RUNS if len(others) == OTHER_RUNS else LATEST_RUNS
        runs = list(dict.fromkeys(name.decode() for name in [*latest, *others]))
        self._unreadable = await self._without_group([run for run in runs if run not in self._grouped])
        runs = [run for run in runs if run not in self._unreadable]
        self._grouped = set(runs)
        oldest_s = time.monotonic() - FORGET_RUN_AFTER_S
        self._times = {run: looked for run, looked in self._times.items() if looked[0] > oldest_s}
        return runs

    async def read(self, runs: Sequence[str], most: int, wait_s: float) -> list[Delivery]:
        """New jobs of these runs, at most `most` of each; waits up to `wait_s` seconds for the first."""
        keys = {RunKeys(run).jobs: run for run in runs if run not in self._unreadable}
        if not keys:
            await asyncio.sleep(wait_s)
            return []
        try:
            answer = await self._reading.execute(
                "XREADGROUP", "GROUP", GROUP, self.consumer, "COUNT", most, "BLOCK", max(1, round(wait_s * 1000)),
                "STREAMS", *keys, *(">" for _ in keys),
            )  # fmt: skip
        except ResponseError as error:
            if "NOGROUP" not in str(error) and not isinstance(error, WrongTypeError):
                raise
            self._unreadable |= await self._without_group(runs)
            self._grouped -= self._unreadable
            return []
        return [
            _delivery(keys[stream.decode()], entry, fields)
            for stream, entries in answer or ()
            for entry, fields in entries
        ]

    async def claim(self, run: str, idle_s: float, most: int) -> list[Delivery]:
        """Jobs that another worker took and did not finish within `idle_s` seconds: it is dead or very slow."""
        jobs = RunKeys(run).jobs
        try:
            _, entries, *_ = await self._connection.execute(
                "XAUTOCLAIM", jobs, GROUP, self.consumer, round(idle_s * 1000), "0-0", "COUNT", most
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return []
        if entries:
            await cohort_scripts.forget_consumers(
                self._connection, jobs=jobs, group=GROUP, idle_ms=FORGET_CONSUMER_AFTER_MS
            )
        return [_delivery(run, entry, fields) for entry, fields in entries if fields]

    async def hold(self, run: str, entries: Sequence[bytes]) -> None:
        """Says that this worker is still at these jobs: they are not idle, and no other claims them."""
        jobs = RunKeys(run).jobs
        for start in range(0, len(entries), HELD_AT_ONCE):
            some = entries[start : start + HELD_AT_ONCE]
            try:
                await self._connection.execute("XCLAIM", jobs, GROUP, self.consumer, 0, *some, "JUSTID")
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise

    async def expire(self, run: str) -> int:
        """Closes the run's cohorts whose time is over, and lets go what waits for a teacher or peers; how many."""
        keys = RunKeys(run)
        now_s = time.monotonic()
        unseen_ms = round((now_s - self._times[run][0]) * 1000) if run in self._times else 0
        (closed, time_ms), released = await asyncio.gather(
            cohort_scripts.expire(
                self._connection,
                deadlines=keys.deadlines,
                jobs=keys.jobs,
                settings=keys.settings,
                clock=keys.clock,
                prefix=keys.prefix,
                most=DUE_AT_ONCE,
                ttl_ms=self._ttl_ms,
                unseen_ms=unseen_ms,
                group=GROUP,
            ),
            label_scripts.expire_waits(
                self._connection,
                waits=keys.waits,
                peer_waits=keys.peer_waits,
                awaited=keys.awaited_peers,
                jobs=keys.jobs,
                clock=keys.clock,
                prefix=keys.prefix,
                most=DUE_AT_ONCE,
                ttl_ms=self._ttl_ms,
                unseen_ms=unseen_ms,
            ),
        )
        self._times[run] = now_s, time_ms
        return closed + released

    def age_s(self, delivery: Delivery) -> float | None:
        """How long ago a job was queued, by the run's time; None before this worker has looked after the run."""
        if delivery.run not in self._times:
            return None
        looked_s, time_ms = self._times[delivery.run]
        return max(0.0, time.monotonic() - looked_s + (time_ms - queued_at_ms(delivery.job.entry)) / 1000)

    async def labels(self, run: str, slots: Sequence[str]) -> list[TeacherLabel | None]:
        """The newest label of each slot; None where there is none."""
        return await labels_in(self._connection, run, slots)

    async def load(self, run: str, cohort: str) -> tuple[OpenCohort | None, bytes | None]:
        """A cohort to settle, and its record if it was settled before and ballots came late."""
        keys = RunKeys(run)
        fields = as_dict(await self._connection.execute("HGETALL", keys.open_cohort(cohort)))
        record = await self._connection.execute("GET", keys.record(cohort))
        return (open_cohort(fields) if fields else None), record

    async def acknowledge(self, delivery: Delivery) -> None:
        """Drops a job: there is nothing left to do for it."""
        jobs, entry = RunKeys(delivery.run).jobs, delivery.job.entry
        await cohort_scripts.acknowledge(self._connection, jobs=jobs, group=GROUP, entry=entry)

    async def times_delivered(self, delivery: Delivery) -> int:
        """How often this job has been handed out."""
        entry = delivery.job.entry
        try:
            pending = await self._connection.execute("XPENDING", RunKeys(delivery.run).jobs, GROUP, entry, entry, 1)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return 0
        return pending[0][3] if pending else 0

    def leave_out(self, run: str, error: WrongTypeError) -> None:
        """A run of which a key holds what it should not is not served, and nobody else is the worse for it."""
        now_s = time.monotonic()
        if now_s - self._left_out.get(run, -SAID_EVERY_S) < SAID_EVERY_S:
            return
        if len(self._left_out) > LATEST_RUNS:
            self._left_out.clear()
        self._left_out[run] = now_s
        log.error("a run is left out: one of its keys holds another kind of value", run=run, error=str(error))

    async def _without_group(self, runs: Sequence[str]) -> set[str]:
        """Those of the runs whose jobs cannot be read; the others have their group after this."""
        has_group = await asyncio.gather(*map(self._ensure_group, runs))
        return {run for run, has in zip(runs, has_group, strict=True) if not has}

    async def _ensure_group(self, run: str) -> bool:
        jobs = RunKeys(run).jobs
        try:
            await self._connection.execute("XGROUP", "CREATE", jobs, GROUP, "0", "MKSTREAM")
        except WrongTypeError as error:
            self.leave_out(run, error)
            return False
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        else:
            await self._connection.execute("PEXPIRE", jobs, self._ttl_ms)
        return True


def queued_at_ms(entry: bytes) -> int:
    """When a job was queued (ms of its run's time): its id says so."""
    return int(entry.partition(b"-")[0])


def _delivery(run: str, entry: bytes, flat: Sequence[bytes]) -> Delivery:
    fields = as_dict(flat)
    overdue, ready = bool(fields.get(b"o")), b"r" in fields
    cast = CastOf.read(fields[b"f"]) if b"f" in fields else None
    if b"c" in fields:
        due_ms = int(fields[b"d"]) if fields.get(b"d") else None
        cohort = fields[b"c"].decode()
        return Delivery(run, Job(entry, cohort=cohort, overdue=overdue, cast=cast, ready=ready, due_ms=due_ms))
    batch, alone = fields[b"b"].decode(), b"y" in fields
    job = Job(entry, batch=batch, payload=fields[b"p"], overdue=overdue, cast=cast, cast_alone=alone, ready=ready)
    return Delivery(run, job, fields[b"w"].decode())
