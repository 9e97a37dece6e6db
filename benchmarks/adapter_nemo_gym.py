# pyright: basic, reportMissingImports=false
"""Time NeMo Gym's resources server: 256 rollouts are posted to /verify by Gym's own HTTP client."""

import asyncio

from adapter_turns import Turn, process_at, service_url, turns
from co_rewarding_client import testing
from gym_conformance import OneServer, body
from nemo_gym.server_utils import GlobalAIOHTTPAsyncClientConfig, request, set_global_aiohttp_client
from served import served


async def step(where: str, turn: Turn) -> None:
    """Have the rollouts of a step verified."""

    async def verified(one: testing.Sampled) -> float:
        reply = await request("POST", f"{where}/verify", json=body(testing.Handed(rollouts=(one,), step=turn.step)))
        assert reply.ok, await reply.text()
        return (await reply.json())["reward"]

    await turn.one_by_one(verified)


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    set_global_aiohttp_client(GlobalAIOHTTPAsyncClientConfig())
    async with served(OneServer(process_at(url)).app()) as where:
        async for turn in turns(url):
            await step(where, turn)


if __name__ == "__main__":
    asyncio.run(main(service_url()))
