# pyright: basic, reportMissingImports=false
"""Make the run of a trainer of TRL's, agree on an attempt, and tell the trainer's logs of what was rewarded."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from accelerate.utils import broadcast_object_list
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.method_rules import Method

from co_rewarding_client.client import RewardClient
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import Rewards, RunSettings
from co_rewarding_client.training import abstained_share

METRICS = ("vote_share_mean", "label_coverage", "label_accuracy")


def evaluation_size(args: Foreign) -> int:
    """Return how many completions TRL samples for a prompt of an evaluation."""
    return getattr(args, "num_generations_eval", None) or args.num_generations


def settings_of(args: Foreign, state: Foreign, method: Method, more: Mapping[str, Any]) -> RunSettings:
    """Return the settings of the run: those that the trainer's arguments tell, and `more`, which win."""
    told: dict[str, Any] = {
        "method": method.name,
        "group_size": args.num_generations,
        "evaluation_group_size": evaluation_size(args),
    }
    if args.max_completion_length is not None:
        told["teacher_max_tokens"] = args.max_completion_length
    if (steps := max(state.max_steps, args.max_steps)) > 0:
        told["total_steps"] = steps
    return RunSettings(**{**told, **more})


def begun(client: RewardClient, run: str, settings: RunSettings, *, is_first: bool) -> int:
    """Have the first rank make the run, and return an attempt that all ranks know; a later start draws a higher one.

    Raises:
        CoRewardingError: on all ranks, where the service refuses or is away.
    """
    told: list[int | CoRewardingError | None] = [None]
    if is_first:
        try:
            client.put_run(run, settings)
            told = [int(time.time())]
        except CoRewardingError as error:
            told = [error]
    broadcast_object_list(told)
    if isinstance(told[0], CoRewardingError):
        raise told[0]
    assert told[0] is not None
    return told[0]


def log(rewards: Rewards, columns: Mapping[str, Any]) -> None:
    """Tell the trainer's logs of votes and abstentions, and its table of completions of the labels."""
    if (log_metric := columns.get("log_metric")) is not None:
        log_metric("co_rewarding/abstained", abstained_share(rewards))
        versions = [label.teacher_version for label in rewards.labels if label.teacher_version is not None]
        measured = {name: rewards.metrics.get(name) for name in METRICS}
        for name, value in (measured | {"teacher_version": max(versions, default=None)}).items():
            if value is not None:
                log_metric(f"co_rewarding/{name}", float(value))
    if (log_extra := columns.get("log_extra")) is not None and "question_id" in columns:
        labels = {(label.question_id, str(label.view)): label.answer for label in rewards.labels}
        views: Sequence[str] = columns.get("view") or ["original"] * len(rewards.rewards)
        asked = zip(columns["question_id"], views, strict=True)
        log_extra("co_rewarding_label", [labels.get((str(question_id), view)) for question_id, view in asked])
