# pyright: basic, reportMissingImports=false
"""Reward verl's rollouts, one at a time, in the Ray workers of its reward loop.

    reward.reward_manager.source=importlib reward.reward_manager.name=CoRewardManager
    reward.reward_manager.module.path=pkg://co_rewarding_client.verl

`verl_data` has the data set that keeps pairs together, and `verl_trainer` the trainer that sees a step as a whole.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import ray
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rollout, RunSettings, View
from co_rewarding_client.training import ClientOfLoop, Endpoint

ENDPOINT_FIELDS = ("url", "api_key", "run", "timeout_s", "patience_s")


class Reading:
    """What the adapter reads from verl's configuration.

    `+reward.reward_kwargs.url`, `api_key`, `run`, `timeout_s` and `patience_s` are those of `Endpoint`, and read from
    the environment if not given. `+reward.reward_kwargs.settings` has other settings of the run, such as `method`.
    """

    def __init__(self, config: Any) -> None:
        given = _plain(config.reward.get("reward_kwargs")) or {}
        self.endpoint = Endpoint(**{name: given[name] for name in ENDPOINT_FIELDS if given.get(name) is not None})
        self.settings: dict[str, Any] = dict(given.get("settings") or {})
        self.template: dict[str, Any] = dict(_plain(OmegaConf.select(config, "data.apply_chat_template_kwargs")) or {})
        method = METHODS.get(str(self.settings.get("method", DEFAULT_METHOD)))
        # A later service may have methods that this client does not know: then nothing is left out.
        self.needs_both_views = method is None or method.needs_both_views
        self.needs_teacher = method is None or method.needs_teacher

    def run_settings(self, group_size: int, total_steps: int) -> RunSettings:
        """Return the settings of the run for a training with these sizes."""
        return RunSettings(**{"group_size": group_size, "total_steps": max(1, total_steps)} | self.settings)


class _Shared:
    """What all Ray processes of a training agree on: which attempt it is, and why a rollout has no reward."""

    def __init__(self) -> None:
        self._attempt = int(time.time())
        self._failure: str | None = None

    def attempt(self) -> int:
        return self._attempt

    def fail(self, reason: str) -> None:
        self._failure = self._failure or reason

    def failure(self) -> str | None:
        return self._failure


def shared(run: str) -> Any:
    """Return the one actor of this training: a training that is resumed has another, with a later attempt.

    It lives as long as the process that asked first, and its name is known within one Ray job.
    """
    return ray.remote(num_cpus=0)(_Shared).options(name=f"co-rewarding/{run}", get_if_exists=True).remote()


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
        config: Any,
        tokenizer: Any,
        compute_score: Any,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        self._reading = Reading(config)
        self._clients = ClientOfLoop(self._reading.endpoint)
        self._shared = shared(self._reading.endpoint.run)
        self._attempt: int | None = None
        self._failure: CoRewardingError | None = None

    async def run_single(self, data: Any) -> dict[str, Any]:
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

    async def _rewarded(self, item: Any) -> dict[str, Any]:
        if self._attempt is None:
            self._attempt = await self._shared.attempt.remote()
        fields = item.non_tensor_batch
        info = _info(fields)
        evaluate = is_evaluated(info)
        rollout = Rollout(
            question_id=question_id_of(info, fields),
            view=str(info.get("view") or View.ORIGINAL),
            rollout=_whole(fields, "session_id"),
            attempt=self._attempt,
            response=await self._response(item),
            prompt=prompt_of(self.tokenizer, fields, self._reading) if self._reading.needs_teacher else None,
            ground_truth=_ground_truth(fields),
        )
        step = _whole(fields, "global_steps")
        found = await self._clients.get().rewards([rollout], step=step, complete=False, **_told(evaluate))
        reward, abstention = found.rewards[0], found.abstentions[0]
        share = [label.votes / label.of for label in found.labels if label.view == rollout.view and label.of]
        return {
            "reward_score": 0.0 if reward is None else reward,
            # The same keys on every row: verl takes them from the first.
            "reward_extra_info": {
                "acc": reward or 0.0,
                "abstained": float(reward is None),
                "abstention": abstention or "",
                "vote_share": share[0] if share else 0.0,
            },
        }

    async def _response(self, item: Any) -> str:
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-ids.shape[-1] :].sum())
        decode = self.tokenizer.decode
        return await asyncio.to_thread(decode, ids[:length], skip_special_tokens=True)


def is_evaluated(info: Mapping[str, Any]) -> bool:
    """Return whether a row belongs to a validation."""
    return bool(info.get("evaluate", str(info.get("split") or "train") != "train"))


def question_id_of(info: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """Return the question of a row: its own, or verl's name of the prompt."""
    return str(info.get("question_id") or fields["uid"])


def prompt_of(tokenizer: Any, fields: Mapping[str, Any], reading: Reading) -> str:
    """Return the prompt of a row as the policy is given it."""
    messages = list(fields["raw_prompt"])
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **reading.template)


def _told(evaluate: bool) -> dict[str, bool]:
    return {"evaluate": True} if evaluate else {}


def _info(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields.get("extra_info") or {}


def _ground_truth(fields: Mapping[str, Any]) -> str | None:
    truth = (fields.get("reward_model") or {}).get("ground_truth")
    return None if truth is None or truth == "" else str(truth)


def _whole(fields: Mapping[str, Any], name: str) -> int:
    if name not in fields:
        raise invalid(f"verl gives no {name} with a rollout; train with trainer.use_v1=True")
    return int(fields[name])


def _plain(config: Any) -> Any:
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
