"""Measure the CPU time of this process and of all its children, running or ended."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path


class CpuStopwatch:
    """Measures CPU time, user and system, from its making on: of this process, all threads, and of its descendants.

    On Linux descendants count as they run, to the nanosecond; elsewhere once they have been waited for.
    """

    def __init__(self) -> None:
        """Starts it."""
        self._children_s = _children_s()
        self._own_s = time.process_time()  # last, and first in `elapsed_s`: looking for children is not measured

    def elapsed_s(self) -> float:
        """Seconds of CPU time since the start."""
        own_s = time.process_time() - self._own_s
        # What a child used passes from a clock to a sum when it is waited for, and is rounded down to microseconds.
        return own_s + max(0.0, _children_s() - self._children_s)


def _children_s() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = sum(map(_process_s, _descendants(Path("/proc/self"))))
    return ended.ru_utime + ended.ru_stime + running


def _descendants(process: Path) -> Iterator[int]:
    try:
        tasks = list((process / "task").iterdir())
        pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:  # it ended meanwhile, or this is no Linux
        return
    for pid in pids:
        yield pid
        yield from _descendants(Path("/proc") / str(pid))


def _process_s(pid: int) -> float:
    try:
        return time.clock_gettime(
            (~pid << 3) | 2
        )  # the number of a process's clock, as clock_getcpuclockid(3) makes it
    except OSError:
        return 0.0
