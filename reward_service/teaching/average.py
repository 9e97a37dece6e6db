"""Average the policy's weights of one run: an exponential moving average in float32.

Source: Co-rewarding (arXiv 2508.00410), eq. 11: teacher ← α·teacher + (1 - α)·policy. With α = 0.9999 a step moves a
weight by 10⁻⁴ of its distance to the policy's, which bfloat16 (8 bits of precision) rounds away and float32 keeps.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from reward_service.teaching.average_files import FILES, AverageFile, State, locked
from reward_service.teaching.manifest import Manifest, compare
from reward_service.teaching.safetensors_folder import WeightsFolder, read_config
from reward_service.teaching.safetensors_header import (
    AverageError,
    OlderVersionError,
    OtherModelError,
    WeightsFolderError,
)
from reward_service.teaching.weight_passes import LARGEST_FILE_BYTES, Pool, Served, Stream, write_serving_folder

_FINGERPRINT_BYTES = 4096  # of each tensor


class Average:
    """The average of one run, in a folder of its own.

    Two files in the folder take turns: an update reads one and writes the other, and becomes true when the state file
    is replaced, after everything is on disk. Whatever ends the process, and whenever, what is opened again is the
    version before or the one after, whole. Both modes have this; the mode may change between two openings:

    - in memory: the average is held besides, in 4 bytes of memory a weight, so an update reads nothing but the policy.
    - mapped: it is read through a map of its file. For models that are larger than the memory; while the files fit into
      the page cache it is about as fast.

    The disk needs 8 bytes a weight in both. All methods block.
    """

    def __init__(
        self,
        folder: Path,
        base: Path,
        manifest: Manifest,
        files: Mapping[str, AverageFile],
        state: State,
        pool: Pool,
        lock: IO[bytes],
        *,
        mapped: bool,
    ) -> None:
        """For `open`."""
        self.manifest = manifest
        self._lock = lock
        self._folder = folder
        self._base = base
        self._files = dict(files)
        self._state = state
        self._pool = pool
        self._held = None if mapped else self._current.data.copy()

    @classmethod
    def open(cls, folder: Path, base: Path, *, mapped: bool = False, threads: int | None = None) -> "Average":
        """The average in a folder, where it stood; one that is not begun is version 0, the weights of `base`.

        `base` is the model that the teacher starts from. `threads` is what updates take, None for all cores; the
        result does not depend on it.

        Raises:
            WeightsFolderError: `base` cannot be read.
            OtherModelError: the folder keeps the average of another model.
            AverageError: the folder is damaged or open elsewhere, or there is no room.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened, WeightsFolder(base, links=True) as weights:
            lock = opened.enter_context(locked(folder))
            manifest = weights.manifest.tied(read_config(base))
            weights.check_repeated(manifest.repeats)
            model = _fingerprint(weights, manifest)
            state = State.read(folder)
            if state is not None and state.model != model:
                raise OtherModelError(
                    f"{folder} keeps the average of another model than {base}: name the model that the run began with, "
                    "or another folder"
                )
            files = _opened(folder, manifest, state)
            pool = opened.enter_context(Pool(threads))
            if state is None:
                state = State(0, None, FILES[0], model)
                _write(weights, files[state.file], None, files[state.other_file], 0.0, pool)
                state.write(folder)
            average = cls(folder, base, manifest, files, state, pool, lock, mapped=mapped)
            opened.pop_all()  # from here on they are the average's to close
        return average

    def __enter__(self) -> "Average":
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def close(self) -> None:
        """Gives back threads and memory, and lets others open the folder. There is nothing to save."""
        self._pool.close()
        self._files.clear()
        self._held = None
        self._lock.close()

    @property
    def version(self) -> int:
        """The step of the policy that was taken last; 0 is the model that it began with."""
        return self._state.version

    @property
    def alpha(self) -> float | None:
        """What the last update was taken with; None for version 0."""
        return self._state.alpha

    def update(self, version: int, policy: Path, alpha: float) -> None:
        """Takes the policy's weights of step `version`: average ← α·average + (1 - α)·policy.

        The version that it has is not taken twice. With α = 1 only the version moves; with α = 0 the average becomes
        the policy, exactly. Buffers that are not floats become the policy's, unless α is 1.

        Raises:
            OlderVersionError: the average is beyond that step.
            WeightsFolderError: the policy is no folder of safetensors, has other tensors than the model, or numbers
                that are not finite. Nothing has changed.
            AverageError: α is not in [0, 1], or the disk fails. Nothing has changed.
        """
        if not 0.0 <= alpha <= 1.0:
            raise AverageError(f"α is {alpha}: it must lie in [0, 1]")
        if version == self.version:
            return
        if version < self.version:
            raise OlderVersionError(f"the average is at step {self.version}, and was given step {version}")
        with WeightsFolder(policy) as weights:
            difference = compare(self.manifest, weights.manifest)
            if difference is not None:
                raise WeightsFolderError(f"{policy.name}: {difference}")
            weights.check_repeated(self.manifest.repeats)
            try:
                self._take(weights, version, float(alpha))
            except OSError as cause:
                self._restore()
                raise AverageError(f"step {version} was not taken: {cause}") from cause
            except BaseException:
                self._restore()
                raise

    def write_serving(self, folder: Path, dtype: str, *, largest_file_bytes: int = LARGEST_FILE_BYTES) -> Path:
        """Writes the average as a model that vLLM and transformers load, and gives the folder.

        `dtype` is bfloat16, float16 or float32. Configuration and tokenizer are the base's; tied weights are written
        once; what is larger than `largest_file_bytes` takes several files and an index. The folder appears when it is
        whole and on disk, in place of one of that name.

        Raises:
            AverageError: another dtype, numbers that it cannot hold, or a folder that cannot be written.
        """
        served = Served(self._source, self._current.tensors, self.version)
        write_serving_folder(folder, self._base, served, dtype, self._pool, largest_file_bytes)
        return folder

    @property
    def _current(self) -> AverageFile:
        return self._files[self._state.file]

    @property
    def _source(self) -> np.ndarray:
        return self._current.data if self._held is None else self._held

    def _take(self, weights: WeightsFolder, version: int, alpha: float) -> None:
        file = self._state.file
        if alpha < 1.0:
            file = self._state.other_file
            _write(weights, self._files[file], self._held, self._current, alpha, self._pool)
        state = State(version, alpha, file, self._state.model)
        state.write(self._folder)
        self._state = state

    def _restore(self) -> None:
        """Back to what the disk has: it may have become the new version before something failed, but is whole."""
        self._state = State.read(self._folder) or self._state
        if self._held is not None:
            np.copyto(self._held, self._current.data)


def _opened(folder: Path, manifest: Manifest, state: State | None) -> dict[str, AverageFile]:
    files: dict[str, AverageFile] = {}
    for name in FILES:
        file = None if state is None else AverageFile.open(folder / name, manifest)
        if file is None and state is not None and name == state.file:
            raise AverageError(f"{folder / name} is missing or damaged: remove the folder to begin anew")
        files[name] = file or AverageFile.create(folder / name, manifest)
    return files


def _write(
    policy: WeightsFolder, target: AverageFile, held: np.ndarray | None, source: AverageFile, alpha: float, pool: Pool
) -> None:
    """Makes `target` what follows after `source` (or `held`, the same in memory); on disk when it returns."""
    stream = Stream(policy, source.data, held, target, np.float32(1.0 - alpha))
    pool.run(stream.tasks())
    target.flush()


def _fingerprint(weights: WeightsFolder, manifest: Manifest) -> str:
    """What tells a model from others of its shapes, without reading all of it: how each of its tensors begins."""
    digest = hashlib.sha256()
    for name, tensor in sorted(manifest.tensors.items()):
        begins = bytearray(min(_FINGERPRINT_BYTES, tensor.end - tensor.begin))
        weights.read_into(memoryview(begins), tensor)
        digest.update(f"{name} {tensor.dtype} {tensor.shape} ".encode() + begins)
    return digest.hexdigest()
