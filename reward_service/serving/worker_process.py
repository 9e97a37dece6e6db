"""Run one worker process."""

import asyncio
import signal
import socket
import sys
import time
from uuid import uuid4

import structlog
import uvloop

from reward_service.background import Background
from reward_service.domain.quarantine import DisagreementRules
from reward_service.errors import TaskFailedError, UnusableStoreError
from reward_service.grading.fairness import Allowances
from reward_service.grading.judge import Judge, JudgeError
from reward_service.grading.judge_process import JudgeLimits
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import KnownVerdicts, Verdict
from reward_service.processes import end_unready, keep_what_was_made, say_ready
from reward_service.serving.children import settings_from_environment
from reward_service.settings import Settings
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.jobs import JobStore
from reward_service.store.pairs import PairStore
from reward_service.store.server_checks import wait_for_store
from reward_service.store.verdicts import RedisVerdicts
from reward_service.telemetry import Metrics
from reward_service.workers.worker import Worker, WorkerPace

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Works until asked to stop; what is in hand is finished, the rest stays in Redis.

    Raises:
        UnusableStoreError: the Redis at hand could lose accepted work.
        TaskFailedError: a background task has failed.
    """
    assert settings.redis_url is not None, "a worker is told where the store is"
    connection = settings.store_connection()
    reading = settings.store_connection(promises=False)  # a job that is read twice is settled once
    await wait_for_store(settings.redis_url)
    consumer = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    jobs = JobStore(connection, reading, settings.limits, consumer)
    pace = WorkerPace(claim_idle_s=settings.claim_idle_s)
    metrics = Metrics()
    background = Background()
    judge = await _judge(settings, metrics, background)
    known = KnownVerdicts(RedisVerdicts(connection, Verdict), time.monotonic)
    grader = SymbolicGrader(
        judge, known, allowances=Allowances(time.monotonic), at_once=max(1, settings.judge_children)
    )
    worker = Worker(
        jobs, PairStore(connection, DisagreementRules()), Heartbeats(connection), grader, metrics, pace, background
    )
    if settings.traces is not None:
        from reward_service.tracing.seams import trace_settling
        from reward_service.tracing.spans import open_tracing

        trace_settling(open_tracing("worker", settings.traces), connection, worker, jobs)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, worker.stop)
    keep_what_was_made()
    say_ready()
    log.info("worker ready", worker=consumer)
    try:
        await worker.run()
    finally:
        metrics.flush()
        if judge is not None:
            await judge.close()
        await connection.close()
        await reading.close()


async def _judge(settings: Settings, metrics: Metrics, background: Background) -> Judge | None:
    """The judge, on its way up; None where it is not wanted, or cannot be had: then what is open stays undecided."""
    if not settings.judge_children:
        return None
    judge = Judge(
        children=settings.judge_children,
        limits=JudgeLimits(cpu_s=settings.judge_cpu_s),
        observe=metrics.judged,
        background=background,
    )
    try:
        await judge.start()
    except JudgeError as error:
        log.warning("no symbolic judge: answers that keys leave open stay undecided", error=str(error))
        return None
    return judge


def main() -> None:
    """Works with the settings of the environment."""
    sys.setswitchinterval(0.001)  # long answers are read in a thread, and the event loop is to wait no longer for it
    settings = settings_from_environment()
    try:
        uvloop.run(work(settings))
    except (TaskFailedError, UnusableStoreError) as error:
        end_unready(error, 1)


if __name__ == "__main__":
    main()
