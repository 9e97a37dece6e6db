"""Read the gauges from Redis: what waits by run, which processes live, and the state of each run's teacher."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from co_rewarding_schema.methods import method_named
from redis.exceptions import ResponseError

from reward_service.domain.signs import signs_of
from reward_service.store import paraphrase_scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import queued_at_ms
from reward_service.store.keys import RUNS, RunKeys
from reward_service.store.paraphrases import KEYS, by_kind
from reward_service.store.run_looks import RunLooks, TeacherLook, UnreadableRunError
from reward_service.store.run_scripts import look_at_clock
from reward_service.store.scripts import Stopwatch
from reward_service.store.teachers import TeacherStore

SHOWN_RUNS = 100
"""Of the runs in use only the latest are told of: each is a few series for as long as it is remembered."""

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ParaphraseGauges:
    """All jobs together, at one moment.

    Attributes:
        paraphrasers: processes that work on them.
        running, paused: jobs.
        waiting, making: questions that nobody has begun, of running jobs; those that a paraphraser has in hand.
        oldest_job_s: age of the running job that was made first, 0 if none runs.
        counts: by kind, then name; of all time, as long as something is counted once in a month.
    """

    paraphrasers: int
    running: int
    paused: int
    waiting: int
    making: int
    oldest_job_s: float
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class TeacherGauges:
    """Where the teacher of a run stands.

    Attributes:
        version: the step of the newest weights in the average.
        lag: steps between it and the newest weights that were announced.
        asked, making: labels that no teacher has begun, and those at which one is at work.
        teachers: the processes that were seen lately, by what they wait for.
        lost: those that were seen no more without having left.
    """

    version: int
    lag: int
    asked: int
    making: int
    teachers: Counter[str]
    lost: int


@dataclass(frozen=True, slots=True)
class RunGauges:
    """What waits in a run, in cohorts, jobs and batches.

    `oldest_job_s` is the age of the job that waits longest, `awaited_of_peers` how many groups of each peer's are
    waited for, `absent_peers` are those for which the run does not wait. `top_share` is the share of the most frequent
    answer among all answers of the latest step that has some.
    """

    run: str
    open: int
    settled: int
    abstained: int
    queued: int
    oldest_job_s: float
    waiting_for_teacher: int
    waiting_for_peers: int
    awaited_of_peers: Mapping[str, int]
    absent_peers: Sequence[str]
    teacher: TeacherGauges | None
    top_share: float | None


@dataclass(frozen=True, slots=True)
class Gauges:
    """All of it, at one moment.

    Attributes:
        workers, workers_lost: seen lately; seen no more without having left.
        store_cpu_s, store_bytes: what Redis itself has used, and holds; of a cluster, all primaries.
        store_uptime_s: for how long this Redis runs; of a cluster, the primary that was started last.
    """

    workers: int
    workers_lost: int
    store_cpu_s: float
    store_bytes: int
    store_uptime_s: int
    runs: tuple[RunGauges, ...]
    paraphrases: ParaphraseGauges


class GaugeStore:
    """Reads the gauges; it changes nothing."""

    def __init__(self, connection: RedisConnection, looks: RunLooks) -> None:
        """Over an open connection."""
        self._connection = connection
        self._looks = looks
        self._heartbeats = Heartbeats(connection)
        self._paraphrases = ParaphraseGaugeStore(connection)
        self._teachers = TeacherStore(connection)
        self._unseen = Stopwatch()

    async def read(self) -> Gauges:
        """What stands in Redis now. The runs are asked about together: it is a few round trips, however many they are.

        Raises:
            StoreUnavailableError: Redis is away.
        """
        workers, lost, paraphrases, names, infos = await asyncio.gather(
            self._heartbeats.workers(),
            self._heartbeats.lost(),
            self._paraphrases.read(),
            self._connection.execute("ZREVRANGE", RUNS, 0, SHOWN_RUNS - 1),
            self._connection.everywhere("INFO", "server", "cpu", "memory"),
        )
        unseen_ms = self._unseen.lap_ms()
        found = await asyncio.gather(*(self._readable(name.decode(), unseen_ms) for name in names))
        runs = [run for run in found if run is not None]
        servers = [_figures(info) for info in infos]
        return Gauges(
            workers,
            lost,
            sum(about["used_cpu_sys"] + about["used_cpu_user"] for about in servers),
            int(sum(about["used_memory"] for about in servers)),
            max(0, int(min(about["uptime_in_seconds"] for about in servers))),  # below 0 after its clock was set back
            tuple(runs),
            paraphrases,
        )

    async def _readable(self, run: str, unseen_ms: int) -> RunGauges | None:
        """None of a run that is gone, or of which a key holds another kind of value: workers leave it out too."""
        try:
            return await self._run(run, unseen_ms)
        except (UnreadableRunError, ResponseError):
            return None

    async def _run(self, run: str, unseen_ms: int) -> RunGauges | None:
        keys = RunKeys(run)
        look, oldest_job_s, awaited = await asyncio.gather(
            self._looks.look(run, 1),
            self._oldest_s(keys, unseen_ms),
            self._connection.execute("HGETALL", keys.awaited_peers),
        )
        if look is None:
            return None
        state = look.state
        taught = method_named(look.settings.method).needs_teacher
        return RunGauges(
            run,
            state["open"],
            state["settled"],
            state["abstained"],
            state["queued"],
            oldest_job_s,
            state["waiting_for_teacher"],
            state.get("waiting_for_peers", 0),
            {peer.decode(): int(count) for peer, count in as_dict(awaited).items()},
            await self._looks.absent_peers(run, look.settings),
            await self._teacher(run, look.teacher) if taught else None,
            signs_of(look.points[-1].sums, look.points[-1].top).top_share if look.points else None,
        )

    async def _oldest_s(self, keys: RunKeys, unseen_ms: int) -> float:
        """The age of the run's first job, by the run's time."""
        entries, now_ms = await asyncio.gather(
            self._connection.execute("XRANGE", keys.jobs, "-", "+", "COUNT", 1),
            look_at_clock(self._connection, clock=keys.clock, unseen_ms=unseen_ms),
        )
        return max(0.0, (now_ms - queued_at_ms(entries[0][0])) / 1000) if entries else 0.0

    async def _teacher(self, run: str, look: TeacherLook) -> TeacherGauges:
        said = await self._teachers.seen(run)
        waiting_for = Counter(each.waiting_for or NOTHING for each in said)
        return TeacherGauges(look.version, look.lag, look.asked, look.making, waiting_for, look.lost)


def _figures(info: bytes) -> dict[str, float]:
    """The lines of INFO that are plain numbers."""
    pairs = (line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return {name: float(value) for name, value in pairs if re.fullmatch(r"-?\d+(\.\d+)?", value)}


class ParaphraseGaugeStore:
    """Reads the gauges; it changes nothing."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection
        self._unseen = Stopwatch()

    async def read(self) -> ParaphraseGauges:
        """What stands in Redis now, in one round trip."""
        found = await paraphrase_scripts.watch_paraphrases(self._connection, **KEYS, unseen_ms=self._unseen.lap_ms())
        paraphrasers, running, paused, waiting, making, oldest_ms, counts = found
        return ParaphraseGauges(
            paraphrasers, running, paused, waiting, making, oldest_ms / 1000, by_kind(as_dict(counts))
        )
