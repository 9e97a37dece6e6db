"""Run a suite: its cells side by side, each in a process; those that have a result are not trained again."""

import contextlib
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

import msgspec
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import METHODS
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from co_rewarding_trainer.experiment.cell import CellOrder, CellResult, CellStep
from co_rewarding_trainer.experiment.suite import Cell, Suite, slug, suite_document
from co_rewarding_trainer.warm_start import WarmStartConfig, checkpoint

SUITE, ABOUT, CELLS, STARTS = "suite.json", "about.json", "cells", "starts"
"""Names in the folder of results."""

PACKAGES = ("co-rewarding", "torch", "transformers", "tokenizers", "numpy", "msgspec")
LAST_WORDS = 2000


class ExperimentError(CoRewardingError):
    """An experiment cannot go on, or some of its cells failed; the message says which and where to look."""


@dataclass(frozen=True)
class ServiceAt:
    """A service that rewards: `weights_root` is its folder of weights as this machine sees it, if it has one."""

    url: str
    weights_root: Path | None
    api_key: str | None = field(default=None, repr=False)
    teacher_within_s: float = 180.0


Serve = Callable[[Path, bool], contextlib.AbstractContextManager[ServiceAt]]
"""Serves while trainings from a checkpoint run, with a teacher that begins with it where one is needed."""


def prepare(folder: Path, suite: Suite, command: Sequence[str]) -> list[Cell]:
    """Makes the folder of results, and returns the cells that have no result there.

    Raises:
        ExperimentError: the folder holds the results of another suite.
    """
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    told, document = folder / SUITE, suite_document(suite)
    if told.exists() and told.read_bytes() != document:
        raise ExperimentError(f"{folder} holds the results of another suite: give another --out, or remove the folder")
    told.write_bytes(document)
    if not (folder / ABOUT).exists():
        (folder / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(_about(command))) + b"\n")
    return [cell for cell in suite.cells() if not result_path(folder, cell).exists()]


def result_path(folder: Path, cell: Cell) -> Path:
    """Return where the result of a cell goes."""
    return folder / CELLS / f"{cell.name}.json"


def read_results(folder: Path, suite: Suite) -> list[CellResult]:
    """Return the results that are there, in the order of the suite.

    Raises:
        ExperimentError: one cannot be read.
    """
    paths = (result_path(folder, cell) for cell in suite.cells())
    return [_read_result(path) for path in paths if path.exists()]


def read_suite_of(folder: Path) -> Suite:
    """Return the suite whose results a folder holds.

    Raises:
        ExperimentError: it holds none, or that of another release.
    """
    try:
        return Suite.model_validate_json((folder / SUITE).read_bytes())
    except (OSError, ValidationError) as cause:
        raise ExperimentError(f"{folder} holds no experiment of this release: {cause}") from cause


def _read_result(path: Path) -> CellResult:
    try:
        return msgspec.json.decode(path.read_bytes(), type=CellResult)
    except (OSError, msgspec.MsgspecError) as cause:
        raise ExperimentError(f"{path} is no result of this release ({cause}): remove it to train it again") from cause


def run_cells(
    folder: Path, suite: Suite, cells: Iterable[Cell], serve: Serve, jobs: int, ended: Callable[[], None]
) -> None:
    """Trains cells, `jobs` at a time; `ended` is called after each, in the caller's thread.

    Raises:
        ExperimentError: some cells failed; the others were trained.
        CoRewardingError: no service.
    """
    waiting = list(cells)
    failures: list[str] = []
    columns = TextColumn("{task.description}"), BarColumn(bar_width=8), MofNCompleteColumn()
    shown = TextColumn("{task.fields[shown]}")
    with Progress(*columns, shown, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        whole = progress.add_task("cells", total=len(waiting), shown="")
        for name, some in groupby(waiting, key=lambda cell: cell.start):
            of_start = list(some)
            begun_with = _checkpoint(folder, suite, name)
            taught = any(METHODS[suite.all_rows()[cell.row].method].needs_teacher for cell in of_start)
            with serve(begun_with, taught) as service, _Processes(progress) as processes:
                orders = [(cell, _order(folder, suite, cell, begun_with, service)) for cell in of_start]
                for failure in processes.run(orders, service, jobs):
                    if failure is not None:
                        failures.append(failure)
                    progress.advance(whole)
                    ended()
    if failures:
        raise ExperimentError(f"{len(failures)} of {len(waiting)} cells failed: {'; '.join(failures)}")


class _Processes:
    """Processes of cells, which end with the block."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ending = False

    def __enter__(self) -> "_Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no more, and end those that run."""
        with self._lock:
            self._ending = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)

    def run(self, orders: Sequence[tuple[Cell, CellOrder]], service: ServiceAt, jobs: int) -> Iterator[str | None]:
        """Yield what each cell failed of, None where it did not, as they end."""
        with ThreadPoolExecutor(jobs) as threads:
            ending = [threads.submit(self._train, cell, order, service) for cell, order in orders]
            try:
                for each in as_completed(ending):
                    yield each.result()
            except BaseException:
                for each in ending:
                    each.cancel()
                self.stop()
                raise

    def _train(self, cell: Cell, order: CellOrder, service: ServiceAt) -> str | None:
        result = Path(order.result)
        told, log = result.with_suffix(".order"), result.with_suffix(".log")
        told.write_bytes(msgspec.json.encode(order))
        key = {} if service.api_key is None else {"CO_REWARDING_API_KEY": service.api_key}
        words = [sys.executable, "-m", "co_rewarding_trainer.experiment.cell", str(told)]
        with log.open("wb") as errors:
            with self._lock:
                if self._ending:
                    return f"{cell.name}: not begun"
                process = subprocess.Popen(  # noqa: S603 - our own module
                    words, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **key}
                )
                self._running.add(process)
            try:
                self._follow(cell, order.loop.steps, process)
                code = process.wait()
            finally:
                self._running.discard(process)
        if code == 0 and result.exists():
            told.unlink()
            log.unlink()
            return None
        *_, last = log.read_text("utf-8", "replace").strip().splitlines() or [f"exit code {code}"]
        return f"{cell.name}: {last[:LAST_WORDS]} ({log})"

    def _follow(self, cell: Cell, steps: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        bar = self._progress.add_task(cell.name, total=steps, shown="")
        try:
            for line in process.stdout:
                said = msgspec.json.decode(line, type=CellStep)
                shares = {"accuracy": said.accuracy, "reward": said.reward, "labels": said.label_accuracy}
                shown = " ".join(f"{name} {share:.2f}" for name, share in shares.items() if share is not None)
                self._progress.update(bar, completed=said.step + 1, shown=shown)
        finally:
            self._progress.remove_task(bar)


def _checkpoint(folder: Path, suite: Suite, name: str) -> Path:
    """Return the folder of a start's checkpoint; one that is taught is kept among the results."""
    start = suite.all_starts()[name]
    if start.folder is None:
        config = WarmStartConfig(task=suite.task, **start.model_dump(exclude={"folder"}))
        return checkpoint(config, folder / STARTS / slug(name))
    if not (start.folder / "config.json").exists():
        raise ExperimentError(f"start {name}: {start.folder} holds no checkpoint")
    return start.folder


def _order(folder: Path, suite: Suite, cell: Cell, begun_with: Path, service: ServiceAt) -> CellOrder:
    row = suite.all_rows()[cell.row]
    return CellOrder(
        row=cell.row,
        method=row.method,
        settings=row.settings,
        start=cell.start,
        warm_start=str(begun_with),
        loop=suite.loop(cell),
        samples=suite.samples,
        passes=suite.passes,
        service_url=service.url,
        weights_root=None if service.weights_root is None else str(service.weights_root),
        teacher_within_s=service.teacher_within_s,
        prefix=f"{slug(cell.row)[:40]}-{cell.learning_rate:g}-s{cell.seed}",
        result=str(result_path(folder, cell)),
    )


def _about(command: Sequence[str]) -> dict[str, object]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return {
        "command": list(command),
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "packages": found,
    }
