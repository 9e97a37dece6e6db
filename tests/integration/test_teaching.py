"""A whole service with a teacher on the transformers backend: published weights, restarts, and who has voted."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

torch = pytest.importorskip("torch", reason="a teacher needs torch: pip install 'co-rewarding[local]'")

from co_rewarding_client import Question, RewardClient, Rewards, Rollout, RunSettings  # noqa: E402
from co_rewarding_trainer.chains import CHAINS  # noqa: E402
from co_rewarding_trainer.policy import load_policy  # noqa: E402
from co_rewarding_trainer.task import draw_problems  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402

from reward_service.domain.extraction import extractor  # noqa: E402
from reward_service.generation.generator import Prompt, Sampling  # noqa: E402
from reward_service.generation.transformers_backend import TransformersGenerator  # noqa: E402
from reward_service.serving.supervisor import Supervisor  # noqa: E402
from tests.support.service import running  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

pytestmark = pytest.mark.timeout(300)
PROBLEMS = draw_problems(CHAINS, 24, "teaching")
START_S = 120.0


@dataclass
class School:
    """The service, and the folder that its teacher takes weights from."""

    supervisor: Supervisor
    client: RewardClient
    weights: Path

    def make_run(self, **settings: Any) -> str:
        """A run whose teacher answers greedily: its weights alone say what it answers."""
        run = f"run-{uuid4().hex[:8]}"
        chosen: dict[str, Any] = {"alpha_start": 0.0, "alpha_end": 0.0, "teacher_temperature": 0.0, **settings}
        self.client.put_run(
            run, RunSettings(method="co-rewarding-ii", group_size=2, teacher_max_tokens=CHAINS.max_new_tokens, **chosen)
        )
        return run

    def publish(self, run: str, step: int, folder: Path) -> None:
        shutil.copytree(folder, self.weights / f"{run}.step-{step}")
        self.client.publish(step, f"{run}.step-{step}", run=run)

    def rewards(self, run: str, step: int, answers: Sequence[str | None]) -> Rewards:
        """The rewards of these answers to the problems, one each."""
        rollouts = [
            Rollout(question_id=each.key, prompt=each.prompt("original"), rollout=0, response=f"\\boxed{{{answer}}}")
            for each, answer in zip(PROBLEMS, answers, strict=True)
        ]
        with RewardClient(self.supervisor.url, run=run, patience_s=START_S) as client:
            return client.rewards(rollouts, step=step, complete=False)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    weights = tmp_path_factory.mktemp("weights")
    settings = {"teacher_backend": "transformers", "teacher_dtype": "float32", "teacher_lease_s": 2.0}
    with (
        running(teacher=str(SHIPPED), weights_root=weights, **settings) as supervisor,
        RewardClient(supervisor.url, patience_s=START_S) as client,
    ):
        yield School(supervisor, client, weights)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with its weights shaken, so that it answers otherwise."""
    policy = load_policy(SHIPPED)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(0.3 * weight.std() * torch.randn_like(weight))
    folder = tmp_path_factory.mktemp("other")
    policy.save(folder)
    return folder


def greedy_answers(model: Path) -> list[str | None]:
    """What a fresh model in this folder answers to the problems."""

    async def ask() -> list[str | None]:
        generator = await TransformersGenerator.open(str(model))
        sampling = Sampling(temperature=0.0, max_tokens=CHAINS.max_new_tokens)
        prompts = [Prompt(text=each.prompt("original")) for each in PROBLEMS]
        found = await asyncio.gather(*(generator.generate(prompt, sampling) for prompt in prompts))
        await generator.close()
        return [extractor(("boxed",))(each.texts_n[0]) for each in found]

    return asyncio.run(ask())


def labels(rewards: Rewards) -> list[str | None]:
    """The elected answers in the order of the problems; None where nothing was."""
    elected = {label.question_id: label.answer for label in rewards.labels}
    return [elected.get(each.key) for each in PROBLEMS]


def versions(rewards: Rewards) -> set[int | None]:
    return {label.teacher_version for label in rewards.labels}


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_published_weights_change_what_the_teacher_answers(school: School, other: Path, alpha: float) -> None:
    before, after = greedy_answers(SHIPPED), greedy_answers(other)
    assert sum(a != b for a, b in zip(before, after, strict=True)) > 5, "the two models differ"
    run = school.make_run(alpha_start=alpha, alpha_end=alpha)
    first = school.rewards(run, 0, before)
    assert (labels(first), versions(first)) == (before, {0})
    assert [reward for reward in first.rewards if reward is not None] == [1.0 for each in before if each is not None]
    school.publish(run, 1, other)
    second = school.rewards(run, 1, before)
    if alpha == 0.0:
        assert (labels(second), versions(second)) == (after, {1}), "it answers as the new policy"
    else:
        assert labels(second) == before, "it answers as before"


def test_every_reward_names_the_version_that_voted(school: School, other: Path) -> None:
    run = school.make_run()
    models = [SHIPPED, other]
    answers = [greedy_answers(model) for model in models]
    for step in range(4):
        if step:
            school.publish(run, step, models[step % 2])
        school.client.prefetch(
            step,
            [Question(question_id=each.key, view="original", prompt=each.prompt("original")) for each in PROBLEMS],
            run=run,
        )
        rewards = school.rewards(run, step, answers[0])
        assert versions(rewards) == {step}
        assert labels(rewards) == answers[step % 2]
    wait_until(lambda: school.client.teacher(run).ready)  # a teacher that was busy has not said so for a while
    standing = school.client.teacher(run)
    assert (standing.version, standing.step) == (3, 3)


def test_a_teacher_that_is_killed_goes_on_with_the_version_it_had(school: School, other: Path) -> None:
    """kill -9 while labels are asked for and weights are on their way: nothing is labelled by half of either."""
    run = school.make_run()
    answers = [greedy_answers(SHIPPED), greedy_answers(other)]
    assert labels(school.rewards(run, 0, answers[0])) == answers[0]
    for step in range(1, 5):
        school.publish(run, step, (SHIPPED, other)[step % 2])
        if step == 2:  # while it takes these
            kill_teacher(school.supervisor)
        rewards = school.rewards(run, step, answers[0])
        assert (labels(rewards), versions(rewards)) == (answers[step % 2], {step})
        if step == 3:  # while it has nothing to do
            kill_teacher(school.supervisor)
    assert school.client.teacher(run).version == 4


def kill_teacher(supervisor: Supervisor) -> None:
    (killed,) = supervisor.pids("teacher")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: supervisor.pids("teacher") not in ([], [killed]))
