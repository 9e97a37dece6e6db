"""vLLM in this process, in its asynchronous engine: prompts join the batch under way as they come."""

import asyncio
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import vllm  # pyright: ignore[reportMissingImports]
from transformers import AutoTokenizer
from vllm.engine.arg_utils import AsyncEngineArgs  # pyright: ignore[reportMissingImports]
from vllm.exceptions import VLLMClientError, VLLMServerError  # pyright: ignore[reportMissingImports]
from vllm.sampling_params import RequestOutputKind, SamplingParams  # pyright: ignore[reportMissingImports]
from vllm.v1.engine.async_llm import AsyncLLM  # pyright: ignore[reportMissingImports]

from reward_service.errors import SettingsError
from reward_service.generation.codec import Codec, response_limit
from reward_service.generation.errors import GenerationError, GeneratorUnavailableError
from reward_service.generation.gate import Gate
from reward_service.generation.generator import Generated, Prompt, Sampling
from reward_service.generation.model_folder import model_folder
from reward_service.generation.vllm_version import check_version
from reward_service.generation.weights import check_fit, read_tensors, tied_names

_CACHE_WAIT_S = 0.2
_CACHE_TRIES = 50


class VllmGenerator:
    """Swaps by reload_weights in all workers, then empties the prefix cache, which vLLM itself leaves full.

    vLLM loads what it finds and only warns of what is missing, so the tensors are checked before. Responses are
    decoded here, by the same rule as the transformers backend's.
    """

    def __init__(self, engine: AsyncLLM, codec: Codec, folder: Path, *, name: str, capacity: int) -> None:
        """Takes an engine as it is; `open` is what starts one. `folder` holds the weights that it came with."""
        self.name = name
        self.capacity = capacity
        self._engine = engine
        self._codec = codec
        self._folder = folder
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
            arguments = AsyncEngineArgs(**{"model": str(folder), "disable_log_stats": True, **(engine or {})})
        except TypeError as error:
            raise SettingsError(f"vLLM does not take these engine arguments: {error}") from error
        codec = Codec(AutoTokenizer.from_pretrained(folder), keep_special_tokens=keep_special_tokens)
        started = await asyncio.to_thread(AsyncLLM.from_engine_args, arguments)
        return cls(started, codec, folder, name=model, capacity=capacity)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """See `Generator.generate`."""
        async with self._gate.generation():
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
            responses = await self._responses(tokens, parameters)
        texts = [self._codec.decode(response) for response in responses]
        return Generated(tuple(texts * (sampling.n // len(texts))), sum(map(len, responses)))

    async def load(self, weights: Path | None) -> None:
        """See `Generator.load`."""
        folder = self._folder if weights is None else weights
        await asyncio.to_thread(self._check, folder)
        async with self._gate.swap():
            try:
                await self._engine.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
            except Exception as error:  # what a worker raises arrives as a plain exception
                raise GeneratorUnavailableError(f"{self.name} did not take the weights in {folder}: {error}") from error
            await self._empty_prefix_cache()

    async def close(self) -> None:
        """See `Generator.close`."""
        await self._gate.close()
        await asyncio.to_thread(self._engine.shutdown)

    async def _responses(self, tokens: list[int], parameters: SamplingParams) -> list[list[int]]:
        """The tokens of each response, the end token with them if it was reached."""
        request = self._engine.generate({"prompt_token_ids": tokens}, parameters, str(next(self._requests)))
        try:
            (output,) = [output async for output in request]
        except VLLMClientError as error:
            raise GenerationError(f"vLLM refuses the prompt: {error}") from error
        except VLLMServerError as error:
            raise GeneratorUnavailableError(f"vLLM's engine failed: {error}") from error
        return [list(each.token_ids) for each in sorted(output.outputs, key=lambda each: each.index)]

    def _check(self, folder: Path) -> None:
        check_fit(read_tensors(folder), read_tensors(self._folder).shape_of, tied_names(self._folder))

    async def _empty_prefix_cache(self) -> None:
        """The engine refuses while it holds blocks of a request: what was given up may take a moment to end."""
        for _ in range(_CACHE_TRIES):
            if await self._engine.reset_prefix_cache():
                return
            await asyncio.sleep(_CACHE_WAIT_S)
        raise GeneratorUnavailableError(f"{self.name} does not empty its prefix cache")
