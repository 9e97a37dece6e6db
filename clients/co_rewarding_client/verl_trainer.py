# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN401 - verl's values have no types
"""Train with verl's synchronous trainer, and look at each step as a whole, which a reward manager never sees.

    VERL_USE_EXTERNAL_MODULES=co_rewarding_client.verl_trainer python -m verl.trainer.main_ppo \\
        trainer.v1.trainer_mode=co_rewarding ...
"""

import logging
import shutil
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

from co_rewarding_client.errors import Conflict
from co_rewarding_client.model import Question, View
from co_rewarding_client.training import AllAbstainedError
from co_rewarding_client.verl_shared import (
    Reading,
    check_config,
    check_paired,
    check_validation,
    is_evaluated,
    prompt_of,
    question_id_of,
    shared,
)

log = logging.getLogger(__name__)

FILE_BYTES = 4 * 2**30
KEPT_VERSIONS = 2  # the last, and the one before, which the teacher may be reading


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
    """verl's synchronous trainer. What it does besides:

    - It checks at start that pairs are sampled together, and what a validation is compared with.
    - It makes the run from verl's own configuration.
    - It leaves rollouts that abstained out of the batch, and ends where all of a step abstained, or a reward failed.
    - For a method with a teacher it announces the questions of a step, and publishes the weights that answer them:
      in the folder `+reward.reward_kwargs.weights`, which is the service's weights root, or by upload without it.
    """

    def __init__(self, config: Any) -> None:
        self._reading = Reading(config)
        check_config(config, self._reading)
        with open_dict(config):
            config.trainer.v1.trainer_mode = "sync"  # verl asks for the name in other places
        super().__init__(config)
        self._run = self._reading.endpoint.run
        self._shared = shared(self._run)
        self._client = self._reading.endpoint.client()
        self._published: list[Path] = []

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        rollout = self.config.actor_rollout_ref.rollout
        if self._reading.needs_both_views and hasattr(self.train_dataset, "dataframe"):
            check_paired(self.train_dataset.dataframe["extra_info"])
        check_validation(getattr(self.val_dataset, "dataframe", ()), rollout.val_kwargs.n)
        collate = self.val_dataloader.collate_fn
        self.val_dataloader.collate_fn = lambda rows: collate([_marked(row) for row in rows])
        # Before anything is loaded: a service that is away, or refuses, is told at once.
        self._client.put_run(self._run, self._reading.run_settings(rollout.n, self.total_training_steps))

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        if self._reading.needs_teacher:
            for role in (Role.Actor, Role.ActorRollout, Role.ActorRolloutRef):
                if role in self.role_worker_mapping:
                    self.role_worker_mapping[role] = ray.remote(PublishingWorker)

    def on_train_begin(self) -> None:
        """Publish the weights with which a resumed training begins; those of a new one are the teacher's own."""
        super().on_train_begin()
        if self._reading.needs_teacher and self.global_steps > 1:
            self._publish(self.global_steps)

    def on_step_end(self) -> None:
        """Publish the weights that will answer the next step, before the rollout engine takes up memory again."""
        if self._reading.needs_teacher and self.global_steps < self.total_training_steps:
            self._publish(self.global_steps + 1)
        super().on_step_end()

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        """Do a step of verl's.

        Raises:
            RewardsMissingError: a reward failed; the error says why.
        """
        return self._told(super().step, metrics, timing_raw)

    def _validate(self) -> dict[str, float]:
        return self._told(super()._validate)

    def _submit_batch_to_rollout(self, batch: Any) -> int:
        if self._reading.needs_teacher:
            self._client.prefetch(self.global_steps, self._questions(batch))
        return super()._submit_batch_to_rollout(batch)

    def _balance_batch(self, batch: Any, metrics: dict[str, Any], *rest: Any, **named: Any) -> Any:
        # The first thing that verl does with the rollouts of a step, all of which have their rewards here. What is
        # left out is filled up with rows of its own, which count nowhere.
        self._check_failure()
        return super()._balance_batch(self._without_abstained(batch, metrics), metrics, *rest, **named)

    def _without_abstained(self, batch: Any, metrics: dict[str, Any]) -> Any:
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

    def _told(self, call: Callable[..., Any], *args: Any) -> Any:
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

    def _questions(self, batch: Any) -> list[Question]:
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
        root = Path(self._reading.weights or Path(self.config.trainer.default_local_dir).absolute() / "published")
        folder = root / f"{self._run}.step-{step}"
        growing = folder.with_name(f".{folder.name}")
        for old in (growing, folder):
            shutil.rmtree(old, ignore_errors=True)
        growing.mkdir(parents=True)
        self.actor_rollout_wg.save_weights(str(growing))
        growing.rename(folder)
        self._published.append(folder)
        for old in self._published[:-KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)
        del self._published[:-KEPT_VERSIONS]
        try:
            self._client.publish(
                step, folder if self._reading.weights is None else folder.name, upload=self._reading.weights is None
            )
        except Conflict as error:  # a step that is done again: the teacher is ahead of it
            log.warning("the weights of step %d were not taken: %s", step, error)


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    info = row.get("extra_info") or {}
    return row if is_evaluated(info) else row | {"extra_info": {**info, "evaluate": True}}


def _values(batch: Any, name: str) -> list[Any]:
    return list(tu.get(batch, name))


def _written(named: dict[str, Any], folder: str, number: int) -> int:
    file = Path(folder) / f"model-{number:05d}.safetensors"
    save_file(named, file)
    file.chmod(0o644)  # safetensors come with 0600, and the service may be another user
    named.clear()
    return 1
