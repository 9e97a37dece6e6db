"""Count by run, for a bounded number of runs, each for a day after its last count."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import CounterMetricFamily
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.registry import Collector

SHOWN_RUNS = 1000
"""Runs that are shown, those that counted something last."""

KEPT_RUNS = 2000
"""Runs that a process keeps; of more it forgets all but those that would be shown."""

IDLE_S = 24 * 3600.0
"""After how long without a count a run is not shown any more."""

Sample = tuple[str, str, tuple[str, ...]]  # metric, run, its other labels


@dataclass(frozen=True, slots=True, eq=False)
class RunCounter:
    """A counter by run, and by what else there is. Each is itself alone, which is what a key of a dict wants."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class RunCounts(Collector):
    """The counts of one process; in a folder, those of all that share it are summed by SharedRunCounts.

    A run that was forgotten begins at 0 when it comes again, as after a restart; one that is only not shown goes on.
    """

    def __init__(self, counters: Iterable[RunCounter], now_s: Callable[[], float] = time.time) -> None:
        """Nothing was counted. `now_s` tells the seconds since the epoch, which are the same to all processes."""
        self._counters = {counter.name: counter for counter in counters}
        self._now_s = now_s
        self._counts: dict[Sample, float] = {}
        self._used_s: dict[str, float] = {}
        self._path: Path | None = None
        self._file: MmapedDict | None = None

    def add(self, counter: RunCounter, run: str, others: tuple[str, ...], count: float) -> None:
        """A run has so many more."""
        if self._file is None and "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            self._open(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / f"runs-{os.getpid()}.counts")
        sample = counter.name, run, others
        self._used_s[run] = self._now_s()
        self._counts[sample] = self._counts.get(sample, 0.0) + count
        if self._file is not None:
            self._file.write_value(json.dumps(sample), self._counts[sample], self._used_s[run])
        if len(self._used_s) > KEPT_RUNS:
            self._forget()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What is shown of them."""
        return _families(self._counters, self._counts.copy(), self._used_s.copy(), self._now_s())

    def _open(self, path: Path) -> None:
        """A process of the same number may have been here before: its counts go on."""
        self._path = path
        for sample, count, used_s in _read(path):
            self._counts[sample] = self._counts.get(sample, 0.0) + count
            self._used_s[sample[1]] = max(used_s, self._used_s.get(sample[1], 0.0))
        self._file = MmapedDict(str(path))

    def _forget(self) -> None:
        kept = set(_latest(self._used_s))
        self._used_s = {run: used_s for run, used_s in self._used_s.items() if run in kept}
        self._counts = {sample: count for sample, count in self._counts.items() if sample[1] in kept}
        if self._file is None or self._path is None:
            return
        beside = self._path.with_suffix(".part")
        beside.unlink(missing_ok=True)
        fresh = MmapedDict(str(beside))
        for sample, count in self._counts.items():
            fresh.write_value(json.dumps(sample), count, self._used_s[sample[1]])
        fresh.close()
        self._file.close()
        beside.replace(self._path)  # whoever reads meanwhile reads the one or the other
        self._file = MmapedDict(str(self._path))


class SharedRunCounts(Collector):
    """The sum of what the processes that share a folder have counted."""

    def __init__(self, counters: Iterable[RunCounter], folder: str) -> None:
        """Reads the folder whenever it is asked."""
        self._counters = {counter.name: counter for counter in counters}
        self._folder = Path(folder)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What is shown of them."""
        counts: dict[Sample, float] = {}
        used_s: dict[str, float] = {}
        for path in self._folder.glob("runs-*.counts"):
            for sample, count, at_s in _read(path):
                counts[sample] = counts.get(sample, 0.0) + count
                used_s[sample[1]] = max(at_s, used_s.get(sample[1], 0.0))
        return _families(self._counters, counts, used_s, time.time())


def _read(path: Path) -> Iterator[tuple[Sample, float, float]]:
    """What a file holds, each with the time (s) of its last count; nothing of one that is not there or not begun."""
    try:
        if not path.stat().st_size:
            return
    except FileNotFoundError:
        return
    for key, count, used_s, _ in MmapedDict.read_all_values_from_file(str(path)):
        name, run, others = json.loads(key)
        yield (name, run, tuple(others)), count, used_s


def _latest(used_s: dict[str, float]) -> list[str]:
    return sorted(used_s, key=used_s.__getitem__, reverse=True)[:SHOWN_RUNS]


def _families(
    counters: dict[str, RunCounter], counts: dict[Sample, float], used_s: dict[str, float], now_s: float
) -> Iterator[CounterMetricFamily]:
    shown = {run for run in _latest(used_s) if now_s - used_s[run] <= IDLE_S}
    families: dict[str, CounterMetricFamily] = {}
    for (name, run, others), count in counts.items():
        counter = counters.get(name)
        if counter is None or run not in shown:
            continue
        if name not in families:
            families[name] = CounterMetricFamily(name, counter.help, labels=["run", *counter.labels])
        families[name].add_metric((run, *others), count)
    yield from families.values()
