"""Measure the speed of the teacher's average beside torch's own lerp_: `python -m benchmarks.ema`.

An average is bound by the memory: what counts is bytes moved per second. Counted is what must be moved: each weight of
the average is read and written (4 bytes each) and each of the policy is read (4, or 2 for 16-bit floats). Each
measurement has one of torch right before it, with as many threads and on the same arrays, and is told as a ratio to
that. A first round is not counted.

    in place      the loops alone, on arrays in memory, as torch's lerp_ is: of any float type of policy
    out of place  the loops alone, from one array to another
    update        what an update does with a bfloat16 policy: its weights are read from their file and the average is
                  written to its own by system calls, which copy; one in memory is written besides (4 bytes more).
                  Files are in the page cache, but for the disk, which an update waits for; that is told by itself.

The exit code of `--check` is 1 when the loops are below the goal.
"""

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from reward_service.teaching.average_files import FILES, AverageFile
from reward_service.teaching.kernel import NARROWING, WIDENING
from reward_service.teaching.safetensors_folder import WeightsFolder
from reward_service.teaching.safetensors_header import Dtype, written_header
from reward_service.teaching.weight_passes import ELEMENTS_OF_A_TASK, Pool, Stream

GOAL = 0.8
WEIGHT = np.float32(1e-4)
FLOATS = (Dtype.F32, Dtype.BF16, Dtype.F16)
TENSOR = 1 << 24  # elements of one tensor: 64 MiB in float32, as a large matrix has
BASELINE_BYTES = 12  # a weight: two read, one written, in float32
_RANDOM = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How many weights, how often, with how many threads."""

    elements: int
    rounds: int
    threads: tuple[int, ...]
    folder: Path | None
    check: bool


@dataclass(frozen=True, slots=True)
class Contestant:
    """What is measured: it moves so many bytes a weight."""

    kind: str
    dtype: Dtype
    bytes_per_weight: int
    run: Callable[[Pool], None]
    flushed: bool = False
    goal: float | None = None


@dataclass(slots=True)
class Measured:
    """One row: bandwidths in GB/s, each beside torch's in the moment before."""

    contestant: Contestant
    threads: int
    rates: list[float] = field(default_factory=list)
    baselines: list[float] = field(default_factory=list)
    flushes_s: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours over torch's, pair by pair."""
        return [ours / torch_s for ours, torch_s in zip(self.rates, self.baselines, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return statistics.median(self.ratios)


class Arrays:
    """An average and policies in memory and in files, of so many random weights."""

    def __init__(self, elements: int, folder: Path, opened: ExitStack) -> None:
        """`opened` closes what is opened here."""
        self.elements = elements
        values = np.resize(np.random.default_rng(0).normal(0.0, 0.02, _RANDOM).astype(np.float32), elements)
        self.average, self.elsewhere = values.copy(), values.copy()
        self.policy = {dtype: _rounded(values, dtype) for dtype in FLOATS}
        self.folders = {
            dtype: opened.enter_context(WeightsFolder(_written(folder / dtype, dtype, self.policy[dtype])))
            for dtype in FLOATS
        }
        manifest = self.folders[Dtype.F32].manifest
        self.files = [AverageFile.create(folder / name, manifest) for name in FILES]
        for file in self.files:
            for name, tensor in file.tensors.items():
                file.write(self.average[_place(name)], tensor.begin)
        self.held = self.files[0].data.copy()

    def baseline(self, threads: int) -> float:
        """The bandwidth of torch's in-place lerp_, in GB/s."""
        average, policy = torch.from_numpy(self.average), torch.from_numpy(self.policy[Dtype.F32])
        torch.set_num_threads(threads)
        began_s = time.perf_counter()
        average.lerp_(policy, float(WEIGHT))
        return BASELINE_BYTES * self.elements / (time.perf_counter() - began_s) / 1e9

    def contestants(self) -> Iterator[Contestant]:
        """All rows."""
        for dtype in FLOATS:
            yield Contestant("in place", dtype, 8 + dtype.item_bytes, partial(self._in_place, dtype), goal=GOAL)
        for dtype in FLOATS:
            yield Contestant("out of place", dtype, 8 + dtype.item_bytes, partial(self._out_of_place, dtype), goal=GOAL)
        yield Contestant("update, in memory", Dtype.BF16, 14, partial(self._update, self.held), flushed=True)
        yield Contestant("update, mapped", Dtype.BF16, 10, partial(self._update, None), flushed=True)

    def flush(self) -> float:
        """How long the disk takes for what was written to the second file, in seconds."""
        began_s = time.perf_counter()
        self.files[1].flush()
        return time.perf_counter() - began_s

    def _in_place(self, dtype: Dtype, pool: Pool) -> None:
        follow, average, policy = WIDENING[dtype].follow, self.average, self.policy[dtype]
        pool.run(partial(_called, follow, average[part], policy[part], WEIGHT) for part in self._parts())

    def _out_of_place(self, dtype: Dtype, pool: Pool) -> None:
        follow_to, average, policy = WIDENING[dtype].follow_to, self.average, self.policy[dtype]
        pool.run(
            partial(_called, follow_to, average[part], policy[part], WEIGHT, self.elsewhere[part])
            for part in self._parts()
        )

    def _update(self, held: np.ndarray | None, pool: Pool) -> None:
        pool.run(Stream(self.folders[Dtype.BF16], self.files[0].data, held, self.files[1], WEIGHT).tasks())

    def _parts(self) -> Iterator[slice]:
        for first in range(0, self.elements, ELEMENTS_OF_A_TASK):
            yield slice(first, min(first + ELEMENTS_OF_A_TASK, self.elements))


def _called(loop: Callable[..., int], *arguments: object) -> None:
    loop(*arguments)


def _rounded(values: np.ndarray, dtype: Dtype) -> np.ndarray:
    narrowing = NARROWING[dtype]
    result = np.empty(values.size, narrowing.stored)
    narrowing.round_to(values, result)
    return result


def _place(name: str) -> slice:
    number = int(name)
    return slice(number * TENSOR, (number + 1) * TENSOR)


def _written(folder: Path, dtype: Dtype, values: np.ndarray) -> Path:
    names = [f"{number:04}" for number in range(-(-values.size // TENSOR))]
    header, _ = written_header([(name, dtype, (values[_place(name)].size,)) for name in names], "", {})
    folder.mkdir()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(header)
        values.tofile(file)
    return folder


def measured(arrays: Arrays, threads: Sequence[int], rounds: int) -> list[Measured]:
    """All rows; every round goes through all of them."""
    rows = [Measured(contestant, count) for count in threads for contestant in arrays.contestants()]
    with ExitStack() as opened:
        pools = {count: opened.enter_context(Pool(count)) for count in threads}
        for number in range(rounds + 1):
            for row in rows:
                baseline = arrays.baseline(row.threads)
                began_s = time.perf_counter()
                row.contestant.run(pools[row.threads])
                elapsed_s = time.perf_counter() - began_s
                flushed_s = arrays.flush() if row.contestant.flushed else None
                if number:
                    row.baselines.append(baseline)
                    row.rates.append(row.contestant.bytes_per_weight * arrays.elements / elapsed_s / 1e9)
                    row.flushes_s += [] if flushed_s is None else [flushed_s]
    return rows


def table(rows: Sequence[Measured]) -> str:
    """In Markdown; how it scales is told beside how torch does, from one thread."""
    lines = [
        "| average | policy | threads | bytes a weight | GB/s | torch's lerp_ | ratio | range | scaling | of torch |",
        "|---|---|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    single = {(row.contestant.kind, row.contestant.dtype): row for row in rows if row.threads == 1}
    for row in rows:
        one = single.get((row.contestant.kind, row.contestant.dtype), row)
        rate, baseline = statistics.median(row.rates), statistics.median(row.baselines)
        lines.append(
            f"| {row.contestant.kind} | {row.contestant.dtype} | {row.threads} | {row.contestant.bytes_per_weight} "
            f"| {rate:.1f} | {baseline:.1f} | {row.ratio:.2f} | {min(row.ratios):.2f}-{max(row.ratios):.2f} "
            f"| {rate / statistics.median(one.rates):.2f} | {baseline / statistics.median(one.baselines):.2f} |"
        )
    return "\n".join(lines)


def describe() -> str:
    """The machine and the versions, in a line."""
    cpu = platform.processor() or platform.machine()
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found[1] if found is not None else cpu
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numba", "numpy"))
    return f"{os.cpu_count()} cores, {cpu}; {platform.python_implementation()} {platform.python_version()}; {packages}"


def parsed() -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ema", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", type=int, default=200_000_000, help="weights (default: what no cache holds)")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--folder", type=Path, help="where files of 18 bytes a weight may be for a while")
    parser.add_argument("--check", action="store_true", help=f"fail where the loops are below {GOAL} of torch's lerp_")
    told = parser.parse_args()
    return Options(told.elements, told.rounds, tuple(told.threads), told.folder, told.check)


def main() -> int:
    """Measures, prints; 1 where a goal that is checked is not reached."""
    options = parsed()
    print(describe())
    print(f"{options.elements:,} weights, median and range of {options.rounds} rounds\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, ExitStack() as opened:
        arrays = Arrays(options.elements, Path(folder), opened)
        rows = measured(arrays, options.threads, options.rounds)
    print(table(rows))
    flushed_s = statistics.median(seconds for row in rows for seconds in row.flushes_s)
    print(
        f"\nBesides, the disk took {flushed_s:.2f} s (median) for the {4 * options.elements / 1e9:.2f} GB of an update."
    )
    slow = [row for row in rows if row.contestant.goal is not None and row.ratio < row.contestant.goal]
    return int(options.check and bool(slow))


if __name__ == "__main__":
    sys.exit(main())
