# pyright: basic, reportMissingImports=false
"""Prove the resources server for NeMo Gym: URL [CASE ...]."""

import contextlib
from typing import Any
from unittest.mock import MagicMock

import msgspec
from co_rewarding_client import testing
from co_rewarding_client.nemo_gym import CoRewardingConfig, CoRewardingResourcesServer, CoRewardingVerifyRequest
from fastapi import FastAPI
from nemo_gym.server_utils import ServerClient


def body(handed: testing.Handed) -> dict[str, Any]:
    """Return what Gym's agent sends to /verify: the row with its rollout."""
    (rollout,) = handed.rollouts
    said = {"type": "output_text", "text": rollout.response, "annotations": []}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
    response = {"id": "r", "created_at": 0.0, "model": "m", "object": "response", "output": [message]}
    return {
        "question_id": rollout.question_id,
        "view": rollout.view,
        "step": handed.step,
        "ground_truth": rollout.ground_truth,
        "evaluate": handed.evaluate,
        "_ng_rollout_index": rollout.index,
        "responses_create_params": {"input": [{"role": "user", "content": rollout.prompt}]},
        "response": response | {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []},
    }


class OneServer:
    """A server of a process of the trainer, without the HTTP between it and Gym's agent, which tells errors as text."""

    def __init__(self, process: testing.Process) -> None:
        settings = msgspec.structs.asdict(process.settings)
        config = CoRewardingConfig(
            host="127.0.0.1",
            port=0,
            entrypoint="app.py",
            name="co_rewarding",
            url=process.url,
            run=process.run,
            method=settings.pop("method"),
            num_rollouts_per_prompt=settings.pop("group_size"),
            settings=settings,
            attempt=process.began_s,
            patience_s=process.patience_s,
        )
        self._server = CoRewardingResourcesServer(config=config, server_client=MagicMock(spec=ServerClient))
        self._life = contextlib.AsyncExitStack()

    def app(self) -> FastAPI:
        """Return the app that Gym serves."""
        return self._server.setup_webserver()

    async def start(self) -> "OneServer":
        app = self.app()
        await self._life.enter_async_context(app.router.lifespan_context(app))
        return self

    async def score(self, handed: testing.Handed) -> list[float | None]:
        verified = await self._server.verify(CoRewardingVerifyRequest.model_validate(body(handed)))
        return [None if verified.abstained else verified.reward]

    async def close(self) -> None:
        await self._life.aclose()


async def made(process: testing.Process) -> OneServer:
    return await OneServer(process).start()


if __name__ == "__main__":
    testing.main(made, unit="rollout")
