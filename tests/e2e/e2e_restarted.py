"""A service with everything of its own, to be killed and started again under the same address."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Restarted:
    """`co-rewarding serve` with two API processes and two workers, which can be killed with all that it has started."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redis_url = f"unix://{self.data / 'valkey.sock'}"

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("co-rewarding")), "serve", "--port", str(self.port)]
        more = ["--workers", "2", "--api-processes", "2", "--data-dir", str(self.data)]
        environment = os.environ | {"CO_REWARDING_LOG_LEVEL": "ERROR"}
        self._process = subprocess.Popen(command + more, env=environment)
        self.wait_ready()

    def wait_ready(self, within_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + within_s
        while True:
            try:
                httpx.get(f"{self.url}/ready", timeout=5.0).raise_for_status()
            except httpx.HTTPError:
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10.0)
        self._process.wait()


@contextmanager
def restarted() -> Iterator[Restarted]:
    folder = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    made = Restarted(folder)
    made.start()
    try:
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder)
