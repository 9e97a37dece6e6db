# pyright: basic, reportMissingImports=false
"""Time a step of 256 rollouts by the adapter for verifiers: URL RUN."""

import asyncio
import sys
from collections.abc import Sequence

from co_rewarding_client import RunSettings, testing
from co_rewarding_client.testing.sampling import Sampled
from figures import GROUP_SIZE, bare, put_run, timed
from verifiers_conformance import OneRollout, WholeEpisodes


async def main(url: str, run: str) -> None:
    """Print a line for each way."""
    await put_run(url, run)
    await bare(url, run)
    settings = RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE)
    process = testing.Process(url=url, run=run, settings=settings, patience_s=60.0)
    episodes, single = await WholeEpisodes(process).start(), OneRollout(process, 0)

    async def whole(rollouts: Sequence[Sampled], step: int) -> None:
        await episodes.score(testing.Handed(rollouts=tuple(rollouts), step=step))

    async def singly(rollouts: Sequence[Sampled], step: int) -> None:
        await asyncio.gather(*(single.score(testing.Handed(rollouts=(one,), step=step)) for one in rollouts))

    await timed("verifiers, an episode a pair", whole, first=2000)
    await timed("verifiers, a task a rollout", singly, first=3000)
    await episodes.close()
    await single.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
