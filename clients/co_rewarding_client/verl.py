# pyright: basic, reportMissingImports=false
"""Reward verl's rollouts, one at a time, in the Ray workers of its reward loop.

    reward.reward_manager.source=importlib reward.reward_manager.name=CoRewardManager
    reward.reward_manager.module.path=pkg://co_rewarding_client.verl

`verl_data` has the data set that keeps pairs together, and `verl_trainer` the trainer that sees a step as a whole.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from co_rewarding_schema.errors import CoRewardingError
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.gathering import GatheredRewards
from co_rewarding_client.model import Rollout, View
from co_rewarding_client.training import ClientOfLoop
from co_rewarding_client.verl_shared import Reading, is_evaluated, prompt_of, question_id_of, shared, truth_of


class CoRewardManager(RewardManagerBase):
    """Rewards one rollout at a time, in any order, by any number of workers.

    A rollout is known by `question_id` and `view` of the row's `extra_info`, by verl's `session_id` (its place in the
    group) and `global_steps`. A row without question_id is a question of its own, known by verl's `uid`. A row whose
    `extra_info` says `evaluate`, or a `split` other than train, is evaluated: compared with its ground truth.

    A rollout that abstains has 0.0, as have all of its group, so that their advantage is 0, and `abstained` 1.0. The
    trainer of `verl_trainer` leaves it out of the batch. An error of the client ends the rewards of this worker: verl
    notes a group whose reward failed, and goes on without it.
    """

    def __init__(
        self,
        config: Foreign,
        tokenizer: Foreign,
        compute_score: Foreign,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Foreign = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        self._reading = Reading(config)
        # verl asks for all rollouts of a step before it waits for one, so they may wait for one another.
        self._rewards = GatheredRewards(ClientOfLoop(self._reading.endpoint).get)
        self._shared = shared(self._reading.endpoint.run)
        self._attempt: int | None = None
        self._failure: CoRewardingError | None = None

    async def run_single(self, data: Foreign) -> dict[str, Any]:
        """Return the reward of the rollout, when its cohort is settled.

        Raises:
            CoRewardingError: it cannot be rewarded; the error says why, and what to do.
        """
        if self._failure is not None:
            raise self._failure
        try:
            return await self._rewarded(data[-1])
        except CoRewardingError as error:
            self._failure = error
            await self._shared.fail.remote(f"{type(error).__name__}: {error}")
            raise

    async def _rewarded(self, item: Foreign) -> dict[str, Any]:
        if self._attempt is None:
            self._attempt = int(await self._shared.attempt.remote())
        fields = item.non_tensor_batch
        info = fields.get("extra_info") or {}
        rollout = Rollout(
            question_id=question_id_of(info, fields),
            view=str(info.get("view") or View.ORIGINAL),
            rollout=_whole(fields, "session_id"),
            attempt=self._attempt,
            response=await self._response(item),
            prompt=prompt_of(self.tokenizer, fields, self._reading) if self._reading.needs_teacher else None,
            ground_truth=truth_of(fields),
        )
        step = _whole(fields, "global_steps")
        found = await self._rewards.reward(rollout, step=step, evaluate=is_evaluated(info))
        label = found.label
        return {
            "reward_score": found.reward or 0.0,
            # The same keys on every row: verl takes them from the first.
            "reward_extra_info": {
                "acc": found.reward or 0.0,
                "abstained": float(found.reward is None),
                "abstention": found.abstention or "",
                "vote_share": label.votes / label.of if label and label.of else 0.0,
            },
        }

    async def _response(self, item: Foreign) -> str:
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-ids.shape[-1] :].sum())
        decode = self.tokenizer.decode
        return await asyncio.to_thread(decode, ids[:length], skip_special_tokens=True)


def _whole(fields: Mapping[str, Any], name: str) -> int:
    if name not in fields:
        raise invalid(f"verl gives no {name} with a rollout; train with trainer.use_v1=True")
    return int(fields[name])
