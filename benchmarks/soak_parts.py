"""Start, stop, kill and start again the parts of a service, each with a command of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import redis

from benchmarks.stores import store_command
from reward_service.processes import dies_with_parent

HOST = "127.0.0.1"
STORE_LIMIT_BYTES = 1024 * 2**20
READY_WITHIN_S = 60.0
STOPS_WITHIN_S = 60.0
LOOK_S = 0.05
MODEL = "scripted"
WITNESSES = ("api-1", "worker-1")
"""Parts that are never restarted: what leaks in a part shows where it lives long."""

ROLES: Mapping[str, str] = {
    "reward_service.serving.api_process": "api",
    "reward_service.serving.worker_process": "worker",
    "judge_process": "judge",
    "valkey-server": "store",
    "benchmarks.soak_model": "model",
    "teacher": "teacher",
    " serve": "api supervisor",
    " worker": "worker supervisor",
}
"""What a process is, by a word of its command line; the first that is found decides."""


class SoakError(Exception):
    """A part did not start, stop or live as it should have."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a part is started, and by what it is known to be ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]


class Part:
    """A command with all processes that come of it; `lives` counts how often it was started."""

    def __init__(self, start: Start, folder: Path) -> None:
        """Starts nothing yet; what it writes is appended to a log in the folder."""
        self.name = start.name
        self.log = folder / f"{start.name}.log"
        self.lives = 0
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, in a group of its own."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                dies_with_parent(self._start.command),
                env=os.environ | self._start.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.lives += 1

    async def wait_ready(self) -> None:
        """Returns when it is ready.

        Raises:
            SoakError: it ended, or was not ready in time.
        """
        assert self._process is not None
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await asyncio.to_thread(self._start.ready):
                    if self._process.poll() is not None:
                        raise SoakError(f"{self.name} ended with {self._process.returncode}: {self.last_words()}")
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as cause:
            told = f"{self.name} was not ready after {READY_WITHIN_S:g} s: {self.last_words()}"
            raise SoakError(told) from cause

    async def end(self, how: signal.Signals) -> None:
        """Ends all its processes: in order by SIGTERM, or at once by SIGKILL.

        Raises:
            SoakError: asked to stop, it did not in time.
        """
        if self._process is None:
            return
        if how is signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            for process in self.processes():  # those with a group of their own
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            self._process.send_signal(how)
        try:
            await asyncio.to_thread(self._process.wait, STOPS_WITHIN_S)
        except subprocess.TimeoutExpired as cause:
            raise SoakError(f"{self.name} did not stop within {STOPS_WITHIN_S:g} s: {self.last_words()}") from cause

    def processes(self) -> list[psutil.Process]:
        """It, and what came of it."""
        if self._process is None:
            return []
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def by_role(self) -> Iterator[tuple[str, psutil.Process]]:
        """Its processes with what each of them is."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                line = " ".join(process.cmdline())
                role = next((role for word, role in ROLES.items() if word in line), "")
                if role and process.status() != psutil.STATUS_ZOMBIE:
                    yield role, process

    def last_words(self) -> str:
        """The end of its log."""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])

    def errors(self) -> list[str]:
        """Lines of the log that are errors of ours, or of Python."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if '"level": "error"' in line or line.startswith("Traceback")]


class Parts:
    """All parts of a service over a folder, whose path must be short: it holds the store's socket."""

    def __init__(self, folder: Path, ports: Sequence[int], model_port: int, retention_s: float) -> None:
        """`ports` are those of the API's parts."""
        place = folder / "s"
        self.redis_url = f"unix://{place}"
        self.urls = [f"http://{HOST}:{port}" for port in ports]
        self.store = redis.Redis.from_url(self.redis_url, socket_timeout=5.0)
        told = {
            "CO_REWARDING_REDIS_URL": self.redis_url,
            "CO_REWARDING_RETENTION_S": str(retention_s),
            "CO_REWARDING_LOG_LEVEL": "WARNING",
            "CO_REWARDING_LOG_JSON": "true",
            "CO_REWARDING_DATA_DIR": str(folder / "data"),
            "CO_REWARDING_TEACHER_LEASE_S": "2",
        }
        model_url = f"http://{HOST}:{model_port}"
        ours = [sys.executable, "-m", "reward_service"]
        data = folder / "store"
        data.mkdir()
        # What is acknowledged is on the disk: nothing may be lost when it is killed.
        command = store_command(data, unixsocket=str(place), port="0", maxmemory=str(STORE_LIMIT_BYTES))
        starts = [
            Start("store", command, {}, self._store_answers),
            Start("model", [sys.executable, "-m", "benchmarks.soak_model", str(model_port)], {}, _answers(model_url)),
        ]
        starts += [
            Start(f"worker-{number}", [*ours, "worker"], told, lambda: True) for number in range(1, len(ports) + 1)
        ]
        teacher = [*ours, "teacher", "--model", f"openai:{model_url}/v1#{MODEL}"]
        starts.append(Start("teacher", teacher, told, lambda: True))
        for number, (port, url) in enumerate(zip(ports, self.urls, strict=True), 1):
            command = [*ours, "serve", "--workers", "0", "--host", HOST, "--port", str(port)]
            starts.append(Start(f"api-{number}", command, told, _answers(f"{url}/ready")))
        self.all = {start.name: Part(start, folder) for start in starts}

    async def start(self) -> None:
        """Starts all, and returns when they are ready."""
        for part in self.all.values():
            part.start()
            await part.wait_ready()

    async def stop(self) -> None:
        """Stops all in order, the store last; those that hang are killed."""
        self.store.close()
        for part in reversed(self.all.values()):
            try:
                await part.end(signal.SIGTERM)
            except SoakError:
                await part.end(signal.SIGKILL)

    def store_pid(self) -> int | None:
        """The store's own process."""
        return next((process.pid for role, process in self.all["store"].by_role() if role == "store"), None)

    def _store_answers(self) -> bool:
        try:
            return bool(self.store.ping())
        except redis.RedisError:
            return False


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens now, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def _answers(url: str) -> Callable[[], bool]:
    def look() -> bool:
        try:
            return httpx.get(url, timeout=2.0).status_code == 200
        except httpx.TransportError:
            return False

    return look
