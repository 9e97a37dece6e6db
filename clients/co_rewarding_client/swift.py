# pyright: basic, reportMissingImports=false
"""Reward `swift rlhf --rlhf_type grpo` of ms-swift. docs/integrations/swift.md.

A plugin of two lines registers it:

    from co_rewarding_client.swift import register
    register()

    swift rlhf --rlhf_type grpo --external_plugins plugin.py --reward_funcs co_rewarding --callbacks co_rewarding \
        --dataset pairs.jsonl --dataset_shuffle false ...

ms-swift trains with TRL's batches, so the object that rewards TRL's trainers does the work here.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swift.callbacks import TrainerCallback, callbacks_map
from swift.rewards import orms

from co_rewarding_client import training, trl
from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign

NAME = "co_rewarding"


def register(**options: Foreign) -> None:
    """Make `--reward_funcs co_rewarding` and `--callbacks co_rewarding` known; `options` are those of CoRewarding."""

    def reward(args: Foreign = None) -> CoRewarding:
        return CoRewarding(**options)

    orms[NAME] = reward
    callbacks_map[NAME] = Callback


def write_pairs(
    path: str | os.PathLike[str],
    questions: Iterable[Mapping[str, Any]],
    *,
    epochs: int = 1,
    seed: int = 0,
    system_prompt: str | None = None,
) -> None:
    """Write a data set for --dataset in which both views of a question stand side by side: see `training.paired`."""
    system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
    with Path(path).open("w", encoding="utf-8") as lines:
        for row in training.paired(questions, epochs=epochs, seed=seed):
            text = row.pop("prompt")
            lines.write(json.dumps({"messages": [*system, {"role": "user", "content": text}], **row}) + "\n")


class CoRewarding(trl.CoRewarding):
    """Rewards what ms-swift has sampled. Its callback tells it of the trainer, which gives it the arguments alone."""

    trainer: Foreign = None

    def __call__(
        self,
        completions: Sequence[Foreign],
        *,
        messages: Sequence[Sequence[Foreign]],
        trainer_state: Foreign = None,
        **columns: Foreign,
    ) -> list[float | None]:
        """Return the rewards of this rank's rollouts; of a group that abstains each is None, and its advantage 0.

        Raises:
            CoRewardingError: the service refuses, or is away for longer than patience.
        """
        if self.trainer is None:
            raise invalid("the reward function does not know the trainer: add --callbacks co_rewarding")
        columns["log_metric"] = self._log_metric
        return super().__call__([each[:-1] for each in messages], completions, trainer_state, **columns)

    def _log_metric(self, name: str, value: float) -> None:
        self.trainer._metrics["train" if self.trainer.model.training else "eval"][name].append(value)

    def _text(self, prompt: Foreign) -> str:
        """Return the prompt as the policy reads it: by the template of --template."""
        template = self.trainer.template
        with template.generate_context():
            return template.tokenizer.decode(template.encode({"messages": list(prompt)})["input_ids"])

    def _row_text(self, row: Foreign) -> str:
        return self._text(row["messages"])


class Callback(TrainerCallback):
    """Tells the reward function of how the training goes on: ms-swift makes the two apart."""

    def on_train_begin(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Check that pairs meet, and make the run."""
        args.shuffle_dataset = args.dataset_shuffle  # TRL's name, which ms-swift does not read
        reward = self._reward
        reward.trainer = self.trainer
        if reward.needs_both_views:
            check_flags(self.trainer)
        reward.on_init_end(args, state, control, **parts)
        reward.on_train_begin(args, state, control, **parts)

    def on_pre_optimizer_step(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Refuse to learn from a step in which no rank has a reward."""
        self._reward.on_pre_optimizer_step(args, state, control, **parts)

    def on_step_end(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Publish the weights from which the next step is sampled, and announce its questions."""
        self._reward.on_step_end(args, state, control, **parts)

    @property
    def _reward(self) -> CoRewarding:
        found = [each for each in self.trainer.reward_funcs if isinstance(each, CoRewarding)]
        if not found:
            raise invalid("--callbacks co_rewarding has no reward function to tell: add --reward_funcs co_rewarding")
        return found[0]


def check_flags(trainer: Foreign) -> None:
    """Refuse flags of ms-swift's own under which the views of a question do not meet, or groups are not told apart.

    Raises:
        InvalidRequest: with the flag to set.
    """
    args, template = trainer.args, trainer.template
    if args.dataset_shuffle:
        raise invalid(
            "--dataset_shuffle true, the default, samples the two views of a question apart, and each is labelled by "
            "the other: set --dataset_shuffle false; write_pairs(path, questions, epochs=N) shuffles the questions"
        )
    if args.dynamic_sample:
        raise invalid(
            "--dynamic_sample samples other questions in the place of some of a step, which parts the views of a "
            "question: leave it out; a group of equal rewards has no advantage anyway"
        )
    if template.truncation_strategy == "raise":
        raise invalid(
            "--truncation_strategy delete puts another question in the place of one that is too long, which parts the "
            "views of a question: leave it out, and take long questions out of the data with both of their views"
        )
    if template.sequence_parallel_size > 1 or args.multi_turn_scheduler:
        raise invalid(
            "rollouts are numbered within their groups by their places in the batch, which --sequence_parallel_size "
            "above 1 and --multi_turn_scheduler change: leave them out"
        )
