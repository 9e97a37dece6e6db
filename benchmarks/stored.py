"""Measure a rollout beside few and many stored cohorts, and the memory of a cohort: `make bench-stored`.

Whole batches of short responses fill the store; at each power of ten batches of ordinary size are sent, and the CPU
time of the API, the worker and Valkey is taken. A cost that grew with what is stored would show here.
"""

import argparse
import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from co_rewarding_schema.methods import DEFAULT_METHOD
from co_rewarding_schema.run_settings import DEFAULT_RUN
from rich.console import Console
from rich.table import Table

from benchmarks.client import Load
from benchmarks.machine import Cores, describe
from benchmarks.measuring import Server
from benchmarks.servers import service
from reward_service.tools.loadtest.parts import CPU, STORE_CPU, STORE_MEMORY, samples
from reward_service.tools.loadtest.workload import COHORT, FIRST_NUMBER, QUESTIONS, Batches

CONNECTIONS = 8
MEASURED = 100
SHORT_BYTES = 200
CHUNK = 20_000  # requests; beyond it the sum of what is under way is looked at again
ROLES = ("api", "worker", "redis")
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds by role since their start, and the bytes that Valkey holds."""

    cpu_s: Mapping[str, float]
    store_bytes: float


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside `stored` cohorts: µs of CPU per rollout by role."""

    stored: int
    cpu_us: Mapping[str, float]
    store_bytes: float


class Filling:
    """One service, more and more of whose memory is settled cohorts."""

    def __init__(self, server: Server) -> None:
        """Nothing is stored yet."""
        self._server = server
        self._short = Batches(QUESTIONS, rollout_bytes=SHORT_BYTES)
        self._ordinary = Batches(QUESTIONS)
        self._sent = 0  # requests, each of as many cohorts as there are questions in it
        self.empty_bytes = self._used().store_bytes

    @property
    def stored(self) -> int:
        """Cohorts that have been settled."""
        return self._sent * QUESTIONS

    def keep_history(self) -> None:
        """Has the run keep the last labels of its questions: here each question comes once, which costs most."""
        url = f"http://{self._server.host}:{self._server.port}/v1/runs/{DEFAULT_RUN}"
        httpx.put(url, json={"method": DEFAULT_METHOD, "history": True}).raise_for_status()

    async def fill(self, cohorts: int) -> None:
        """Sends short batches until as many are stored."""
        while (missing := -(-cohorts // QUESTIONS) - self._sent) > 0:
            await self._send(self._short, min(missing, CHUNK))

    async def measure(self) -> Row:
        """Sends ordinary batches, and says what they cost beside what was stored before."""
        stored, before = self.stored, self._used()
        await self._send(self._ordinary, MEASURED)
        after = self._used()
        rollouts = MEASURED * QUESTIONS * COHORT
        cpu_us = {role: 1e6 * (after.cpu_s[role] - before.cpu_s[role]) / rollouts for role in ROLES}
        return Row(stored, cpu_us, before.store_bytes)

    async def _send(self, workload: Batches, requests: int) -> None:
        load = Load(workload, self._sent, check=False, timed=lambda _: False)
        await load.open(self._server.host, self._server.port, CONNECTIONS)
        load.keep_busy()
        while load.next_index < self._sent + requests - CONNECTIONS:  # noqa: ASYNC110 - it tells nobody how far it is
            await asyncio.sleep(0.01)
        await load.finish()
        assert load.next_index + FIRST_NUMBER < 10 * FIRST_NUMBER, "numbers would become longer than their marker"
        self._sent = load.next_index

    def _used(self) -> Used:
        text = httpx.get(f"http://{self._server.host}:{self._server.port}/metrics", timeout=60.0).text
        cpu_s: dict[str, float] = defaultdict(float)
        store_bytes = 0.0
        for role, name, value in samples(text):
            if name in {CPU, STORE_CPU}:
                cpu_s[role] += value
            elif name == STORE_MEMORY:
                store_bytes = value
        return Used(cpu_s, store_bytes)


def measured(most: int, folder: Path, *, history: bool) -> Iterator[tuple[Row, float]]:
    """A row at each power of ten up to `most`, with the bytes of an empty store."""
    with service(folder, Cores.of_this_machine()) as server, asyncio.Runner() as runner:
        filling = Filling(server)
        if history:
            filling.keep_history()
        mark = 100
        while mark <= most:
            runner.run(filling.fill(mark))
            yield runner.run(filling.measure()), filling.empty_bytes
            mark *= 10


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stored", description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="cohorts stored in the end")
    parser.add_argument("--history", action="store_true", help="the run keeps the last labels of its questions")
    asked = parser.parse_args()
    console = Console(width=120)
    columns = ("stored cohorts", *(f"{role}, µs/rollout" for role in ROLES), "together", "ratio", "MiB", "bytes/cohort")
    table = Table(*columns, title="CPU time of a rollout in batches of 256, beside what is stored")
    first = 0.0
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        for row, empty_bytes in measured(asked.most, Path(folder), history=asked.history):
            together = sum(row.cpu_us.values())
            first = first or together
            held = row.store_bytes - empty_bytes
            each = [f"{row.cpu_us[role]:.1f}" for role in ROLES]
            end = [f"{together:.1f}", f"{together / first:.2f}", f"{held / MIB:,.0f}", f"{held / row.stored:,.0f}"]
            table.add_row(f"{row.stored:,}", *each, *end)
    console.print(table)
    console.print(describe())


if __name__ == "__main__":
    main()
