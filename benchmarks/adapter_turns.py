# pyright: basic, reportMissingImports=false
"""Take turns with 256 rollouts in random order: the bare client's one call, and an adapter."""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from co_rewarding_client import AsyncRewardClient, Rollout, RunSettings, testing
from pairs_sampled import WHOLE, pairs, shuffled

TURNS, WARM = 9, 2
RUN = "adapter"
SETTINGS = RunSettings(method="co-rewarding-i", group_size=WHOLE[1])

Step = Callable[[Sequence[testing.Sampled], int], Awaitable[object]]
"""Rewards the rollouts of a step by an adapter."""


def process_at(url: str) -> testing.Process:
    """Return a process of a trainer, for the adapters of the conformance kit."""
    return testing.Process(url=url, run=RUN, settings=SETTINGS, patience_s=120.0, began_s=0)


def service_url() -> str:
    """Return the address that the program was given."""
    return sys.argv[1]


async def take_turns(url: str, step: Step) -> None:
    """Print the seconds of each turn."""
    async with AsyncRewardClient(url, run=RUN) as client:
        await client.put_run(RUN, SETTINGS)
        for turn in range(TURNS + WARM):
            rollouts = shuffled(pairs(*WHOLE, seed=str(turn)), str(turn))
            bare = [
                Rollout(question_id=one.question_id, view=one.view, rollout=one.index, response=one.response)
                for one in rollouts
            ]
            began_s = time.perf_counter()
            await client.rewards(bare, step=2 * turn)
            bare_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await step(rollouts, 2 * turn + 1)
            if turn >= WARM:
                print(json.dumps({"bare_s": bare_s, "adapter_s": time.perf_counter() - began_s}), flush=True)
