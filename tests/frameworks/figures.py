"""Time what an adapter takes for a step of 256 rollouts, beside the bare client in the same process."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from co_rewarding_client import AsyncRewardClient, Rollout, RunSettings
from co_rewarding_client.testing.sampling import Sampled
from pairs_sampled import pairs, shuffled

QUESTIONS, GROUP_SIZE, STEPS = 16, 8, 7

Step = Callable[[Sequence[Sampled], int], Awaitable[object]]


async def put_run(url: str, run: str) -> None:
    """Make the run of a measurement."""
    async with AsyncRewardClient(url) as client:
        await client.put_run(run, RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE))


async def timed(name: str, step: Step, first: int = 0) -> None:
    """Print the median of some steps, each of 256 rollouts in random order; the first warms up and does not count."""
    seconds: list[float] = []
    for number in range(first, first + STEPS + 1):
        rollouts = shuffled(pairs(QUESTIONS, GROUP_SIZE, f"{name}{number}"), str(number))
        began_s = time.perf_counter()
        await step(rollouts, number)
        seconds.append(time.perf_counter() - began_s)
    counted = seconds[1:]
    told = {"adapter": name, "median_ms": 1000 * median(counted), "best_ms": 1000 * min(counted)}
    print(json.dumps({key: value if isinstance(value, str) else round(value, 1) for key, value in told.items()}))


async def bare(url: str, run: str) -> None:
    """Time the bare client: a step in one call, and a call for each rollout, as a framework hands over."""
    async with AsyncRewardClient(url, run=run) as client:

        async def whole(rollouts: Sequence[Sampled], step: int) -> None:
            await client.rewards([as_rollout(one) for one in rollouts], step=step)

        async def singly(rollouts: Sequence[Sampled], step: int) -> None:
            calls = [client.rewards([as_rollout(one)], step=step, complete=False) for one in rollouts]
            await asyncio.gather(*calls)

        await timed("bare client, one call", whole)
        await timed("bare client, a call a rollout", singly, first=1000)


def as_rollout(one: Sampled) -> Rollout:
    """Return a rollout of the client."""
    return Rollout(question_id=one.question_id, view=one.view, rollout=one.index, response=one.response)
