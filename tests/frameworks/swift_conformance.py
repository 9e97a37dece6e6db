# pyright: basic, reportMissingImports=false
"""Proves the adapter for ms-swift by the conformance kit: `swift_conformance.py URL [CASE ...]`.

The reward function is called as ms-swift's GRPO calls it, by its own code, with the part of a batch that a rank holds.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import torch
from accelerate import Accelerator
from co_rewarding_client import swift, testing, trl_run
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import compute_rewards_per_func
from trl_conformance import InTrl, Ranks


class InSwift(InTrl):
    """One rank of ms-swift's GRPOTrainer."""

    adapter: Any = swift.CoRewarding

    def __init__(self, process: testing.Process) -> None:
        super().__init__(process)
        self._reward.trainer = SimpleNamespace(
            model=self._model,
            template=SimpleNamespace(
                generate_context=nullcontext,
                encode=lambda asked: {"input_ids": asked["messages"][-1]["content"]},
                tokenizer=SimpleNamespace(decode=str),
            ),
            _metrics=defaultdict(lambda: defaultdict(list)),
        )

    def _called(self, rollouts: Sequence[testing.Sampled], state: Any) -> list[float | None]:
        samples = [
            GRPOSample.from_row(
                {
                    "messages": [
                        {"role": "user", "content": rollout.prompt},
                        {"role": "assistant", "content": rollout.response},
                    ],
                    "question_id": rollout.question_id,
                    "view": rollout.view,
                    "ground_truth": rollout.ground_truth,
                }
            )
            for rollout in rollouts
        ]
        found = compute_rewards_per_func(samples, [self._reward], [None], torch.device("cpu"), state)
        return [None if math.isnan(reward) else reward for reward in found[:, 0].tolist()]


if __name__ == "__main__":
    Accelerator(cpu=True)
    trl_run.broadcast_object_list = Ranks().broadcast
    testing.main(InSwift, unit="batch")
