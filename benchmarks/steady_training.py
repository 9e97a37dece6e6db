"""Measure whether the service stays as it is over a long training: `python -m benchmarks.steady_training`.

The laptop trainer trains 2,000 steps by HTTP, under a method with a teacher. What is settled is kept for a minute, so
that the store has its size after the first ones. Every some steps the memory of the service's processes is read, and
the time that the rewards took. Memory and latency are compared between a window after the beginning and the last one.
Leaves `steady.json`, `steady.md` and `steady.png`.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch
from co_rewarding_schema.methods import METHODS
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport
from co_rewarding_trainer.training_runs import TrainingPlace, register, train_run
from co_rewarding_trainer.warm_start import SHIPPED
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from benchmarks.machine import describe
from benchmarks.soak_parts import ROLES
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from reward_service.tools.loadtest.report import percentile

WINDOWS = 10
RETENTION_S = 60.0
TEACHER_WITHIN_S = 300.0
MIB = 2**20
PAGE_COLUMNS = 120  # the table is a part of a page


@dataclass(frozen=True, slots=True)
class Look:
    """The service after a step: resident memory by role, in bytes."""

    step: int
    resident_bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Some steps in a row: the latency of their rewards, and the median memory by role."""

    first: int
    last: int
    p50_s: float
    p99_s: float
    resident_bytes: Mapping[str, float]


def resident_by_role() -> dict[str, int]:
    """Return the resident memory of the service's processes."""
    found: dict[str, int] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            role = next((role for word, role in ROLES.items() if word in command), "others")
            found[role] = found.get(role, 0) + process.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    return found


def windows_of(waits_s: Sequence[float], looks: Sequence[Look], count: int = WINDOWS) -> list[Window]:
    """Return the steps in `count` windows; the first holds the start of everything."""
    size = len(waits_s) // count
    windows: list[Window] = []
    for first in range(0, size * count, size):
        some = [look.resident_bytes for look in looks if first <= look.step < first + size]
        roles = sorted({role for each in some for role in each})
        memory = {role: statistics.median(each.get(role, 0) for each in some) for role in roles}
        waits = waits_s[first : first + size]
        windows.append(Window(first, first + size - 1, percentile(waits, 50), percentile(waits, 99), memory))
    return windows


def table_of(windows: Sequence[Window], rollouts: int) -> str:
    """Return the second window beside the last one, as Markdown."""
    early, late = windows[1], windows[-1]
    lines = [("", "early", "at the end", "ratio"), ("---",) * 4]
    lines.append(("steps", f"{early.first} to {early.last}", f"{late.first} to {late.last}", ""))
    for name, before, after in (("p50", early.p50_s, late.p50_s), ("p99", early.p99_s, late.p99_s)):
        shown = (f"{1000 * before:.0f} ms", f"{1000 * after:.0f} ms", f"{after / before:.2f}")
        lines.append((f"rewards of {rollouts} rollouts, {name}", *shown))
    for role, before in early.resident_bytes.items():
        after = late.resident_bytes.get(role, 0)
        lines.append(
            (f"memory of {role}", f"{before / MIB:.0f} MiB", f"{after / MIB:.0f} MiB", f"{after / before:.2f}")
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_picture(windows: Sequence[Window], path: Path) -> None:
    """Draw latency and memory, a point for each window."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    latency, memory = figure.subplots(1, 2)
    steps = [window.last + 1 for window in windows]
    latency.plot(steps, [1000 * window.p50_s for window in windows], label="p50")
    latency.plot(steps, [1000 * window.p99_s for window in windows], label="p99")
    latency.set_title("Rewards of a step, ms", loc="left", fontsize=10)
    for role in windows[-1].resident_bytes:
        memory.plot(steps, [window.resident_bytes.get(role, 0) / MIB for window in windows], label=role)
    memory.set_title("Resident memory, MiB", loc="left", fontsize=10)
    for axes in (latency, memory):
        axes.set_ylim(bottom=0)
        axes.set_xlabel("training step")
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def train_steadily(method: str, config: LoopConfig) -> tuple[list[float], list[Look], Sequence[HeldOutAccuracy]]:
    """Train against a service of its own; returns each step's wait, looks at the memory, and the accuracies."""
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    taught = METHODS[method].needs_teacher
    weights = folder / "weights"
    weights.mkdir()
    settings = Settings(
        data_dir=folder, port=0, redis_url=None, log_level="ERROR", retention_s=RETENTION_S, api_processes=1, workers=1,
        teacher=str(SHIPPED) if taught else None, teacher_dtype="float32", teacher_backend="transformers",
        teacher_threads=1, weights_root=weights if taught else None,
    )  # fmt: skip
    supervisor = Supervisor(settings)
    waits_s: list[float] = []
    looks: list[Look] = []
    every = max(1, config.steps // 200)
    try:
        with supervisor.kept(), Progress() as progress:
            supervisor.wait_ready()
            place = TrainingPlace(supervisor.url, None, SHIPPED, weights if taught else None)
            run = register("steady", method, place, config, TEACHER_WITHIN_S)
            bar = progress.add_task(method, total=config.steps)

            def on_step(report: StepReport, _: HeldOutAccuracy) -> None:
                waits_s.append(report.waited_s or 0.0)
                if report.step % every == 0:
                    looks.append(Look(report.step, resident_by_role()))
                progress.update(bar, completed=report.step + 1)

            trained = train_run(run, method, place, config, on_step, lambda step, rollouts: None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return waits_s, looks, trained.training.evaluations


def main() -> None:
    """Trains, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steady_training", description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--method", choices=list(METHODS), default="co-rewarding-ii")
    parser.add_argument("--pairs", type=int, default=LoopConfig.pairs_per_step, help="questions of a step")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--out", type=Path, default=Path("runs/experiments/steady"))
    given = parser.parse_args()
    if given.steps < 2 * WINDOWS:
        parser.error(f"--steps: {2 * WINDOWS} at least, for {WINDOWS} windows")
    config = LoopConfig(
        steps=given.steps, pairs_per_step=given.pairs, learning_rate=given.learning_rate,
        evaluate_every=max(1, given.steps // 20),
    )  # fmt: skip
    waits_s, looks, evaluations = train_steadily(given.method, config)
    windows = windows_of(waits_s, looks)
    table = table_of(windows, 2 * config.pairs_per_step * config.group_size)
    told = {
        "method": given.method,
        "machine": describe(),
        "windows": [asdict(window) for window in windows],
        "evaluations": [asdict(each) for each in evaluations],
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_picture(windows, given.out / "steady.png")
    (given.out / "steady.json").write_text(json.dumps(told, indent=1) + "\n")
    said = f"`{given.method}`, {given.steps} steps, rewards kept for {RETENTION_S:g} s; {describe()}."
    (given.out / "steady.md").write_text(f"{table}\n{textwrap.fill(said, PAGE_COLUMNS, break_on_hyphens=False)}\n")
    Console().print(f"{table}\n{said}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
