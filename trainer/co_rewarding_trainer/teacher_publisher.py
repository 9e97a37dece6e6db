"""What a method with a teacher needs of its trainer: new weights after each step, and word of what is asked next."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from co_rewarding_client import CoRewardingError, Question, RewardClient

from co_rewarding_trainer.policy import Policy, without_bars
from co_rewarding_trainer.task import TaskPrompt

LOOK_S = 0.2
KEPT_VERSIONS = 2  # the last, and the one before, which the teacher may be reading


class NoTeacherError(CoRewardingError):
    """A method with a teacher was to be trained at a service that has none; the message says what to do."""


def teacher_seen(client: RewardClient, run: str, within_s: float) -> bool:
    """Whether a teacher serves the run, or comes to within the time.

    Raises:
        CoRewardingError: the service refuses or is away.
    """
    deadline_s = time.monotonic() + within_s
    while not client.teacher(run).ready:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_S)
    return True


class StepPublisher(Protocol):
    """Is told of each step before its rollouts are sampled."""

    def prepare(self, step: int, policy: Policy, asked_P: Sequence[TaskPrompt]) -> None:
        """`policy` is what will answer the P views in `step`."""
        ...


class TeacherPublisher:
    """Publishes the policy below the service's weights root and announces the questions, so that teacher and policy
    answer at the same time. Version 0 is the model that both begin with, and is not published."""

    def __init__(self, client: RewardClient, run: str, weights_root: Path) -> None:
        """`weights_root` is the service's, as this process sees it."""
        self._client = client
        self._run = run
        self._root = weights_root
        self._published: list[Path] = []

    def prepare(self, step: int, policy: Policy, asked_P: Sequence[TaskPrompt]) -> None:
        """Returns when the service knows; it does not wait for the teacher.

        Raises:
            CoRewardingError: the service refuses or is away.
        """
        if step > 0:
            self._client.publish(step, self._written(step, policy), run=self._run)
        questions_P = [Question(asked.question_id, asked.view, prompt=asked.prompt) for asked in asked_P]
        self._client.prefetch(step, questions_P, run=self._run)

    def _written(self, step: int, policy: Policy) -> str:
        """The folder's name; it appears when it is whole."""
        folder = self._root / f"{self._run}.step-{step}"
        growing = self._root / f".{folder.name}.{os.getpid()}"
        growing.mkdir(parents=True)
        with without_bars():
            policy.model.save_pretrained(growing)
        for file in growing.iterdir():
            file.chmod(0o644)  # safetensors come with 0600, and the service may be another user
        growing.rename(folder)
        self._published.append(folder)
        for old in self._published[:-KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)
        del self._published[:-KEPT_VERSIONS]
        return folder.name
