"""What the service's processes use: CPU time and memory, by role, for all that share a folder of metrics (Linux)."""

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_PID = re.compile(r"_(\d+)\.db$")
_ROLE = re.compile(rb"\0reward_service\.(?:serving|teaching)\.(?:(\w+)_)?process\0")
_UTIME, _CUTIME, _RSS = 11, 13, 21  # fields of /proc/PID/stat after the command's name; see proc(5)


class Consumption(Collector):
    """Reads /proc when it is asked. Of the children of a process, those that have ended count for its CPU time."""

    def __init__(self, folder: str) -> None:
        """`folder` is where prometheus_client keeps a file for each process."""
        self._folder = Path(folder)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Both families; one that was seen and has died counts no longer."""
        cpu_s: dict[str, float] = defaultdict(float)
        resident: dict[str, int] = defaultdict(int)
        pids = {int(found[1]) for name in os.listdir(self._folder) if (found := _PID.search(name))}
        for pid in pids:
            with contextlib.suppress(OSError):  # it ends meanwhile
                role = _ROLE.search(Path(f"/proc/{pid}/cmdline").read_bytes())
                if role is None:
                    continue
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                name = (role[1] or b"teacher").decode()
                cpu_s[name] += sum(map(int, fields[_UTIME : _CUTIME + 2])) / os.sysconf("SC_CLK_TCK")
                resident[name] += int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE")
        cpu = CounterMetricFamily("co_rewarding_process_cpu_seconds", "CPU time of living processes.", labels=["role"])
        memory = GaugeMetricFamily("co_rewarding_process_resident_bytes", "Their resident memory.", labels=["role"])
        for role in sorted(cpu_s):
            cpu.add_metric((role,), cpu_s[role])
            memory.add_metric((role,), resident[role])
        yield from (cpu, memory)
