# pyright: basic, reportMissingImports=false
"""Reward steps of 256 rollouts by groups of the Tinker cookbook, and by the bare call: `adapter_tinker.py URL`."""

import asyncio
import json
import sys
import time
from types import SimpleNamespace

from adapter_steps import ROLLOUTS, TURNS, rollouts_of, step
from co_rewarding_client import AsyncRewardClient, RunSettings
from co_rewarding_client.tinker import ViewGroup
from co_rewarding_client.tinker_training import Batch, Service

GROUP_SIZE = 8


async def measured(url: str) -> None:
    """Print the seconds of each turn."""
    service, settings = Service(url=url, run="adapter"), RunSettings(group_size=GROUP_SIZE)
    await service.begin(settings)
    client = AsyncRewardClient(url, run="bare")
    await client.put_run("bare", settings)
    for turn in range(TURNS):
        rows = step(turn, GROUP_SIZE)
        rollouts = rollouts_of(rows, GROUP_SIZE)
        began_s = time.perf_counter()
        expected = await client.rewards(rollouts, step=turn)
        bare_s = time.perf_counter() - began_s
        batch = Batch(step=turn, groups=ROLLOUTS // GROUP_SIZE)
        asked = [
            (
                ViewGroup(service=service, row=rows[at], ask=SimpleNamespace, group_size=GROUP_SIZE, batch=batch),
                [SimpleNamespace(response=row["response"]) for row in rows[at : at + GROUP_SIZE]],
            )
            for at in range(0, ROLLOUTS, GROUP_SIZE)
        ]
        began_s = time.perf_counter()
        found = await asyncio.gather(*(group.compute_group_rewards([], envs) for group, envs in asked))
        adapter_s = time.perf_counter() - began_s
        assert [reward for group in found for reward, _ in group] == list(expected.rewards)
        print(json.dumps({"bare_s": bare_s, "adapter_s": adapter_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(measured(sys.argv[1]))
