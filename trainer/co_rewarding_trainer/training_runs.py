"""Train one run of the tiny task under one method, against the service: register it, then train it and its peer."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from co_rewarding_client import RewardClient, Rollout, RunSettings
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import METHODS
from msgspec.structs import replace as replace_settings

from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, TrainingLog, questions, train
from co_rewarding_trainer.policy import Policy, load_policy
from co_rewarding_trainer.task_table import task_named
from co_rewarding_trainer.teacher_publisher import NoTeacherError, TeacherPublisher, teacher_seen

Recorder = Callable[[int, Sequence[Rollout]], None]
"""Takes the rollouts of a step."""

Watcher = Callable[[StepReport, HeldOutAccuracy], None]
"""Takes the report of a step and the latest evaluation."""

PEER = "-peer"
"""Behind the name of a run, that of its peer."""


class ForeignStartError(CoRewardingError):
    """A policy was taught another task; the message says what its tokenizer lacks."""


@dataclass(frozen=True)
class TrainingPlace:
    """The start of training, and the service that rewards.

    `weights_root` is the service's, as this machine sees it; the methods with a teacher need it.
    """

    service_url: str
    api_key: str | None
    warm_start: Path
    weights_root: Path | None


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended: its name at the service, its policy, its series, and how long it took."""

    run: str
    policy: Policy
    training: TrainingLog
    took_s: float


def register(
    prefix: str,
    method: str,
    place: TrainingPlace,
    config: LoopConfig,
    teacher_within_s: float,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Registers a new run, waits for its teacher if the method needs one, and returns the name of the run.

    The name begins with `prefix`. `settings` are those of the run that are not the trainer's to choose.

    Raises:
        NoTeacherError: the method needs a teacher, and none has seen the run within `teacher_within_s`.
        CoRewardingError: the service cannot be reached or refuses.
    """
    run = f"{prefix}-{uuid4().hex[:8]}"  # a service that keeps running must not take two trainings for one
    chosen: dict[str, Any] = {
        "group_size": config.group_size,
        "total_steps": config.steps,
        "teacher_max_tokens": task_named(config.task).max_new_tokens,
        "teacher_temperature": config.temperature,
        **(settings or {}),
    }
    made = RunSettings(method=method, peers=(f"{run}{PEER}",) if METHODS[method].needs_peers else (), **chosen)
    with RewardClient(place.service_url, api_key=place.api_key, run=run) as client:
        client.put_run(run, made)
        for peer in made.peers:
            client.put_run(peer, replace_settings(made, peers=(run,)))
        if METHODS[method].needs_teacher and not teacher_seen(client, run, teacher_within_s):
            raise NoTeacherError(
                f"the service at {place.service_url} has no teacher, which {method} needs: give it one (serve "
                f"--teacher {place.warm_start} --weights-root FOLDER, or a `co-rewarding teacher` beside it), or "
                "leave out --url"
            )
    return run


def train_run(
    run: str, method: str, place: TrainingPlace, config: LoopConfig, on_step: Watcher, on_rollouts: Recorder
) -> TrainedRun:
    """Trains a registered run from the start of its place; under a method with peers, its peer beside it.

    Raises:
        ForeignStartError: the start was taught another task.
        CoRewardingError: the service is away for longer than the client waits, or refuses.
    """
    began_s = time.perf_counter()
    with RewardClient(place.service_url, api_key=place.api_key, run=run) as client, ThreadPoolExecutor(1) as beside:
        policy = _begun(place, config)
        peer = None
        if METHODS[method].needs_peers:
            peer = beside.submit(_train_peer, _begun(place, config), f"{run}{PEER}", place, config)
        publisher = None
        if METHODS[method].needs_teacher and place.weights_root is not None:
            publisher = TeacherPublisher(client, run, place.weights_root)
        training = train(policy, client, config, on_step, on_rollouts, publisher)
        if peer is not None:
            peer.result()
    return TrainedRun(run, policy, training, time.perf_counter() - began_s)


def _begun(place: TrainingPlace, config: LoopConfig) -> Policy:
    """Loads the policy that a training starts from.

    Raises:
        ForeignStartError: the policy has not learnt the words of the task.
    """
    policy = load_policy(place.warm_start)
    if (missing := _unknown_word(policy, config)) is not None:
        raise ForeignStartError(
            f"{place.warm_start} holds no policy of the task {config.task}: its tokenizer lacks {missing!r}; name "
            "the task that it was taught, or another start"
        )
    return policy


def _unknown_word(policy: Policy, config: LoopConfig) -> str | None:
    """Returns a word that the policy cannot read, of the task's or, where they are not listed, of a prompt."""
    words = task_named(config.task).words or questions(0, config)[0].prompt.split()
    unknown, tokens = policy.tokenizer.unk_token_id, policy.tokenizer(list(words), add_special_tokens=False)
    return next((word for word, ids in zip(words, tokens["input_ids"], strict=True) if unknown in ids), None)


def _train_peer(policy: Policy, run: str, place: TrainingPlace, config: LoopConfig) -> None:
    """Trains the peer of a run: from the same start, with the same questions, by its own draws."""
    torch.set_num_threads(1)  # a setting of each thread
    own = replace(config, sampling_seed=config.seed + 1, evaluate_every=config.steps)
    with RewardClient(place.service_url, api_key=place.api_key, run=run) as client:
        train(policy, client, own)
