"""Make spans, and carry their context from process to process in Redis, beside the jobs that they are of."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys

P = ParamSpec("P")
T = TypeVar("T")
Attributes = Mapping[str, str | int]
Headers = Sequence[tuple[bytes, bytes]]

TRACEPARENT = "traceparent"
KEPT_MS = 3_600_000
"""How long the context of a job is kept; one that waits for longer begins a trace of its own."""
FILE = "file:"


class Tracing:
    """The spans of one process."""

    def __init__(self, role: str, exporting: SpanProcessor) -> None:
        """`role` is the process's: api, worker or teacher."""
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"co-rewarding-{role}"}))
        self._provider.add_span_processor(exporting)
        self.tracer = self._provider.get_tracer("co-rewarding")

    def close(self) -> None:
        """Send the spans that were not sent yet; for a process that a signal ends, which calls nothing at exit."""
        self._provider.shutdown()

    def spans(
        self, part: object, method: str, name: str, about: Callable[..., Attributes] = lambda *_, **__: {}
    ) -> None:
        """Make every call of a coroutine method of this object a span; `about` makes attributes of the arguments."""
        call: Callable[..., Awaitable[Any]] = getattr(part, method)

        @functools.wraps(call)
        async def spanned(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of any method
            with self.tracer.start_as_current_span(name, attributes=about(*args, **kwargs)):
                return await call(*args, **kwargs)

        setattr(part, method, spanned)

    async def called(
        self, name: str, kind: SpanKind, context: Context | None, about: Attributes, work: Awaitable[T]
    ) -> T:
        """Return what `work` comes to, in a span that goes on with a context from elsewhere."""
        with self.tracer.start_as_current_span(name, context, kind, about):
            return await work


def open_tracing(role: str, where: str) -> Tracing:
    """Return the spans of a process of this role; they go to a file, or where OTEL_EXPORTER_OTLP_* say."""
    if where.startswith(FILE):
        file = Path(where.removeprefix(FILE)).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - until the end
        return Tracing(role, SimpleSpanProcessor(ConsoleSpanExporter(out=file, formatter=_line)))
    return Tracing(role, BatchSpanProcessor(OTLPSpanExporter()))


def of_headers(headers: Headers) -> Context:
    """Return the context that a client sends, if it sends one."""
    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return TraceContextTextMapPropagator().extract(sent)


def note_status(status: int) -> None:
    """Tell the current span how its request was answered."""
    span = trace.get_current_span()
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)


async def carry(connection: RedisConnection, run: str, names: Iterable[str]) -> None:
    """Keep the current context for those who will work on what is named: batches, cohorts, questions, slots."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    context = carrier.get(TRACEPARENT, "")
    sets = (connection.execute("SET", _key(run, name), context, "PX", KEPT_MS) for name in dict.fromkeys(names))
    await asyncio.gather(*sets)


async def carried(connection: RedisConnection, run: str, *names: str) -> Context | None:
    """Return the context that was kept for the first of these names that has one."""
    kept = await connection.execute("MGET", *(_key(run, name) for name in names))
    context = next((each for each in kept if each), None)
    return None if context is None else TraceContextTextMapPropagator().extract({TRACEPARENT: context.decode()})


def _key(run: str, name: str) -> bytes:
    return f"{RunKeys(run).prefix}trace:{name}".encode("utf-8", "surrogatepass")


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
