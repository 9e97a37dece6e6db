"""Move weights: a policy's into the average, and the average's into the folder that is served."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from reward_service.teaching.average_files import AverageFile, sync_folder, write_at
from reward_service.teaching.kernel import NARROWING, WIDENING, Widening, is_finite
from reward_service.teaching.safetensors_folder import CONFIG, INDEX, SUFFIX, WeightsFolder, read_config
from reward_service.teaching.safetensors_header import (
    AverageError,
    Dtype,
    Shape,
    Tensor,
    WeightsFolderError,
    written_header,
)


class Pool:
    """A number of threads for tasks. An idle thread takes the next task, so a slow task holds up no other."""

    def __init__(self, threads: int | None = None) -> None:
        """Make `threads` threads: as many as this process has cores if None."""
        self._executor = ThreadPoolExecutor(threads or _cores(), thread_name_prefix="average")

    def __enter__(self) -> "Pool":
        """Return the pool; threads start when they are needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the pool."""
        self.close()

    def run(self, tasks: Iterable[Callable[[], None]]) -> None:
        """Run tasks in any order.

        After a task has failed no other begins, and its error is raised when all have ended.
        """
        futures = [self._executor.submit(task) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            for future in futures:
                future.cancel()
            wait(futures)
        for future in futures:
            if not future.cancelled():
                future.result()

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


ELEMENTS_AT_ONCE = 1 << 17
"""So much of the policy is read before it is used: it stays in a core's cache, and there is no float32 copy of it."""

ELEMENTS_OF_A_TASK = 1 << 22


@dataclass(frozen=True, slots=True)
class Stream:
    """One update: target ← source + weight·(policy - source), in float32.

    Attributes:
        policy: the folder that is read.
        source: the bytes of the average's file; not written to.
        held: the same bytes in memory, where they are held there: then these are changed in place, and `source` is not
            looked at.
        target: the file that is written; with writes, not through its map, so a full disk is an error and no more.
        weight: 1 - α.
    """

    policy: WeightsFolder
    source: np.ndarray
    held: np.ndarray | None
    target: AverageFile
    weight: np.float32

    def tasks(self) -> Iterator[Callable[[], None]]:
        """Yield the work in pieces, which may run in any order and at the same time.

        One that meets a number that is not finite raises WeightsFolderError; what it wrote until then is of no use.
        """
        for name, ours in self.target.tensors.items():
            theirs = self.policy.manifest.tensors[name]
            if ours.dtype.is_float:
                for first in range(0, ours.elements, ELEMENTS_OF_A_TASK):
                    yield partial(self._move, name, ours, theirs, first)
            else:
                yield partial(self._copy, ours, theirs)

    def _move(self, name: str, ours: Tensor, theirs: Tensor, first: int) -> None:
        widening = WIDENING[theirs.dtype]
        last = min(first + ELEMENTS_OF_A_TASK, ours.elements)
        size = min(ELEMENTS_AT_ONCE, last - first)
        buffer, scratch = np.empty(size, widening.stored), np.empty(size, np.float32)
        for begin in range(first, last, size):
            policy, result = buffer[: last - begin], scratch[: last - begin]
            self.policy.read_into(policy.data.cast("B"), theirs, begin * policy.itemsize)
            place = slice(ours.begin + begin * result.itemsize, ours.begin + begin * result.itemsize + result.nbytes)
            if self.held is not None:
                result = self.held[place].view(np.float32)
            if not is_finite(self._moved(place, policy, result, widening)):
                raise WeightsFolderError(
                    f"{name} of the policy holds numbers that are not finite, and would spoil the teacher for good: "
                    "the training has diverged; go back to an earlier step"
                )
            self.target.write(result, place.start)

    def _moved(self, place: slice, policy: np.ndarray, result: np.ndarray, widening: Widening) -> int:
        if self.weight == 1:
            return widening.replace(result, policy)
        if self.held is not None:
            return widening.follow(result, policy, self.weight)
        return widening.follow_to(self.source[place].view(np.float32), policy, self.weight, result)

    def _copy(self, ours: Tensor, theirs: Tensor) -> None:
        buffer = np.empty(ours.end - ours.begin, np.uint8)
        self.policy.read_into(buffer.data, theirs)
        self.target.write(buffer, ours.begin)
        if self.held is not None:
            self.held[ours.begin : ours.end] = buffer


SERVED: Mapping[str, Dtype] = {"bfloat16": Dtype.BF16, "float16": Dtype.F16, "float32": Dtype.F32}
LARGEST_FILE_BYTES = 5_000_000_000
_COPIED = (".json", ".jinja", ".model", ".txt", ".tiktoken")  # configuration and tokenizer, of whatever kind
_INDEX_END = ".index.json"  # of weights, ours and pickles'
_ELEMENTS_AT_ONCE = 1 << 18
_ELEMENTS_OF_A_TASK = 1 << 22


@dataclass(frozen=True, slots=True)
class Served:
    """The weights that are to be written.

    Attributes:
        data: the bytes of an average's file.
        tensors: where in them each tensor lies.
        version: told in the files' metadata.
    """

    data: np.ndarray
    tensors: Mapping[str, Tensor]
    version: int


def write_serving_folder(
    folder: Path, base: Path, served: Served, dtype: str, pool: Pool, largest_file_bytes: int
) -> None:
    """Write an average as a model. The folder appears when it is whole, in place of one of its name.

    What a killed process left half-written (`.NAME.growing` beside it) is removed when that folder is written again.

    Raises:
        AverageError: another dtype, numbers that it cannot hold, or no room.
    """
    if dtype not in SERVED:
        raise AverageError(f"weights are not served as {dtype!r}: give {', '.join(SERVED)}")
    growing, gone = folder.with_name(f".{folder.name}.growing"), folder.with_name(f".{folder.name}.gone")
    for path in (growing, gone):
        shutil.rmtree(path, ignore_errors=True)
    try:
        growing.mkdir(parents=True)
        _write_weights(growing, served, SERVED[dtype], pool, largest_file_bytes)
        _copy_rest(base, growing, dtype)
        sync_folder(growing)
        if folder.exists():
            folder.rename(gone)
        growing.rename(folder)
    except OSError as cause:
        raise AverageError(f"{folder} cannot be written ({cause.strerror})") from cause
    finally:
        for path in (growing, gone):
            shutil.rmtree(path, ignore_errors=True)
    sync_folder(folder.parent)


def _write_weights(folder: Path, served: Served, dtype: Dtype, pool: Pool, largest_file_bytes: int) -> None:
    kinds = {name: dtype if tensor.dtype.is_float else tensor.dtype for name, tensor in served.tensors.items()}
    shards = _sharded({name: kind.item_bytes * served.tensors[name].elements for name, kind in kinds.items()},
                      largest_file_bytes)  # fmt: skip
    file_of: dict[str, str] = {}
    total_bytes = 0
    for number, names in enumerate(shards, 1):
        file = f"model{SUFFIX}" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}{SUFFIX}"
        shapes = [(name, kinds[name], served.tensors[name].shape) for name in names]
        total_bytes += _write_file(folder / file, served, shapes, pool)
        file_of |= dict.fromkeys(names, file)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total_bytes}, "weight_map": file_of}
        (folder / INDEX).write_text(json.dumps(index, indent=2))


def _sharded(bytes_of: Mapping[str, int], largest_file_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    taken = 0
    for name, size in bytes_of.items():
        if shards[-1] and taken + size > largest_file_bytes:
            shards.append([])
            taken = 0
        shards[-1].append(name)
        taken += size
    return shards


def _write_file(path: Path, served: Served, shapes: list[tuple[str, Dtype, Shape]], pool: Pool) -> int:
    """Write one file and return the size of its data in bytes."""
    header, tensors = written_header(shapes, path.name, {"format": "pt", "version": str(served.version)})
    with open(path, "wb", buffering=0) as file:
        write_at(file.fileno(), memoryview(header), 0)
        pool.run(_tasks(file.fileno(), served, tensors))
        os.fsync(file.fileno())
    return sum(tensor.end - tensor.begin for tensor in tensors.values())


def _tasks(file: int, served: Served, tensors: Mapping[str, Tensor]) -> Iterator[Callable[[], None]]:
    for name, tensor in tensors.items():
        ours = served.tensors[name]
        values = served.data[ours.begin : ours.end]
        if not tensor.dtype.is_float:
            yield partial(write_at, file, values.data, tensor.begin)
            continue
        values = values.view(np.float32)
        for first in range(0, values.size, _ELEMENTS_OF_A_TASK):
            part = values[first : first + _ELEMENTS_OF_A_TASK]
            yield partial(
                _write_rounded, file, name, part, tensor.dtype, tensor.begin + first * tensor.dtype.item_bytes
            )


def _write_rounded(file: int, name: str, values: np.ndarray, dtype: Dtype, offset: int) -> None:
    narrowing = NARROWING[dtype]
    scratch = np.empty(min(_ELEMENTS_AT_ONCE, values.size), narrowing.stored)
    for first in range(0, values.size, _ELEMENTS_AT_ONCE):
        part = values[first : first + _ELEMENTS_AT_ONCE]
        rounded = scratch[: part.size]
        if not is_finite(narrowing.round_to(part, rounded)):
            raise AverageError(f"{name} holds numbers that {dtype} does not: serve bfloat16 or float32")
        write_at(file, rounded.data.cast("B"), offset + first * dtype.item_bytes)


def _copy_rest(base: Path, folder: Path, dtype: str) -> None:
    """Copy the configuration, with the new dtype of the weights, and the tokenizer."""
    for path in sorted(base.iterdir()):
        if path.suffix in _COPIED and not path.name.endswith(_INDEX_END) and path.is_file():
            shutil.copyfile(path, folder / path.name)
    config = read_config(base)
    said = [key for key in ("dtype", "torch_dtype") if key in config]  # the second is how it was called before
    config |= dict.fromkeys(said or ["torch_dtype"], dtype)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
