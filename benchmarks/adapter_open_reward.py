# pyright: basic, reportMissingImports=false
"""Time sessions of openreward's client, from their opening to their end: 256, of a rollout each."""

import asyncio
import os
from dataclasses import replace

os.environ |= {
    "OPENREWARD_DISABLE_UPDATE_CHECK": "1",
    "OPENREWARD_API_KEY": "none",
    "OPENREWARD_LOG_LEVEL": "ERROR",
}

from adapter_turns import RUN, SETTINGS, Turn, service_url, turns
from co_rewarding_client import testing
from co_rewarding_client.open_reward import environment
from co_rewarding_client.training import Endpoint
from openreward import AsyncOpenReward
from openreward.api.environments.client import AsyncEnvironment, Task
from openreward.environments import Server
from served import served

ROW = {"question_id": "q", "view": "original", "epoch": 0, "prompt": "?"}


async def step(known: AsyncEnvironment, task: Task, turn: Turn) -> None:
    """Submit the answers of a step; an answer is all that this protocol sends of a rollout."""

    async def submitted(one: testing.Sampled) -> float | None:
        spec = {"question_id": one.question_id, "view": one.view, "step": turn.step, "rollout": one.index}
        async with known.session(task=replace(task, task_spec=ROW | spec)) as session:
            return (await session.call_tool("submit", {"answer": one.answer})).reward

    await turn.one_by_one(submitted)


async def main(url: str) -> None:
    """Print the seconds of each turn."""
    made = await asyncio.to_thread(environment, Endpoint(url=url, run=RUN), SETTINGS, train=[ROW])
    async with served(Server([made]).app) as where:
        os.environ["OPENREWARD_SESSION_URL"] = os.environ["OPENREWARD_API_URL"] = where
        async with AsyncOpenReward().environments as environments:
            known = environments.get("CoRewardingEnvironment")
            (task,) = await known.list_tasks("train")
            async for turn in turns(url):
                await step(known, task, turn)


if __name__ == "__main__":
    asyncio.run(main(service_url()))
