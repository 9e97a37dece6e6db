"""Threads that share work which holds no lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from types import TracebackType


class Pool:
    """So many threads; idle ones take what is next, so a slow one holds up nobody."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: as many as there are cores for this process if None."""
        self._executor = ThreadPoolExecutor(threads or _cores(), thread_name_prefix="average")

    def __enter__(self) -> "Pool":
        """They start when they are needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def run(self, tasks: Iterable[Callable[[], None]]) -> None:
        """Runs tasks in any order. After one that fails no other begins; its error is raised when none is running."""
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
        """Ends the threads."""
        self._executor.shutdown()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
