"""The demo: the same small model, the same data and the same number of rollouts, under one method after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import torch
from co_rewarding_client import RewardClient, RunSettings
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from transformers.utils import logging as transformers_logging

from co_rewarding_trainer.coach import TeacherCoach
from co_rewarding_trainer.laptop import Evaluation, LaptopConfig, StepReport, train
from co_rewarding_trainer.policy import MAX_NEW_TOKENS, load_policy
from co_rewarding_trainer.report import DemoReport, MethodReport
from co_rewarding_trainer.warm_start import SHIPPED

DEFAULT_METHODS = ("majority-voting", "co-rewarding-i", "ground-truth")
TAUGHT_METHODS = frozenset({"co-rewarding-ii", "co-rewarding-iii"})
"""Methods whose service needs a teacher that begins with the warm start, and its weights root."""


def run_demo(
    service_url: str,
    out_dir: Path,
    methods: Sequence[str] = DEFAULT_METHODS,
    steps: int = 300,
    seed: int = 0,
    api_key: str | None = None,
    warm_start: Path = SHIPPED,
    weights_root: Path | None = None,
) -> DemoReport:
    """Trains with each method against the service; leaves `series.json` and `curves.png` in `out_dir`.

    Every method starts from the checkpoint `warm_start` and sees the same questions, which follow from `seed`. Methods
    with a teacher need the service's `weights_root`.

    Raises:
        CoRewardingError: the service cannot be reached or refuses.
    """
    console = Console()
    config = replace(LaptopConfig(), steps=steps, seed=seed)
    torch.set_num_threads(1)  # the model is small; the other cores are the service's
    transformers_logging.disable_progress_bar()  # a bar for 20 tensors would stand across ours
    out_dir.mkdir(parents=True, exist_ok=True)
    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        place = _Place(service_url, api_key, warm_start, weights_root)
        trained = [_train_with(each, place, config, progress) for each in methods]
    report = DemoReport(config, tuple(trained))
    report.write_series(out_dir / "series.json")
    report.write_picture(out_dir / "curves.png")
    console.print(report.table())
    console.print(f"the picture is {out_dir / 'curves.png'}, the series are {out_dir / 'series.json'}")
    return report


@dataclass(frozen=True)
class _Place:
    """Where training begins, and who rewards it."""

    service_url: str
    api_key: str | None
    warm_start: Path
    weights_root: Path | None


def _train_with(method: str, place: _Place, config: LaptopConfig, progress: Progress) -> MethodReport:
    run = f"demo-{method}-{uuid4().hex[:8]}"  # a service that keeps running must not take two demos for one
    bar = progress.add_task(method, total=config.steps, shown="")

    def show(report: StepReport, latest: Evaluation) -> None:
        told = {"accuracy": latest.accuracy, "reward": report.reward, "labels": report.label_accuracy}
        shown = " ".join(f"{name} {share:.2f}" for name, share in told.items() if share is not None)
        progress.update(bar, completed=report.step + 1, shown=shown)

    began_s = time.perf_counter()
    settings = RunSettings(
        method=method,
        group_size=config.group_size,
        total_steps=config.steps,
        teacher_max_tokens=MAX_NEW_TOKENS,
        teacher_temperature=config.temperature,
    )
    with RewardClient(place.service_url, api_key=place.api_key, run=run) as client:
        client.put_run(run, settings)
        coach = None
        if method in TAUGHT_METHODS and place.weights_root is not None:
            coach = TeacherCoach(client, run, place.weights_root)
        training = train(load_policy(place.warm_start), client, config, show, coach)
    return MethodReport(method, run, time.perf_counter() - began_s, training)
