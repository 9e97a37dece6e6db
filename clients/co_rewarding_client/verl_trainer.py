# pyright: basic, reportMissingImports=false
"""Train with verl's synchronous trainer, and look at each step as a whole, which a reward manager never sees.

It is found where VERL_USE_EXTERNAL_MODULES names this module, and taken by trainer.v1.trainer_mode=co_rewarding.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import transfer_queue as tq
from co_rewarding_schema.errors import CoRewardingError
from omegaconf import open_dict
from safetensors.torch import save_file
from verl.single_controller.base.decorator import Dispatch, register
from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils as tu
from verl.workers.engine_workers import ActorRolloutRefWorker

from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import Question, View
from co_rewarding_client.publishing import WeightPublisher
from co_rewarding_client.training import AllAbstainedError
from co_rewarding_client.verl_shared import (
    Reading,
    check_config,
    check_paired,
    check_validation,
    mark,
    prompt_of,
    question_id_of,
    shared,
)

FILE_BYTES = 4 * 2**30


class RewardsMissingError(CoRewardingError):
    """Rollouts of a step have no reward. verl would train on without their groups."""


class PublishingWorker(ActorRolloutRefWorker):
    """verl's worker, which can also write the weights that it trains, under the names of Hugging Face."""

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def save_weights(self, folder: str) -> None:
        """Write the weights as safetensors. Each rank takes part in gathering them; the first one writes."""
        named: dict[str, Any] = {}
        files = 0
        for name, tensor in self.actor.engine.get_per_tensor_param()[0]:
            if self.rank != 0:
                continue
            named[name] = tensor.detach().cpu().contiguous()
            if sum(each.nbytes for each in named.values()) >= FILE_BYTES:
                files += _written(named, folder, files)
        if named:
            _written(named, folder, files)


@register_trainer("co_rewarding")
class CoRewardingTrainer(PPOTrainerSync):
    """Trains as verl's synchronous trainer does, and looks after the rewards.

    - It checks at start that pairs are sampled together, and what a validation is compared with.
    - It makes the run from verl's own configuration.
    - It leaves rollouts that abstained out of the batch, and ends where all of a step abstained, or a reward failed.
    - For a method with a teacher it announces the questions of a step, and publishes the weights that answer them:
      in the folder `+reward.reward_kwargs.weights`, which is the service's weights root, or by upload without it.
    """

    def __init__(self, config: Foreign) -> None:
        self._reading = Reading(config)
        check_config(config, self._reading)
        with open_dict(config):
            config.trainer.v1.trainer_mode = "sync"  # verl asks for the name in other places
        super().__init__(config)
        self._run = self._reading.endpoint.run
        self._shared = shared(self._run)
        self._client = self._reading.endpoint.client()
        here = Path(config.trainer.default_local_dir).absolute() / "published"
        self._publisher = WeightPublisher(
            self._run,
            Path(self._reading.weights or here),
            attempt=ray.get(self._shared.attempt.remote()),
            upload=self._reading.weights is None,
        )

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        rollout = self.config.actor_rollout_ref.rollout
        if self._reading.needs_both_views and hasattr(self.train_dataset, "dataframe"):
            check_paired(self.train_dataset.dataframe["extra_info"])
        check_validation(getattr(self.val_dataset, "dataframe", ()), rollout.val_kwargs.n)
        mark(self.train_dataloader, evaluate=False)
        mark(self.val_dataloader, evaluate=True)
        # Before anything is loaded: a service that is away, or refuses, is told at once.
        settings = self._reading.run_settings(rollout.n, rollout.val_kwargs.n, self.total_training_steps)
        self._client.put_run(self._run, settings)

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        if self._reading.needs_teacher:
            for role in {Role.Actor, Role.ActorRollout, Role.ActorRolloutRef} & self.role_worker_mapping.keys():
                self.role_worker_mapping[role] = ray.remote(PublishingWorker)

    # Weights are published while the rollout engine sleeps: gathering them takes memory.

    def on_init_end(self) -> None:
        """Publish the weights that answer the first step, or the first after a checkpoint."""
        if self._reading.needs_teacher:
            self._publish(self.global_steps + 1)
        super().on_init_end()

    def on_step_end(self) -> None:
        """Publish the weights that answer the next step."""
        if self._reading.needs_teacher and self.global_steps < self.total_training_steps:
            self._publish(self.global_steps + 1)
        super().on_step_end()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Foreign:
        """Do a step of verl's.

        Raises:
            RewardsMissingError: a reward failed; the error says why.
        """
        return self._told(super().step, metrics, timing_raw)

    def _validate(self) -> dict[str, float]:
        return self._told(super()._validate)

    def _submit_batch_to_rollout(self, batch: Foreign) -> int:
        if self._reading.needs_teacher:
            self._client.prefetch(self.global_steps, self._questions(batch))
        return super()._submit_batch_to_rollout(batch)

    def _balance_batch(self, batch: Foreign, metrics: dict[str, Any], *rest: Foreign, **named: Foreign) -> Foreign:
        # The first thing that verl does with the rollouts of a step, all of which have their rewards here. What is
        # left out is filled up with rows of its own, which count nowhere.
        self._check_failure()
        return super()._balance_batch(self._without_abstained(batch, metrics), metrics, *rest, **named)

    def _without_abstained(self, batch: Foreign, metrics: dict[str, Any]) -> Foreign:
        fields = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
        infos = [each["reward_extra_info"] for each in _values(fields, "extra_fields")]
        reasons = Counter(info["abstention"] for info in infos if info["abstained"])
        metrics["co_rewarding/abstained"] = reasons.total() / len(infos)
        metrics["co_rewarding/vote_share"] = sum(info["vote_share"] for info in infos) / len(infos)
        if reasons.total() == len(infos):
            raise AllAbstainedError(self._run, self.global_steps, reasons)
        kept = [key for key, info in zip(batch.keys, infos, strict=True) if not info["abstained"]]
        if len(kept) == len(infos):
            return batch
        tq.kv_clear(keys=[*set(batch.keys) - set(kept)], partition_id=batch.partition_id)
        return batch.select_keys(kept)

    def _told(self, call: Callable[..., Any], *args: Foreign) -> Foreign:
        try:
            done = call(*args)
        except Exception as error:  # verl's own words for a step or validation without any group
            self._check_failure(error)
            raise
        self._check_failure()
        return done

    def _check_failure(self, cause: Exception | None = None) -> None:
        failure = ray.get(self._shared.failure.remote())
        if failure is not None:
            told = f"a reward of step {self.global_steps} failed in run {self._run!r}, and training ends: {failure}"
            raise RewardsMissingError(told) from cause

    def _questions(self, batch: Foreign) -> list[Question]:
        columns = {name: _values(batch, name) for name in ("extra_info", "raw_prompt", "uid")}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [
            Question(
                question_id=question_id_of(row["extra_info"] or {}, row),
                view=(row["extra_info"] or {}).get("view") or View.ORIGINAL,
                prompt=prompt_of(self.tokenizer, row, self._reading),
            )
            for row in rows
        ]

    def _publish(self, step: int) -> None:
        self._publisher.write(step, lambda folder: self.actor_rollout_wg.save_weights(str(folder)))
        self._publisher.announce(self._client, step)


def _values(batch: Foreign, name: str) -> list[Any]:
    return list(tu.get(batch, name))


def _written(named: dict[str, Any], folder: str, number: int) -> int:
    save_file(named, Path(folder) / f"model-{number:05d}.safetensors")
    named.clear()
    return 1
