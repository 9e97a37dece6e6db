"""Where spans begin: requests, calls of the store, settled jobs, labels.

Each function wraps the methods of objects that were just composed, in a process that traces. A process that does not
is as it was: it has no branch, no field and no key more.
"""

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.trace import SpanKind

from reward_service.store.cohorts import CohortStore
from reward_service.store.connection import RedisConnection
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.label_queue import LabelRequest
from reward_service.store.labels import LabelStore
from reward_service.telemetry import Metrics
from reward_service.tracing.spans import Attributes, Tracing, carried, carry, note_status, of_headers

Names = Callable[..., Sequence[str]]
"""What is named by the arguments of a call, behind the run."""


def trace_requests(tracing: Tracing, hot: Any, metrics: Metrics) -> None:  # noqa: ANN401 - routes of a floor above
    """Make every request of a hot route a span, and let each single rollout be answered by a task of its own."""
    answer, answered = hot.answer, metrics.answered

    async def traced(exchange: Any, route: Any, *args: Any) -> None:  # noqa: ANN401 - as HotRoutes.answer
        about: Attributes = {"http.request.method": exchange.method, "http.route": route.name}
        name, context = f"{exchange.method} {route.name}", of_headers(exchange.headers)
        await tracing.called(name, SpanKind.SERVER, context, about, answer(exchange, route, *args))

    def noted(route: str, status: int, took_s: float) -> None:
        note_status(status)
        answered(route, status, took_s)

    hot.answer, metrics.answered = traced, noted
    hot.hold = lambda *_: False


def trace_store(tracing: Tracing, connection: RedisConnection, cohorts: CohortStore, labels: LabelStore) -> None:
    """Make each call that accepts rollouts a span, whose context goes along with jobs and questions for a teacher."""
    _accepting(tracing, connection, cohorts, "submit", lambda batch, *_, **__: [batch])
    _accepting(tracing, connection, cohorts, "join", lambda joining, *_, **__: [each.cohort for each in joining])
    _accepting(tracing, connection, cohorts, "place_all", lambda arrivals, *_: [each.question for each in arrivals])
    _accepting(tracing, connection, labels, "submit", _taught)
    _accepting(tracing, connection, labels, "prefetch", lambda _, coming: [each.slot for each in coming])


def trace_settling(tracing: Tracing, connection: RedisConnection, worker: Any, jobs: JobStore) -> None:  # noqa: ANN401
    """Make each settled job a span of the trace that its request began, with the worker's calls of the store in it.

    Each job is settled by a task of its own.
    """
    settle = worker.settle

    async def traced(delivery: Delivery, *args: Any) -> None:  # noqa: ANN401 - as Worker.settle
        job = delivery.job
        name = job.batch or job.cohort or ""
        about: Attributes = {"co_rewarding.run": delivery.run, "co_rewarding.job": name}
        # A rollout without identity is placed in a cohort of its question, which is known before the cohort is.
        context = await carried(connection, delivery.run, name, name.rpartition("-")[0])
        await tracing.called("settle", SpanKind.CONSUMER, context, about, settle(delivery, *args))

    worker.settle = traced
    worker.may_be_together = lambda _: False
    for method in ("load", "labels", "settle_cohort", "settle_batch"):
        tracing.spans(jobs, method, f"store.{method}")


def trace_labels(tracing: Tracing, connection: RedisConnection, teacher: Any) -> None:  # noqa: ANN401
    """Make each label that a teacher makes a span of the trace of the request that asked for the label last."""
    label = teacher.label

    async def traced(version: int, settings: Any, asked: LabelRequest) -> Any:  # noqa: ANN401 - as Teacher.label
        about: Attributes = {
            "co_rewarding.run": asked.run, "co_rewarding.question": asked.question_id, "co_rewarding.version": version,
        }  # fmt: skip
        context = await carried(connection, asked.run, asked.slot)
        return await tracing.called("label", SpanKind.CONSUMER, context, about, label(version, settings, asked))

    teacher.label = traced


def _taught(batch: str, *rest: Any) -> list[str]:  # noqa: ANN401 - as LabelStore.submit
    wanted = rest[4]
    return [batch, *(each.slot for each in wanted)]


def _accepting(tracing: Tracing, connection: RedisConnection, store: object, method: str, names: Names) -> None:
    """Keep the context of the span of each call, for what the call names."""
    call = getattr(store, method)

    async def accepted(run: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the method
        await carry(connection, run, names(*args))
        return await call(run, *args, **kwargs)

    setattr(store, method, accepted)
    tracing.spans(store, method, f"store.{method}", lambda run, *_, **__: {"co_rewarding.run": run})
