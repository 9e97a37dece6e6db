"""Keep what a supervisor tells of its processes, where those that show metrics find it."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping

import structlog

from reward_service.process_metrics import Processes, used
from reward_service.serving.children import Child

log = structlog.get_logger(__name__)

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the folder made in it has a name of its own


class ProcessLedger:
    """Which processes live, since when, how often one was started again, and what those that ended have used.

    `folder` holds it beside the metrics of the processes.
    """

    def __init__(self, roles: Iterable[str]) -> None:
        """Begin with no process of these roles started."""
        self.folder = tempfile.mkdtemp(prefix="co-rewarding-metrics-", dir=_folder_in_memory())
        self._restarts = dict.fromkeys(roles, 0)
        self._started_s: dict[str, float] = {}
        self._ended_cpu_s: dict[str, float] = {}

    @property
    def restarts(self) -> Mapping[str, int]:
        """How often a process of each role was started in place of one that died."""
        return self._restarts

    def started(self, role: str, *, again: bool = False) -> None:
        """Note that a process of this role was started."""
        self._started_s[role] = time.time()
        self._restarts[role] += again

    def ended(self, child: Child, children: Iterable[Child]) -> None:
        """Keep what a child has used, then let it go: a reader finds it in one place or in the other."""
        with contextlib.suppress(OSError):  # no /proc, or it was waited for elsewhere
            seconds, _ = used(child.process.pid)
            self._ended_cpu_s[child.role] = self._ended_cpu_s.get(child.role, 0.0) + seconds
        self.tell(each for each in children if each is not child)
        child.process.poll()

    def tell(self, children: Iterable[Child]) -> None:
        """Write all of it, with those of the children that live."""
        living = {child.process.pid: child.role for child in children if child.start_at_s is None}
        told = Processes(living, self._ended_cpu_s, self._restarts, self._started_s)
        try:
            told.write(self.folder)
        except OSError as error:  # a full disk costs a figure, and nothing else
            log.warning("what the processes use cannot be told", error=str(error))

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _folder_in_memory() -> str | None:
    """Where shared counters are kept: mapped files on a disk that is full kill whoever counts (SIGBUS)."""
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
