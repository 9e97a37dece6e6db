"""Define generators: the protocol from prompts to responses, its errors, and the gate between answers and swaps."""

import asyncio
import contextlib
import enum
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from co_rewarding_schema.errors import CoRewardingError


class GenerationError(CoRewardingError):
    """This prompt cannot be answered, e.g. because it is too long. Asking again would end the same."""


class GeneratorUnavailableError(CoRewardingError):
    """The model is away, or its weights are not whole; the same prompt may be asked again later."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        """Tell what happened, and after how many seconds to ask again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnreachedError(GeneratorUnavailableError):
    """The server has not given one response since it was first asked: its address or key is wrong, or it is away."""


class FixedWeightsError(CoRewardingError):
    """This backend's weights cannot be swapped."""


class WeightsError(CoRewardingError):
    """These weights do not fit the model: the message names the tensors. Nothing was changed."""


OPENAI = "openai:"
VLLM_SERVER = "vllm-server:"

_SEED_BITS = 31
"""Seeds travel to servers of many kinds; a non-negative int32 is what all of them take."""


class Backend(enum.StrEnum):
    """What runs a model that is named by a folder or a name on the Hugging Face hub."""

    AUTO = "auto"
    """vLLM if it is installed and there is a GPU, else transformers."""
    TRANSFORMERS = "transformers"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text as the model reads it (already templated), or chat messages, which the backend templates.

    Raises:
        ValueError: not exactly one of the two is given.
    """

    text: str | None = None
    messages: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        """Refuses a prompt that is nothing, or two things."""
        if (self.text is None) == (not self.messages):
            raise ValueError("a prompt is either text or messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        n: how many responses.
        temperature: 0 is greedy: one response is generated and stands for all n.
        top_p: the tokens drawn from are the likeliest that hold this share together.
        max_tokens: of each response; less where the model's context ends sooner.
        seed: what the draws follow from; None draws differently every time. Neighbouring seeds share nothing.
        thinking: whether a chat template that knows `enable_thinking` is to open with thinking; None: its default.

    Raises:
        ValueError: a setting is out of its bounds.
    """

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 3072
    seed: int | None = None
    thinking: bool | None = None

    def __post_init__(self) -> None:
        """Refuses settings that nothing can be drawn with."""
        if self.n < 1 or self.max_tokens < 1:
            raise ValueError(f"n is {self.n} and max_tokens {self.max_tokens}: both must be at least 1")
        if not (self.temperature >= 0 and 0 < self.top_p <= 1):
            raise ValueError(
                f"temperature is {self.temperature} and top_p {self.top_p}: "
                "the one must be at least 0, the other above 0 and at most 1"
            )

    @property
    def greedy(self) -> bool:
        """Return whether nothing is left to chance, so that all responses are the same."""
        return self.temperature == 0

    @property
    def drawn(self) -> int:
        """Return how many responses are in fact generated."""
        return 1 if self.greedy else self.n

    def response_seed(self, index: int) -> int | None:
        """Return the seed of the response at `index`, in [0, 2³¹): a hash, because servers add the index to a seed.

        With vLLM's seed + index, response 1 of seed 7 would be response 0 of seed 8: votes that are not independent.
        """
        if self.seed is None:
            return None
        digest = hashlib.blake2b(f"{self.seed}/{index}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) >> (64 - _SEED_BITS)


@dataclass(frozen=True, slots=True)
class Generated:
    """The n responses to a prompt, in order, and how many tokens were generated for all of them together."""

    texts_n: tuple[str, ...]
    tokens: int


class Generator(Protocol):
    """A language model that answers. Belongs to the event loop that opened it.

    What is under way when weights are swapped ends on the weights it began with: `load` waits for it, and what is
    asked meanwhile waits for the new weights. No response is ever sampled from two versions.
    """

    @property
    def name(self) -> str:
        """Return the model's name, as people are told it."""
        ...

    @property
    def capacity(self) -> int:
        """Return how many prompts may usefully be under way at once."""
        ...

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """Samples n responses. The same weights, prompt and sampling with a seed give the same again.

        The transformers backend holds that whatever is asked beside it. The others pass the seed on, and their sums
        depend on the batch in their last bits.

        Raises:
            GenerationError: this prompt cannot be answered.
            GeneratorUnavailableError: the model is away; ask again after its `retry_after_s`.
        """
        ...

    async def load(self, weights: Path | None) -> None:
        """Swaps to the weights in a folder of safetensors, or back to those the model came with (None).

        Waits until what is under way has ended. What was computed with the old weights, the prefix cache too, is gone.
        If it fails in the middle, nothing is answered until another `load` has succeeded.

        Raises:
            FixedWeightsError: this backend's weights cannot be swapped.
            WeightsError: the folder does not fit the model, tensor for tensor; nothing was changed.
            GeneratorUnavailableError: the model is away, or did not take the weights.
        """
        ...

    async def close(self) -> None:
        """Lets the model go. What is under way ends with GeneratorUnavailableError."""
        ...


SYSTEM_PROMPT = "Let's think step by step and output the final answer within \\boxed{}."
"""The paper's (arXiv 2508.00410, Table 5), for questions that come without a template."""


def question_prompt(question: str) -> Prompt:
    """Return the prompt that asks for an answer in a box, behind the paper's system prompt."""
    return Prompt(messages=(Message("system", SYSTEM_PROMPT), Message("user", readable(question))))


def readable(text: str) -> str:
    """Replace lone surrogates, which JSON may hold and no model reads, by question marks."""
    return text.encode(errors="replace").decode()


_HALF_SWAPPED_RETRY_S = 5.0


class Gate:
    """Keeps swaps and generations apart: a swap waits for those under way and holds later ones back.

    For one event loop.
    """

    def __init__(self, name: str) -> None:
        """Begin with an open gate and whole weights. `name` is the model's, for messages."""
        self._name = name
        self._under_way: set[asyncio.Task[object]] = set()
        self._whole = True
        self._closed = False
        self._open = asyncio.Event()
        self._open.set()
        self._drained = asyncio.Event()
        self._drained.set()
        self._swaps = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def generation(self) -> AsyncIterator[None]:
        """While the context lasts, no weights are swapped.

        Raises:
            GeneratorUnavailableError: the last swap failed half-way, or the gate is or was closed meanwhile.
        """
        while not self._open.is_set():  # another swap may begin before this task is woken
            await self._open.wait()
        self._check_closed()
        if not self._whole:
            raise GeneratorUnavailableError(
                f"the last swap of {self._name}'s weights failed half-way: nothing is answered until a load succeeds",
                _HALF_SWAPPED_RETRY_S,
            )
        task = asyncio.current_task()
        assert task is not None, "a gate is passed in a task"
        cancelled_before = task.cancelling()
        self._under_way.add(task)
        self._drained.clear()
        try:
            yield
        except asyncio.CancelledError:
            if self._closed and task.uncancel() <= cancelled_before:  # by `close`, and by nobody else
                self._check_closed()
            raise
        finally:
            self._under_way.discard(task)
            if not self._under_way:
                self._drained.set()

    @contextlib.asynccontextmanager
    async def swap(self, *, mends: bool = False) -> AsyncIterator[None]:
        """While the context lasts, nothing is generated. Leaving it by an error leaves weights that are not whole.

        `mends` is for giving a model back the weights that it lost: afterwards they count as they did before.

        Raises:
            GeneratorUnavailableError: the gate is closed.
        """
        async with self._swaps:
            self._open.clear()
            try:
                await self._drained.wait()
                self._check_closed()
                before = self._whole
                self._whole = before and mends
                yield
                self._whole = before or not mends
            finally:
                self._open.set()

    async def close(self) -> None:
        """Ends the generations under way, waits for a swap to end, and lets nothing through any more."""
        self._closed = True
        for task in self._under_way:
            task.cancel()
        await self._drained.wait()
        async with self._swaps:
            pass

    def _check_closed(self) -> None:
        if self._closed:
            raise GeneratorUnavailableError(f"{self._name} was closed")
