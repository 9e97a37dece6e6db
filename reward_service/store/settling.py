"""Settle cohorts and batches once: keep their records, and with them what they leave for their run."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from reward_service.domain.cohort import CohortEvent
from reward_service.domain.history import PastLabel
from reward_service.store import cohort_scripts
from reward_service.store.connection import RedisConnection
from reward_service.store.job_records import Job
from reward_service.store.keys import GROUP, RunKeys, qualified
from reward_service.store.records import OpenCohort
from reward_service.store.runs import RUN_TTL_MS
from reward_service.store.traces import MOST_QUESTIONS, NO_TRACES, Traces, last_labels


class Delivery(msgspec.Struct, frozen=True):
    """A job as a worker holds it; `channel` names the replicas that wait for a batch, one a line."""

    run: str
    job: Job
    channel: str = ""


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
            jobs=keys.jobs,
            stats=keys.stats,
            seen_state=seen.state.value,
            seen_size=seen.size,
            event=event.value,
            record=record,
            ttl_ms=self._ttl_ms,
            entry=delivery.job.entry,
            group=GROUP,
            qualified_name=qualified(delivery.run, cohort),
            **_tracing(keys, traces),
        )
        return answer.decode()

    async def settle_batch(
        self,
        delivery: Delivery,
        batch: str,
        record: bytes,
        *,
        settled: int,
        abstained: int,
        marks: Sequence[bytes] = (),
        traces: Traces = NO_TRACES,
    ) -> str:
        """Keeps a batch's record: 'settled', or 'known' if it had one. Its cohorts are found by their marks."""
        keys = RunKeys(delivery.run)
        answer = await cohort_scripts.settle_batch(
            self._connection,
            batch=keys.batch(batch),
            jobs=keys.jobs,
            stats=keys.stats,
            record=record,
            ttl_ms=self._ttl_ms,
            entry=delivery.job.entry,
            group=GROUP,
            qualified_name=qualified(delivery.run, batch),
            replicas=delivery.channel,
            settled=settled,
            abstained=abstained,
            name=batch,
            lists=keys.found,
            marks=marks,
            **_tracing(keys, traces),
        )
        return answer.decode()


def _tracing(keys: RunKeys, traces: Traces) -> dict[str, Any]:
    """What both scripts are told of the traces that are written with a record."""
    return {
        "history": keys.history,
        "series": keys.series,
        "steps": keys.steps,
        "answers": keys.answers,
        "orders": keys.orders,
        "noted": traces.noted,
        "sums": traces.sums,
        "most_questions": MOST_QUESTIONS,
        "run_ttl_ms": RUN_TTL_MS,
    }
