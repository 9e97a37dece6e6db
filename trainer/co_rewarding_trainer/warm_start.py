"""Teach the policy that trainings start from, by worked examples of a task.

The start `plain` has no planted mistakes: its examples tell the wordings unequally often (`Wording.taught`), a few of
their steps are wrong for no reason, and the teaching ends before the policy has learnt all of it. What a training does
from there is its own. The two other starts have habits besides: digits that are often read as another one, either two
of its own in each wording, or the same ones in all wordings, where co-rewarding has nothing to compare.

    python -m co_rewarding_trainer.warm_start FOLDER
"""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import torch
import typer
from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.progress import track
from torch import Tensor

from co_rewarding_trainer.loop import LoopConfig, evaluate
from co_rewarding_trainer.policy import Policy, build_policy, load_base
from co_rewarding_trainer.sampling import response_logprobs
from co_rewarding_trainer.task import Mistakes, Problem, Task, WarmStart, Worked, is_held_out
from co_rewarding_trainer.task_table import DEFAULT_TASK, task_named

SHIPPED = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class WarmStartConfig:
    """How a warm start is taught; the defaults made the shipped checkpoint.

    Attributes:
        base: the language model that is taught, a folder or a name at the Hugging Face hub; None: a small model that
            knows the words of the task and nothing else.
        steps: where the teaching ends; None: where the task says.
        direct_rate: the share of examples that give the answer at once.
        slip_rate: the share of steps whose result is any digit.
        habit_rate: how often a digit is read as another, in a start with habits.
    """

    task: str = DEFAULT_TASK
    kind: WarmStart = WarmStart.PLAIN
    base: str | None = None
    steps: int | None = None
    direct_rate: float = 0.1
    slip_rate: float = 0.04
    habit_rate: float = 0.6
    seed: int = 0


FINAL_RATE = 0.1


def habit_of(task: Task, wording: int, kind: WarmStart) -> Mapping[int, int]:
    """Returns the digits that are misread in a wording."""
    match kind:
        case WarmStart.PLAIN:
            return {}
        case WarmStart.OWN_HABITS:
            return task.wordings[wording].habit
        case WarmStart.SHARED_HABITS:
            return task.wordings[0].habit


def taught_response(problem: Problem, wording: int, config: WarmStartConfig, rng: random.Random) -> str:
    r"""Writes a worked example with its mistakes, e.g. `* 5 0 + 2 2 \boxed{2}`, or the box alone."""
    habit = habit_of(task_named(config.task), wording, config.kind)
    mistakes = Mistakes(config.slip_rate, habit, config.habit_rate)
    if rng.random() < config.direct_rate:
        return Worked((), problem.worked(replace(mistakes, slip_rate=0.0), rng).answer).text
    return problem.worked(mistakes, rng).text


class NoBaseError(CoRewardingError):
    """A task is taught to a language model, and none was named."""


def teach(config: WarmStartConfig) -> Policy:
    """Trains a policy on worked examples, none of them of a held-out problem.

    Raises:
        NoBaseError: the task is for language models, and the config names none.
        UnfitModelError: the language model cannot be taught.
    """
    task = task_named(config.task)
    if config.base is None and task.words is None:
        raise NoBaseError(f"the task {task.name} is taught to a language model: name one as the base of the start")
    policy = build_policy(task, config.seed) if config.base is None else load_base(config.base)
    teaching = task.teaching
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=teaching.learning_rate)
    rng = random.Random(config.seed)  # noqa: S311 - data, not secrets
    for step in track(range(config.steps or teaching.steps), "teaching"):
        warm_up, decay = (step + 1) / teaching.warmup_steps, 1 - (1 - FINAL_RATE) * step / teaching.schedule_steps
        for group in optimizer.param_groups:
            group["lr"] = teaching.learning_rate * min(1.0, warm_up) * decay
        loss = _loss(policy, *_examples(task, config, rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
        optimizer.step()
    return policy


def checkpoint(config: WarmStartConfig, kept: Path) -> Path:
    """Returns the folder of a warm start: the shipped one, or `kept`, where it is taught if it is not there."""
    if config == WarmStartConfig():
        return SHIPPED
    if not kept.exists():
        policy = teach(config)
        growing = kept.with_name(f".{kept.name}.{os.getpid()}")
        growing.mkdir(parents=True)
        policy.save(growing)
        growing.rename(kept)
    return kept


def _examples(task: Task, config: WarmStartConfig, rng: random.Random) -> tuple[list[str], list[str]]:
    """Draws the prompts and the responses of one step."""
    drawn = iter(lambda: task.draw_example(rng), None)
    problems = list(islice((each for each in drawn if not is_held_out(each)), task.teaching.examples_per_step))
    places = range(len(task.wordings))
    told = rng.choices(places, [each.taught for each in task.wordings], k=len(problems))
    prompts = [problem.told(wording) for problem, wording in zip(problems, told, strict=True)]
    return prompts, [taught_response(*each, config, rng) for each in zip(problems, told, strict=True)]


def _loss(policy: Policy, prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
    """Returns the mean of -log π over the tokens of the responses."""
    prompts_BL, responses_BT = (
        policy.tokenizer(list(texts), padding=True, padding_side=side, add_special_tokens=begins, return_tensors="pt")[
            "input_ids"
        ]
        for texts, side, begins in ((prompts, "left", True), (responses, "right", False))
    )
    mask_BT = (responses_BT != policy.pad_id).float()
    logprobs_BT = response_logprobs(policy, torch.cat([prompts_BL, responses_BT], dim=1), responses_BT.shape[1])
    return -(logprobs_BT * mask_BT).sum() / mask_BT.sum()


def main(
    folder: Annotated[Path, typer.Argument(help="Where the checkpoint goes.")],
    kind: Annotated[WarmStart, typer.Option(help="Which habits it has.")] = WarmStart.PLAIN,
    task: Annotated[str, typer.Option(help="The task.")] = DEFAULT_TASK,
    base: Annotated[str | None, typer.Option(help="A language model to teach: folder, or name at the hub.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Where the teaching ends.")] = None,
    seed: int = 0,
) -> None:
    """Teaches a warm start and writes it in Hugging Face format."""
    torch.set_num_threads(1)
    try:
        policy = teach(WarmStartConfig(task=task, kind=kind, base=base, steps=steps, seed=seed))
    except CoRewardingError as error:
        raise SystemExit(f"co-rewarding: {error}") from error
    policy.save(folder)
    accuracy = evaluate(policy, LoopConfig(task=task))
    Console().print(f"{folder}: accuracy {accuracy:.3f} on held-out problems")


if __name__ == "__main__":
    typer.run(main)
