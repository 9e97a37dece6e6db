"""Hold the averages of a teacher process, one a run, and the weights that are served from them."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from co_rewarding_schema.run_settings import RunSettings

from reward_service.domain.teacher import update_to
from reward_service.store.teachers import AnnouncedWeights
from reward_service.teaching.average import Average
from reward_service.teaching.intake import IntakeError, check_weights, description, remove_upload
from reward_service.teaching.safetensors_folder import checksum, read_config, read_manifest

SERVED_VERSIONS = 2
"""The newest, and the one before: another teacher may be loading it."""


@dataclass(frozen=True, slots=True)
class AverageOptions:
    """How averages are kept.

    Attributes:
        mapped: in memory-mapped files, for models that are larger than the memory.
        threads: that one update takes; None: as many as there are cores.
        dtype: of the weights that are served: bfloat16, float16 or float32.
    """

    mapped: bool = False
    threads: int | None = None
    dtype: str = "bfloat16"


@dataclass(frozen=True, slots=True)
class TakenUpdate:
    """What an update came to: the version and the α it was taken with."""

    version: int
    alpha: float


class Averages:
    """Averages below one folder, which several teacher processes may share: each run is averaged by one at a time.

    Everything here blocks and is called in a thread, by one caller at a time.
    """

    def __init__(self, folder: Path, base: Path, weights_root: Path, options: AverageOptions) -> None:
        """`base` holds the weights that every average begins with; nothing is read yet."""
        self._folder = folder
        self._base = base
        self._weights_root = weights_root
        self._options = options
        self._locks: dict[str, int] = {}
        self._averages: dict[str, Average] = {}

    def serving_folder(self, run: str, version: int) -> Path:
        """Where the weights of a version are, as a generator loads them."""
        return self._folder / run / "serving" / f"version-{version}"

    def hold(self, run: str) -> bool:
        """Whether this process averages the run: then no other does until this one ends, however it ends."""
        if run in self._locks:
            return True
        folder = self._folder / run
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._locks[run] = lock
        return True

    def version(self, run: str) -> int:
        """The step of the newest weights in the average of a run that this process holds, and they can be served."""
        average = self._average(run)
        self._serve(run, average)
        return average.version

    def description(self) -> bytes:
        """What weights of this model must look like, for those who take them in."""
        return description(read_manifest(self._base, links=True).tied(read_config(self._base)))

    def take(self, run: str, weights: AnnouncedWeights, settings: RunSettings) -> TakenUpdate:
        """Takes announced weights into the average; steps that are not in it are composed with theirs.

        Raises:
            IntakeError, WeightsFolderError: the weights are not there, or cannot be taken; the average is as it was.
            AverageError: the disk fails; they may be taken later.
        """
        average = self._average(run)
        if weights.step <= average.version:
            return TakenUpdate(average.version, 1.0 if average.alpha is None else average.alpha)
        update = update_to(weights.step, average.version, settings)
        folder = check_weights(self._weights_root, weights.path, None)
        if weights.sha256 is not None and (found := checksum(folder)) != weights.sha256:
            raise IntakeError(f"{weights.path!r} has the checksum {found}, and {weights.sha256} was announced")
        average.update(update.step, folder, update.alpha)
        self._serve(run, average)
        return TakenUpdate(update.step, update.alpha)

    def forget_weights(self, weights: AnnouncedWeights) -> None:
        """Announced weights are in the average, or never will be: those that were uploaded make room."""
        remove_upload(self._weights_root, weights.path)

    def close(self) -> None:
        """Other processes may average these runs."""
        for average in self._averages.values():
            average.close()
        self._averages.clear()
        for lock in self._locks.values():
            os.close(lock)
        self._locks.clear()

    def _average(self, run: str) -> Average:
        assert run in self._locks, "an average is held before it is changed"
        if run not in self._averages:
            options = self._options
            self._averages[run] = Average.open(
                self._folder / run / "average", self._base, mapped=options.mapped, threads=options.threads
            )
        return self._averages[run]

    def _serve(self, run: str, average: Average) -> None:
        """Version 0 is the model itself, and served from where it is."""
        if not average.version:
            return
        folder = self.serving_folder(run, average.version)
        if not folder.exists():
            average.write_serving(folder, self._options.dtype)
        _remove_all_but_newest(folder.parent)


def _remove_all_but_newest(folder: Path) -> None:
    versions = sorted(folder.glob("version-*"), key=lambda path: int(path.name.removeprefix("version-")))
    for path in versions[:-SERVED_VERSIONS]:
        shutil.rmtree(path, ignore_errors=True)
