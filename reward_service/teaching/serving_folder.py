"""An average as a model that vLLM and transformers load: a folder of safetensors with what belongs to them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reward_service.teaching.average_files import sync_folder, write_at
from reward_service.teaching.errors import AverageError
from reward_service.teaching.kernel import NARROWING, is_finite
from reward_service.teaching.safetensors_folder import CONFIG, INDEX, SUFFIX, read_config
from reward_service.teaching.safetensors_header import Dtype, Shape, Tensor, written_header
from reward_service.teaching.threads import Pool

SERVED: Mapping[str, Dtype] = {"bfloat16": Dtype.BF16, "float16": Dtype.F16, "float32": Dtype.F32}
LARGEST_FILE_BYTES = 5_000_000_000
_COPIED = (".json", ".jinja", ".model", ".txt", ".tiktoken")  # configuration and tokenizer, of whatever kind
_INDEX_END = ".index.json"  # of weights, ours and pickles'
_ELEMENTS_AT_ONCE = 1 << 18
_ELEMENTS_OF_A_TASK = 1 << 22


@dataclass(frozen=True, slots=True)
class Served:
    """What is to be written.

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
    """Writes an average as a model. The folder appears when it is whole and on disk, in place of one of that name.

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
    """Writes one file, and gives the size of its data in bytes."""
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
    """Configuration and tokenizer; the configuration says which dtype the weights are of now."""
    for path in sorted(base.iterdir()):
        if path.suffix in _COPIED and not path.name.endswith(_INDEX_END) and path.is_file():
            shutil.copyfile(path, folder / path.name)
    config = read_config(base)
    said = [key for key in ("dtype", "torch_dtype") if key in config]  # the second is how it was called before
    config |= dict.fromkeys(said or ["torch_dtype"], dtype)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
