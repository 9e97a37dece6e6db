# pyright: basic, reportMissingImports=false
"""Proves the adapter for the Tinker cookbook by the conformance kit: `tinker_conformance.py URL [CASE ...]`.

The cookbook's own code rolls out each group, in environments that say what the kit has sampled.
"""

from collections.abc import Sequence
from typing import Any

import tinker
from co_rewarding_client import testing
from co_rewarding_client.testing.sampling import GROUP_SIZE
from co_rewarding_client.tinker import ViewGroup
from co_rewarding_client.tinker_training import Batch, Service
from tinker_cookbook.rl import types
from tinker_cookbook.rl.rollouts import do_group_rollout
from tinker_fake import guessing


class Saying(types.Env):
    """Says one response, whatever the policy does."""

    def __init__(self, response: str) -> None:
        self.response = response

    async def initial_observation(self) -> Any:
        return tinker.ModelInput.from_ints([1]), [0]

    async def step(self, action: Any, *, extra: Any = None) -> Any:
        return types.StepResult(
            reward=0.0, episode_done=True, next_observation=tinker.ModelInput.empty(), next_stop_condition=[0]
        )


class InTinker:
    """The process of a training by the cookbook."""

    def __init__(self, process: testing.Process) -> None:
        self._service = Service(
            url=process.url, run=process.run, patience_s=process.patience_s, clock=lambda: float(process.began_s)
        )
        self._settings = process.settings
        self._has_begun = False

    async def score(self, handed: testing.Handed) -> Sequence[float | None]:
        if not self._has_begun:
            await self._service.begin(self._settings)
            self._has_begun = True
        said = [rollout.response for rollout in handed.rollouts]
        coming = iter(said)
        first = handed.rollouts[0]
        group = ViewGroup(
            service=self._service,
            row={
                "question_id": first.question_id,
                "view": first.view,
                "prompt": first.prompt,
                "ground_truth": first.ground_truth,
            },
            ask=lambda _: Saying(next(coming)),
            group_size=len(said),
            attempt=None if handed.evaluate else self._service.attempt,
            batch=None if handed.evaluate else Batch(step=handed.step, groups=GROUP_SIZE**3),
        )
        found = await do_group_rollout(group, guessing())
        left_out = [metrics["co_rewarding/abstained"] for metrics in found.metrics_G]
        return [None if out else reward for out, reward in zip(left_out, found.get_total_rewards(), strict=True)]

    async def close(self) -> None:
        await self._service.clients.get().close()


if __name__ == "__main__":
    testing.main(InTinker, unit="group")
