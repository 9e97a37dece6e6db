"""Run small models in this process with transformers. Prompts that are asked together are answered together."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from reward_service.errors import SettingsError
from reward_service.generation.generator import (
    Gate,
    Generated,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
    WeightsError,
)
from reward_service.generation.model_folder import Tensors, check_fit, model_folder, read_tensors
from reward_service.generation.tied import differing_output
from reward_service.generation.tokens import Codec, TokenPrompt, response_limit, sample

_LINGER_S = 0.005
"""How long an idle model waits for what is asked at the same time as the first prompt."""


@dataclass(slots=True, eq=False)
class _Job:
    """Responses to one prompt that fit into a batch, and who waits for them."""

    asked: TokenPrompt
    temperature: float
    top_p: float
    answer: asyncio.Future[list[list[int]]]

    @property
    def batch_tokens(self) -> int:
        """Keys and values that it may fill."""
        return len(self.asked.seeds) * (len(self.asked.tokens_L) + self.asked.max_tokens)


class TransformersGenerator:
    """Answers in batches of prompts that share a temperature and top-p, in a thread of its own.

    Weights are kept in float32 on a CPU (bfloat16 is slower on most, and an answer should not depend on its
    neighbours), in the model's own type on a GPU. Memory is bounded by `batch_tokens`, the tokens of all prompts and
    responses of a batch, each counted as long as it may become.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        codec: Codec,
        folder: Path,
        *,
        name: str,
        capacity: int,
        batch_tokens: int,
        threads: int | None = None,
    ) -> None:
        """Takes a model as it is; `open` is what makes one. `folder` holds the weights that it came with."""
        self.name = name
        self.capacity = capacity
        self._model = model
        self._codec = codec
        self._folder = folder
        self._batch_tokens = batch_tokens
        self._end_ids = _end_ids(model)
        self._context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._gate = Gate(name)
        # The number is a setting of the thread that computes.
        settings = {} if threads is None else {"initializer": torch.set_num_threads, "initargs": (threads,)}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generation", **settings)
        self._waiting: list[_Job] = []
        self._work: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        model: str,
        *,
        capacity: int = 32,
        batch_tokens: int = 65_536,
        keep_special_tokens: bool = False,
        threads: int | None = None,
    ) -> Self:
        """Loads a model and its tokenizer from a folder or the Hugging Face hub; on a CPU it computes with `threads`.

        Raises:
            SettingsError: there is no such model.
        """
        folder, loaded, codec = await asyncio.to_thread(_loaded, model, keep_special_tokens)
        return cls(loaded, codec, folder, name=model, capacity=capacity, batch_tokens=batch_tokens, threads=threads)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """See `Generator.generate`."""
        async with self._gate.generation():
            jobs = self._jobs(prompt, sampling)
            self._waiting += jobs
            if self._work is None or self._work.done():
                self._work = asyncio.create_task(self._answer_all(), name="generation-batches")
                self._work.add_done_callback(self._fail_waiting)
            try:
                answers = await asyncio.gather(*(job.answer for job in jobs))
            finally:
                self._forget(jobs)
        responses = [tokens for answer in answers for tokens in answer]
        texts = [self._codec.decode(tokens) for tokens in responses]
        return Generated(tuple(texts * (sampling.n // len(texts))), sum(map(len, responses)))

    async def load(self, weights: Path | None) -> None:
        """See `Generator.load`. Reads the folder first, and changes nothing before all of it has been found to fit."""
        tensors = await asyncio.to_thread(read_tensors, self._folder if weights is None else weights)
        own, tied = _own_tensors(self._model)
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        check_fit(tensors, shapes | {name: shapes[of] for name, of in tied.items()}, frozenset(tied))
        await asyncio.to_thread(_check_tied, tensors, tied)
        async with self._gate.swap():
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, _copy, tensors, own)
            except (OSError, SafetensorError) as error:
                raise GeneratorUnavailableError(f"{tensors.folder} could not be read to its end: {error}") from error

    async def close(self) -> None:
        """See `Generator.close`. The batch under way ends with its next token."""
        await self._gate.close()
        if self._work is not None:
            await asyncio.wait([self._work])
        self._thread.shutdown()

    def _jobs(self, prompt: Prompt, sampling: Sampling) -> list[_Job]:
        """What is asked, in parts that fit into a batch."""
        tokens_L = self._codec.encode(prompt, sampling.thinking)
        limit = response_limit(len(tokens_L), sampling.max_tokens, self._context)
        seeds = [_seed(sampling, index) for index in range(sampling.drawn)]
        at_once = max(1, self._batch_tokens // (len(tokens_L) + limit))
        loop = asyncio.get_running_loop()
        return [
            _Job(
                TokenPrompt(tokens_L, seeds[first : first + at_once], limit),
                sampling.temperature,
                sampling.top_p,
                loop.create_future(),
            )
            for first in range(0, len(seeds), at_once)
        ]

    def _forget(self, jobs: Sequence[_Job]) -> None:
        """Nobody waits for them any more: they are not begun, and a batch in which nobody waits for any ends."""
        self._waiting = [job for job in self._waiting if job not in jobs]
        for job in jobs:
            job.answer.cancel()

    def _fail_waiting(self, work: asyncio.Task[None]) -> None:
        """Should the batches end by an error of their own, it is for those who wait."""
        if work.cancelled() or (error := work.exception()) is None:
            return
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            if not job.answer.done():
                job.answer.set_exception(error)

    async def _answer_all(self) -> None:
        """Batch after batch until nothing waits."""
        await asyncio.sleep(_LINGER_S)
        while self._waiting:
            batch = self._next_batch()
            try:
                answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._sampled, batch)
            except Exception as error:  # whatever it is, it is for those who asked
                for job in batch:
                    if not job.answer.done():
                        job.answer.set_exception(error)
            else:
                for job, answer in zip(batch, answers, strict=True):
                    if not job.answer.done():
                        job.answer.set_result(answer)

    def _next_batch(self) -> list[_Job]:
        """The job that has waited longest and those after it that are sampled alike, while there is room."""
        first, *others = self._waiting
        batch, room = [first], self._batch_tokens - first.batch_tokens
        for job in others:
            if (job.temperature, job.top_p) == (first.temperature, first.top_p) and job.batch_tokens <= room:
                batch.append(job)
                room -= job.batch_tokens
        self._waiting = [job for job in self._waiting if job not in batch]
        return batch

    def _sampled(self, batch: Sequence[_Job]) -> list[list[list[int]]]:
        """Runs in the thread."""
        return sample(
            self._model,
            [job.asked for job in batch],
            temperature=batch[0].temperature,
            top_p=batch[0].top_p,
            end_ids=self._end_ids,
            wanted=lambda: not all(job.answer.done() for job in batch),
        )


def _loaded(model: str, keep_special_tokens: bool) -> tuple[Path, PreTrainedModel, Codec]:
    folder = model_folder(model)
    on_gpu = torch.cuda.is_available()
    with _without_bars():
        loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto" if on_gpu else torch.float32, use_safetensors=True
        )
    try:
        _check_tied(read_tensors(folder), _own_tensors(loaded)[1])
    except WeightsError as error:
        raise SettingsError(str(error)) from error
    torch.nn.Module.to(loaded, "cuda" if on_gpu else "cpu").eval()
    return folder, loaded, Codec(AutoTokenizer.from_pretrained(folder), keep_special_tokens=keep_special_tokens)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """No bar of transformers while weights are loaded: it would stand in a service's log."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _seed(sampling: Sampling, index: int) -> int:
    seed = sampling.response_seed(index)
    return secrets.randbits(63) if seed is None else seed


def _end_ids(model: PreTrainedModel) -> frozenset[int]:
    """The tokens that end a response: those of the generation config, or else of the config."""
    generation = getattr(model, "generation_config", None)
    ends = getattr(generation, "eos_token_id", None)
    if ends is None:
        ends = model.config.get_text_config().eos_token_id
    if ends is None:
        return frozenset()
    return frozenset([ends] if isinstance(ends, int) else ends)


def _own_tensors(model: PreTrainedModel) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The model's tensors by name, each once, and the further names of those that have several."""
    own: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    name_of: dict[int, str] = {}
    named = dict(model.named_parameters()) | model.state_dict(keep_vars=True)
    for name, tensor in named.items():
        first = name_of.setdefault(id(tensor), name)
        if first == name:
            own[name] = tensor
        else:
            tied[name] = first
    return own, tied


def _check_tied(tensors: Tensors, tied: Mapping[str, str]) -> None:
    """Two names of one tensor must say the same."""
    for name, first in tied.items():
        there = {name, first} <= tensors.file_of.keys()
        if there and not torch.equal(_tensor(tensors, name), _tensor(tensors, first)):
            raise WeightsError(differing_output(str(tensors.folder), name, first))


@torch.no_grad()
def _copy(tensors: Tensors, own: Mapping[str, Tensor]) -> None:
    for name, tensor in own.items():
        tensor.copy_(_tensor(tensors, name))


def _tensor(tensors: Tensors, name: str) -> Tensor:
    with safe_open(tensors.file_of[name], framework="pt") as file:
        return file.get_tensor(name)
