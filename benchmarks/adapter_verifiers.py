# pyright: basic, reportMissingImports=false
"""Time verifiers' environment: 16 episodes, of a pair each, are finalized."""

import asyncio

from adapter_turns import process_at, service_url, turns
from co_rewarding_client import testing
from verifiers_conformance import WholeEpisodes


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    adapter = await WholeEpisodes(process_at(url)).start()
    async for turn in turns(url):
        with turn.timed():
            turn.found = await adapter.score(testing.Handed(rollouts=tuple(turn.rollouts), step=turn.step))
    await adapter.close()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
