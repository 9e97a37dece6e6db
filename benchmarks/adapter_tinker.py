# pyright: basic, reportMissingImports=false
"""Time groups of the Tinker cookbook: the rewards of 32, of a view each, are computed."""

import asyncio
from types import SimpleNamespace

from adapter_turns import GROUP_SIZE, ROLLOUTS, RUN, SETTINGS, service_url, turns
from co_rewarding_client.tinker import ViewGroup
from co_rewarding_client.tinker_training import Batch, Service


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    service = Service(url=url, run=RUN)
    await service.begin(SETTINGS)
    async for turn in turns(url):
        rows, batch = turn.rows(), Batch(step=turn.step, groups=ROLLOUTS // GROUP_SIZE)
        asked = [
            (
                ViewGroup(service=service, row=rows[at], ask=SimpleNamespace, group_size=GROUP_SIZE, batch=batch),
                [SimpleNamespace(response=row["response"]) for row in rows[at : at + GROUP_SIZE]],
            )
            for at in range(0, ROLLOUTS, GROUP_SIZE)
        ]
        with turn.timed():
            found = await asyncio.gather(*(group.compute_group_rewards([], envs) for group, envs in asked))
        turn.found = [reward for group in found for reward, _ in group]


if __name__ == "__main__":
    asyncio.run(main(service_url()))
