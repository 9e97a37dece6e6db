"""Run a worker: read jobs, settle them, close overdue cohorts, and take over the jobs of dead workers."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import filterfalse

import structlog

from reward_service.background import Background
from reward_service.domain.cohort import CohortEvent, CohortState
from reward_service.errors import StoreUnavailableError
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import Grader
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.pairs import Observation, PairStore
from reward_service.store.records import BatchRecord, CohortHead, packed, unpack_cohort, unpack_job
from reward_service.store.server_replies import WrongTypeError
from reward_service.store.traces import Traces, packed_labels
from reward_service.telemetry import Metrics
from reward_service.workers.counting import JobSums, count_settled, packed_sums, sums_of
from reward_service.workers.jobs_in_hand import InHand
from reward_service.workers.label_history import Past
from reward_service.workers.peer_ballots import NO_PEERS, PeerBallots
from reward_service.workers.settlement_jobs import (
    PairWatch,
    Settled,
    abandon_batch,
    abandon_cohort,
    settle_batch,
    settle_cohort,
)
from reward_service.workers.small_batches import SmallBatches, ending_of, is_small, together

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPace:
    """How a worker divides its time.

    Attributes:
        jobs_at_once: jobs read from one run at a time.
        jobs_in_hand: jobs that may be under way before no more are read, of all runs together.
        beat_s: how often it looks for new runs and overdue cohorts, in seconds.
        claim_idle_s: after how long without a word a job that another worker holds is taken over.
        longest_job_s: for how long a worker says that it is still at a job: one that hangs is taken over in the end.
        tries: after how many deliveries a job that raises is given up: its rollouts abstain, with a log line.
    """

    jobs_at_once: int = 64
    jobs_in_hand: int = 256
    beat_s: float = 0.25
    claim_idle_s: float = 5.0
    longest_job_s: float = 120.0
    tries: int = 5


FULL_S = 0.005
"""How long new jobs are waited for while some run has as many in hand as it may."""


class Worker:
    """Settles whatever the streams hold, until told to stop."""

    def __init__(
        self,
        jobs: JobStore,
        pairs: PairStore,
        heartbeats: Heartbeats,
        grader: SymbolicGrader,
        metrics: Metrics,
        pace: WorkerPace | None = None,
        background: Background | None = None,
    ) -> None:
        """Over a job store of its own; `background` is that of the process, which ends with `run`."""
        self._jobs = jobs
        self._pairs = pairs
        self._peers = PeerBallots(jobs.peers, jobs.peer_records, jobs.age_s)
        self._heartbeats = heartbeats
        self._grader = grader
        self._metrics = metrics
        self._pace = pace or WorkerPace()
        self._stopping = asyncio.Event()
        self._runs: list[str] = []
        self._in_hand = InHand(self._pace.jobs_in_hand, time.monotonic)
        self._small = SmallBatches(jobs, grader, metrics, self._start)
        self.may_be_together = is_small
        self._background = background or Background()

    def stop(self) -> None:
        """Finish the jobs in hand and end; those not begun stay in Redis."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until stopped; a Redis that is away is waited for.

        Raises:
            TaskFailedError: a background task has failed. Jobs in hand are left to whoever claims them.
        """
        async with self._background as background:
            # Beside the reading, which must not wait for it: a beat is many questions, and jobs come meanwhile.
            background.keep("beat", self._beat, every_s=self._pace.beat_s)
            background.keep("hold", self._hold, every_s=self._pace.claim_idle_s / 4)
            await background.beside(self._work())

    async def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._runs:
                    await self._idle()
                elif not (runs := self._in_hand.with_room(self._runs)):
                    await self._in_hand.one_ends()
                else:
                    most = min(self._pace.jobs_at_once, *map(self._in_hand.room, runs))
                    wait_s = self._pace.beat_s if len(runs) == len(self._runs) else FULL_S
                    self._take(await self._jobs.read(runs, most, wait_s))
            except StoreUnavailableError as error:
                log.warning("Redis is away; waiting for it", error=str(error))
                await self._idle()
        await self._in_hand.all_end()
        with contextlib.suppress(StoreUnavailableError):
            await self._heartbeats.leave(self._jobs.consumer)

    async def _beat(self) -> None:
        """Once in a while: which runs there are, what is overdue, and what was left by others."""
        await self._heartbeats.say(self._jobs.consumer)
        self._runs = await self._jobs.runs()
        await asyncio.gather(*map(self._look_after, self._runs))

    async def _look_after(self, run: str) -> None:
        try:
            await self._close_and_claim(run)
        except WrongTypeError as error:
            self._jobs.leave_out(run, error)

    async def _close_and_claim(self, run: str) -> None:
        closed = await self._jobs.expire(run)
        if closed:
            self._metrics.expired.inc(closed)
        room = self._in_hand.room(run)
        if not room:
            return
        claimed = await self._jobs.claim(run, self._pace.claim_idle_s, min(self._pace.jobs_at_once, room))
        if claimed:
            self._metrics.claimed.inc(len(claimed))
            log.info("took over jobs", run=run, jobs=len(claimed))
            self._take(claimed)

    async def _hold(self) -> None:
        """Once in a while: nobody takes over what this worker is still at."""
        held = self._in_hand.held_for(self._pace.claim_idle_s / 4, self._pace.longest_job_s)
        await asyncio.gather(*(self._hold_of(run, entries) for run, entries in held.items()))

    async def _hold_of(self, run: str, entries: Sequence[bytes]) -> None:
        try:
            await self._jobs.hold(run, entries)
        except WrongTypeError as error:
            self._jobs.leave_out(run, error)

    async def _idle(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._pace.beat_s)
        except TimeoutError:
            return

    def _take(self, deliveries: Iterable[Delivery]) -> None:
        """Settles jobs side by side: their commands travel to Redis together, and a slow one holds up no other.

        What is in hand already is not begun again: a job that is slow looks to Redis like one that was left.
        """
        fresh = [each for each in deliveries if each not in self._in_hand]
        for group in together(filter(self.may_be_together, fresh)):
            self._in_hand.add(group, self._background.start("settles", self._small.settle(group)))
        for delivery in filterfalse(self.may_be_together, fresh):
            self._start(delivery)

    def _start(self, delivery: Delivery) -> None:
        self._in_hand.add([delivery], self._background.start("settles", self._settle_in_turn(delivery)))

    async def _settle_in_turn(self, delivery: Delivery) -> None:
        """What a job computes takes turns with all others, so that no run waits for another's hard answers."""
        work = self._grader.work(delivery.run)
        await work.measured(self._settle_safely(delivery, self._grader.of_job(work)))

    async def _settle_safely(self, delivery: Delivery, grader: Grader) -> None:
        """The boundary of a job: one that raises costs no other anything, and is tried again by whoever claims it.

        Where Redis is away it is tried again here, so that it is settled as soon as Redis is back.
        """
        while True:
            try:
                return await self._settle_or_give_up(delivery, grader)
            except StoreUnavailableError as error:
                if self._stopping.is_set():
                    return log.warning("Redis is away; the job is settled by whoever claims it", error=str(error))
            except WrongTypeError as error:
                return self._jobs.leave_out(delivery.run, error)
            await self._idle()

    async def _settle_or_give_up(self, delivery: Delivery, grader: Grader) -> None:
        try:
            return await self.settle(delivery, grader)
        except StoreUnavailableError:
            raise
        except Exception:
            self._metrics.failures.inc()
            log.exception("a job failed", run=delivery.run, cohort=delivery.job.cohort, batch=delivery.job.batch)
        if await self._jobs.times_delivered(delivery) < self._pace.tries:
            return None
        try:
            return await self._give_up(delivery)
        except StoreUnavailableError:
            raise
        except Exception:  # what is stored of it cannot be read
            log.exception("a job is dropped: it can be neither settled nor given up", run=delivery.run)
            return await self._jobs.acknowledge(delivery)

    async def settle(self, delivery: Delivery, grader: Grader) -> None:
        """Settle a job, or acknowledge one that has nothing left to settle."""
        if delivery.job.batch is not None:
            job = unpack_job(delivery.job.payload)
            if delivery.job.cast is not None:
                await self._peers.cast_batch(delivery.run, delivery.job.batch, job, delivery.job.cast)
            if delivery.job.cast_alone:
                return await self._jobs.acknowledge(delivery)
            asked = [(each.head, each.rows_B) for each in job.cohorts if each.head.rules.peers]
            overdue = delivery.job.overdue
            heard = await self._peers.found(delivery, asked, overdue=overdue) if asked else NO_PEERS
            if heard is None:
                return await self._jobs.acknowledge(delivery)
            slots = list({slot for cohort in job.cohorts for slot in cohort.slots})
            found = zip(slots, await self._jobs.labels(delivery.run, slots), strict=True) if slots else ()
            labels = {slot: label for slot, label in found if label is not None}
            pairs, past = await self._known(delivery.run, [each.head for each in job.cohorts])
            settled = await settle_batch(job, grader, labels, pairs, past, overdue=overdue, heard=heard)
            sums = sums_of(settled.record.cohorts)
            return await self._keep_batch(delivery, settled, sums)
        cohort = delivery.job.cohort or ""
        while True:
            seen, stored = await self._jobs.load(delivery.run, cohort)
            if seen is None or (seen.state is CohortState.OPEN):
                return await self._jobs.acknowledge(delivery)
            if delivery.job.cast is not None and stored is None:
                await self._peers.cast_cohort(delivery.run, seen)
            overdue = delivery.job.overdue or seen.state is CohortState.EXPIRED
            asked = [(seen.head, seen.all_rows())] if stored is None and seen.head.rules.peers else ()
            heard = await self._peers.found(delivery, asked, overdue=overdue) if asked else NO_PEERS
            if heard is None:
                return await self._jobs.acknowledge(delivery)
            pairs, past = await self._known(delivery.run, [seen.head])
            earlier = unpack_cohort(stored) if stored else None
            event, settled = await settle_cohort(seen, earlier, grader, pairs, past, overdue=overdue, heard=heard)
            sums = [] if event is CohortEvent.LATE else sums_of([settled.record])
            traces = Traces(packed_labels(settled.labels), packed_sums(sums))
            answer = await self._jobs.settle_cohort(delivery, cohort, seen, event, packed(settled.record), traces)
            if answer == "settled" and event is not CohortEvent.LATE:
                count_settled(self._metrics, delivery.run, [self._jobs.age_s(delivery)], [settled.record], sums)
                await self._observe(delivery.run, settled.observations)
            if answer != "changed":
                return None

    async def _known(self, run: str, heads: Sequence[CohortHead]) -> tuple[PairWatch, Past]:
        """How pairs are watched, and which are in quarantine; the last labels of questions whose labels are kept."""
        questions = list({head.question_id for head in heads if head.rules.watched})
        quarantined = await self._pairs.quarantined(run, questions) if questions else frozenset[str]()
        past = await self._jobs.last_labels(run, (head.question_id for head in heads if head.rules.history))
        return PairWatch(self._pairs.watch, quarantined), past

    async def _observe(self, run: str, observations: Sequence[Observation]) -> None:
        """Once for each settlement; one is missed if the worker dies between the two, which misleads nobody."""
        if not observations:
            return
        changes = await self._pairs.observe(run, observations)
        self._metrics.count(self._metrics.pairs, changes.accused, run, "accused")
        self._metrics.count(self._metrics.pairs, changes.acquitted, run, "acquitted")

    async def _keep_batch(self, delivery: Delivery, kept: Settled[BatchRecord], sums: Sequence[JobSums] = ()) -> None:
        traces = Traces(packed_labels(kept.labels), packed_sums(sums))
        answer = await self._jobs.settle_batch(ending_of(delivery, kept.record), traces)
        if answer == "settled":
            count_settled(self._metrics, delivery.run, [self._jobs.age_s(delivery)], kept.record.cohorts, sums)
            await self._observe(delivery.run, kept.observations)

    async def _give_up(self, delivery: Delivery) -> None:
        log.error("a job is given up: its rollouts abstain", run=delivery.run, job=delivery.job.entry.decode())
        if delivery.job.batch is not None:
            abandoned = Settled(abandon_batch(unpack_job(delivery.job.payload)))
            await self._keep_batch(delivery, abandoned)
            return
        cohort = delivery.job.cohort or ""
        seen, stored = await self._jobs.load(delivery.run, cohort)
        if seen is None or stored is not None:
            await self._jobs.acknowledge(delivery)
            return
        record = packed(abandon_cohort(seen))
        await self._jobs.settle_cohort(delivery, cohort, seen, CohortEvent.UNELECTED, record)
