# pyright: basic, reportMissingImports=false
"""Time a step of 256 rollouts by the adapters for NeMo Gym and the Open Reward Standard: URL RUN."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

os.environ |= {
    "OPENREWARD_DISABLE_UPDATE_CHECK": "1",
    "OPENREWARD_API_KEY": "none",
    "OPENREWARD_LOG_LEVEL": "ERROR",
}

import uvicorn
from co_rewarding_client import RunSettings, testing
from co_rewarding_client.open_reward import environment
from co_rewarding_client.testing.sampling import Sampled
from co_rewarding_client.training import Endpoint
from fastapi import FastAPI
from figures import GROUP_SIZE, bare, put_run, timed
from gym_conformance import OneServer, body
from nemo_gym.server_utils import GlobalAIOHTTPAsyncClientConfig, request, set_global_aiohttp_client
from openreward import AsyncOpenReward
from openreward.environments import Server

from tests.support.waiting import until

SETTINGS = RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE)


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app, and return its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def gym(url: str, run: str) -> None:
    """Time /verify over HTTP, as Gym's agent calls it."""
    process = testing.Process(url=url, run=run, settings=SETTINGS, patience_s=60.0)
    set_global_aiohttp_client(GlobalAIOHTTPAsyncClientConfig())
    async with served(OneServer(process, 0).app()) as where:

        async def verified(one: Sampled, step: int) -> None:
            posted = body(testing.Handed(rollouts=(one,), step=step))
            reply = await request("POST", f"{where}/verify", json=posted)
            assert reply.ok, await reply.text()

        async def step(rollouts: Sequence[Sampled], number: int) -> None:
            await asyncio.gather(*(verified(one, number) for one in rollouts))

        await timed("NeMo Gym, /verify", step, first=2000)


async def open_reward(url: str, run: str) -> None:
    """Time sessions of openreward's client, from their opening to their end."""
    endpoint = Endpoint(url=url, run=run)
    row = {"question_id": "q", "view": "original", "epoch": 0, "prompt": "?"}
    made = await asyncio.to_thread(environment, endpoint, SETTINGS, train=[row])
    async with served(Server([made]).app) as where:
        os.environ["OPENREWARD_SESSION_URL"] = os.environ["OPENREWARD_API_URL"] = where
        async with AsyncOpenReward().environments as environments:
            known = environments.get("CoRewardingEnvironment")
            (task,) = await known.list_tasks("train")

            async def submitted(one: Sampled, step: int) -> None:
                spec = {"question_id": one.question_id, "view": one.view, "step": step, "rollout": one.index}
                async with known.session(task=replace(task, task_spec=row | spec)) as session:
                    await session.call_tool("submit", {"answer": one.answer})

            async def step(rollouts: Sequence[Sampled], number: int) -> None:
                await asyncio.gather(*(submitted(one, number) for one in rollouts))

            await timed("Open Reward Standard, a session", step, first=3000)


async def main(url: str, run: str) -> None:
    """Print a line for each way."""
    await put_run(url, run)
    await bare(url, run)
    await gym(url, run)
    await open_reward(url, run)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
