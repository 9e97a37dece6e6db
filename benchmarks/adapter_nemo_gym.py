# pyright: basic, reportMissingImports=false
"""Time NeMo Gym's resources server: 256 rollouts are posted to /verify by Gym's own HTTP client."""

import asyncio
from collections.abc import Sequence

from adapter_turns import process_at, service_url, take_turns
from co_rewarding_client import testing
from gym_conformance import OneServer, body
from nemo_gym.server_utils import GlobalAIOHTTPAsyncClientConfig, request, set_global_aiohttp_client
from served import served


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    set_global_aiohttp_client(GlobalAIOHTTPAsyncClientConfig())
    async with served(OneServer(process_at(url)).app()) as where:

        async def verified(one: testing.Sampled, number: int) -> None:
            posted = body(testing.Handed(rollouts=(one,), step=number))
            reply = await request("POST", f"{where}/verify", json=posted)
            assert reply.ok, await reply.text()

        async def step(rollouts: Sequence[testing.Sampled], number: int) -> None:
            await asyncio.gather(*(verified(one, number) for one in rollouts))

        await take_turns(url, step)


if __name__ == "__main__":
    asyncio.run(main(service_url()))
