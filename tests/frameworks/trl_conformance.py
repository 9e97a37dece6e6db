# pyright: basic, reportMissingImports=false
"""Proves the adapter for TRL by the conformance kit: `trl_conformance.py URL [CASE ...]`.

TRL hands over the part of a batch that a rank holds. Here the ranks are objects of one process, so the attempt that
TRL's ranks would broadcast is handed on.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from accelerate import Accelerator
from co_rewarding_client import testing, trl_run
from co_rewarding_client.testing.sampling import EVALUATION_GROUP_SIZE
from co_rewarding_client.trl import CoRewarding


class Ranks:
    """Hands what the first rank tells to the others, which are started after it."""

    def __init__(self) -> None:
        self._told: Any = None

    def broadcast(self, told: list[Any]) -> None:
        if told[0] is None:
            told[0] = self._told
        self._told = told[0]


class InTrl:
    """One rank of a GRPOTrainer, as its hooks and its reward function are called."""

    adapter: Any = CoRewarding

    def __init__(self, process: testing.Process) -> None:
        self._model = SimpleNamespace(training=True)
        self._args = SimpleNamespace(
            world_size=process.ranks,
            process_index=process.rank,
            num_generations=process.settings.group_size,
            num_generations_eval=EVALUATION_GROUP_SIZE,
            generation_batch_size=2 * process.settings.group_size,
            shuffle_dataset=False,
            ignore_data_skip=False,
            max_completion_length=16,
            max_steps=100,
            output_dir=tempfile.gettempdir(),
        )
        self._reward: Any = self.adapter(
            process.url,
            run=process.run,
            method=process.settings.method,
            settings={"cohort_deadline_s": process.settings.cohort_deadline_s},
            patience_s=process.patience_s,
        )
        self._reward.on_init_end(self._args, None, None, model=self._model)
        self._reward.on_train_begin(self._args, self._state(0), None, model=self._model)

    def _state(self, step: int) -> Any:
        return SimpleNamespace(global_step=step, max_steps=100)

    async def score(self, handed: testing.Handed) -> list[float | None]:
        return await asyncio.to_thread(self._scored, handed)

    def _scored(self, handed: testing.Handed) -> list[float | None]:
        self._model.training = not handed.evaluate
        rewards = self._called(handed.rollouts, self._state(handed.step))
        self._reward.on_pre_optimizer_step(self._args, self._state(handed.step), None)
        return rewards

    def _called(self, rollouts: Sequence[testing.Sampled], state: Any) -> list[float | None]:
        return self._reward(
            prompts=[rollout.prompt for rollout in rollouts],
            completions=[rollout.response for rollout in rollouts],
            trainer_state=state,
            question_id=[rollout.question_id for rollout in rollouts],
            view=[rollout.view for rollout in rollouts],
            ground_truth=[rollout.ground_truth for rollout in rollouts],
        )

    async def close(self) -> None:
        """TRL ends without a word to reward functions."""


if __name__ == "__main__":
    Accelerator(cpu=True)
    trl_run.broadcast_object_list = Ranks().broadcast
    testing.main(InTrl, unit="batch")
