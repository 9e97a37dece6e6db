"""Draw the state of a service in 80 columns: a line for each part, a table of processes, another of teachers."""

import time
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from reward_service.metrics import Metric
from reward_service.tools.status.figures import Figures

NONE = "-"
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def picture(figures: Figures, title: str, *, ready: bool) -> RenderableType:
    """Return what is printed of a service."""
    return Group(*_parts(figures, title, ready=ready))


def _parts(figures: Figures, title: str, *, ready: bool) -> Iterator[RenderableType]:
    yield Text(title, style="bold")
    yield Text("able to serve" if ready else "NOT able to serve; its log says why", style="" if ready else "bold red")
    yield _processes(figures)
    if not figures.value(Metric.STORE_UP):
        yield Text("store: does not answer; what waits there is not known", style="bold red")
        return
    uptime, held = figures.value(Metric.STORE_UPTIME_SECONDS), figures.value(Metric.STORE_BYTES)
    yield Text(f"store: answers, runs for {_duration(uptime)}, holds {_bytes(held)}")
    seen, lost = figures.value(Metric.WORKERS), figures.value(Metric.WORKERS_LOST)
    yield Text(f"workers at this store: {_count(seen)} seen in the last 10 s, {_count(lost)} lost so far")
    queued, oldest = figures.total(Metric.WAITING, what="queued"), figures.most(Metric.OLDEST_JOB_SECONDS)
    age = f", the oldest for {_duration(oldest)}" if oldest > 0 else ""
    waits = [
        f"{_count(queued)} jobs for a worker{age}",
        f"{_count(figures.total(Metric.WAITING, what='open'))} cohorts open",
    ]
    waits += [f"{_count(figures.total(Metric.WAITING, what=what))} for {what}" for what in ("teacher", "peers")]
    yield Text(f"waiting: {'; '.join(waits)}")
    if runs := figures.named(Metric.TEACHERS, "run"):
        yield _teachers(figures, runs)


def _processes(figures: Figures) -> Table:
    table = _table("process", "alive", "restarts", "last start", "memory", "CPU time")
    now_s = time.time()
    for each in figures.roles():
        since = None if each.started_s is None else max(0.0, now_s - each.started_s)
        ago = NONE if since is None else f"{_duration(since)} ago"
        cells = (_count(each.alive), _count(each.restarts), ago, _bytes(each.memory_bytes), _duration(each.cpu_s))
        table.add_row(each.role, *cells)
    return table


def _teachers(figures: Figures, runs: Sequence[str]) -> Table:
    table = _table("teachers of run", "seen", "lost", "version", "behind", "labels asked")
    for run in runs:
        table.add_row(
            run,
            _count(figures.total(Metric.TEACHERS, run=run)),
            _count(figures.value(Metric.TEACHERS_LOST, run=run)),
            _count(figures.value(Metric.TEACHER_VERSION, run=run)),
            _count(figures.value(Metric.TEACHER_LAG_STEPS, run=run)),
            _count(figures.value(Metric.TEACHER_LABELS, run=run, what="asked")),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _bytes(value: float | None) -> str:
    return NONE if value is None else decimal(round(value))


def _duration(value_s: float | None) -> str:
    if value_s is None:
        return NONE
    length, unit = next((each for each in UNITS if value_s >= each[0]), UNITS[-1])
    return f"{int(value_s // length)} {unit}"
