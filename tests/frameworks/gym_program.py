# pyright: basic, reportMissingImports=false
"""Collect rollouts by NeMo Gym's own agent and collection, through the example's configuration: URL RUN FOLDER KIND."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientResponseError
from co_rewarding_client.nemo_gym import CoRewardingResourcesServer
from fastapi import FastAPI, Request
from nemo_gym.rollout_collection import RolloutCollectionConfig, RolloutCollectionHelper
from nemo_gym.server_utils import ServerClient
from omegaconf import OmegaConf
from pairs_sampled import SMALL, WHOLE, pairs, shuffled, silenced
from responses_api_agents.simple_agent.app import SimpleAgent
from served import served

EXAMPLE = Path(__file__).parents[2] / "clients" / "examples" / "nemo_gym_co_rewarding"


def configuration(url: str, run: str, kind: str, group_size: int) -> Any:
    """Return the example's configuration with addresses, as Gym fills them in."""
    config = OmegaConf.load(EXAMPLE / "configs" / "co_rewarding.yaml")
    own = config.co_rewarding.resources_servers.co_rewarding
    own.url, own.run, own.num_rollouts_per_prompt = url, run, group_size
    own.evaluate = kind == "evaluated"
    if kind == "unanswered":  # a teacher is to vote, and there is none
        own.method, own.patience_s = "co-rewarding-ii", 2.0
    config.head_server = {"host": "127.0.0.1", "port": free_port()}
    for server in (own, config.co_rewarding_simple_agent.responses_api_agents.simple_agent):
        server.host, server.port = "127.0.0.1", free_port()
    config.policy_model = {"responses_api_models": {"spoken": {"host": "127.0.0.1", "port": free_port()}}}
    return config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_of(kind: type, name: str) -> FastAPI:
    """Return the app of a server of Gym, made as its run_webserver does."""
    os.environ["NEMO_GYM_CONFIG_PATH"] = name
    client = ServerClient(
        head_server_config=ServerClient.load_head_server_config(),
        global_config_dict=OmegaConf.create(os.environ["NEMO_GYM_CONFIG_DICT"]),
    )
    server = kind(config=kind.load_config_from_global_config(), server_client=client)
    app = server.setup_webserver()
    server.setup_exception_middleware(app)
    return app


def model(responses: dict[str, list[str]]) -> FastAPI:
    """Return a model server that answers each prompt with the next of its responses."""
    app = FastAPI()

    @app.post("/v1/responses")
    async def respond(request: Request) -> dict[str, Any]:
        prompt = (await request.json())["input"][-1]["content"]
        said = {"type": "output_text", "text": responses[prompt].pop(0), "annotations": []}
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
        return {
            "id": "r",
            "created_at": 0.0,
            "model": "spoken",
            "object": "response",
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    return app


async def collected(config: Any, responses: dict[str, list[str]], folder: Path) -> list[dict[str, Any]]:
    own = config.co_rewarding.resources_servers.co_rewarding
    agent = config.co_rewarding_simple_agent.responses_api_agents.simple_agent
    apps = {
        own.port: server_of(CoRewardingResourcesServer, "co_rewarding"),
        agent.port: server_of(SimpleAgent, "co_rewarding_simple_agent"),
        config.policy_model.responses_api_models.spoken.port: model(responses),
    }
    asked = RolloutCollectionConfig(
        agent_name="co_rewarding_simple_agent",
        input_jsonl_fpath=str(folder / "rows.jsonl"),
        output_jsonl_fpath=str(folder / "rollouts.jsonl"),
        num_repeats=own.num_rollouts_per_prompt,
        upload_rollouts_to_wandb=False,
    )
    async with contextlib.AsyncExitStack() as serving:
        for port, app in apps.items():
            await serving.enter_async_context(served(app, port))
        with contextlib.redirect_stdout(sys.stderr):
            return await BesideHelper().run_from_config(asked)


class BesideHelper(RolloutCollectionHelper):
    """Gym's collection; it asks the head server by a blocking call, which here runs in the same process."""

    def setup_server_client(self, head_server_config: Any = None) -> ServerClient:
        return ServerClient(
            head_server_config=ServerClient.load_head_server_config(),
            global_config_dict=OmegaConf.create(os.environ["NEMO_GYM_CONFIG_DICT"]),
        )


def main(url: str, run: str, folder: Path, kind: str) -> None:
    """Collect a step: trained, evaluated, unanswered, or silent, where a view has no answer."""
    questions, group_size = WHOLE if kind == "trained" else SMALL
    rollouts = pairs(questions, group_size, seed=run)
    if kind == "silent":
        rollouts = silenced(rollouts, "q0", "original")
    if kind == "evaluated":
        rollouts = [rollout for rollout in rollouts if rollout.view == "original"]
    config = configuration(url, run, kind, group_size)
    os.environ["NEMO_GYM_CONFIG_DICT"] = OmegaConf.to_yaml(config)
    responses: dict[str, list[str]] = {}
    for rollout in rollouts:
        responses.setdefault(rollout.prompt, []).append(rollout.response)
    rows = {
        rollout.prompt: {
            "responses_create_params": {"input": [{"role": "user", "content": rollout.prompt}]},
            "question_id": rollout.question_id,
            "view": rollout.view,
            "epoch": 0,
            "ground_truth": "1",
        }
        for rollout in shuffled(rollouts, run)
    }
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows.values())))
    try:
        results = asyncio.run(collected(config, responses, folder))
    except ClientResponseError as error:
        print(json.dumps({"ended": str(error), "said": vars(error)["response_content"].decode()}))
        return
    for result in results:
        said = result["response"]["output"][-1]["content"][-1]["text"]
        told = {name: result[name] for name in ("question_id", "view", "reward", "abstained", "abstention")}
        print(json.dumps(told | {"index": result["_ng_rollout_index"], "response": said}))
    (metrics,) = json.loads((folder / "rollouts_aggregate_metrics.json").read_text())
    print(json.dumps({"metrics": metrics["agent_metrics"]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
