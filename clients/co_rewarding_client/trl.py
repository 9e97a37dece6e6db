# pyright: basic, reportMissingImports=false
"""Reward TRL's trainers: one object that is both `reward_funcs=` and one of `callbacks=`. docs/integrations/trl.md.

    reward = CoRewarding("http://127.0.0.1:8000", run="math")
    GRPOTrainer(model, reward_funcs=reward, callbacks=[reward], train_dataset=paired(questions),
                args=GRPOConfig(shuffle_dataset=False, ...)).train()

Every trainer that takes the reward functions of GRPOTrainer takes it, in TRL 1.9 to 1.16. A call is a plain one and no
coroutine: TRL 1.9 to 1.12 do not await an object.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
from accelerate.utils import gather_object
from co_rewarding_schema.methods import DEFAULT_METHOD, method_named
from transformers import TrainerCallback

from co_rewarding_client import training
from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.pairing import check_data, check_flags
from co_rewarding_client.publishing import WeightPublisher
from co_rewarding_client.trl_rollouts import Part
from co_rewarding_client.trl_run import begun, evaluation_size, log, settings_of
from co_rewarding_client.trl_teaching import Save, Teaching

METHOD_VARIABLE = "CO_REWARDING_METHOD"


def paired(
    questions: Iterable[Mapping[str, Any]],
    *,
    epochs: int = 1,
    seed: int = 0,
    conversational: bool = False,
    system_prompt: str | None = None,
) -> datasets.Dataset:
    """Return a data set in which both views of a question stand side by side: `training.paired` with its arguments.

    Prompts are texts or, with `conversational` or a `system_prompt`, chat messages.
    """
    rows = training.paired(questions, epochs=epochs, seed=seed)
    if conversational or system_prompt is not None:
        system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
        rows = [row | {"prompt": [*system, {"role": "user", "content": row["prompt"]}]} for row in rows]
    return datasets.Dataset.from_list(rows)


class CoRewarding(TrainerCallback):
    """Asks the service for the rewards of what a trainer has sampled, and tells it how the training goes on.

    `url`, `api_key`, `run` and `method` are read from CO_REWARDING_URL, CO_REWARDING_API_KEY, CO_REWARDING_RUN and
    CO_REWARDING_METHOD where they are not given. `settings` are the run's others, such as {"min_vote_share": 0.25}.
    `ground_truth` names the column of ground truths, if the data set has one.

    Under a method with a teacher each step's weights are published: below `weights_root`, which is the service's as
    this machine sees it, or uploaded where that is not given. Where parameters are sharded (FSDP, ZeRO-3), set
    `save_weights` to the trainer's `save_model` before training.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        run: str | None = None,
        method: str | None = None,
        settings: Mapping[str, Any] | None = None,
        ground_truth: str = "ground_truth",
        weights_root: str | os.PathLike[str] | None = None,
        patience_s: float = 900.0,
    ) -> None:
        self.__name__ = "co_rewarding"  # in TRL's logs
        told: dict[str, Any] = {"url": url, "api_key": api_key, "run": run, "patience_s": patience_s}
        endpoint = training.Endpoint(**{name: value for name, value in told.items() if value is not None})
        self.run = endpoint.run
        self.save_weights: Save | None = None
        self._client = endpoint.client()
        self._method = method_named(method or os.environ.get(METHOD_VARIABLE) or DEFAULT_METHOD)
        self._settings = dict(settings or {})
        self._ground_truth = ground_truth
        self._weights_root = weights_root
        self._args: Foreign = None
        self._model: Foreign = None
        self._tokenizer: Foreign = None
        self._teaching: Teaching | None = None
        self._attempt: int | None = None
        self._evaluations = 0  # calls
        self._rewarded = 0  # rollouts of this rank since the last optimizer step
        self._abstained: Counter[str] = Counter()

    def on_init_end(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Note the parts of the trainer, and refuse one that scores groups one after another."""
        if any(base.__name__ == "AsyncGRPOConfig" for base in type(args).__mro__):
            raise invalid(
                "AsyncGRPOTrainer scores one group after another and tells no step, so the views of a question never "
                "meet: use trl.GRPOTrainer, with use_vllm=True for speed, or OpenRLHF or slime to train asynchronously"
            )
        self._args, self._model, self._tokenizer = args, parts.get("model"), parts.get("processing_class")

    @property
    def needs_both_views(self) -> bool:
        """Whether the method labels a view by the other."""
        return self._method.needs_both_views

    def on_train_begin(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Check that pairs meet, make the run, and publish and announce what the first step needs."""
        self.on_init_end(args, state, control, **parts)  # Axolotl adds callbacks to a trainer that was made
        data = getattr(parts.get("train_dataloader"), "dataset", None)
        if self._method.needs_both_views:
            check_flags(args)
            check_data(args, data)
        self._attempt = None  # a resumed training does its step again
        attempt = self._begin(state)
        if self._method.needs_teacher:
            folder = Path(self._weights_root or Path(args.output_dir, "co-rewarding-weights"))
            publisher = WeightPublisher(self.run, folder, attempt=attempt, upload=self._weights_root is None)
            self._teaching = Teaching(self._client, publisher, self._row_text, self.save_weights)
            self._teaching.prepare(state.global_step, args, self._model, data)

    def on_step_end(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Publish the weights from which the next step is sampled, and announce its questions."""
        if self._teaching is not None and state.global_step < state.max_steps:
            data = getattr(parts.get("train_dataloader"), "dataset", None)
            self._teaching.prepare(state.global_step, args, self._model, data)

    def on_pre_optimizer_step(self, args: Foreign, state: Foreign, control: Foreign, **parts: Foreign) -> None:
        """Refuse to learn from a step in which no rank has a reward.

        Raises:
            AllAbstainedError: on all ranks.
        """
        if self._rewarded or self._abstained:
            counts = gather_object([(self._rewarded, self._abstained)])
            self._rewarded, self._abstained = 0, Counter()
            if not any(rewarded for rewarded, _ in counts):
                reasons = sum((abstained for _, abstained in counts), Counter())
                raise training.AllAbstainedError(self.run, state.global_step, reasons)

    def __call__(
        self,
        prompts: Sequence[Foreign],
        completions: Sequence[Foreign],
        trainer_state: Foreign = None,
        **columns: Foreign,
    ) -> list[float | None]:
        """Return the rewards of this rank's rollouts, None for each group that abstains.

        Raises:
            CoRewardingError: the service refuses, or is away for longer than patience.
        """
        if self._args is None or trainer_state is None:
            raise invalid("the trainer does not know the object as a callback: give it as callbacks=[...] too")
        attempt, is_learning = self._begin(trainer_state), bool(self._model.training)
        needs_texts = (is_learning and self._method.needs_teacher) or "question_id" not in columns
        part = Part(
            completions=completions,
            texts=[self._text(prompt) for prompt in prompts] if needs_texts else None,
            columns=columns,
            ground_truth=self._ground_truth,
            first=self._args.process_index * len(prompts),
            group_size=self._args.num_generations if is_learning else evaluation_size(self._args),
        )
        # Ground truths need no other rank. Without them a group of an evaluation votes, and ranks may share the group.
        is_whole = self._args.world_size == 1 or not (is_learning or None in part.truths)
        self._evaluations += not is_learning
        rewards = self._client.rewards(
            part.trained(attempt) if is_learning else part.evaluated(attempt, self._evaluations, is_whole=is_whole),
            step=trainer_state.global_step,
            complete=is_whole,
            evaluate=not is_learning,
        )
        if is_learning:
            self._rewarded += sum(reward is not None for reward in rewards.rewards)
            self._abstained.update(reason for reason in rewards.abstentions if reason is not None)
        log(rewards, columns)
        return list(rewards.rewards)

    def _text(self, prompt: Foreign) -> str:
        """Return the prompt as the policy reads it: chat messages go through the tokenizer's template."""
        if isinstance(prompt, str):
            return prompt
        options = getattr(self._args, "chat_template_kwargs", None) or {}
        return self._tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True, **options)

    def _row_text(self, row: Mapping[str, Any]) -> str:
        """Return the prompt of a row of the data set as the policy reads it."""
        return self._text(row["prompt"])

    def _begin(self, state: Foreign) -> int:
        """Make the run once a training, or once for evaluations alone, and return the attempt."""
        if self._attempt is None:
            settings = settings_of(self._args, state, self._method, self._settings)
            self._attempt = begun(self._client, self.run, settings, is_first=self._args.process_index == 0)
        return self._attempt
