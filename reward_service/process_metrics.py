"""Measure CPU time and memory of the service's processes by role (Linux).

Serves the metrics of processes without an API.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from reward_service.errors import SettingsError
from reward_service.metrics import Kind, Metric

Family = CounterMetricFamily | GaugeMetricFamily

STORE = "store"
"""The role of the embedded server."""
_FILE = "processes.json"
_UTIME, _CUTIME, _RSS = 11, 13, 21  # fields of /proc/PID/stat after the command's name; see proc(5)
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a folder, as their parent tells.

    Attributes:
        living: the role of each process, by pid.
        ended_cpu_s: CPU time of the processes that ended, by role.
        restarts: how often a process was started in place of one that died, by role; 0 too.
        started_s: when the latest process of each role was started, in Unix time.
    """

    living: Mapping[int, str] = field(default_factory=dict)
    ended_cpu_s: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    started_s: Mapping[str, float] = field(default_factory=dict)

    def write(self, folder: str) -> None:
        """Write this to the folder, in one step."""
        path = Path(folder) / _FILE
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(asdict(self)))
        beside.replace(path)

    @classmethod
    def read(cls, folder: str | Path) -> "Processes":
        """Read what the parent wrote to the folder; nothing where no parent has."""
        try:
            told = json.loads((Path(folder) / _FILE).read_text())
        except FileNotFoundError:
            return cls()
        living = {int(pid): role for pid, role in told.pop("living").items()}
        return cls(living, **told)

    @classmethod
    def alone(cls, role: str) -> "Processes":
        """Return this process as the only one, which nobody here starts again."""
        return cls({os.getpid(): role}, started_s={role: time.time()})


def used(pid: int) -> tuple[float, int]:
    """Return the CPU seconds of a process and its ended children, and its resident bytes; also of a zombie.

    Raises:
        OSError: there is no such process any more.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = sum(map(int, fields[_UTIME : _CUTIME + 2])) / os.sysconf("SC_CLK_TCK")
    return cpu_s, int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE")


def family(metric: Metric) -> Family:
    """Return a metric without values, for a collector."""
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.family, metric.help, labels=metric.labels)


class ProcessCollector(Collector):
    """Reads /proc when it is asked. The CPU time of dead processes still counts: a counter never falls."""

    def __init__(self, told: Callable[[], Processes]) -> None:
        """Show the processes that are told of whenever it is asked."""
        self._told = told

    def collect(self) -> Iterator[Family]:
        """Yield the families of metrics."""
        processes, readings = self._read()
        cpu_s: dict[str, float] = defaultdict(float, processes.ended_cpu_s)
        resident: dict[str, int] = defaultdict(int)
        for pid, (seconds, size) in readings.items():
            cpu_s[processes.living[pid]] += seconds
            resident[processes.living[pid]] += size
        cpu, memory = family(Metric.PROCESS_CPU_SECONDS), family(Metric.PROCESS_RESIDENT_BYTES)
        for role in sorted(cpu_s):
            cpu.add_metric((role,), cpu_s[role])
            memory.add_metric((role,), resident[role])
        yield from (cpu, memory)
        yield from _of_parent(processes)

    def _read(self) -> tuple[Processes, dict[int, tuple[float, int]]]:
        """Read all living processes at one time: a process that ends meanwhile makes the read start again."""
        readings: dict[int, tuple[float, int]] = {}
        processes = Processes()
        for _ in range(_TRIES):
            processes, readings = self._told(), {}
            try:
                for pid in processes.living:
                    readings[pid] = used(pid)
            except OSError:  # it has ended since, and by now its parent has told so
                continue
            break
        return processes, readings


def _of_parent(processes: Processes) -> Iterator[Family]:
    living, restarts, started = (
        family(each) for each in (Metric.PROCESSES, Metric.PROCESS_RESTARTS, Metric.PROCESS_START_TIME_SECONDS)
    )
    count = Counter(processes.living.values())
    for role in sorted(processes.started_s):
        if role != STORE:  # which tells of itself whether it is there
            living.add_metric((role,), count[role])
        started.add_metric((role,), processes.started_s[role])
    for role in sorted(processes.restarts):
        restarts.add_metric((role,), processes.restarts[role])
    yield from (living, restarts, started)


MOST_SCRAPES = 16
SCRAPE_S = 10.0


def expose(registry: CollectorRegistry, host: str, port: int, *, within_s: float = SCRAPE_S) -> Callable[[], None]:
    """Serve a registry from a thread, for a process that has no HTTP server; return how to end it.

    Raises:
        SettingsError: the address cannot be bound.
    """

    class Handler(_Handler):
        timeout = within_s

    class Server(_Server):
        longest_s = within_s
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        server = make_server(host, port, make_wsgi_app(registry), Server, Handler)
    except OSError as cause:
        raise SettingsError(f"metrics cannot be shown at {host}:{port}: {cause.strerror}; set another port") from cause
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


class _Server(ThreadingWSGIServer):
    longest_s: float
    request_queue_size = 4 * MOST_SCRAPES

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._room = threading.BoundedSemaphore(MOST_SCRAPES)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Answer in a thread of its own, if there is room."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except RuntimeError:  # the system has no thread left
            self._room.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Answer within the time limit: a client that sends byte by byte would else keep the thread."""
        ending = threading.Timer(self.longest_s, _cut, [request])
        ending.daemon = True
        ending.start()
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            ending.cancel()
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a client that is slow or gone."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
