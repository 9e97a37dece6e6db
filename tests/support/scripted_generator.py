"""A generator without a model: it answers by a script, and remembers what it was asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reward_service.generation.generator import FixedWeightsError, Generated, Prompt, Sampling
from reward_service.paraphrasing.prompts import INSTRUCTIONS

Script = Callable[[Prompt, Sampling], Sequence[str]]
"""The responses to a prompt; raises what the generator is to raise."""


@dataclass
class ScriptedGenerator:
    script: Script
    name: str = "scripted"
    capacity: int = 4
    asked: list[tuple[Prompt, Sampling]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        self.asked.append((prompt, sampling))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            texts_n = tuple(self.script(prompt, sampling))
        finally:
            self.under_way -= 1
        assert len(texts_n) == sampling.n, "a script gives as many responses as it is asked for"
        return Generated(texts_n, len(texts_n))

    async def load(self, weights: Path | None) -> None:
        raise FixedWeightsError("a script has no weights")

    async def close(self) -> None:
        pass


def instruction_in(prompt: Prompt) -> str | None:
    """The name of the instruction that a prompt begins with; None for a question that is to be answered."""
    said = prompt.messages[-1].content
    return next((name for name, row in INSTRUCTIONS.items() if said.startswith(row.text)), None)


def asked_text(prompt: Prompt) -> str:
    """The question in a prompt, whether it is to be rewritten or answered."""
    said = prompt.messages[-1].content
    name = instruction_in(prompt)
    return said if name is None else said.removeprefix(INSTRUCTIONS[name].text).strip()
