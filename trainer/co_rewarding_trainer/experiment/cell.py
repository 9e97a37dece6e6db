"""Train one cell of a suite, in a process of its own: `python -m co_rewarding_trainer.experiment.cell ORDER`.

ORDER is a JSON file. The process prints a line of JSON for each step, and writes the result when it has ended: a cell
that was killed has no result, and is trained anew.
"""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import torch
from co_rewarding_client import RewardClient
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import METHODS

from co_rewarding_trainer.experiment.pass_at_k import pass_at_k, solved_counts
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport
from co_rewarding_trainer.task import VIEWS
from co_rewarding_trainer.training_runs import TrainingPlace, register, train_run


class CellOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know to train a cell; `api_key` comes in the environment."""

    row: str
    method: str
    settings: dict[str, Any]
    start: str
    warm_start: str
    loop: LoopConfig
    samples: int
    passes: list[int]
    service_url: str
    weights_root: str | None
    teacher_within_s: float
    prefix: str
    result: str


class CellStep(msgspec.Struct, frozen=True):
    """A step as the process tells it."""

    step: int
    reward: float | None
    label_accuracy: float | None
    vote_share: float | None
    accuracy: float


class StepSigns(msgspec.Struct, frozen=True, kw_only=True):
    """The signs of a collapse in a step, as the service's series has them: docs/methods.md defines each."""

    step: int
    distinct_answers: float | None = None
    top_share: float | None = None
    vote_share: float | None = None
    label_agreement: float | None = None
    view_agreement: float | None = None
    answered: float | None = None


SIGNS = tuple(name for name in StepSigns.__struct_fields__ if name != "step")


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a cell: shares between 0 and 1, None for a mean over nothing.

    `accuracies` are (step, held-out accuracy); `passes` is pass@k by k, at the end. `rollouts` were sampled from the
    policy to learn from, `rollouts_of_others` from a teacher or a peer to vote. `signs` are those of the last 1,000
    steps, which the service keeps.
    """

    row: str
    method: str
    learning_rate: float
    start: str
    seed: int
    run: str
    took_s: float
    rollouts: int
    rollouts_of_others: int
    steps: list[StepReport]
    signs: list[StepSigns]
    accuracies: list[tuple[int, float]]
    passes: dict[int, float]


def train_cell(order: CellOrder, api_key: str | None) -> CellResult:
    """Trains a cell and returns what came of it; prints each step.

    Raises:
        CoRewardingError: the service refuses, or is away for longer than the client waits.
    """
    place = TrainingPlace(
        order.service_url,
        api_key,
        Path(order.warm_start),
        None if order.weights_root is None else Path(order.weights_root),
    )
    run = register(order.prefix, order.method, place, order.loop, order.teacher_within_s, order.settings)
    trained = train_run(run, order.method, place, order.loop, _say, lambda step, rollouts: None)
    with RewardClient(place.service_url, api_key=api_key, run=run) as client:
        signs = [msgspec.convert(step, StepSigns) for step in client.series()]
    groups = order.loop.steps * len(VIEWS) * order.loop.pairs_per_step
    voting = order.settings.get("teacher_group_size") or order.loop.group_size
    right_N = solved_counts(trained.policy, order.loop, order.samples) if order.samples else []
    return CellResult(
        row=order.row,
        method=order.method,
        learning_rate=order.loop.learning_rate,
        start=order.start,
        seed=order.loop.seed,
        run=run,
        took_s=trained.took_s,
        rollouts=groups * order.loop.group_size,
        rollouts_of_others=groups * voting if METHODS[order.method].needs_others else 0,
        steps=list(trained.training.steps),
        signs=signs,
        accuracies=[(each.step, each.accuracy) for each in trained.training.evaluations],
        passes={k: pass_at_k(order.samples, right_N, k) for k in order.passes} if right_N else {},
    )


def write_result(result: CellResult, path: Path) -> None:
    """Writes the result of a cell; the file appears only when complete."""
    growing = path.with_name(f".{path.name}.{os.getpid()}")
    growing.write_bytes(msgspec.json.encode(result))
    growing.rename(path)


def _say(report: StepReport, latest: HeldOutAccuracy) -> None:
    said = CellStep(report.step, report.reward, report.label_accuracy, report.vote_share, latest.accuracy)
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()  # nobody who reads: the parent has died, and the write ends this process too


def main() -> None:
    """Trains the cell of the order that is named on the command line."""
    torch.set_num_threads(1)
    order = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=CellOrder)
    try:
        result = train_cell(order, os.environ.get("CO_REWARDING_API_KEY"))
    except CoRewardingError as error:
        raise SystemExit(str(error)) from error
    write_result(result, Path(order.result))


if __name__ == "__main__":
    main()
