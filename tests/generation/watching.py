"""The transformers backend under observation, and transformers' own generation beside it."""

import asyncio
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from reward_service.generation.generator import Prompt, Sampling
from reward_service.generation.tokens import Codec
from reward_service.generation.transformers_backend import TransformersGenerator
from tests.generation.models import WORDS

PROMPTS = [" ".join(WORDS[place : place + length]) for place, length in ((0, 3), (9, 17), (30, 1), (11, 25))]


class CountingCodec(Codec):
    """Counts the prompts that are let through to it."""

    encoded = 0

    def encode(self, prompt: Prompt, thinking: bool | None = None) -> list[int]:
        self.encoded += 1
        return super().encode(prompt, thinking)


class Watched:
    """A generator of which every forward pass is seen: rows, and tokens of each that are read; threads."""

    def __init__(self, folder: Path, **options: Any) -> None:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.shapes: list[tuple[int, int]] = []
        self.threads: set[int] = set()
        model.register_forward_pre_hook(self._seen, with_kwargs=True)
        self.codec = CountingCodec(AutoTokenizer.from_pretrained(folder))
        options = {"name": "watched", "capacity": 8, "batch_tokens": 65_536} | options
        self.generator = TransformersGenerator(model, self.codec, folder, **options)

    async def has_begun(self) -> bool:
        return bool(self.shapes)

    async def holds_back(self) -> bool:
        """Whether prompts wait at the gate."""
        before = self.codec.encoded
        asked = asyncio.create_task(self.generator.generate(Prompt("w1"), Sampling()))
        await asyncio.sleep(0)
        asked.cancel()
        return self.codec.encoded == before

    def _seen(self, model: object, arguments: object, keywords: dict[str, Any]) -> None:
        self.threads.add(torch.get_num_threads())
        self.shapes.append(tuple(keywords["input_ids"].shape))


async def ask(generator: TransformersGenerator, **sampling: Any) -> list[tuple[str, ...]]:
    """The responses to all prompts, asked at once."""
    chosen = Sampling(**{"max_tokens": 20, "seed": 1} | sampling)
    answers = await asyncio.gather(*(generator.generate(Prompt(text), chosen) for text in PROMPTS))
    return [answer.texts_n for answer in answers]


def reference(folder: Path, text: str, max_tokens: int) -> str:
    """What transformers itself generates greedily, one prompt at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = tokenizer(text, return_tensors="pt")
    made = model.generate(
        input_ids=tokens["input_ids"],
        attention_mask=tokens["attention_mask"],
        do_sample=False,
        max_new_tokens=max_tokens,
    )
    return tokenizer.decode(made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
