"""Run vLLM's asynchronous engine in this process: prompts join the running batch as they come."""

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import structlog
import vllm  # pyright: ignore[reportMissingImports]
from transformers import AutoTokenizer
from vllm.engine.arg_utils import AsyncEngineArgs  # pyright: ignore[reportMissingImports]
from vllm.exceptions import VLLMClientError, VLLMServerError  # pyright: ignore[reportMissingImports]
from vllm.sampling_params import RequestOutputKind, SamplingParams  # pyright: ignore[reportMissingImports]
from vllm.v1.engine.async_llm import AsyncLLM  # pyright: ignore[reportMissingImports]

from reward_service.errors import SettingsError
from reward_service.generation.generator import (
    Gate,
    Generated,
    GenerationError,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
    WeightsError,
)
from reward_service.generation.model_folder import check_model, model_folder, read_tensors
from reward_service.generation.opening import check_version
from reward_service.generation.tokens import Codec, response_limit

log = structlog.get_logger(__name__)

_CACHE_WAIT_S = 0.2
_CACHE_TRIES = 50
_TRIES = 2
_DEAD_RETRY_S = 30.0


class VllmGenerator:
    """Swaps by reload_weights in all workers, then empties the prefix cache, which vLLM itself leaves full.

    vLLM loads what it finds and only warns of what is missing, so the tensors are checked before. Responses are
    decoded here, by the same rule as the transformers backend's. An engine that has died is started anew, with the
    weights that it had.
    """

    def __init__(self, engine: AsyncLLM, arguments: AsyncEngineArgs, codec: Codec, *, name: str, capacity: int) -> None:
        """Takes an engine as it is, and the arguments to start another; `open` is what starts the first."""
        self.name = name
        self.capacity = capacity
        self._engine = engine
        self._arguments = arguments
        self._codec = codec
        self._folder = Path(arguments.model)
        self._weights = self._folder
        self._context: int = engine.vllm_config.model_config.max_model_len
        self._gate = Gate(name)
        self._requests = itertools.count()

    @classmethod
    async def open(
        cls,
        model: str,
        *,
        capacity: int = 256,
        keep_special_tokens: bool = False,
        engine: Mapping[str, Any] | None = None,
    ) -> Self:
        """Starts an engine, which takes from seconds to minutes; `engine` holds arguments of vLLM's AsyncEngineArgs.

        Raises:
            SettingsError: there is no such model, an argument is not vLLM's, or this vLLM was not tested.
        """
        check_version(vllm.__version__)
        folder = await asyncio.to_thread(model_folder, model)
        try:
            await asyncio.to_thread(lambda: check_model(read_tensors(folder), folder))
        except WeightsError as error:
            raise SettingsError(str(error)) from error
        try:
            arguments = AsyncEngineArgs(**{"model": str(folder), "disable_log_stats": True, **(engine or {})})
        except TypeError as error:
            raise SettingsError(f"vLLM does not take these engine arguments: {error}") from error
        codec = Codec(AutoTokenizer.from_pretrained(folder), keep_special_tokens=keep_special_tokens)
        started = await asyncio.to_thread(AsyncLLM.from_engine_args, arguments)
        return cls(started, arguments, codec, name=model, capacity=capacity)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """See `Generator.generate`."""
        tokens = self._codec.encode(prompt, sampling.thinking)
        parameters = SamplingParams(
            n=sampling.drawn,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=response_limit(len(tokens), sampling.max_tokens, self._context),
            seed=sampling.response_seed(0),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        for _ in range(_TRIES):
            async with self._gate.generation():
                engine = self._engine
                responses = await self._responses(engine, tokens, parameters)
            if responses is not None:
                texts = [self._codec.decode(response) for response in responses]
                return Generated(tuple(texts * (sampling.n // len(texts))), sum(map(len, responses)))
            async with self._gate.swap(mends=True):
                if self._engine is engine:
                    await self._start_anew(self._weights)
        raise GeneratorUnavailableError(f"{self.name}: vLLM's engine dies again and again", _DEAD_RETRY_S)

    async def load(self, weights: Path | None) -> None:
        """See `Generator.load`."""
        folder = self._folder if weights is None else weights
        await asyncio.to_thread(self._check, folder)
        async with self._gate.swap():
            if self._engine.errored:
                await self._start_anew(folder)
            else:
                await self._swap(self._engine, folder)
            self._weights = folder

    async def close(self) -> None:
        """See `Generator.close`."""
        await self._gate.close()
        await asyncio.to_thread(self._engine.shutdown)

    async def _responses(
        self, engine: AsyncLLM, tokens: list[int], parameters: SamplingParams
    ) -> list[list[int]] | None:
        """The tokens of each response, the end token with them if it was reached; None if the engine is dead."""
        request = engine.generate({"prompt_token_ids": tokens}, parameters, str(next(self._requests)))
        try:
            (output,) = [output async for output in request]
        except VLLMClientError as error:
            raise GenerationError(f"vLLM refuses the prompt: {error}") from error
        except VLLMServerError as error:
            if engine.errored:
                return None
            raise GeneratorUnavailableError(f"vLLM's engine failed: {error}") from error
        return [list(each.token_ids) for each in sorted(output.outputs, key=lambda each: each.index)]

    async def _start_anew(self, weights: Path) -> None:
        """Another engine in place of one that is dead; it is not taken before it has the weights."""
        log.error("vLLM's engine died; starting another", model=self.name, weights=str(weights))
        await asyncio.to_thread(self._engine.shutdown)
        try:
            engine = await asyncio.to_thread(AsyncLLM.from_engine_args, self._arguments)
        except RuntimeError as error:  # what vLLM raises if its processes do not come up
            raise GeneratorUnavailableError(f"vLLM does not start again: {error}", _DEAD_RETRY_S) from error
        try:
            if weights != self._folder:
                await self._swap(engine, weights)
        except BaseException:
            await asyncio.to_thread(engine.shutdown)
            raise
        self._engine = engine

    async def _swap(self, engine: AsyncLLM, folder: Path) -> None:
        try:
            await engine.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
            for _ in range(_CACHE_TRIES):  # it refuses while what was given up still holds blocks
                if await engine.reset_prefix_cache():
                    return
                await asyncio.sleep(_CACHE_WAIT_S)
        except Exception as error:  # what a worker raises arrives as a plain exception
            raise GeneratorUnavailableError(f"{self.name} did not take the weights in {folder}: {error}") from error
        raise GeneratorUnavailableError(f"{self.name} does not empty its prefix cache")

    def _check(self, folder: Path) -> None:
        check_model(read_tensors(folder), self._folder)
