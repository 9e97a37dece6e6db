"""Serve the baseline: FastAPI endpoints that validate the same JSON and answer a constant.

They are written as FastAPI's users write them: a pydantic model in, a constant out. uvicorn runs as it does for the
service. Run as a process of its own: `python -m benchmarks.noop SOCKET_FD ANSWERS_JSON`.
"""

import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from reward_service.api.rewards.models import OpenRLHFForm, RewardForm
from reward_service.serving.api_process import BACKLOG


def app_of(answers: dict[str, str]) -> FastAPI:
    """One endpoint for each route and its constant answer."""
    app = FastAPI()
    for route, answer in answers.items():
        add = _add_openrlhf if "get_reward" in route else _add_rewards
        add(app, route, json.loads(answer))
    return app


def _add_rewards(app: FastAPI, route: str, answer: dict[str, Any]) -> None:
    @app.post(route)
    async def rewards(form: RewardForm) -> dict[str, Any]:
        return answer


def _add_openrlhf(app: FastAPI, route: str, answer: dict[str, Any]) -> None:
    @app.post(route)
    async def get_reward(form: OpenRLHFForm) -> dict[str, Any]:
        return answer


def serve(app: FastAPI, fd: int) -> None:
    """Serves as the service's own API is served, until it is told to stop."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])


if __name__ == "__main__":
    serve(app_of(json.loads(Path(sys.argv[2]).read_text())), int(sys.argv[1]))
