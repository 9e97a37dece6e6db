"""OpenRLHF's own client, as its vLLM actors run it, with everything around it that is not the client made small."""

import asyncio
import importlib.util
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from e2e_rule import Rollout

Got = tuple[float | None, float | None, dict[str, float]]


@contextmanager
def executor_class() -> Iterator[type]:
    """SingleTurnAgentExecutor, unmodified, without the torch and ray that its package imports on the way to it."""
    spec = importlib.util.find_spec("openrlhf")
    if spec is None:
        pytest.skip("OpenRLHF's client is not installed: make e2e-openrlhf-client")
    before = set(sys.modules)
    utils = ModuleType("openrlhf.utils")
    utils.__path__ = [f"{folder}/utils" for folder in spec.submodule_search_locations or ()]
    sys.modules["openrlhf.utils"] = utils
    try:
        from openrlhf.utils.agent import SingleTurnAgentExecutor

        yield SingleTurnAgentExecutor
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "openrlhf":
                del sys.modules[name]


class Characters:
    """A tokenizer: a token is a character."""

    def __call__(self, text: str, **_options: object) -> dict[str, list[array]]:
        return {"input_ids": [array("L", map(ord, text))]}

    def decode(self, tokens: Sequence[int], **_options: object) -> str:
        return "".join(map(chr, tokens))


class Engine:
    """An engine whose next response is known, and comes when it is let through."""

    def __init__(self, response: str, gate: asyncio.Event | None = None) -> None:
        self._response = response
        self._gate = gate

    async def generate(self, _prompt: list[int], _params: object, **_options: object) -> SimpleNamespace:
        if self._gate is not None:
            await self._gate.wait()
        tokens = list(map(ord, self._response))
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)])


async def reward(executor: Any, rollout: Rollout, run: str, gate: asyncio.Event | None = None, **label: object) -> Got:
    """What the trainer is told of one rollout: its reward, its score and its logs."""
    params = SimpleNamespace(max_tokens=256, logprobs=None)
    engine = Engine(rollout.response, gate)
    output = await executor.execute(rollout.prompt, rollout.label(run, **label), params, 4096, Characters(), engine)
    return output["reward"], output["scores"], output["extra_logs"]
