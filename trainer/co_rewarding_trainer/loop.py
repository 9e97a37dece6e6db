"""Train on a laptop: a tiny language model learns from rewards that come over HTTP, and from nothing else."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from co_rewarding_client import Evidence, Label, Rewards, Rollout, Statistics

from co_rewarding_trainer.grpo import group_advantages, update
from co_rewarding_trainer.policy import Policy
from co_rewarding_trainer.sampling import Rollouts, sample
from co_rewarding_trainer.task import (
    VIEWS,
    TaskPair,
    TaskProblem,
    TaskPrompt,
    boxed_answer,
    draw_pairs,
    draw_problems,
)
from co_rewarding_trainer.task_table import DEFAULT_TASK, task_named
from co_rewarding_trainer.teacher_publisher import StepPublisher


class Rewarder(Protocol):
    """Gives rewards for whole groups of one step; `co_rewarding_client.RewardClient` is one."""

    def rewards(self, rollouts: Sequence[Rollout], *, step: int | None = None) -> Rewards:
        """Returns rewards in the order of the rollouts, None where the service abstained."""
        ...


@dataclass(frozen=True)
class LoopConfig:
    """How the laptop trainer trains; the defaults are the demo's.

    A step has `pairs_per_step` questions, two views of each, and `group_size` rollouts of each view. All methods see
    the same data and spend the same number of rollouts.

    Attributes:
        task: the name of the task.
        distinct_pairs: the number of questions, asked in another order in each epoch; None: no question comes twice.
        wrong_paraphrases: the share of questions whose paraphrase is another question.
        near_copies: each paraphrase is told in the wording of the original.
        test_time: the training asks the held-out problems that evaluations ask, over and over, and is `unlabelled`.
        unlabelled: no ground truth is sent to the service; label accuracy is counted here.
        seed: decides the questions, and by default what is sampled.
        sampling_seed: decides what is sampled: peers answer the same questions, each in its own way.
    """

    task: str = DEFAULT_TASK
    steps: int = 300
    pairs_per_step: int = 16
    group_size: int = 8
    learning_rate: float = 4e-4
    warmup_steps: int = 10
    temperature: float = 1.0
    evaluate_every: int = 10
    evaluation_problems: int = 400
    evaluation_temperature: float = 0.8  # as the paper evaluates
    distinct_pairs: int | None = None
    wrong_paraphrases: float = 0.0
    near_copies: bool = False
    test_time: bool = False
    unlabelled: bool = False
    seed: int = 0
    sampling_seed: int | None = None

    def __post_init__(self) -> None:
        """Refuses epochs that are not a whole number of steps, and wrong paraphrases of test questions.

        Raises:
            ValueError: the questions of an epoch are not a multiple of `pairs_per_step`, or `test_time` comes with
                questions of another kind.
        """
        if self.epoch_pairs is not None and self.epoch_pairs % self.pairs_per_step:
            raise ValueError(f"{self.epoch_pairs} pairs cannot be asked {self.pairs_per_step} in a step")
        if self.test_time and (self.distinct_pairs is not None or self.wrong_paraphrases):
            raise ValueError("test_time asks the held-out problems: leave out distinct_pairs and wrong_paraphrases")

    @property
    def epoch_pairs(self) -> int | None:
        """Returns how many questions are asked over and over; None: no question comes twice."""
        return self.evaluation_problems if self.test_time else self.distinct_pairs

    @property
    def sends_truth(self) -> bool:
        """Tells whether the ground truth goes along with the rollouts."""
        return not (self.unlabelled or self.test_time)


@dataclass(frozen=True)
class StepReport:
    """One step as the service saw it: shares between 0 and 1, None for a mean over nothing.

    `waited_s` is how long the rewards took to come.
    """

    step: int
    reward: float | None
    label_accuracy: float | None
    vote_share: float | None
    waited_s: float | None = None


@dataclass(frozen=True)
class HeldOutAccuracy:
    """Accuracy on held-out problems after `step` steps."""

    step: int
    accuracy: float


@dataclass(frozen=True)
class TrainingLog:
    """The steps and evaluations of a training run."""

    steps: tuple[StepReport, ...]
    evaluations: tuple[HeldOutAccuracy, ...]


def train(
    policy: Policy,
    rewarder: Rewarder,
    config: LoopConfig,
    on_step: Callable[[StepReport, HeldOutAccuracy], None] = lambda report, latest: None,
    on_rollouts: Callable[[int, Sequence[Rollout]], None] = lambda step, rollouts: None,
    publisher: StepPublisher | None = None,
) -> TrainingLog:
    """Trains the policy in place, and calls `on_step` after each step with its report and the latest evaluation.

    `on_rollouts` sees the rollouts of each step, as they are sent.
    A method with a teacher needs a `publisher`.
    """
    longest = task_named(config.task).max_new_tokens
    # No decay of the weights: the policy is to move for its rewards alone.
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    seed = config.seed if config.sampling_seed is None else config.sampling_seed
    generator = torch.Generator(policy.model.device).manual_seed(seed)
    steps: list[StepReport] = []
    evaluations: list[HeldOutAccuracy] = []
    for step in range(config.steps):
        if step % config.evaluate_every == 0:
            evaluations.append(HeldOutAccuracy(step, evaluate(policy, config)))
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (step + 1) / config.warmup_steps)

        asked_P = questions(step, config)
        if publisher is not None:
            publisher.prepare(step, policy, asked_P)
        prompts_P = [asked.prompt for asked in asked_P]
        rollouts = sample(policy, prompts_P, config.group_size, config.temperature, generator, longest)
        sent = as_sent(asked_P, rollouts, config.group_size, with_truth=config.sends_truth)
        on_rollouts(step, sent)
        asked_at_s = time.perf_counter()
        rewards = rewarder.rewards(sent, step=step)
        waited_s = time.perf_counter() - asked_at_s
        update(policy, optimizer, rollouts, group_advantages(rewards.rewards, config.group_size))

        seen = rewards.metrics
        right = seen.get("label_accuracy") if config.sends_truth else label_accuracy(asked_P, rewards.labels)
        steps.append(StepReport(step, seen["reward_mean"], right, seen["vote_share_mean"], waited_s))
        on_step(steps[-1], evaluations[-1])
    evaluations.append(HeldOutAccuracy(config.steps, evaluate(policy, config)))
    return TrainingLog(tuple(steps), tuple(evaluations))


def questions(step: int, config: LoopConfig) -> list[TaskPrompt]:
    """Draws the P = 2 · pairs_per_step views of one step; the same seed draws the same views."""
    return [pair.asked(view) for view in VIEWS for pair in _pairs(step, config)]


def _pairs(step: int, config: LoopConfig) -> list[TaskPair]:
    pairs = _pairs_of(step, config)
    return [_near_copy(pair) for pair in pairs] if config.near_copies else pairs


def _pairs_of(step: int, config: LoopConfig) -> list[TaskPair]:
    task = task_named(config.task)
    if config.epoch_pairs is None:
        return draw_pairs(task, config.pairs_per_step, f"training {config.seed} {step}", config.wrong_paraphrases)
    epoch, batch = divmod(step, config.epoch_pairs // config.pairs_per_step)
    if config.test_time:
        pairs = [TaskPair(problem) for problem in held_out_problems(config)]
    else:
        pairs = draw_pairs(task, config.epoch_pairs, f"training {config.seed}", config.wrong_paraphrases)
    random.Random(f"order {config.seed} {epoch}").shuffle(pairs)  # noqa: S311 - data, not secrets
    return pairs[batch * config.pairs_per_step :][: config.pairs_per_step]


def _near_copy(pair: TaskPair) -> TaskPair:
    """Tells the paraphrase in the wording of the original."""
    wording = pair.problem.wordings[0]
    mistold = None if pair.mistold is None else replace(pair.mistold, wordings=(wording, wording))
    return TaskPair(replace(pair.problem, wordings=(wording, wording)), mistold)


def label_accuracy(asked_P: Sequence[TaskPrompt], labels: Sequence[Label]) -> float | None:
    """Returns the share of labels that are right, counted in the trainer; None without a label."""
    truths = {(asked.question_id, asked.view): asked.problem.answer for asked in asked_P}
    right = [label.answer == truths[label.question_id, label.view] for label in labels]
    return sum(right) / len(right) if right else None


def as_sent(
    asked_P: Sequence[TaskPrompt], rollouts: Rollouts, group_size: int, *, with_truth: bool = True
) -> list[Rollout]:
    """Makes the service's B = P·G rollouts of the sampled ones, in the same order.

    What a method may need goes along: the ground truth, by which the others report their label accuracy, and how sure
    the policy was.
    """
    return [
        Rollout(
            question_id=asked.question_id,
            prompt=asked.prompt,
            view=asked.view,
            rollout=index,
            response=rollouts.texts[place * group_size + index],
            ground_truth=asked.problem.answer if with_truth else None,
            statistics=Statistics(self_certainty=sure.self_certainty, entropy=sure.entropy),
            evidence=Evidence(confidence=sure.confidence),
        )
        for place, asked in enumerate(asked_P)
        for index, sure in enumerate(rollouts.sureness_B[place * group_size :][:group_size])
    ]


def evaluate(policy: Policy, config: LoopConfig) -> float:
    """Returns the share of held-out problems solved, one response each; problems and draws are always the same."""
    task = task_named(config.task)
    problems = held_out_problems(config)
    prompts_P = [problem.prompt(VIEWS[index % 2]) for index, problem in enumerate(problems)]
    generator = torch.Generator(policy.model.device).manual_seed(0)
    rollouts = sample(policy, prompts_P, 1, config.evaluation_temperature, generator, task.max_new_tokens)
    right = [boxed_answer(text) == each.answer for text, each in zip(rollouts.texts, problems, strict=True)]
    return sum(right) / len(right)


def held_out_problems(config: LoopConfig) -> list[TaskProblem]:
    """Returns the problems that evaluations ask: always the same."""
    return draw_problems(task_named(config.task), config.evaluation_problems, "evaluation", held_out=True)
