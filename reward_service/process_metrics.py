"""What the service's processes use: CPU time and memory, by role, for all that share a folder of metrics (Linux)."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_FILE = "processes.json"
_UTIME, _CUTIME, _RSS = 11, 13, 21  # fields of /proc/PID/stat after the command's name; see proc(5)
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a folder, as their parent tells: the roles of those that live, by pid, and what others used."""

    living: Mapping[int, str] = field(default_factory=dict)
    ended_cpu_s: Mapping[str, float] = field(default_factory=dict)

    def write(self, folder: str) -> None:
        """Leaves this in the folder, in one step."""
        path = Path(folder) / _FILE
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps({"living": self.living, "ended_cpu_s": self.ended_cpu_s}))
        beside.replace(path)

    @classmethod
    def read(cls, folder: str | Path) -> "Processes":
        """What was left in the folder; nothing where no parent has."""
        try:
            told = json.loads((Path(folder) / _FILE).read_text())
        except FileNotFoundError:
            return cls()
        return cls({int(pid): role for pid, role in told["living"].items()}, told["ended_cpu_s"])


def used(pid: int) -> tuple[float, int]:
    """The CPU seconds of a process and its ended children, and its resident bytes; also of a zombie.

    Raises:
        OSError: there is no such process any more.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = sum(map(int, fields[_UTIME : _CUTIME + 2])) / os.sysconf("SC_CLK_TCK")
    return cpu_s, int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE")


class ProcessCollector(Collector):
    """Reads /proc when it is asked. What processes that have died had used still counts: a counter never falls."""

    def __init__(self, folder: str) -> None:
        """`folder` is where the processes' parent keeps `Processes`."""
        self._folder = folder

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Both families."""
        processes, readings = self._read()
        cpu_s: dict[str, float] = defaultdict(float, processes.ended_cpu_s)
        resident: dict[str, int] = defaultdict(int)
        for pid, (seconds, size) in readings.items():
            cpu_s[processes.living[pid]] += seconds
            resident[processes.living[pid]] += size
        cpu = CounterMetricFamily("co_rewarding_process_cpu_seconds", "CPU time of all processes.", labels=["role"])
        memory = GaugeMetricFamily("co_rewarding_process_resident_bytes", "Their resident memory.", labels=["role"])
        for role in sorted(cpu_s):
            cpu.add_metric((role,), cpu_s[role])
            memory.add_metric((role,), resident[role])
        yield from (cpu, memory)

    def _read(self) -> tuple[Processes, dict[int, tuple[float, int]]]:
        """What lives, each with what it uses: all of it at one time, as a process is told of before it is gone."""
        readings: dict[int, tuple[float, int]] = {}
        processes = Processes()
        for _ in range(_TRIES):
            processes, readings = Processes.read(self._folder), {}
            try:
                for pid in processes.living:
                    readings[pid] = used(pid)
            except OSError:  # it has ended since, and by now its parent has told so
                continue
            break
        return processes, readings
