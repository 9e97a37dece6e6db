# pyright: basic, reportMissingImports=false
"""Time SkyRL's own generator under ours: a batch of 256, whose responses are there at once, a token a byte."""

import asyncio
import sys

from fetched import fetched

sys.path.insert(0, str(fetched("skyrl")))

import skyrl_program
from adapter_turns import GROUP_SIZE, RUN, SETTINGS, service_url, turns


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    skyrl_program.load()
    planned: dict[str, list[str]] = {}
    generator = skyrl_program.generator_of(url, RUN, planned, SETTINGS)
    async for turn in turns(url):
        planned |= turn.by_prompt()
        rows = [skyrl_program.row_of(one.question_id, one.view, one.prompt) for one in turn.rollouts[::GROUP_SIZE]]
        batch, _ = skyrl_program.prepared(rows, GROUP_SIZE, turn.step, "train")
        with turn.timed():
            output = await generator.generate(batch, disable_tqdm=True)
        turn.found = output["rewards"]


if __name__ == "__main__":
    asyncio.run(main(service_url()))
