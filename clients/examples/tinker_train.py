# pyright: basic, reportMissingImports=false
"""Train by the Tinker cookbook, rewarded by the service: set TINKER_API_KEY and CO_REWARDING_URL, and give a file.

    python tinker_train.py pairs.jsonl

A line has question_id, question and paraphrase. Both views of a question are sampled in one step.
"""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path

import chz
from co_rewarding_client import RunSettings
from co_rewarding_client.tinker import PairDataset, QuestionEnv
from co_rewarding_client.tinker_training import Service
from tinker_cookbook import renderers
from tinker_cookbook.rl import train
from tinker_cookbook.rl.types import RLDataset, RLDatasetBuilder
from tinker_cookbook.tokenizer_utils import get_tokenizer

MODEL = "Qwen/Qwen3-8B"
RENDERER = "qwen3"
GROUP_SIZE = 8


def lines_of(path: str) -> list[str]:
    """Return the lines of a file."""
    return Path(path).read_text().splitlines()


@chz.chz
class Pairs(RLDatasetBuilder):
    """The pairs of a file."""

    path: str

    async def __call__(self) -> tuple[RLDataset, RLDataset | None]:
        """Make the run and the data set."""
        questions = [json.loads(line) for line in lines_of(self.path)]
        renderer = renderers.get_renderer(RENDERER, get_tokenizer(MODEL))
        ask = partial(QuestionEnv, renderer, system_prompt="Put the final answer into \\boxed{}.")
        service = Service()
        pairs = PairDataset(service, questions, ask, group_size=GROUP_SIZE, questions_per_batch=32)
        await service.begin(RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE, total_steps=len(pairs)))
        return pairs, None


if __name__ == "__main__":
    config = train.Config(
        model_name=MODEL,
        recipe_name="co-rewarding",
        renderer_name=RENDERER,
        log_path="runs/tinker",
        dataset_builder=Pairs(path=sys.argv[1]),
        learning_rate=4e-5,
        max_tokens=2048,
    )
    asyncio.run(train.main(config))
