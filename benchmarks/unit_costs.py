"""Measure what a rollout costs each part of the service: `make bench-unit-costs`.

One API process, one worker, and a Valkey on TCP that flushes before it acknowledges. Costs are CPU time, bytes at the
store's sockets, in its file and in its memory: they hardly change when others use the machine. `benchmarks.sizing`
reads what is written here.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import short_responses
from benchmarks.client import Load
from benchmarks.held import Held, hold
from benchmarks.machine import describe
from benchmarks.measuring import Server
from benchmarks.recorded import Recorded
from benchmarks.servers import HOST
from benchmarks.soak_parts import free_ports
from benchmarks.stores import said_by, store, wait_for_store
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from reward_service.tools.loadtest.workload import COHORT, QUESTIONS, Batches, Singles, Workload

FILE = Path(__file__).parent / "measured" / "unit_costs.json"
ROLES = ("API", "worker", "Valkey")
STORE: Mapping[str, str] = {
    "in_bytes": "total_net_input_bytes",
    "out_bytes": "total_net_output_bytes",
    "file_bytes": "aof_current_size",
    "kept_bytes": "used_memory",
}
"""What the store says of itself, by the name of the cost."""

HELD = 16_384
SHORT_QUESTIONS = 160
WIDTH = 120


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What one rollout of a kind costs.

    Attributes:
        kind: how it is sent.
        body_bytes, answer_bytes: of its share of a request and of the answer, without heads.
        cpu_us: CPU time of each part, in microseconds; medians of the rounds.
        store: bytes that come into the store and go out of it, and the bytes of its file and of its memory.
    """

    kind: str
    body_bytes: float
    answer_bytes: float
    cpu_us: Mapping[str, float]
    store: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class HeldCost:
    """What a held single costs besides: bytes of the API's memory, its connection included, and CPU time by part."""

    requests: int
    api_bytes: float
    cpu_us: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """All of it, and the machine; `api_bytes` and so on are the memory (PSS) of each part with little to do."""

    machine: str
    costs: Sequence[UnitCost]
    held: HeldCost
    idle_bytes: Mapping[str, float]

    @classmethod
    def read(cls, file: Path = FILE) -> "UnitCosts":
        """Those that were written last."""
        said: dict[str, Any] = json.loads(file.read_text())
        costs = [UnitCost(**each) for each in said["costs"]]
        return cls(said["machine"], costs, HeldCost(**said["held"]), said["idle_bytes"])

    def of(self, kind: str) -> UnitCost:
        """The cost of a kind."""
        return next(each for each in self.costs if each.kind == kind)


@dataclass(frozen=True, slots=True)
class Sending:
    """A kind of request, over how many connections, and how many rollouts in a round."""

    kind: str
    workload: Workload
    connections: int
    rollouts: int


def sendings() -> list[Sending]:
    """What is measured; the first two tell what the length of a response costs."""
    short = Recorded("short", short_responses.questions(SHORT_QUESTIONS))
    return [
        Sending("batches of 256", Batches(QUESTIONS), 8, 51_200),
        Sending("batches of 256, short", short, 8, 51_200),
        Sending("batches of 16", Batches(1), 32, 25_600),
        Sending("singles", Singles(), 512, 12_800),
    ]


class Meter:
    """Differences of what the parts used."""

    def __init__(self, server: Server, store_url: str) -> None:
        """Since now."""
        self._server = server
        self._store_url = store_url
        self._before = self._now()

    def read(self, rollouts: int) -> tuple[dict[str, float], dict[str, float]]:
        """CPU time (µs) and the store's figures of each rollout, since the last reading."""
        before, self._before = self._before, self._now()
        each = {name: (self._before[name] - before[name]) / rollouts for name in before}
        return {role: 1e6 * each[role] for role in ROLES}, {name: each[name] for name in STORE}

    def _now(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for role in ROLES:
            times = [psutil.Process(pid).cpu_times() for pid in self._server.pids[role]]
            used[role] = sum(each.user + each.system for each in times)
        return used | said_by(self._store_url, STORE)


async def cost_of(sending: Sending, server: Server, store_url: str, rounds: int, first: int) -> tuple[UnitCost, int]:
    """Sends a round for warming up and then `rounds`; with the index of the next request."""
    workload = sending.workload
    requests = sending.rollouts // workload.rollouts
    cpu: list[dict[str, float]] = []
    stored: list[dict[str, float]] = []
    answer_bytes = 0.0
    for number in range(rounds + 1):
        meter = Meter(server, store_url)
        load = Load(workload, first, check=True, timed=lambda _: False)
        await load.open(server.host, server.port, sending.connections)
        load.keep_busy()
        while load.next_index < first + requests:  # noqa: ASYNC110 - it tells nobody how far it is
            await asyncio.sleep(0.005)
        record = await load.finish()
        sent, first = load.next_index - first, load.next_index + -load.next_index % COHORT
        cpu_us, store_each = meter.read(sent * workload.rollouts)
        if number:
            cpu.append(cpu_us)
            stored.append(store_each)
        answer_bytes = len(record.last) / workload.rollouts
    body_bytes = workload.body_bytes / workload.rollouts
    return UnitCost(sending.kind, body_bytes, answer_bytes, _medians(cpu), _medians(stored)), first


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in rounds), 2) for name in rounds[0]}


@contextlib.contextmanager
def one_of_each(folder: Path) -> Iterator[tuple[Server, str]]:
    """One API process, one worker and a Valkey on TCP: the server, and the store's URL."""
    (port,) = free_ports(1)
    with store(folder / "store", HOST, port, auto_aof_rewrite_percentage="0") as (store_url, store_pid):
        wait_for_store(store_url)
        settings = Settings(
            data_dir=folder / "data",
            host=HOST,
            port=0,
            redis_url=store_url,
            workers=1,
            api_processes=1,
            log_level="WARNING",
            header_timeout_s=600.0,
        )
        supervisor = Supervisor(settings)
        supervisor.start()
        try:
            supervisor.wait_ready()
            pids = {"API": supervisor.pids("api"), "worker": supervisor.pids("worker"), "Valkey": [store_pid]}
            yield Server("service", HOST, supervisor.port, pids, checked=True), store_url
        finally:
            supervisor.stop()


def measure(rounds: int, held: int, console: Console) -> UnitCosts:
    """All kinds, then singles that are held at once by a service of their own, whose memory nobody has used before."""
    costs: list[UnitCost] = []
    with tempfile.TemporaryDirectory(prefix="cr-") as name:
        with one_of_each(Path(name) / "one") as (server, store_url), asyncio.Runner() as runner:
            idle_bytes = {role: float(_pss(server.pids[role])) for role in ROLES}
            first = 0
            for sending in sendings():
                with console.status(f"{sending.kind}: {rounds} rounds of {sending.rollouts:,} rollouts"):
                    cost, first = runner.run(cost_of(sending, server, store_url, rounds, first))
                costs.append(cost)
        with one_of_each(Path(name) / "two") as (server, _), asyncio.Runner() as runner:
            with console.status(f"{held:,} singles held at once"):
                found: Held = runner.run(hold(server, held))
            if found.lost:
                raise SystemExit(f"{found.lost} of {found.requests} held singles were lost")
            cpu_us = {role: round(1e6 * found.cpu_s_each[role], 2) for role in ROLES}
    return UnitCosts(describe(), costs, HeldCost(found.requests, round(found.bytes_each), cpu_us), idle_bytes)


def _pss(pids: Sequence[int]) -> int:
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids)


def table_of(costs: UnitCosts) -> Table:
    """A row for each kind."""
    table = Table(title="What one rollout costs", title_justify="left")
    table.add_column("")
    heads = ("body B", "answer B", *(f"{role} µs" for role in ROLES), "store: in B", "out B", "file B", "kept B")
    for head in heads:
        table.add_column(head, justify="right")
    for each in costs.costs:
        cells = [f"{each.body_bytes:,.0f}", f"{each.answer_bytes:,.0f}"]
        cells += [f"{each.cpu_us[role]:.1f}" for role in ROLES]
        table.add_row(each.kind, *cells, *(f"{each.store[name]:,.1f}" for name in STORE))
    return table


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Of each kind, besides one that warms up.")] = 3,
    held: Annotated[int, typer.Option(min=256, help="Singles that are held at once.")] = HELD,
    out: Annotated[Path, typer.Option(help="Where the costs are written, as JSON.")] = FILE,
) -> None:
    """Measures, prints and writes."""
    console = Console(width=WIDTH)
    costs = measure(rounds, held, console)
    console.print(costs.machine, highlight=False, soft_wrap=True)
    console.print(table_of(costs))
    console.print(
        f"{costs.held.requests:,} singles held at once: {costs.held.api_bytes:,.0f} B of the API's memory each, "
        f"{dict(costs.held.cpu_us)} µs"
    )
    out.write_text(json.dumps(asdict(costs), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    app()
