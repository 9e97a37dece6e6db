"""Recipes, questions and a service, small and whole, for the tests of `co-rewarding train`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.recipe_loader import read_recipe
from co_rewarding_trainer.openrlhf.service import CheckedService

SMALL = """
[run]
name = "small"
method = "co-rewarding-i"
group_size = 4
[model]
path = "owner/model-1B"
[data]
source = "pairs.jsonl"
[sampling]
questions_per_step = 4
response_max_tokens = 32
[hardware]
actor_gpus_per_node = 2
engines = 2
micro_rollouts = 4
"""


def small(folder: Path, *settings: str, text: str = SMALL) -> Recipe:
    """The small recipe with these settings."""
    path = folder / "small.toml"
    path.write_text(text)
    return read_recipe([path], settings)


def write_pairs(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(count: int) -> list[dict[str, Any]]:
    """So many whole pairs in the columns of the data set."""
    return [
        {
            "question_id": f"q/{n}",
            "question": f"What is {n} + 1?",
            "paraphrase": f"Add 1 to {n}.",
            "ground_truth": n + 1,
        }
        for n in range(count)
    ]


class FakeService:
    """The routes that a training run asks before it starts, without a server."""

    def __init__(self, routes: Sequence[str] = (), settled: int = 0, put: dict[str, Any] | None = None) -> None:
        """`routes` are had besides those of every release; `put` is what a run has instead of what was sent."""
        self.routes = routes
        self.settled = settled
        self.put = put or {}
        self.requests: list[httpx.Request] = []
        self.write: Callable[[dict[str, str]], str | None] = lambda question: f"In other words: {question['question']}"

    def opened(self) -> CheckedService:
        """As the command opens it."""
        return CheckedService("http://service", "key", transport=httpx.MockTransport(self.answer), sleep=lambda _: None)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        self.requests.append(request)
        path = request.url.path
        if path == "/version":
            methods = ["co-rewarding-i", "co-rewarding-ii", "majority-voting", "ground-truth"]
            return httpx.Response(200, json={"version": "0.1.0", "contract": "1", "methods": methods})
        if path == "/openapi.json":
            return httpx.Response(200, json={"paths": {route: {} for route in self.routes}})
        if path.startswith("/v1/runs/") and request.method == "PUT":
            return httpx.Response(200, json=json.loads(request.content) | self.put)
        if path.startswith("/v1/runs/") and self.settled:
            return httpx.Response(200, json={"state": {"settled": self.settled, "open": 0}})
        if path == "/v1/paraphrases":
            questions = json.loads(request.content)["questions"]
            rows = [(each["question_id"], self.write(each)) for each in questions]
            answer = [{"question_id": known, "paraphrase": text, "accepted": text is not None} for known, text in rows]
            return httpx.Response(200, json={"paraphrases": answer})
        return httpx.Response(404, json={"title": "Not Found", "status": 404, "detail": path})
