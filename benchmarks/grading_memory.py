"""Measure how much the memory of a process and its children grows, from outside."""

import contextlib
import sys
import threading
from pathlib import Path
from types import TracebackType

import psutil

POLL_S = 0.01


class MemoryWatch:
    """From entering to leaving it, the growth of resident memory of a process and its descendants.

    Linux keeps the most that each process ever had, and lets it be reset, so nothing between two looks is missed but
    the last moment of a process that is killed. A process that appears meanwhile is a fork, and starts at its parent's.
    """

    def __init__(self, pid: int) -> None:
        """Watches nothing yet."""
        self._root = psutil.Process(pid)
        self._base: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def growth_bytes(self) -> int | None:
        """The sum over processes of the most that each grew by; None where the system does not tell."""
        if sys.platform != "linux":
            return None
        return sum(max(0, most - self._base[pid]) for pid, most in self._most.items())

    def __enter__(self) -> "MemoryWatch":
        """Notes what there is, and begins to look."""
        for process in self._tree():
            with contextlib.suppress(OSError, psutil.Error):
                Path(f"/proc/{process.pid}/clear_refs").write_text("5")
                self._base[process.pid] = process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A last look."""
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for process in self._tree():
            with contextlib.suppress(OSError, psutil.Error):
                peak = _peak_bytes(process.pid)
                if process.pid not in self._base:
                    self._base[process.pid] = self._base.get(process.ppid(), peak)
                self._most[process.pid] = max(peak, self._most.get(process.pid, 0))

    def _tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return [self._root, *self._root.children(recursive=True)]
        return []


def _peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
