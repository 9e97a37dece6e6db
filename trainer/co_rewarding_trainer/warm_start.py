"""Teach the policy that the demo starts from, by worked examples, with mistakes of its own in each wording.

The paper's premise is that a question put in other words is answered with other mistakes. A model this small, taught
on clean examples, has no such habit: its mistakes are the same in every wording. So the examples have them built in: in
each wording two digits are often read as another (`Wording.misread`), and now and then a state is wrong for no reason.
What the demo shows is therefore what follows from the premise, not that the premise holds for a given model. For the
contrary case, `--shared-misreadings` teaches the same misreadings in all wordings: co-rewarding then has nothing to
compare.

    python -m co_rewarding_trainer.warm_start FOLDER
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track

from co_rewarding_trainer.loop import LoopConfig, evaluate
from co_rewarding_trainer.policy import Policy, build_policy, response_logprobs
from co_rewarding_trainer.task import VIEWS, WORDINGS, TaskProblem, View, advance, draw_problems

SHIPPED = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True)
class WarmStartConfig:
    """How the warm start is taught; the defaults made the shipped checkpoint."""

    steps: int = 1000
    examples_per_step: int = 256
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    misread_rate: float = 0.6
    slip_rate: float = 0.04
    shared_misreadings: bool = False
    seed: int = 0


def taught_response(problem: TaskProblem, view: View, config: WarmStartConfig, rng: random.Random) -> str:
    r"""Writes a worked example with its mistakes, e.g. `8 0 2 \boxed{2}`: a state for each operand, then the answer."""
    misread = (WORDINGS[0] if config.shared_misreadings else problem.wording(view)).misread
    read = [
        misread[operand] if operand in misread and rng.random() < config.misread_rate else operand
        for operand in problem.operands
    ]
    states = [read[0]]
    for operator, operand in zip(problem.operators, read[1:], strict=True):
        state = advance(states[-1], operator, operand)
        slipped = rng.random() < config.slip_rate
        states.append(rng.randrange(10) if slipped else state)
    return f"{' '.join(map(str, states))} \\boxed{{{states[-1]}}}"


def teach(config: WarmStartConfig) -> Policy:
    """Trains a new policy on worked examples. No example comes twice, and none is held out."""
    policy = build_policy(config.seed)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=config.learning_rate)
    rng = random.Random(config.seed)  # noqa: S311 - data, not secrets
    for step in track(range(config.steps), "teaching"):
        warm_up, decay = (step + 1) / config.warmup_steps, 2 * (1 - step / config.steps)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, warm_up, decay)

        problems = draw_problems(config.examples_per_step, f"warm start {config.seed} {step}")
        asked: list[tuple[TaskProblem, View]] = [(problem, rng.choice(VIEWS)) for problem in problems]
        prompts = policy.tokenizer([problem.prompt(view) for problem, view in asked])["input_ids"]
        responses = policy.tokenizer([taught_response(*each, config, rng) for each in asked])["input_ids"]
        tokens_BL = torch.cat([torch.tensor(prompts), response_BT := torch.tensor(responses)], dim=1)
        loss = -response_logprobs(policy.model, tokens_BL, response_BT.shape[1]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return policy


def main(
    folder: Annotated[Path, typer.Argument(help="Where the checkpoint goes.")],
    shared_misreadings: Annotated[
        bool, typer.Option("--shared-misreadings", help="Teach the same misreadings in all wordings.")
    ] = False,
    seed: int = 0,
) -> None:
    """Teaches a warm start and writes it in Hugging Face format."""
    torch.set_num_threads(1)
    policy = teach(WarmStartConfig(shared_misreadings=shared_misreadings, seed=seed))
    policy.save(folder)
    Console().print(f"{folder}: accuracy {evaluate(policy, LoopConfig()):.3f} on held-out problems")


if __name__ == "__main__":
    typer.run(main)
