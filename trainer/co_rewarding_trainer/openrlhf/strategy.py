"""Extend OpenRLHF's strategy: load questions as pairs, and publish the policy's weights.

Needs OpenRLHF with DeepSpeed. Ray's workers import this module: the strategy travels by its name.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from openrlhf.datasets import PromptDataset  # pyright: ignore[reportMissingImports]
from openrlhf.datasets.utils import blending_datasets  # pyright: ignore[reportMissingImports]
from openrlhf.models import Actor  # pyright: ignore[reportMissingImports]
from openrlhf.utils.deepspeed.deepspeed import DeepspeedStrategy  # pyright: ignore[reportMissingImports]

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.pairs import (
    VIEWS,
    QuestionDataset,
    QuestionOrder,
    collate,
    halved,
    labels_count_batches,
    strategy_of_view,
    views_in,
)
from co_rewarding_trainer.openrlhf.publishing import WeightPublisher, step_sampled_next, updates_per_step
from co_rewarding_trainer.openrlhf.settings import TrainingSettings


class PairedStrategy(DeepspeedStrategy):
    """Replaces the loader of the training set, and publishes weights after optimizer steps of the actor."""

    args: Foreign

    def __init__(self, *args: Foreign, **kwargs: Foreign) -> None:
        """Reads the settings, once, in the driver; Ray's workers get copies.

        Raises:
            TrainingSettingsError: the arguments do not allow pairs, or not the publishing that the settings ask for.
        """
        super().__init__(*args, **kwargs)
        self.training = TrainingSettings.from_environment()
        self.views = views_in(self.args.data.prompt_dataset)
        if self.training.publishes and self.args.ds.lora.rank > 0:
            raise TrainingSettingsError(
                "--ds.lora.rank: the teacher averages whole weights, and LoRA trains adapters; leave LoRA out, or set "
                "CO_REWARDING_PUBLISH_EVERY=0."
            )
        self.updates_per_step = updates_per_step(self.args) if self.training.publishes else 1
        # A teacher waits for the weights of the step that a label names, so that step must come.
        self.labels_name_steps = not self.training.teacher or labels_count_batches(self.args)
        rollout = self.args.rollout
        self.questions_per_step = rollout.batch_size
        if self.views == len(VIEWS):
            self.questions_per_step = halved(rollout.batch_size, "rollout.batch_size")
            # OpenRLHF counts the items of the loader, which are pairs.
            rollout.vllm_generate_batch_size = halved(
                rollout.vllm_generate_batch_size, "rollout.vllm_generate_batch_size"
            )

    def setup_dataloader(
        self,
        replay_buffer: Foreign,
        batch_size: int,
        pin_memory: bool = False,
        shuffle: bool = True,
        collate_fn: Foreign = None,
        drop_last: bool = True,
        sampler: Foreign = None,
        consumed_samples: int = 0,
        num_workers: int = 0,
    ) -> Foreign:
        """Makes the training set's loader give questions with all of their views; leaves other loaders unchanged."""
        if not (shuffle and self.views and isinstance(replay_buffer, PromptDataset)):
            return super().setup_dataloader(
                replay_buffer,
                batch_size,
                pin_memory,
                shuffle,
                collate_fn,
                drop_last,
                sampler,
                consumed_samples,
                num_workers,
            )
        questions = self._questions(replay_buffer)
        if len(questions) < self.questions_per_step:
            raise TrainingSettingsError(
                f"the training set has {len(questions)} questions, and a step takes {self.questions_per_step}: "
                "give more, or make --rollout.batch_size smaller."
            )
        # The rest of an epoch that fills no step is left out, unless it replaces questions that are filtered out.
        whole_steps = not self.args.algo.dynamic_filtering_enable
        order = QuestionOrder(len(questions), self.questions_per_step, self.training.seed, whole_steps=whole_steps)
        return super().setup_dataloader(
            questions, batch_size, pin_memory, True, collate, drop_last, order, 0, num_workers
        )

    def optimizer_step(
        self, _optimizer: Foreign, model: Foreign, _scheduler: Foreign, name: str = "model", **kwargs: Foreign
    ) -> None:
        """Makes the optimizer step; after a step of the actor that DeepSpeed really made, may publish the weights."""
        if name != "actor" or not self.training.publishes:
            return super().optimizer_step(_optimizer, model, _scheduler, name=name, **kwargs)
        engine = model.model if isinstance(model, Actor) else model
        before = engine.global_steps
        super().optimizer_step(_optimizer, model, _scheduler, name=name, **kwargs)
        if engine.global_steps != before:
            self._publish(engine)
        return None

    def _questions(self, originals: Foreign) -> QuestionDataset:
        views_V = [originals]
        if self.views == len(VIEWS):
            data = self.args.data
            rows = blending_datasets(
                data.prompt_dataset,
                data.prompt_probs,
                self,
                self.args.train.seed,
                max_count=data.max_samples,
                dataset_split=data.prompt_split,
            )
            template = {"input_template": data.input_template}
            views_V.append(PromptDataset(rows, originals.tokenizer, strategy_of_view(self, VIEWS[1]), **template))
        questions = QuestionDataset(
            [list(view.prompts) for view in views_V],
            [list(view.labels) for view in views_V],
            list(originals.datasources),
            self.training.attempt,
            names_steps=self.labels_name_steps,
        )
        # OpenRLHF takes this set's length as the number of prompts when it plans the learning rate.
        for view in views_V[1:]:
            originals.prompts += view.prompts
            originals.labels += view.labels
            originals.images += view.images
            originals.datasources += view.datasources
        return questions

    def _publish(self, engine: Foreign) -> None:
        publisher = WeightPublisher(self.training)
        step = step_sampled_next(engine.global_steps, self.updates_per_step)
        if step is None or not publisher.due(step):
            return
        sharded = self.stage > 2 or self.ds_tensor_parallel_size > 1
        # Every rank takes part in gathering. Only rank 0 publishes, and may fail without making the others wait.
        gathered = engine._consolidated_16bit_state_dict() if sharded else None
        if self.is_rank_0():
            publisher.publish(step, partial(_write, engine.module, gathered))


def _write(model: Foreign, gathered: Mapping[str, Any] | None, folder: Path) -> None:
    """Writes weights and configuration as transformers does; `gathered` has the weights if no rank has all of them."""
    tensors = model.state_dict() if gathered is None else gathered
    places: dict[tuple[int, Any], str] = {}
    weights: dict[str, Any] = {}
    for name, tensor in tensors.items():
        # Tied weights once, whatever the ZeRO stage; below stage 3 copies, since they are views of one large buffer.
        if places.setdefault((tensor.data_ptr(), tensor.shape), name) == name:
            weights[name] = tensor.detach().to("cpu", copy=gathered is None).contiguous()
    model.save_pretrained(folder, state_dict=weights)
