"""Run the demo: the same small model, data and number of rollouts, under one method after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import torch
from co_rewarding_client import Rollout
from msgspec.structs import asdict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport
from co_rewarding_trainer.report import DemoReport, MethodReport
from co_rewarding_trainer.task_table import DEFAULT_TASK
from co_rewarding_trainer.training_runs import Recorder, TrainingPlace, register, train_run
from co_rewarding_trainer.warm_start import SHIPPED


def run_demo(
    service_url: str,
    out_dir: Path,
    methods: Sequence[str],
    steps: int = 300,
    seed: int = 0,
    record: bool = False,
    api_key: str | None = None,
    warm_start: Path = SHIPPED,
    weights_root: Path | None = None,
    teacher_within_s: float = 10.0,
    task: str = DEFAULT_TASK,
    test_time: bool = False,
) -> DemoReport:
    """Trains with each method against the service; writes `series.json`, `table.md` and `curves.png` into `out_dir`.

    With `record` the rollouts of each method are kept there too, as `rollouts-<method>.jsonl`.
    Every method starts from the checkpoint `warm_start` and sees the same questions, which `seed` decides. The methods
    with a teacher need the service's `weights_root`, and a teacher that begins with the same checkpoint. Under a method
    with peers two policies train, which label each other; the first is the one that is reported. With `test_time` they
    train on the held-out problems, and no ground truth is sent.

    Raises:
        CoRewardingError: the service cannot be reached or refuses, or has no teacher within `teacher_within_s`.
    """
    console = Console()
    config = LoopConfig(task=task, steps=steps, seed=seed, test_time=test_time)
    torch.set_num_threads(1)  # the model is small; the other cores are the service's
    place = TrainingPlace(service_url, api_key, warm_start, weights_root)
    # All before anything is trained.
    runs = [register(f"demo-{each}", each, place, config, teacher_within_s) for each in methods]
    out_dir.mkdir(parents=True, exist_ok=True)
    console.print(f"the page of the runs, while the demo trains: {service_url}/", soft_wrap=True)
    with Progress(*progress_columns(), console=console) as progress:
        report, trained = DemoReport(config, ()), list[MethodReport]()
        for each, run in zip(methods, runs, strict=True):
            with _recorder(out_dir / f"rollouts-{each}.jsonl" if record else None) as note:
                trained.append(_train_with(each, run, place, config, progress, note))
            report = DemoReport(config, tuple(trained))
            report.write(out_dir)  # after each method: a demo that is ended keeps what it has
    console.print(report.table())
    told = {"picture": "curves.png", "table": "table.md", "series": "series.json"}
    console.print(", ".join(f"the {what}: {out_dir / name}" for what, name in told.items()), soft_wrap=True)
    return report


def progress_columns() -> tuple[ProgressColumn, ...]:
    """Make the columns of the bars: the method, how far it is, and what `shown` says."""
    return (
        TextColumn("{task.description:<15}"),
        BarColumn(bar_width=8),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
    )


def shown(report: StepReport, latest: HeldOutAccuracy) -> str:
    """Tell of a step in the words of a bar, without means over nothing."""
    told = {"accuracy": latest.accuracy, "reward": report.reward, "labels": report.label_accuracy}
    return " ".join(f"{name} {share:.2f}" for name, share in told.items() if share is not None)


@contextmanager
def _recorder(path: Path | None) -> Iterator[Recorder]:
    """Yields what writes the rollouts of a step, one a line; nothing without a path."""
    if path is None:
        yield lambda step, rollouts: None
        return
    with path.open("wb") as file:

        def note(step: int, rollouts: Sequence[Rollout]) -> None:
            file.writelines(msgspec.json.encode({"step": step} | asdict(each)) + b"\n" for each in rollouts)

        yield note


def _train_with(
    method: str, run: str, place: TrainingPlace, config: LoopConfig, progress: Progress, note: Recorder
) -> MethodReport:
    bar = progress.add_task(method, total=config.steps, shown="")

    def show(report: StepReport, latest: HeldOutAccuracy) -> None:
        progress.update(bar, completed=report.step + 1, shown=shown(report, latest))

    trained = train_run(run, method, place, config, show, note)
    return MethodReport(method, run, trained.took_s, trained.training)
