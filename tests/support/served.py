"""`co-rewarding serve` as a command, to be killed and started again under the same address."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from tests.support.ports import free_port
from tests.support.waiting import wait_until

CLI = Path(sys.executable).with_name("co-rewarding")
STARTS_WITHIN_S = 300.0


class Served:
    """The command over a data folder, with the processes that it has started."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redis_url = f"unix://{data / 'valkey.sock'}"
        self._command = [CLI, "serve", "--port", str(self.port), "--data-dir", str(data), *options]
        self._environment = os.environ | {"CO_REWARDING_LOG_LEVEL": "ERROR"} | environment

    def start(self) -> None:
        """Starts it, or starts it again, and waits until it is ready."""
        self._process = subprocess.Popen(self._command, env=self._environment)
        wait_until(self._ready, STARTS_WITHIN_S, every_s=0.1)

    def kill(self, *words: str) -> None:
        """Those of its processes in whose command one of the words is; all, itself first, without words."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        if words:
            children = [child for child in children if any(word in _command_of(child) for word in words)]
            assert len(children) >= len(words)
        else:
            self._process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):  # its supervisor has died, so it may have ended by itself
                child.kill()
        if not words:
            psutil.wait_procs(children, timeout=10.0)
            self._process.wait()

    def stop(self) -> None:
        """Stops it in order."""
        self._process.terminate()
        self._process.wait(60)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False


def _command_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
