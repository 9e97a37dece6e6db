"""Start what is measured: the whole service, and what it is compared with, each API on the API's core."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.machine import Cores, pin
from benchmarks.measuring import IN_MEMORY, NOOP, SERVICE, Server
from reward_service.processes import dies_with_parent
from reward_service.serving.children import environment_of
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0


def settings_of(folder: Path) -> Settings:
    """One API process, one worker and an embedded Valkey over a folder; connections may be open long before use."""
    return Settings(
        data_dir=folder,
        host=HOST,
        port=0,
        redis_url=None,
        workers=1,
        api_processes=1,
        log_level="WARNING",
        header_timeout_s=600.0,
    )


@contextlib.contextmanager
def service(folder: Path, cores: Cores) -> Iterator[Server]:
    """The service, ready and pinned.

    Raises:
        CoRewardingError: it did not start.
    """
    supervisor = Supervisor(settings_of(folder))
    supervisor.start()
    try:
        supervisor.wait_ready()
        pids = {"API": supervisor.pids("api"), "worker": supervisor.pids("worker"), "Valkey": supervisor.pids("redis")}
        for role, some in pids.items():
            for pid in some:
                pin(pid, cores.api if role == "API" else cores.rest)
        yield Server(SERVICE, HOST, supervisor.port, {**pids, "generator": [os.getpid()]}, checked=True)
    finally:
        supervisor.stop()


@contextlib.contextmanager
def noop(folder: Path, answers: Mapping[str, bytes], cores: Cores) -> Iterator[Server]:
    """The no-op with its answers by route, in the environment that the service's API has."""
    file = folder / "answers.json"
    file.write_text(json.dumps({route: answer.decode() for route, answer in answers.items()}))
    with _one_process(NOOP, folder, "benchmarks.noop", [str(file)], cores) as server:
        yield server


@contextlib.contextmanager
def in_memory(folder: Path, cores: Cores) -> Iterator[Server]:
    """The server that a user would write, in the same environment."""
    with _one_process(IN_MEMORY, folder, "benchmarks.in_memory", [], cores) as server:
        yield server


@contextlib.contextmanager
def _one_process(name: str, folder: Path, module: str, arguments: Sequence[str], cores: Cores) -> Iterator[Server]:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            dies_with_parent([sys.executable, "-m", module, str(listener.fileno()), *arguments]),
            env=environment_of(settings_of(folder)),
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )
    try:
        _wait_for(port, process)
        pin(process.pid, cores.api)
        yield Server(name, HOST, port, {"API": [process.pid], "generator": [os.getpid()]}, checked=False)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.settimeout(5.0)
            connection.sendall(b"GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
            if connection.recv(1):
                return
        time.sleep(0.05)
    raise RuntimeError(f"a server to compare with did not start: it ended with {process.poll()}")
