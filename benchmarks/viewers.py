"""Measure what viewers of the page cost the API: `python -m benchmarks.viewers`.

Batches are sent in turns without viewers and with 50, half of whom follow the run and half the list of runs. Rollouts
per second of the API's CPU time are compared, turn by turn: the ratio does not change when others use the machine.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import Bench, Server, Turn
from benchmarks.servers import service
from benchmarks.throughput import kinds_of

KINDS = ("256", "16")
PATHS = ("/v1/runs/default/events", "/v1/events")
LEAST = 0.95
"""What is left of the throughput, at least."""


class Viewers:
    """Streams of events that are read to their end; `seen` counts the news of all."""

    def __init__(self) -> None:
        """Begin without any."""
        self.seen = 0
        self._reading: list[asyncio.Task[None]] = []

    async def come(self, server: Server, many: int) -> None:
        """Open the streams, and wait until each has its first news."""
        opened = [asyncio.Event() for _ in range(many)]
        for number, first in enumerate(opened):
            self._reading.append(asyncio.create_task(self._follow(server, PATHS[number % len(PATHS)], first)))
        await asyncio.gather(*(first.wait() for first in opened))

    async def leave(self) -> None:
        """Close the streams."""
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _follow(self, server: Server, path: str, first: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: {server.host}\r\n\r\n".encode())
            while read := await reader.read(2**16):
                news = read.count(b"event: seen")
                self.seen += news
                if news:
                    first.set()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def viewed(server: Server, many: int) -> AsyncIterator[Viewers]:
    """Viewers, as long as it lasts."""
    viewers = Viewers()
    try:
        await viewers.come(server, many)
        yield viewers
    finally:
        await viewers.leave()


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn without viewers and one with them, and the news that they saw in it."""

    alone: Turn
    viewed: Turn
    seen: int

    @property
    def by_cpu(self) -> float:
        """What is left of the rollouts per second of the API's CPU time."""
        return self.viewed.rate_by_cpu / self.alone.rate_by_cpu

    @property
    def by_clock(self) -> float:
        """The same by the clock."""
        return self.viewed.rate / self.alone.rate


async def measure(server: Server, cores: Cores, kind: str, seconds: float, rounds: int, many: int) -> list[Pair]:
    """Pairs of turns, which of the two comes first in turn; a first round warms all up and is not counted."""
    (sent,) = kinds_of([kind])
    bench = Bench([server], cores)
    await bench.probe(server, sent)
    pairs: list[Pair] = []
    for number in range(rounds + 1):
        turns: dict[bool, Turn] = {}
        seen = 0
        for with_viewers in (number % 2 == 0, number % 2 != 0):
            async with viewed(server, many if with_viewers else 0) as viewers:
                before = viewers.seen
                turns[with_viewers] = await bench.turn(server, sent, seconds)
                seen += viewers.seen - before
        if number:
            pairs.append(Pair(turns[False], turns[True], seen))
    return pairs


def main() -> None:
    """Measures, prints, and judges if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one turn, in seconds")
    parser.add_argument("--rounds", type=int, default=6, help="pairs of turns that count")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 when less than {LEAST:.0%} is left")
    given = parser.parse_args()
    cores, console = Cores.of_this_machine(), Console()
    console.print(describe(), str(cores), sep="\n", highlight=False, soft_wrap=True)
    pin(os.getpid(), cores.rest)
    gc.freeze()
    columns = ("batches of", "by CPU time, median (min-max)", "by the clock", "API, share of a core", "news")
    table = Table(*columns, box=None)
    left: list[float] = []
    with tempfile.TemporaryDirectory(prefix="co-rewarding-bench-") as folder, service(Path(folder), cores) as server:
        for kind in KINDS:
            pairs = uvloop.run(measure(server, cores, kind, given.seconds, given.rounds, given.viewers))
            table.add_row(kind, *_row(pairs))
            left.append(statistics.median(pair.by_cpu for pair in pairs))
    console.print(f"what {given.viewers} viewers leave of the throughput, {given.rounds} pairs of turns")
    console.print(table)
    if given.check and min(left) < LEAST:
        raise SystemExit(f"viewers leave {min(left):.1%}")


def _row(pairs: Sequence[Pair]) -> list[str]:
    by_cpu = sorted(pair.by_cpu for pair in pairs)
    return [
        f"{statistics.median(by_cpu):.3f} ({by_cpu[0]:.3f}-{by_cpu[-1]:.3f})",
        f"{statistics.median(pair.by_clock for pair in pairs):.3f}",
        f"{statistics.median(pair.alone.busy.shares['API'] for pair in pairs):.2f}",
        f"{sum(pair.seen for pair in pairs):,}",
    ]


if __name__ == "__main__":
    main()
