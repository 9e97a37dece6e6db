# pyright: basic, reportMissingImports=false
"""Time ms-swift's own reward code: 256 rollouts of a generation batch."""

import asyncio

from accelerate import Accelerator
from adapter_turns import process_at, service_url, turns
from co_rewarding_client import testing
from swift_conformance import InSwift


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    Accelerator(cpu=True)
    adapter = InSwift(process_at(url))
    async for turn in turns(url):
        with turn.timed():
            turn.found = await adapter.score(testing.Handed(rollouts=tuple(turn.rollouts), step=turn.step))


if __name__ == "__main__":
    asyncio.run(main(service_url()))
