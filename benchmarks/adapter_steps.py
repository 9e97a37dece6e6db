"""Make steps of 256 rollouts, of some 1,500 characters each, for the programs that measure adapters."""

import random
from typing import Any

from co_rewarding_client import Rollout

ROLLOUTS = 256
WORDS = 300
TURNS = 15


def step(seed: int, group_size: int) -> list[dict[str, Any]]:
    """Make a step's rows, each with its response."""
    chance = random.Random(seed)
    return [
        {
            "prompt": f"{view} of question {question}",
            "question_id": f"q{question}",
            "view": view,
            "response": "word " * WORDS + f"\\boxed{{{chance.randrange(3)}}}",
        }
        for question in range(ROLLOUTS // (2 * group_size))
        for view in ("original", "paraphrase")
        for _ in range(group_size)
    ]


def rollouts_of(rows: list[dict[str, Any]], group_size: int) -> list[Rollout]:
    """Return the rows as the bare call has them."""
    return [
        Rollout(question_id=row["question_id"], view=row["view"], rollout=at % group_size, response=row["response"])
        for at, row in enumerate(rows)
    ]
