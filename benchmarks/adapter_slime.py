# pyright: basic, reportMissingImports=false
"""Time the group path of slime's own reward code: 32 groups, of a view each.

miles, which comes from PyPI, stands for slime where SLIME_SOURCE names no folder of slime's source.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from adapter_turns import GROUP_SIZE, QUESTIONS, ROLLOUTS, RUN, SETTINGS, Turn, service_url, turns
from slime_program import STEP, Trainer

DOWNLOADS = Path(__file__).parents[1] / "runs" / "frameworks"


def groups_of(trainer: Trainer, turn: Turn) -> list[list[Any]]:
    """Return the samples of a step, as the data source numbers them, group by group."""
    samples = [trainer.sample(each, QUESTIONS) for each in turn.rollouts]
    for sample in samples:
        sample.group_index += (turn.step - STEP) * 2 * QUESTIONS
    return [samples[start : start + GROUP_SIZE] for start in range(0, ROLLOUTS, GROUP_SIZE)]


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    trainer = Trainer("slime" if "SLIME_SOURCE" in os.environ else "miles", DOWNLOADS, GROUP_SIZE)
    settings = {"method": SETTINGS.method}
    args = trainer.args(QUESTIONS, co_rewarding={"url": url, "run": RUN, "settings": settings})
    args.custom_rm_path = "co_rewarding_client.slime.reward"
    async for turn in turns(url):
        groups = groups_of(trainer, turn)
        with turn.timed():
            found = await asyncio.gather(*(trainer.rewards.batched_async_rm(args, group) for group in groups))
        turn.found = [reward for group in found for reward in group]


if __name__ == "__main__":
    asyncio.run(main(service_url()))
