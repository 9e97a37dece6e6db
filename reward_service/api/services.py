"""Compose the parts of an API process, once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from reward_service.api.access.keyring import Keyring
from reward_service.api.access.reloading import LOOK_EVERY_S, KeysReloading
from reward_service.api.access.sharing import SHARED_EVERY_S, QuotaSharing
from reward_service.api.events.watching import Watchers
from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.prometheus import exposition
from reward_service.api.paraphrases.job_builder import ParaphraseIntake
from reward_service.api.rewards.held_requests import HeldRequests
from reward_service.api.rewards.held_singles import HeldSingles
from reward_service.api.rewards.progress import Progress
from reward_service.api.rewards.routes import HotRoutes
from reward_service.api.rewards.run_cache import RunCache
from reward_service.api.rewards.scoring import Scorer
from reward_service.api.rewards.waiting_room import BATCH, FIRST_LOOK_S, Look, WaitingRoom
from reward_service.background import Background
from reward_service.domain.quarantine import DisagreementRules
from reward_service.errors import StoreUnavailableError
from reward_service.settings import Settings
from reward_service.store.cohort_finder import CohortFinder
from reward_service.store.cohorts import HEARTBEAT_S, CohortStore
from reward_service.store.connecting import listen_at
from reward_service.store.gauges import GaugeStore
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.keys import SEPARATOR, channel, qualified, split_qualified
from reward_service.store.labels import LabelStore
from reward_service.store.pairs import PairStore
from reward_service.store.paraphrases import ParaphraseJobs
from reward_service.store.quotas import QuotaStore
from reward_service.store.run_looks import RunLooks
from reward_service.store.runs import RunStore
from reward_service.store.server_checks import check_store
from reward_service.store.teachers import TeacherStore
from reward_service.store.traces import TraceStore
from reward_service.store.waiting import WaitStore
from reward_service.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that routes use."""

    settings: Settings
    reader: FormReader
    cohorts: CohortStore
    finder: CohortFinder
    labels: LabelStore
    teachers: TeacherStore
    runs: RunStore
    run_cache: RunCache
    pairs: PairStore
    traces: TraceStore
    looks: RunLooks
    watchers: Watchers
    room: WaitingRoom
    heartbeats: Heartbeats
    gauges: GaugeStore
    paraphrases: ParaphraseJobs
    paraphrase_intake: ParaphraseIntake
    hot: HotRoutes
    metrics: Metrics

    async def waiting_metrics(self) -> bytes:
        """What stands in Redis, as Prometheus reads it; only that it is away, if it is."""
        try:
            return exposition(await self.gauges.read())
        except StoreUnavailableError:
            return exposition(None)


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings, metrics: Metrics, background: Background, keyring: Keyring
) -> AsyncIterator[Services]:
    """Composes the parts of an API process, and takes them apart again. `background` is closed with them.

    Raises:
        UnusableStoreError: the Redis at hand could lose accepted work.
    """
    url = settings.redis_url
    assert url is not None, "serve gives every process the URL of the store"
    connection = settings.store_connection()
    # Who only looks is answered while no replica is there, and does not wait for any.
    looking = settings.store_connection(promises=False)
    with contextlib.suppress(StoreUnavailableError):  # one that is away is waited for; /ready says so
        await check_store(looking)
    wake = channel(uuid4().hex[:16])
    cohorts = CohortStore(connection, settings.limits, wake)
    finder = CohortFinder(looking, settings.limits.retention_s)
    runs = RunStore(connection, settings.limits, RunLooks(looking))
    room = WaitingRoom(_look(cohorts), read_again=settings.store_durability.replicas > 0)
    run_cache = RunCache(runs, time.monotonic, keyring.open_cohorts_of)
    labels = LabelStore(connection, settings.limits, wake)
    teachers = TeacherStore(connection)
    progress = Progress(WaitStore(connection), teachers)
    scorer = Scorer(cohorts, labels, teachers, room, run_cache, progress, settings.max_text_chars)
    held_requests = HeldRequests(scorer, cohorts, room, run_cache, background, settings.max_text_chars)
    reader = FormReader(settings)
    singles = HeldSingles(scorer, cohorts, room, run_cache, held_requests, background, metrics)
    hot = HotRoutes(scorer, held_requests, singles, reader, settings, metrics, keyring)
    ending = contextlib.ExitStack()
    if settings.traces is not None:
        from reward_service.tracing.seams import trace_requests, trace_store
        from reward_service.tracing.spans import open_tracing

        tracing = open_tracing("api", settings.traces)
        ending.callback(tracing.close)
        trace_requests(tracing, hot, metrics)
        trace_store(tracing, connection, cohorts, labels)
    background.start("wakeups", listen_at(url, wake, room.wake, room.look_now))
    background.keep("looks", room.look, every_s=FIRST_LOOK_S)
    background.start("told", room.read_told())
    background.keep("heartbeat", partial(_beat, cohorts, room), every_s=HEARTBEAT_S / 3)
    if settings.api_keys_file is not None:  # only such a file has quotas
        sharing = QuotaSharing(keyring.meters, QuotaStore(looking, wake))
        background.keep("quotas", sharing.share, every_s=SHARED_EVERY_S)
        reloading = KeysReloading(settings, settings.api_keys_file, keyring)
        background.keep("keys", reloading.look, every_s=LOOK_EVERY_S)
    try:
        gauges = GaugeStore(looking, runs.looks)
        pairs, heartbeats = PairStore(connection, DisagreementRules()), Heartbeats(connection)
        jobs = ParaphraseJobs(connection, settings.paraphrase_limits)
        watchers = Watchers(runs.looks, background)
        intake = ParaphraseIntake(jobs, room, settings)
        yield Services(
            settings,
            reader,
            cohorts,
            finder,
            labels,
            teachers,
            runs,
            run_cache,
            pairs,
            TraceStore(looking),
            runs.looks,
            watchers,
            room,
            heartbeats,
            gauges,
            jobs,
            intake,
            hot,
            metrics,
        )
    finally:
        await held_requests.close()
        await background.close()
        await connection.close()
        await looking.close()
        await asyncio.to_thread(ending.close)


async def _beat(cohorts: CohortStore, room: WaitingRoom) -> None:
    """Says that this process lives, where it matters: for the runs whose rollouts it holds."""
    await cohorts.beat(room.runs())


def _look(cohorts: CohortStore) -> Look:
    """How those who wait ask the store: batches one by one, cohorts of a run together."""

    async def batch(name: str) -> bytes | None:
        split = split_qualified(name)
        kept = await cohorts.kept_batch(*split) if split else None
        return kept if kept is not None and kept[:1] == b"S" else None

    async def look(kind: str, names: Sequence[str]) -> list[bytes | None]:
        if kind == BATCH:
            return list(await asyncio.gather(*map(batch, names)))
        found: dict[str, bytes | None] = {}
        by_run: dict[str, list[str]] = {}
        for name in names:
            run, _, cohort = name.partition(SEPARATOR)
            by_run.setdefault(run, []).append(cohort)
        of_runs = await asyncio.gather(*(cohorts.records(run, some) for run, some in by_run.items()))
        for (run, some), records in zip(by_run.items(), of_runs, strict=True):
            found |= {qualified(run, cohort): record for cohort, record in zip(some, records, strict=True)}
        return [found[name] for name in names]

    return look
