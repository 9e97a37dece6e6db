# pyright: basic, reportMissingImports=false
"""Take turns with 256 rollouts: the bare call, and the group path of slime's own reward code with the adapter in it.

miles, which comes from PyPI, stands for slime where SLIME_SOURCE names no folder of slime's source.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from co_rewarding_client import AsyncRewardClient, Rollout, testing
from co_rewarding_client.testing.sampling import GROUP_SIZE, step_of
from slime_program import STEP, Trainer

QUESTIONS, TURNS, WARM = 32, 15, 3
RUN = "adapter-slime"
DOWNLOADS = Path(__file__).parents[1] / "runs" / "frameworks"


def groups_of(trainer: Trainer, rollouts: Sequence[testing.Sampled], step: int) -> list[list[Any]]:
    """Return the samples of a step, as the data source numbers them, group by group."""
    samples = [trainer.sample(each, QUESTIONS) for each in rollouts]
    for sample in samples:
        sample.group_index += (step - STEP) * 2 * QUESTIONS
    return [samples[start : start + GROUP_SIZE] for start in range(0, len(samples), GROUP_SIZE)]


async def turns(url: str) -> None:
    """Print the seconds of each turn."""
    trainer = Trainer("slime" if "SLIME_SOURCE" in os.environ else "miles", DOWNLOADS)
    settings = {"method": "co-rewarding-i"}
    args = trainer.args(QUESTIONS, co_rewarding={"url": url, "run": RUN, "settings": settings})
    args.custom_rm_path = "co_rewarding_client.slime.reward"
    rollouts = step_of(testing.Case(name="benchmark", about="", questions=QUESTIONS), "one")
    bare = [
        Rollout(question_id=each.question_id, view=each.view, rollout=each.index, response=each.response)
        for each in rollouts
    ]
    async with AsyncRewardClient(url, run=RUN) as client:
        for turn in range(TURNS + WARM):
            groups = groups_of(trainer, rollouts, 2 * turn)
            began_s = time.perf_counter()
            await asyncio.gather(*(trainer.rewards.batched_async_rm(args, group) for group in groups))
            adapter_s = time.perf_counter() - began_s
            began_s = time.perf_counter()
            await client.rewards(bare, step=2 * turn + 1)
            bare_s = time.perf_counter() - began_s
            if turn >= WARM:
                print(json.dumps({"bare_s": bare_s, "adapter_s": adapter_s}))


if __name__ == "__main__":
    asyncio.run(turns(sys.argv[1]))
