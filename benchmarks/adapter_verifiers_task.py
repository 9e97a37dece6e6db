# pyright: basic, reportMissingImports=false
"""Time verifiers' task: 256 traces are scored, a call each."""

import asyncio
from collections.abc import Sequence

from adapter_turns import process_at, service_url, take_turns
from co_rewarding_client import testing
from verifiers_conformance import OneRollout


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    adapter = OneRollout(process_at(url))

    async def step(rollouts: Sequence[testing.Sampled], number: int) -> None:
        adapter.forget()
        await asyncio.gather(*(adapter.score(testing.Handed(rollouts=(one,), step=number)) for one in rollouts))

    await take_turns(url, step)
    await adapter.close()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
