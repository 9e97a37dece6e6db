"""Settle cohorts and batches once: keep their records, and with them what they leave for their run."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import ResponseError

from reward_service.domain.cohort import CohortEvent
from reward_service.domain.history import PastLabel
from reward_service.errors import StoreUnavailableError
from reward_service.store import cohort_scripts
from reward_service.store.connection import Argument, RedisConnection
from reward_service.store.job_records import Job
from reward_service.store.keys import GROUP, RUN_TTL_MS, RunKeys, qualified
from reward_service.store.records import OpenCohort
from reward_service.store.server_replies import LinkLostError, code_of, refused
from reward_service.store.traces import MOST_QUESTIONS, NO_TRACES, Traces, last_labels


class Delivery(msgspec.Struct, frozen=True):
    """A job as a worker holds it; `channel` names the replicas that wait for a batch, one a line."""

    run: str
    job: Job
    channel: str = ""


ENDED_AT_ONCE = 32
ENDED_BYTES = 256 * 1024


class _Ending(NamedTuple):
    """A batch that ends, what the script is told of it, and the future of the script's answer."""

    key: str
    told: Sequence[Argument]
    size_bytes: int
    answer: asyncio.Future[str]


class Settlements:
    """Records of what was settled. A job that is repeated writes nothing twice."""

    def __init__(self, connection: RedisConnection, retention_s: float) -> None:
        """Over an open link."""
        self._connection = connection
        self._ttl_ms = round(retention_s * 1000)
        self._ending: dict[str, list[_Ending]] = {}  # by run, those of this tick

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
            noted=traces.noted,
            sums=traces.sums,
            **_tracing(keys),
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
        """Keeps a batch's record: 'settled', or 'known' if it had one. Its cohorts are found by their marks.

        Batches of a run that end in one tick of the event loop are kept together: the first sends them all.
        """
        run, answer = delivery.run, asyncio.get_running_loop().create_future()
        name = qualified(run, batch)
        told = (record, delivery.job.entry, name, delivery.channel, settled, abstained, batch, *traces, len(marks))
        ending = _Ending(RunKeys(run).batch(batch), (*told, *marks), len(record) + sum(map(len, traces)), answer)
        others = self._ending.get(run)
        if others is None:
            self._ending[run] = [ending]
            await self._end_together(run)
        else:
            others.append(ending)
        return await answer

    async def _end_together(self, run: str) -> None:
        together = self._ending[run]
        try:
            try:
                await asyncio.sleep(0)  # the others of this tick join
            finally:
                del self._ending[run]
            first, *more = _shares(together)
            if more:
                await asyncio.gather(*(self._end(run, share) for share in (first, *more)))
            else:  # a task would cost as much as the script's call
                await self._end(run, first)
        finally:
            for ending in together:
                ending.answer.cancel()  # where this task was cancelled: nobody else would tell them

    async def _end(self, run: str, share: Sequence["_Ending"]) -> None:
        keys = RunKeys(run)
        try:
            answers = await cohort_scripts.settle_batches(
                self._connection,
                jobs=keys.jobs,
                stats=keys.stats,
                batches=[ending.key for ending in share],
                ttl_ms=self._ttl_ms,
                group=GROUP,
                lists=keys.found,
                ended=[value for ending in share for value in ending.told],
                **_tracing(keys),
            )
        except Exception as error:  # of all: each job answers for itself
            for ending in share:
                if not ending.answer.done():
                    ending.answer.set_exception(error)
            return
        for ending, answer in zip(share, answers, strict=True):
            if not ending.answer.done():
                _tell(ending.answer, answer.decode(errors="replace"))


def _tell(waiting: asyncio.Future[str], answer: str) -> None:
    """Give a job its answer, or the error that kept it alone from ending."""
    kind, _, text = answer.partition(" ")
    if kind != "error":
        waiting.set_result(answer)
        return
    error = ResponseError(text)
    found = refused(code_of(error), error)
    waiting.set_exception(StoreUnavailableError(str(found)) if isinstance(found, LinkLostError) else found)


def _shares(together: Sequence["_Ending"]) -> Iterator[list["_Ending"]]:
    """Yield what one script takes: all else waits in the server while a script runs."""
    share: list[_Ending] = []
    size_bytes = 0
    for ending in together:
        if share and (len(share) == ENDED_AT_ONCE or size_bytes + ending.size_bytes > ENDED_BYTES):
            yield share
            share, size_bytes = [], 0
        share.append(ending)
        size_bytes += ending.size_bytes
    yield share


def _tracing(keys: RunKeys) -> dict[str, Any]:
    """What both scripts are told of where a run's traces are kept."""
    return {
        "history": keys.history,
        "series": keys.series,
        "steps": keys.steps,
        "waiting_sums": keys.waiting_sums,
        "answers": keys.answers,
        "orders": keys.orders,
        "most_questions": MOST_QUESTIONS,
        "run_ttl_ms": RUN_TTL_MS,
    }
