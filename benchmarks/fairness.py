"""Measure what a flood of hard answers in one run does to another run's rewards: `make bench-fairness`.

One probe at a time, a batch of 16 and a single in turn, first alone, then beside a flood that keeps its rate whether it
is answered or not. Three floods: sums and integrals that only the symbolic judge can compare, texts that take long to
read, and batches whose rollouts have a ground truth each. A flood's rate counts its hard answers.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from reward_service.serving.embedded_service import embedded_service
from reward_service.tools.loadtest.report import percentile

COHORT = 16
PROBE_EVERY_S = 0.02
MOST_UNDER_WAY = 500
GIVEN_UP_S = 30.0

Body = dict[str, Any]


def judged(number: int) -> str:
    """Beyond the grammar: a judge is asked whether it equals the others."""
    return rf"\sum_{{k=1}}^{{{number % 97 + 3}}} \frac{{{number}}}{{k^2+{number % 13}}}"


def long_read(number: int) -> str:
    """A product that takes tens of milliseconds to read."""
    return "".join(rf"(\sqrt{{{n + number}}}+x)" for n in range(2, 60))


def told_apart(number: int) -> str:
    """A number: easy, but each comes with a ground truth of its own."""
    return str(number)


FLOODS: Mapping[str, tuple[Callable[[int], str], bool]] = {
    "to be judged": (judged, False),
    "long to read": (long_read, False),
    "a truth for each": (told_apart, True),
}


def batch(run: str, question: str, answers: list[str], *, truths: bool = False) -> Body:
    """A self-contained batch of one question."""
    rollouts = [
        {"question_id": question, "rollout": n, "response": rf"So it is \boxed{{{answer}}}."}
        | ({"ground_truth": f"{2 * n + 1}"} if truths else {})
        for n, answer in enumerate(answers)
    ]
    return {"run": run, "method": "majority-voting", "wait_s": GIVEN_UP_S, "rollouts": rollouts}


@dataclass(frozen=True, slots=True)
class Probed:
    """How long the probes took, in milliseconds."""

    took_ms: list[float]

    @property
    def median_ms(self) -> float:
        """The median."""
        return statistics.median(self.took_ms)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return percentile(self.took_ms, 99)


async def probe(client: httpx.AsyncClient, seconds: float) -> Probed:
    """Probes for so long, one after the other."""
    took_ms: list[float] = []
    end_s = time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > end_s:
            return Probed(took_ms)
        question = f"probe {time.monotonic_ns()}"
        began_s = time.monotonic()
        if number % 2:
            answers = [str((number + n) % 3) for n in range(COHORT)]
            answer = await client.post("/v1/rewards", json=batch("probe", question, answers))
        else:
            label = json.dumps({"question_id": question, "n": 1, "run": "probe"})
            body = {"query": [rf"{question}\boxed{{4}}"], "prompts": [question], "labels": [label]}
            answer = await client.post("/get_reward", json=body)
        answer.raise_for_status()
        took_ms.append(1000 * (time.monotonic() - began_s))
        await asyncio.sleep(PROBE_EVERY_S)
    raise AssertionError


class Flood:
    """Hard answers at a rate, in batches, until it is stopped; what is refused or late is only counted."""

    def __init__(self, client: httpx.AsyncClient, kind: str, rate: float, size: int) -> None:
        """`rate` counts answers a second, `size` those of a batch."""
        self._client = client
        self._hard, self._truths = FLOODS[kind]
        self._every_s, self._size = size / rate, size
        self._numbers = itertools.count(round(time.time()) % 100_000)
        self._under_way: set[asyncio.Task[None]] = set()
        self.sent = self.answered = 0

    async def go_on(self) -> None:
        """Sends on time, whatever becomes of it."""
        next_s = time.monotonic()
        while True:
            if len(self._under_way) < MOST_UNDER_WAY:
                task = asyncio.create_task(self._one())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            next_s += self._every_s
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    async def _one(self) -> None:
        answers = [self._hard(next(self._numbers)) for _ in range(self._size)]
        self.sent += self._size
        body = batch("flood", f"flood {next(self._numbers)}", answers, truths=self._truths)
        try:
            answer = await self._client.post("/v1/rewards", json=body)
        except httpx.HTTPError:
            return
        self.answered += self._size * (answer.status_code == 200)

    async def stop(self) -> None:
        """Nothing of it is waited for any more."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Weather:
    """A run's probes alone and beside one flood of another run."""

    kind: str
    alone: Probed
    beside: Probed
    sent: int
    answered: int


async def measured(url: str, kind: str, rate: float, size: int, seconds: float) -> Weather:
    """Probes alone, then beside the flood."""
    limits = httpx.Limits(max_connections=MOST_UNDER_WAY + 8)
    async with (
        httpx.AsyncClient(base_url=url, timeout=GIVEN_UP_S) as client,
        httpx.AsyncClient(base_url=url, timeout=GIVEN_UP_S, limits=limits) as flooding,
    ):
        for run in ("probe", "flood"):
            (
                await client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 1})
            ).raise_for_status()
        await probe(client, 1.0)
        alone = await probe(client, seconds)
        flood = Flood(flooding, kind, rate, size)
        flowing = asyncio.create_task(flood.go_on())
        await asyncio.sleep(1.0)
        beside = await probe(client, seconds)
        flowing.cancel()
        await flood.stop()
        return Weather(kind, alone, beside, flood.sent, flood.answered)


def weathers(kinds: Iterator[str], rate: float, size: int, seconds: float, workers: int) -> Iterator[Weather]:
    """Each flood on a service of its own."""
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory(prefix="cr-") as folder,
            embedded_service(Path(folder), workers=workers) as url,
        ):
            yield asyncio.run(measured(url, kind, rate, size, seconds))


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=150.0, help="hard answers a second")
    parser.add_argument("--size", type=int, default=4, help="answers in each of the flood's batches")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each row is probed, alone and beside")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=list(FLOODS), help="only these floods")
    options = parser.parse_args()
    console = Console(width=120)
    console.print(describe())
    table = Table("flood", "median alone", "median beside", "p99 alone", "p99 beside", "flood answered")
    kinds = iter(options.kind or FLOODS)
    for each in weathers(kinds, options.rate, options.size, options.seconds, options.workers):
        table.add_row(
            each.kind,
            f"{each.alone.median_ms:.0f} ms",
            f"{each.beside.median_ms:.0f} ms",
            f"{each.alone.p99_ms:.0f} ms",
            f"{each.beside.p99_ms:.0f} ms",
            f"{each.answered} of {each.sent}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
