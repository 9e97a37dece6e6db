"""Settle small batches together: those of one read share a task, a turn and a script.

A task of its own for each would cost as much as all that is computed of 16 rollouts. What needs more than the batch
itself, or more than a moment, is left for a task of its own, and so is what fails: there it is tried again and told.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from redis.exceptions import ResponseError

from reward_service.domain.cohort import CohortState
from reward_service.errors import StoreUnavailableError
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.turns import JobWork
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.keys import mark_of
from reward_service.store.records import BatchRecord, CohortRecord, CohortRows, packed, unpack_job
from reward_service.store.settling import BatchEnding
from reward_service.store.traces import Traces
from reward_service.telemetry import Metrics
from reward_service.workers.counting import count_settled, packed_sums, sums_of
from reward_service.workers.settlement_jobs import Settled, settle_batch

MOST_BYTES = 4096
"""How large a small batch is, at most."""

MOST_TOGETHER = 32


def is_small(delivery: Delivery) -> bool:
    """Return whether a job is a small batch of which no peer hears, and which has waited for nothing."""
    job = delivery.job
    is_plain = job.cast is None and not (job.cast_alone or job.overdue or job.ready)
    return job.batch is not None and len(job.payload) <= MOST_BYTES and is_plain


def together(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Yield groups of one run each."""
    by_run: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_run.setdefault(delivery.run, []).append(delivery)
    for those in by_run.values():
        for first in range(0, len(those), MOST_TOGETHER):
            yield those[first : first + MOST_TOGETHER]


def _brings_all(cohort: CohortRows) -> bool:
    """Return whether nothing is read from the store for a cohort: no label, quarantine, history or peer's ballot."""
    rules = cohort.head.rules
    return not (cohort.slots or rules.watched or rules.history) and rules.peers is None


def ending_of(delivery: Delivery, record: BatchRecord) -> BatchEnding:
    """Return what the store is told of a batch that ends."""
    settled = sum(cohort.state == CohortState.SETTLED for cohort in record.cohorts)
    marks = [mark_of(each.head.question_id, each.head.step) for each in record.cohorts]
    batch, abstained = delivery.job.batch or "", len(record.cohorts) - settled
    return BatchEnding(delivery, batch, packed(record), settled, abstained, marks)


class SmallBatches:
    """Settles groups of small batches."""

    def __init__(
        self, jobs: JobStore, grader: SymbolicGrader, metrics: Metrics, leave: Callable[[Delivery], None]
    ) -> None:
        """Over the worker's store and grader; `leave` starts a task for a batch of which more is to be done."""
        self._jobs = jobs
        self._grader = grader
        self._metrics = metrics
        self._leave = leave

    async def settle(self, group: Sequence[Delivery]) -> None:
        """Settle batches of one run in one turn."""
        work = self._grader.work(group[0].run)
        await work.measured(self._settled(group, work))

    async def _settled(self, group: Sequence[Delivery], work: JobWork) -> None:
        endings: list[BatchEnding] = []
        records: list[list[CohortRecord]] = []
        for delivery in group:
            record = None if work.is_long() else self._record(delivery, work)
            if record is None:
                self._leave(delivery)
            else:
                endings.append(ending_of(delivery, record))
                records.append(record.cohorts)
        if not endings:
            return
        sums = sums_of(*records)
        try:
            answer = await self._jobs.settle_batches(work.run, endings, Traces(sums=packed_sums(sums)))
        except (StoreUnavailableError, ResponseError):
            answer = "apart"
        if answer == "settled":
            ages_s = [self._jobs.age_s(each.delivery) for each in endings]
            count_settled(self._metrics, work.run, ages_s, list(chain.from_iterable(records)), sums)
        else:
            for each in endings:
                self._leave(each.delivery)

    def _record(self, delivery: Delivery, work: JobWork) -> BatchRecord | None:
        """Return what a batch comes to; None where more is needed for it than it brings, or it cannot be settled."""
        try:
            job = unpack_job(delivery.job.payload)
            if not all(map(_brings_all, job.cohorts)):
                return None
            settling = settle_batch(job, self._grader.at_once(work))
            try:
                settling.send(None)
            except StopIteration as end:
                settled: Settled[BatchRecord] = end.value
                return settled.record
            settling.close()
        except Exception:  # a task of its own meets it again, and tells of it
            return None
        return None
