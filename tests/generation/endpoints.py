"""Servers as their clients see them: a transport of httpx behind which a made-up model answers."""

import asyncio
import hashlib
import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx

CONTEXT_CHARS = 400
BASE = "the-model's-own"

Reply = httpx.Response | Exception


class MadeUpModel:
    """Its texts are hashes of the weights and the prompt and, unless it is greedy, of the seed as servers use it."""

    def __init__(self) -> None:
        self.weights = BASE
        self._chances = itertools.count()

    def texts(self, prompt: str, body: dict[str, Any], weights: str) -> list[str]:
        seed = body.get("seed")
        texts = []
        for index in range(body.get("n", 1)):
            chance = next(self._chances) if seed is None else seed + index
            told = f"{weights}|{prompt}|{chance if body.get('temperature', 1.0) else 'greedy'}"
            texts.append(" ".join(hashlib.sha256(told.encode()).hexdigest()[:12]))
        return texts


@dataclass
class OpenAIServer(httpx.AsyncBaseTransport):
    """Completions and chat completions by the made-up model. `script` holds answers to give first, in order."""

    script: deque[Reply] = field(default_factory=deque)
    most_n: int | None = None
    """More than this is refused; None gives what is asked for."""
    gives_n: bool = True
    """False: `n` is overlooked, as some servers do."""
    unknown: frozenset[str] = frozenset()
    """Fields that are refused."""
    model: MadeUpModel = field(default_factory=MadeUpModel)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    turns: int = 20
    """Of the event loop, that an answer takes."""
    under_way: int = 0
    most_under_way: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for _ in range(self.turns):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if self.script:
            reply = self.script.popleft()
            if isinstance(reply, Exception):
                raise reply
            return reply
        return self.answered(request)

    def answered(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        refusal = self._refusal(body)
        if refusal is not None:
            return httpx.Response(400, json={"error": {"message": refusal, "type": "invalid_request_error"}})
        chat = request.url.path.endswith("/chat/completions")
        prompt = json.dumps(body["messages"]) if chat else body["prompt"]
        if len(prompt) > CONTEXT_CHARS:
            said = "This model's maximum context length is 100 tokens."
            return httpx.Response(400, json={"error": {"message": said, "code": "context_length_exceeded"}})
        texts = self.texts(prompt, body if self.gives_n else {**body, "n": 1})
        choices = [
            {"index": index} | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
            for index, text in enumerate(texts)
        ]
        return httpx.Response(200, json={"choices": choices[::-1], "usage": {"completion_tokens": 3 * len(texts)}})

    def texts(self, prompt: str, body: dict[str, Any]) -> list[str]:
        return self.model.texts(prompt, body, self.model.weights)

    def _refusal(self, body: dict[str, Any]) -> str | None:
        if self.most_n is not None and body.get("n", 1) > self.most_n:
            return f"'n' : number must be at most {self.most_n}"
        for name in sorted(self.unknown & body.keys()):
            if name == "max_tokens":
                return "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return f"Unrecognized request argument supplied: {name}"
        return None


@dataclass
class VllmServer(OpenAIServer):
    """`vllm serve` as the project's own tests found it: reload_weights leaves the prefix cache as it is."""

    dev_mode: bool = True
    workers: int = 2
    workers_that_answer: int = 2
    busy_resets: int = 0
    """How often the prefix cache cannot be emptied yet."""
    version: str = "default"
    cache: dict[str, str] = field(default_factory=dict)
    """Prompts read before, and the weights they were read with."""
    root: str = BASE
    """The folder of its own model."""
    restless: bool = False
    """Somebody else changes its weights after every answer."""

    def texts(self, prompt: str, body: dict[str, Any]) -> list[str]:
        return self.model.texts(prompt, body, self.cache.setdefault(prompt, self.model.weights))

    def restart(self) -> None:
        self.model.weights, self.version = self.root, "default"
        self.cache.clear()

    def answered(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "model", "root": self.root}]})
        if path.startswith("/v1/"):
            return super().answered(request)
        if not self.dev_mode:
            return httpx.Response(404, json={"detail": "Not Found"})
        body = json.loads(request.content) if request.content else {}
        return httpx.Response(200, json=self._developed(path, body))

    def _developed(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/get_world_size":
                return {"world_size": self.workers}
            case "/collective_rpc":
                assert body["method"] == "reload_weights"
                self.model.weights = body["kwargs"]["weights_path"]
                return {"results": [None] * self.workers_that_answer}
            case "/reset_prefix_cache":
                if self.busy_resets:
                    self.busy_resets -= 1
                    return {"success": False}
                self.cache.clear()
                return {"success": True}
            case "/update_weight_version":
                self.version = body["new_version"]
                return {"success": True}
            case "/weight_info":
                return {"weight_version": "another's" if self.restless else self.version}
        raise AssertionError(path)
