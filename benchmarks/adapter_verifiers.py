# pyright: basic, reportMissingImports=false
"""Time verifiers' environment: 16 episodes, of a pair each, are finalized."""

import asyncio
from collections.abc import Sequence

from adapter_turns import process_at, service_url, take_turns
from co_rewarding_client import testing
from verifiers_conformance import WholeEpisodes


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    adapter = await WholeEpisodes(process_at(url)).start()

    async def step(rollouts: Sequence[testing.Sampled], number: int) -> None:
        await adapter.score(testing.Handed(rollouts=tuple(rollouts), step=number))

    await take_turns(url, step)
    await adapter.close()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
