# pyright: basic, reportMissingImports=false
"""Keep a teacher beside a trainer of TRL's: publish the weights of each step, and announce its questions."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType

from co_rewarding_client.client import RewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import Question
from co_rewarding_client.pairing import Sampling
from co_rewarding_client.publishing import WeightPublisher

SHARDED_STAGE = 3

Save = Callable[[str], object]


class Teaching:
    """Publishes and announces. Each rank has one, and the first speaks for all."""

    def __init__(
        self,
        client: RewardClient,
        publisher: WeightPublisher,
        text: Callable[[Mapping[str, Any]], str],
        save: Save | None,
    ) -> None:
        """Take `text`, which renders a row's prompt, and `save`, which all ranks call; by default the first saves.

        Raises:
            InvalidRequest: no rank has the whole weights.
        """
        if save is None and _is_sharded():
            raise invalid(
                "the parameters are sharded (FSDP or ZeRO-3), so no rank has the weights that the teacher needs: set "
                "save_weights of the CoRewarding object to the trainer's save_model before training"
            )
        self._client = client
        self._publisher = publisher
        self._text = text
        self._save = save
        self._announced: list[range] = []

    def prepare(self, step: int, args: Foreign, model: Foreign, data: Foreign) -> None:
        """Publish the weights from which the rollouts of `step` are sampled, and announce its questions.

        Raises:
            CoRewardingError: the service refuses or is away.
        """
        is_first = args.process_index == 0
        if step > 0:  # version 0 is the model that the teacher was started with
            self._publish(step, model, is_first)
        if is_first and hasattr(data, "__len__") and not args.shuffle_dataset and not args.ignore_data_skip:
            self._announce(step, Sampling.of_trainer(args, len(data)).batches_of(step), data)

    def _publish(self, step: int, model: Foreign, is_first: bool) -> None:
        save = self._save
        if save is not None:
            self._publisher.write(step, lambda folder: save(os.fspath(folder)))
        elif is_first:
            self._publisher.write(step, lambda folder: write_weights(model, folder))
        if is_first:
            self._publisher.announce(self._client, step)

    def _announce(self, step: int, batches: list[range], data: Foreign) -> None:
        """Announce the questions of the batches that no earlier step has announced."""
        rows = [data[at] for batch in batches if batch not in self._announced for at in batch]
        self._announced = batches
        questions = [
            Question(
                question_id=str(row["question_id"]),
                view=row.get("view") or "original",
                prompt=self._text(row),
            )
            for row in rows
            if row.get("question_id") is not None
        ]
        if questions:
            self._client.prefetch(step, questions)


def write_weights(model: Foreign, folder: Path) -> None:
    """Save a model as safetensors; an adapter of PEFT's is merged into its base model while that is saved."""
    if not hasattr(model, "merge_adapter"):
        model.save_pretrained(folder)
        return
    model.merge_adapter()
    try:
        base = model.get_base_model()
        merged = {
            name.replace(".base_layer", "").replace("modules_to_save.default.", ""): weight
            for name, weight in base.state_dict().items()
            if model.prefix not in name and "original_module" not in name
        }
        base.save_pretrained(folder, state_dict=merged)
    finally:
        model.unmerge_adapter()


def _is_sharded() -> bool:
    state = AcceleratorState()
    if state.distributed_type is DistributedType.DEEPSPEED:
        return state.deepspeed_plugin.zero_stage == SHARDED_STAGE
    return state.distributed_type is DistributedType.FSDP
