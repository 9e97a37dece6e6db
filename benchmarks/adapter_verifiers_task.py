# pyright: basic, reportMissingImports=false
"""Time verifiers' task: 256 traces are scored, a call each."""

import asyncio

from adapter_turns import Turn, process_at, service_url, turns
from co_rewarding_client import testing
from verifiers_conformance import OneRollout


async def step(adapter: OneRollout, turn: Turn) -> None:
    """Score the traces of a step."""

    async def scored(one: testing.Sampled) -> float | None:
        (reward,) = await adapter.score(testing.Handed(rollouts=(one,), step=turn.step))
        return reward

    adapter.forget()
    await turn.one_by_one(scored)


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    adapter = OneRollout(process_at(url))
    async for turn in turns(url):
        await step(adapter, turn)
    await adapter.close()


if __name__ == "__main__":
    asyncio.run(main(service_url()))
