"""Settle cohorts and batches once: keep their records, and with them what they leave for their run."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from reward_service.domain.cohort import CohortEvent
from reward_service.domain.history import PastLabel
from reward_service.store import cohort_scripts
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.job_records import Job
from reward_service.store.keys import GROUP, RUN_TTL_MS, RunKeys, qualified
from reward_service.store.records import OpenCohort
from reward_service.store.traces import MOST_QUESTIONS, NO_TRACES, Traces, last_labels


class Delivery(msgspec.Struct, frozen=True):
    """A job as a worker holds it; `channel` names the replicas that wait for a batch, one a line."""

    run: str
    job: Job
    channel: str = ""


class BatchEnding(NamedTuple):
    """A batch that ends: its record, how many of its cohorts got labels, and what they are found by."""

    delivery: Delivery
    batch: str
    record: bytes
    settled: int
    abstained: int
    marks: Sequence[bytes] = ()


class Settlements:
    """Records of what was settled. A job that is repeated writes nothing twice."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open link."""
        self._connection = connection
        self._ttl_ms = round(retention_s * 1000)

    async def last_labels(self, run: str, questions: Iterable[str]) -> dict[str, list[PastLabel]]:
        """The last labels of each question that had some."""
        names = list(dict.fromkeys(questions))
        return await last_labels(self._connection, run, names) if names else {}

    async def settle_cohort(
        self,
        delivery: Delivery,
        cohort: str,
        seen: OpenCohort,
        event: CohortEvent,
        record: bytes,
        traces: Traces = NO_TRACES,
    ) -> str:
        """Keeps a cohort's record: 'settled', 'gone' (another did) or 'changed' (look again)."""
        keys = RunKeys(delivery.run)
        answer = await cohort_scripts.settle_cohort(
            self._connection,
            cohort=keys.open_cohort(cohort),
            kept=keys.record(cohort),
            seen_state=seen.state.value,
            seen_size=seen.size,
            event=event.value,
            record=record,
            ttl_ms=self._ttl_ms,
            entry=delivery.job.entry,
            group=GROUP,
            qualified_name=qualified(delivery.run, cohort),
            noted=traces.noted,
            sums=traces.sums,
            **_places(delivery.run),
        )
        return answer.decode()

    async def settle_batch(self, ending: BatchEnding, traces: Traces = NO_TRACES) -> str:
        """Keeps a batch's record: 'settled', or 'known' if it had one. Its cohorts are found by their marks."""
        return await self.settle_batches(ending.delivery.run, [ending], traces)

    async def settle_batches(self, run: str, endings: Sequence[BatchEnding], traces: Traces = NO_TRACES) -> str:
        """Keep the records of some batches of a run, and what they leave together for the run.

        All else waits in the server meanwhile: the caller sends few, or small ones. Where one of several is settled
        already, nothing is done, and the answer is 'apart'.
        """
        keys = RunKeys(run)
        ended: list[Argument] = []
        for each in endings:
            delivery, name, marks = each.delivery, each.batch, each.marks
            ended += (each.record, delivery.job.entry, qualified(run, name), delivery.channel, name, len(marks), *marks)
        answer = await cohort_scripts.settle_batches(
            self._connection,
            batches=[keys.batch(each.batch) for each in endings],
            ttl_ms=self._ttl_ms,
            group=GROUP,
            lists=keys.found,
            settled=sum(each.settled for each in endings),
            abstained=sum(each.abstained for each in endings),
            noted=traces.noted,
            sums=traces.sums,
            ended=ended,
            **_places(run),
        )
        return answer.decode()


@lru_cache(maxsize=256)
def _places(run: str) -> Mapping[str, Any]:
    """Return what both scripts are told of where they read and write; worked out once for a run."""
    keys = RunKeys(run)
    return {
        "jobs": keys.jobs,
        "stats": keys.stats,
        "history": keys.history,
        "series": keys.series,
        "steps": keys.steps,
        "waiting_sums": keys.waiting_sums,
        "answers": keys.answers,
        "orders": keys.orders,
        "most_questions": MOST_QUESTIONS,
        "run_ttl_ms": RUN_TTL_MS,
    }
