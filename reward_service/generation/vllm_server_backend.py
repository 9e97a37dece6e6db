"""Use `vllm serve` over HTTP: an OpenAI-compatible endpoint whose weights are swapped in place.

The server must see the folders of weights under the same paths, be nobody else's, and run with VLLM_SERVER_DEV_MODE=1.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import httpx
import structlog

from reward_service.generation.generator import (
    FixedWeightsError,
    Generated,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
)
from reward_service.generation.model_folder import check_model, read_tensors
from reward_service.generation.openai_backend import Endpoint, OpenAIGenerator
from reward_service.generation.openai_wire import complaint

log = structlog.get_logger(__name__)

_OURS = "co-rewarding-"
"""How the versions begin that we give a server's weights."""
_PLAIN_SAMPLING: Mapping[str, Any] = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""What is not said, the server takes from the model's generation_config.json."""
_TRIES = 3
_CACHE_WAIT_S = 0.2
_CACHE_TRIES = 50
_LOAD_TIMEOUT_S = 600.0


class VllmServerGenerator(OpenAIGenerator):
    """Swaps by reload_weights in all of the server's workers, then empties its prefix cache, which vLLM does not.

    Each swap leaves a version with the server, of which every answer makes sure afterwards: a server that was
    restarted answers from the weights it came with, and is given the right ones before the prompt is asked again.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """`endpoint.base_url` may end in /v1 or not. Connects to nothing yet: `open` does."""
        root = endpoint.base_url.rstrip("/").removesuffix("/v1")
        super().__init__(replace(endpoint, base_url=f"{root}/v1", more={**_PLAIN_SAMPLING, **endpoint.more}))
        self._root = root
        self._came_with = endpoint.model
        self._weights = endpoint.model
        self._version: str | None = None

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        """Connects, and restores the weights that the server came with if an earlier process of ours left others.

        Raises:
            GeneratorUnavailableError: the server is away, or does not serve this model.
        """
        generator = cls(endpoint)
        try:
            await generator._begin()
        except BaseException:
            await generator.close()
            raise
        return generator

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """See `Generator.generate`."""
        for _ in range(_TRIES):
            async with self._gate.generation():
                version = self._version
                generated = await self._generated(prompt, sampling)
                if version is None or version == await self._read_version():
                    return generated
            await self._restore(version)
        raise GeneratorUnavailableError(f"the weights of {self.name} at {self._root} keep being changed by another")

    async def load(self, weights: Path | None) -> None:
        """See `Generator.load`. The folder's tensors are checked where the server's own model can be read from here."""
        if self._version is None:
            raise FixedWeightsError(
                f"the server at {self._root} does not let its weights be swapped: "
                "start it with VLLM_SERVER_DEV_MODE=1 (vLLM 0.32 or later)"
            )
        path = self._came_with if weights is None else await asyncio.to_thread(self._checked, weights)
        async with self._gate.swap():
            await self._swap(path)

    async def _begin(self) -> None:
        models = (await self._called("GET", "/v1/models")).get("data", [])
        served = {str(each.get("id")): str(each.get("root") or each.get("id")) for each in models}
        if self.name not in served:
            raise GeneratorUnavailableError(f"{self._root} serves {', '.join(served)}: not {self.name}", 30.0)
        self._came_with = self._weights = served[self.name]
        try:
            self._version = await self._read_version()
        except FixedWeightsError:
            return
        if self._version.startswith(_OURS):
            await self.load(None)

    def _checked(self, weights: Path) -> str:
        """The folder as the server is to be told of it, if it fits."""
        given = read_tensors(weights)
        own = Path(self._came_with)
        if (own / "config.json").is_file():
            check_model(given, own)
        return str(weights.resolve())

    async def _restore(self, version: str | None) -> None:
        """Gives a server that has lost the weights of this version the same again, unless another prompt has.

        If that fails, the server has no version of ours, so that its answers go on being refused and this is repeated.
        """
        async with self._gate.swap(mends=True):
            if self._version == version and await self._read_version() != version:
                log.warning("the server lost its weights: giving them again", url=self._root, path=self._weights)
                await self._swap(self._weights)

    async def _swap(self, path: str) -> None:
        world = (await self._called("GET", "/get_world_size?include_dp=false"))["world_size"]
        body = {"method": "reload_weights", "kwargs": {"weights_path": path}}
        answers = (await self._called("POST", "/collective_rpc", body)).get("results", [])
        if answers != [None] * world:
            raise GeneratorUnavailableError(f"{len(answers)} of {world} workers took the weights in {path}: {answers}")
        await self._empty_prefix_cache()
        version = f"{_OURS}{secrets.token_hex(8)}"
        await self._called("POST", "/update_weight_version", {"new_version": version})
        self._version, self._weights = version, path

    async def _empty_prefix_cache(self) -> None:
        """The server refuses while anything runs: what was given up may take a moment to end."""
        for _ in range(_CACHE_TRIES):
            if (await self._called("POST", "/reset_prefix_cache")).get("success"):
                return
            await self._endpoint.sleep(_CACHE_WAIT_S)
        raise GeneratorUnavailableError(f"{self._root} does not empty its prefix cache: does another use it?")

    async def _read_version(self) -> str:
        return str((await self._called("GET", "/weight_info")).get("weight_version"))

    async def _called(self, method: str, route: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """One of vLLM's own routes, tried once.

        Raises:
            FixedWeightsError: the server does not have it.
            GeneratorUnavailableError: it is away, or did not do it.
        """
        try:
            response = await self._http.request(method, self._root + route, json=body, timeout=_LOAD_TIMEOUT_S)
        except httpx.TransportError as error:
            raise GeneratorUnavailableError(f"{method} {self._root}{route}: {error!r}") from error
        if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
            raise FixedWeightsError(f"{self._root} has no route {route}")
        if response.status_code != httpx.codes.OK:
            said = complaint(response)
            raise GeneratorUnavailableError(f"{method} {self._root}{route}: HTTP {response.status_code}: {said}")
        try:
            answer = response.json()
        except ValueError as error:
            raise GeneratorUnavailableError(f"{method} {self._root}{route} did not answer in JSON") from error
        return answer if isinstance(answer, dict) else {}
