"""Publish the weights and announce the questions of each step, in a method with a teacher."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from co_rewarding_client import CoRewardingError, Question, RewardClient

from co_rewarding_trainer.policy import Policy
from co_rewarding_trainer.task import TaskPrompt

LOOK_S = 0.2
KEPT_VERSIONS = 2  # the last, and the one before, which the teacher may be reading


class NoTeacherError(CoRewardingError):
    """The method needs a teacher and the service has none; the message says what to do."""


def teacher_seen(client: RewardClient, run: str, within_s: float) -> bool:
    """Waits up to `within_s` for a teacher that serves the run, and returns whether there is one.

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
        """Prepares `step`, in which `policy` will answer the P views."""
        ...


class TeacherPublisher:
    """Publishes the policy below the service's weights root and announces the questions.

    Teacher and policy then answer at the same time. Version 0, the model that both begin with, is not published.
    """

    def __init__(self, client: RewardClient, run: str, weights_root: Path) -> None:
        """`weights_root` is the service's, as this process sees it."""
        self._client = client
        self._run = run
        self._root = weights_root
        self._published: list[Path] = []

    def prepare(self, step: int, policy: Policy, asked_P: Sequence[TaskPrompt]) -> None:
        """Tells the service of the weights and the questions, and does not wait for the teacher.

        Raises:
            CoRewardingError: the service refuses or is away.
        """
        if step > 0:
            self._client.publish(step, self._written(step, policy), run=self._run)
        questions_P = [
            Question(question_id=asked.question_id, view=asked.view, prompt=asked.prompt) for asked in asked_P
        ]
        self._client.prefetch(step, questions_P, run=self._run)

    def _written(self, step: int, policy: Policy) -> str:
        """Writes the weights and returns the folder's name; the folder appears only when complete."""
        folder = self._root / f"{self._run}.step-{step}"
        growing = self._root / f".{folder.name}.{os.getpid()}"
        growing.mkdir(parents=True)
        policy.save_weights(growing)
        growing.rename(folder)
        self._published.append(folder)
        for old in self._published[:-KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)
        del self._published[:-KEPT_VERSIONS]
        return folder.name
