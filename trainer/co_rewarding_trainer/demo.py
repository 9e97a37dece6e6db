"""Run the demo: the same small model, data and number of rollouts, under one method after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import msgspec
import torch
from co_rewarding_client import RewardClient, Rollout, RunSettings
from co_rewarding_schema.methods import METHODS
from msgspec.structs import asdict
from msgspec.structs import replace as replace_settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, train
from co_rewarding_trainer.policy import MAX_NEW_TOKENS, Policy, load_policy
from co_rewarding_trainer.report import DemoReport, MethodReport
from co_rewarding_trainer.teacher_publisher import NoTeacherError, TeacherPublisher, teacher_seen
from co_rewarding_trainer.warm_start import SHIPPED

Recorder = Callable[[int, Sequence[Rollout]], None]
"""Takes the rollouts of a step."""

PEER = "-peer"
"""Behind the name of a run, that of its peer."""


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
) -> DemoReport:
    """Trains with each method against the service; writes `series.json`, `table.md` and `curves.png` into `out_dir`.

    With `record` the rollouts of each method are kept there too, as `rollouts-<method>.jsonl`.
    Every method starts from the checkpoint `warm_start` and sees the same questions, which `seed` decides. The methods
    with a teacher need the service's `weights_root`, and a teacher that begins with the same checkpoint. Under a method
    with peers two policies train, which label each other; the first is the one that is reported.

    Raises:
        CoRewardingError: the service cannot be reached or refuses, or has no teacher within `teacher_within_s`.
    """
    console = Console()
    config = replace(LoopConfig(), steps=steps, seed=seed)
    torch.set_num_threads(1)  # the model is small; the other cores are the service's
    options = _DemoOptions(service_url, api_key, warm_start, weights_root)
    runs = [_registered(each, options, config, teacher_within_s) for each in methods]  # before anything is trained
    out_dir.mkdir(parents=True, exist_ok=True)
    console.print(f"the page of the runs, while the demo trains: {service_url}/", soft_wrap=True)
    with Progress(*progress_columns(), console=console) as progress:
        report, trained = DemoReport(config, ()), list[MethodReport]()
        for each, run in zip(methods, runs, strict=True):
            with _recorder(out_dir / f"rollouts-{each}.jsonl" if record else None) as note:
                trained.append(_train_with(each, run, options, config, progress, note))
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


@dataclass(frozen=True)
class _DemoOptions:
    """The start of training, and the service that rewards."""

    service_url: str
    api_key: str | None
    warm_start: Path
    weights_root: Path | None


def _registered(method: str, options: _DemoOptions, config: LoopConfig, teacher_within_s: float) -> str:
    """Registers a new run, waits for its teacher if the method needs one, and returns its name."""
    run = f"demo-{method}-{uuid4().hex[:8]}"  # a service that keeps running must not take two demos for one
    settings = RunSettings(
        method=method,
        group_size=config.group_size,
        total_steps=config.steps,
        teacher_max_tokens=MAX_NEW_TOKENS,
        teacher_temperature=config.temperature,
        peers=(f"{run}{PEER}",) if METHODS[method].needs_peers else (),
    )
    with RewardClient(options.service_url, api_key=options.api_key, run=run) as client:
        client.put_run(run, settings)
        for peer in settings.peers:
            client.put_run(peer, replace_settings(settings, peers=(run,)))
        if METHODS[method].needs_teacher and not teacher_seen(client, run, teacher_within_s):
            raise NoTeacherError(
                f"the service at {options.service_url} has no teacher, which {method} needs: give it one (serve "
                f"--teacher {options.warm_start} --weights-root FOLDER, or a `co-rewarding teacher` beside it), or "
                "leave out --url"
            )
    return run


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
    method: str, run: str, options: _DemoOptions, config: LoopConfig, progress: Progress, note: Recorder
) -> MethodReport:
    bar = progress.add_task(method, total=config.steps, shown="")

    def show(report: StepReport, latest: HeldOutAccuracy) -> None:
        progress.update(bar, completed=report.step + 1, shown=shown(report, latest))

    began_s = time.perf_counter()
    with RewardClient(options.service_url, api_key=options.api_key, run=run) as client, ThreadPoolExecutor(1) as beside:
        policy = load_policy(options.warm_start)
        peer = None
        if METHODS[method].needs_peers:
            peer = beside.submit(_train_peer, load_policy(options.warm_start), f"{run}{PEER}", options, config)
        publisher = None
        if METHODS[method].needs_teacher and options.weights_root is not None:
            publisher = TeacherPublisher(client, run, options.weights_root)
        training = train(policy, client, config, show, note, publisher)
        if peer is not None:
            peer.result()
    return MethodReport(method, run, time.perf_counter() - began_s, training)


def _train_peer(policy: Policy, run: str, options: _DemoOptions, config: LoopConfig) -> None:
    """Trains the peer of a run: from the same start, with the same questions, by its own draws."""
    torch.set_num_threads(1)  # a setting of each thread
    own = replace(config, sampling_seed=config.seed + 1, evaluate_every=config.steps)
    with RewardClient(options.service_url, api_key=options.api_key, run=run) as client:
        train(policy, client, own)
