# pyright: basic, reportMissingImports=false
"""Reward the rollouts of slime and miles: their reward function, evaluation beside it, and logs.

The settings are those of `slime_settings`; docs/integrations/slime.md has the trainer's flags.
"""

import asyncio
import copy
import importlib
import logging
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import View

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rewards, Rollout
from co_rewarding_client.slime_data import check_vote, label_of
from co_rewarding_client.slime_settings import check, endpoint, make_run
from co_rewarding_client.training import AllAbstainedError, ClientOfLoop, last_text

NOTE = "co_rewarding"
"""What this module notes in the metadata of a sample."""

STEPS_COUNTED = 8

logger = logging.getLogger(__name__)


class Sample(Protocol):
    """What is read and written of a sample; both trainers' own class has more."""

    group_index: int | None
    index: int
    prompt: Any
    response: str
    label: Any
    metadata: dict[str, Any] | None
    remove_sample: bool


class TrainingStopped(BaseException):
    """An error of the client past loops that log every Exception and go on with other questions, as those of miles."""


@dataclass
class _Count:
    """The rollouts of one step so far, and why some were left out."""

    seen: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class SlimeReward:
    """Reward samples: `--custom-rm-path co_rewarding_client.slime.reward`, with or without `--group-rm`."""

    def __init__(self, began_s: float | None = None) -> None:
        self._attempt = int(time.time() if began_s is None else began_s)  # a resumed trainer is another process
        self._clients: ClientOfLoop | None = None
        self._made: WeakKeyDictionary[AsyncRewardClient, asyncio.Task[None]] = WeakKeyDictionary()
        self._counts: dict[int, _Count] = {}
        self._next_step = self._evaluation_step = 0
        self._evaluated = 0  # samples at this moment

    async def __call__(self, args: Namespace, given: Sample | list[Sample], **_: object) -> float | list[float]:
        """Return the reward of one sample, or those of a list; samples that abstain get 0.0 and `remove_sample`.

        Raises:
            AllAbstainedError: all rollouts of a step abstained.
            CoRewardingError: as the client; from miles it comes as the cause of TrainingStopped.
        """
        samples = given if isinstance(given, list) else [given]
        try:
            rewards = await self._rewarded(args, samples)
        except CoRewardingError as error:
            if type(samples[0]).__module__.startswith("miles."):
                raise TrainingStopped(str(error)) from error
            raise
        return rewards if given is samples else rewards[0]

    async def _rewarded(self, args: Namespace, samples: list[Sample]) -> list[float]:
        client = await self._client(args)
        labels = [label_of(sample) for sample in samples]
        evaluation = bool(labels[0].get("evaluate"))
        rollouts = [self._rollout(args, *each) for each in zip(samples, labels, strict=True)]
        with self._evaluating() if evaluation else nullcontext(self._step(args, samples[0])) as step:
            got = await client.rewards(rollouts, step=step, complete=False, evaluate=evaluation)
        for sample, reward, reason in zip(samples, got.rewards, got.abstentions, strict=True):
            sample.remove_sample |= reward is None  # generation may have left it out already
            sample.metadata = (sample.metadata or {}) | {NOTE: {"abstained": reason, "vote_share": _share(got)}}
        if not evaluation:
            self._count(args, step, got)
        return [reward or 0.0 for reward in got.rewards]

    async def _client(self, args: Namespace) -> AsyncRewardClient:
        if self._clients is None:
            check(args)
            self._clients = ClientOfLoop(endpoint(args))
        client = self._clients.get()
        if client not in self._made:  # a client is of one event loop, and a task too
            self._made[client] = asyncio.create_task(make_run(client, args))
        await asyncio.shield(self._made[client])
        return client

    @contextmanager
    def _evaluating(self) -> Iterator[int]:
        """Lend the step of an evaluation: one for all that are evaluated at once, also if steps go on beside them."""
        if not self._evaluated:
            self._evaluation_step = self._next_step
        self._evaluated += 1
        try:
            yield self._evaluation_step
        finally:
            self._evaluated -= 1

    def _step(self, args: Namespace, sample: Sample) -> int:
        """Return the rollout id that `note_step` noted, or the number of the draw in which the sample was drawn.

        Both are the same number where every question that is drawn is trained on.
        """
        noted = (sample.metadata or {}).get(f"{NOTE}_step")
        drawn_at_once = args.over_sampling_batch_size or args.rollout_batch_size
        step = sample.group_index // drawn_at_once if noted is None else noted
        self._next_step = max(self._next_step, step + 1)
        return step

    def _rollout(self, args: Namespace, sample: Sample, label: Mapping[str, Any]) -> Rollout:
        size = args.n_samples_per_prompt
        if label.get("evaluate"):
            size = label.get("n") or args.n_samples_per_eval_prompt
            check_vote(label, size)
        elif label.get("n", size) != size:
            raise invalid(f"a label says n = {label['n']}, and {size} are sampled of a prompt; make the data set anew")
        return Rollout(
            question_id=label.get("question_id"),
            view=label.get("view") or View.ORIGINAL,
            rollout=sample.index % size,
            attempt=self._attempt,
            prompt=last_text(sample.prompt),
            response=sample.response,
            ground_truth=label.get("ground_truth"),
        )

    def _count(self, args: Namespace, step: int, got: Rewards) -> None:
        count = self._counts.setdefault(step, _Count())
        count.seen += len(got.rewards)
        count.reasons.update(reason for reason in got.abstentions if reason is not None)
        whole = args.rollout_batch_size * args.n_samples_per_prompt
        if count.seen >= whole and count.reasons.total() == count.seen:
            raise AllAbstainedError(got.run, step, count.reasons)
        if count.seen == whole and count.reasons:
            logger.warning("step %d: left out of %d rollouts: %s", step, whole, dict(count.reasons))
        for old in [each for each in self._counts if each < step - STEPS_COUNTED]:
            del self._counts[old]


reward = SlimeReward()  # in the module: slime finds a function by its dotted path, and calls it with nothing of ours
"""Give this as `--custom-rm-path co_rewarding_client.slime.reward`."""


def note_step(args: Namespace, sample: Sample, *, rollout_id: int | None = None, evaluation: bool = False) -> None:
    """Note slime's rollout id as the step of a sample, for `--rollout-sample-hook-path`.

    A teacher needs it with a dynamic filter: then more questions are drawn than trained on.
    """
    if rollout_id is not None and not evaluation:
        sample.metadata = (sample.metadata or {}) | {f"{NOTE}_step": rollout_id}


def evaluate(args: Namespace, rollout_id: int, data_source: object, evaluation: bool = True) -> object:
    """Evaluate beside `--group-rm`, which the trainer's own evaluation refuses, for `--eval-function-path`."""
    trainer = next(name for name in ("slime", "miles") if f"{name}.rollout" in sys.modules)
    args = copy.copy(args)
    args.group_rm = False
    rollouts = importlib.import_module(f"{trainer}.rollout.sglang_rollout")
    return rollouts.generate_rollout(args, rollout_id, data_source, evaluation=True)


def log_rollout(
    rollout_id: int, args: Namespace, samples: list[Sample], metrics: dict[str, Any] | None, seconds: float
) -> bool:
    """Add shares of votes and abstentions to the trainer's logs, for `--custom-rollout-log-function-path`."""
    notes = [note for sample in samples if (note := (sample.metadata or {}).get(NOTE))]
    if metrics is not None and notes:
        metrics["rollout/co_rewarding/abstained"] = sum(note["abstained"] is not None for note in notes) / len(notes)
        metrics["rollout/co_rewarding/vote_share"] = sum(note["vote_share"] for note in notes) / len(notes)
    return False


def _share(got: Rewards) -> float:
    return got.metrics.get("vote_share_mean") or 0.0
