# pyright: basic, reportMissingImports=false
"""Stands for the model of the Tinker cookbook: a tokenizer of a few words, and policies that say chosen ones."""

import asyncio
import random
from collections.abc import Callable, Sequence

import tinker
from co_rewarding_client.tinker import QuestionEnv, Row
from tinker_cookbook import renderers
from tinker_cookbook.completers import TokenCompleter, TokensWithLogprobs
from trl_tiny import ANSWERS, tiny_tokenizer


def ask(row: Row) -> QuestionEnv:
    """Ask as a data set does; a renderer of a tokenizer that no hub has cannot be sent to another process."""
    return QuestionEnv(renderers.get_renderer("role_colon", tiny_tokenizer()), row)


class Policy(TokenCompleter):
    """Says what `says` returns, each time after a while, so that groups end in any order."""

    def __init__(self, says: Callable[[Sequence[int]], str], seed: int = 0) -> None:
        self._says = says
        self._chance = random.Random(seed)
        self._tokenizer = tiny_tokenizer()

    async def __call__(
        self, model_input: tinker.ModelInput, stop: object, *, max_tokens: int | None = None
    ) -> TokensWithLogprobs:
        await asyncio.sleep(self._chance.random() / 20)
        tokens = self._tokenizer.encode(self._says(model_input.to_ints()), add_special_tokens=False)
        return TokensWithLogprobs(tokens=tokens, maybe_logprobs=[0.0] * len(tokens))


def guessing(seed: int = 0) -> Policy:
    """Prefers one answer, so that some groups agree and some do not."""
    chance = random.Random(seed)
    answers = [0, 0, *range(ANSWERS)]
    return Policy(lambda _: f"w1 \\boxed{{{chance.choice(answers)}}}", seed)
