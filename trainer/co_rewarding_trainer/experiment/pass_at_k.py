"""Estimate pass@k without bias, from n samples of each problem (arXiv 2107.03374, eq. 1)."""

import math
from collections.abc import Sequence

import torch

from co_rewarding_trainer.loop import LoopConfig, held_out_problems
from co_rewarding_trainer.policy import Policy
from co_rewarding_trainer.sampling import sample
from co_rewarding_trainer.task import VIEWS, boxed_answer
from co_rewarding_trainer.task_table import task_named

PROBLEMS_AT_ONCE = 64


def pass_at_k(samples: int, right_N: Sequence[int], k: int) -> float:
    """Return the share of problems that k responses solve: the mean of 1 - C(n-c, k) / C(n, k).

    Args:
        samples: n, the responses to each problem.
        right_N: c, how many of them are right, of each problem.
        k: from 1 to n.

    Raises:
        ValueError: k is out of its bounds, or there is no problem.
    """
    if not 1 <= k <= samples or not right_N:
        raise ValueError(f"pass@{k} of {samples} samples of {len(right_N)} problems is not defined")
    draws = math.comb(samples, k)
    return math.fsum(1 - math.comb(samples - right, k) / draws for right in right_N) / len(right_N)


def solved_counts(policy: Policy, config: LoopConfig, samples: int) -> list[int]:
    """Return how many of `samples` responses solve each held-out problem; problems and draws are always the same."""
    task = task_named(config.task)
    problems = held_out_problems(config)
    generator = torch.Generator(policy.model.device).manual_seed(0)
    right_N: list[int] = []
    for first in range(0, len(problems), PROBLEMS_AT_ONCE):
        some = problems[first : first + PROBLEMS_AT_ONCE]
        prompts_P = [problem.prompt(VIEWS[(first + index) % 2]) for index, problem in enumerate(some)]
        drawn = sample(policy, prompts_P, samples, config.evaluation_temperature, generator, task.max_new_tokens)
        for index, problem in enumerate(some):
            of_problem = drawn.texts[index * samples :][:samples]
            right_N.append(sum(boxed_answer(text) == problem.answer for text in of_problem))
    return right_N
