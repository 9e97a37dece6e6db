"""Start the supervisor's processes, restart those that die, stop them, and count them in metrics."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reward_service.process_metrics import expose
from reward_service.processes import READY_FD, Beginning, dies_with_parent
from reward_service.settings import Settings
from reward_service.telemetry import registry_of

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Before a process that was ready is started again."""
LONGEST_UNREADY_PAUSE_S = 60.0
"""Before one that dies again and again while it starts."""
SETTLED_AFTER_S = 10.0
KILLED_AFTER_S = 5.0
"""How much longer than it may take to stop."""
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "api": "reward_service.serving.api_process",
        "worker": "reward_service.serving.worker_process",
        "teacher": "reward_service.teaching.process",
        "paraphraser": "reward_service.paraphrasing.process",
    }
)


@dataclass(slots=True)
class Child:
    """A process that is kept alive. `failed_starts` times in a row a process died before it was ready."""

    role: str
    process: subprocess.Popen[bytes]
    beginning: Beginning
    started_s: float = field(default_factory=time.monotonic)
    pause_s: float = FIRST_PAUSE_S
    start_at_s: float | None = None
    failed_starts: int = 0
    reason: str | None = None

    def ended(self, now_s: float) -> None:
        """Note the death and set when the next process starts. A new reason for a failed start is logged."""
        self.beginning.hear()
        told: dict[str, object] = {"role": self.role, "code": self.process.returncode}
        if self.beginning.ready:
            settled = now_s - self.started_s > SETTLED_AFTER_S or self.failed_starts > 0
            pause_s = FIRST_PAUSE_S if settled else min(self.pause_s, LONGEST_PAUSE_S)
            self.pause_s, self.failed_starts, self.reason = 2 * pause_s, 0, None
            log.error("a process died; starting another", **told)
        else:
            doubled = min(self.failed_starts, 30)  # far more than the longest pause needs
            pause_s = min(FIRST_PAUSE_S * 2**doubled, LONGEST_UNREADY_PAUSE_S)
            self.failed_starts += 1
            told |= {"failed_starts": self.failed_starts, "again_in_s": round(pause_s, 1)}
            if self.beginning.reason is not None and self.beginning.reason != self.reason:
                self.reason = told["reason"] = self.beginning.reason
            log.error("a process died before it was ready; starting another", **told)
        self.start_at_s = now_s + pause_s

    def successor(self, environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> "Child":
        """Start another process in place of this one, with its pauses and failures.

        Raises:
            OSError: it cannot be started now.
        """
        after = started(self.role, environment, pass_fds)
        after.pause_s, after.failed_starts, after.reason = self.pause_s, self.failed_starts, self.reason
        return after


def started(role: str, environment: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> Child:
    """Start a process of this role.

    Raises:
        OSError: it cannot be started now.
    """
    beginning = Beginning()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            dies_with_parent([sys.executable, "-m", MODULES[role]]),
            env={**environment, READY_FD: str(beginning.writing)},
            pass_fds=(*pass_fds, beginning.writing),
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the others in order
        )
    except BaseException:
        beginning.close()
        raise
    finally:
        beginning.give()
    return Child(role, process, beginning)


def stop(children: Sequence[Child], within_s: float) -> None:
    """Ask all processes to stop, and kill those that have not stopped in time."""
    processes = [child.process for child in children]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    deadline_s = time.monotonic() + within_s + KILLED_AFTER_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child.beginning.close()


class _Living(Collector):
    """How many processes of each role live: a container's health check looks for 0."""

    def __init__(self, pids: Callable[[str], Sequence[int]], roles: Sequence[str]) -> None:
        self._pids = pids
        self._roles = roles

    def collect(self) -> Iterator[GaugeMetricFamily]:
        living = GaugeMetricFamily("co_rewarding_processes", "Living processes, by role.", labels=["role"])
        for role in self._roles:
            living.add_metric((role,), len(self._pids(role)))
        yield living


def expose_children(
    settings: Settings, folder: str, pids: Callable[[str], Sequence[int]], roles: Sequence[str]
) -> Callable[[], None]:
    """Serve the summed metrics of a folder's processes at the settings' metrics port; return how to end it.

    Raises:
        SettingsError: the port cannot be bound.
    """
    registry = registry_of(folder)
    registry.register(_Living(pids, roles))
    return expose(registry, settings.metrics_host, settings.metrics_port or 0)
