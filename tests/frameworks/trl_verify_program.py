# pyright: basic, reportMissingImports=false
"""Trains with TRL's own GRPOTrainer, whose reward functions verify hostile responses in 8 threads and on a loop.

`trl_verify_program.py FOLDER` prints a JSON line for each call of a reward function, and one for the training.
"""

import asyncio
import contextlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from co_rewarding_answers import averify, verify
from co_rewarding_answers.math_verify import parse
from co_rewarding_answers.math_verify import verify as stand_in
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl_program import QUIET
from trl_tiny import ANSWERS, tiny_model, tiny_tokenizer

from tests.support.hostile_answers import HostileAnswer, own_hostile, shared_hostile

TEXTS = own_hostile() + shared_hostile()
told: list[dict[str, Any]] = []


def graded(text: HostileAnswer) -> tuple[str, float]:
    began_s = time.monotonic()
    return verify(text.truth, text.response), time.monotonic() - began_s


def in_threads(completions: list[str], ground_truth: list[str], **_: Any) -> list[float]:
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(graded, TEXTS))
        rewards = [float(each == "same") for each in threads.map(verify, ground_truth, completions)]
    tell("threads", [verdict for verdict, _ in verdicts], completions, rewards, max(took for _, took in verdicts))
    return rewards


async def on_the_loop(completions: list[str], ground_truth: list[str], **_: Any) -> list[float]:
    began_s = time.monotonic()
    verdicts = await asyncio.gather(*(averify(text.truth, text.response) for text in TEXTS))
    rewards = [float(await averify(*pair) == "same") for pair in zip(ground_truth, completions, strict=True)]
    tell("loop", verdicts, completions, rewards, time.monotonic() - began_s)
    return rewards


def standing_in(completions: list[str], ground_truth: list[str], **_: Any) -> list[float]:
    """What a user of math-verify writes."""
    began_s = time.monotonic()
    equal = [stand_in(parse(text.truth), parse(text.response)) for text in TEXTS]
    verdicts = ["same" if each else "undecided" for each in equal]
    pairs = zip(ground_truth, completions, strict=True)
    rewards = [float(stand_in(parse(truth), parse(text))) for truth, text in pairs]
    tell("stand-in", verdicts, completions, rewards, time.monotonic() - began_s)
    return rewards


def tell(how: str, verdicts: Any, completions: list[str], rewards: list[float], seconds: float) -> None:
    told.append(
        {
            "how": how,
            "verdicts": list(map(str, verdicts)),
            "completions": completions,
            "rewards": rewards,
            "seconds": seconds,
        }
    )


def main() -> None:
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):
        trainer = GRPOTrainer(
            model=tiny_model(),
            reward_funcs=[in_threads, on_the_loop, standing_in],
            args=GRPOConfig(output_dir=sys.argv[1], **QUIET | {"max_steps": 2}),
            train_dataset=Dataset.from_list(
                [{"prompt": f"w0 w{number % 4}", "ground_truth": str(number % ANSWERS)} for number in range(8)]
            ),
            processing_class=tiny_tokenizer(),
        )
        trainer.train()
    for line in told:
        print(json.dumps(line))
    print(json.dumps({"how": "trained", "steps": trainer.state.global_step}))


if __name__ == "__main__":
    main()
