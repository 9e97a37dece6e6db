"""Find the answers of long responses in a thread, so that other requests go on meanwhile."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from co_rewarding_schema.rollouts import Rollout
from co_rewarding_schema.run_settings import RunSettings

from reward_service.api.rewards.cohort_builder import Answers
from reward_service.domain.extraction import extractor

Result = TypeVar("Result")

LONG_CHARS = 65_536
"""As much of a text as an answer is looked for at once, whatever it holds."""

MANY_CHARS = 2_000_000
"""The same for all texts of the requests of one pass of the event loop."""

LONG_S = 0.1
"""The CPU time in which answers are looked for at once in one pass of the event loop, where each is timed."""

INLINE_BYTES = 2**18
"""As much of a request as its rollouts are made of at once."""


class Extraction:
    """Finds answers in a thread, one request after the other: each thread more would take its share from the others."""

    def __init__(self) -> None:
        """Composed once, in the app's lifespan."""
        self._turn = asyncio.Semaphore(1)
        self._chars_of_this_pass = 0
        self._s_of_this_pass = 0.0

    async def of_long(self, rollouts: Sequence[Rollout], settings: RunSettings) -> Answers:
        """The answers, by position, of the responses that are long, or of all where they are long together."""
        lengths = [len(rollout.response) for rollout in rollouts]
        many = self._count(sum(lengths)) > MANY_CHARS
        if not many and max(lengths, default=0) <= LONG_CHARS:
            return {}
        long = [at for at, length in enumerate(lengths) if many or length > LONG_CHARS]
        answer_of = extractor(settings.answer_formats, settings.end_tokens, settings.thinking)
        answers: dict[int, str | None] = {}
        left = 0  # characters to look at before others go on
        async with self._turn:
            for at in long:
                response = rollouts[at].response
                if len(response) > LONG_CHARS:
                    answers[at] = await asyncio.to_thread(answer_of, response)
                    continue
                if len(response) > left:
                    await asyncio.sleep(0)
                    left = LONG_CHARS
                answers[at] = answer_of(response)
                left -= len(response)
        return answers

    def may_begin(self, chars: int) -> bool:
        """Whether the answer of a text may be looked for at once."""
        return chars <= LONG_CHARS and self._s_of_this_pass <= LONG_S

    def took(self, seconds: float) -> None:
        """Looking for an answer at once took so long."""
        if not self._s_of_this_pass:
            asyncio.get_running_loop().call_soon(self._begin_pass)
        self._s_of_this_pass += seconds

    async def of_size(self, size_bytes: int, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, which takes as long as `size_bytes` say: at once, or in the thread."""
        if size_bytes <= INLINE_BYTES:
            return work()
        async with self._turn:
            return await asyncio.to_thread(work)

    def _count(self, chars: int) -> int:
        """Return how many characters this pass of the event loop has brought, these included."""
        if not self._chars_of_this_pass:
            asyncio.get_running_loop().call_soon(self._begin_pass)
        self._chars_of_this_pass += chars
        return self._chars_of_this_pass

    def _begin_pass(self) -> None:
        self._chars_of_this_pass = 0
        self._s_of_this_pass = 0.0
