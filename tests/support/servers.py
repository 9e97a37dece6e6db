"""Redis and its kin, started for a test."""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis

from tests.support.ports import free_port
from tests.support.waiting import wait_until


@contextlib.contextmanager
def server(binary: str, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server of its own with an append-only file, at a free port: its URL."""
    port = free_port(bus=True)
    folder = tempfile.mkdtemp(prefix="cr-redis-")
    command = [binary, "--port", str(port), "--dir", folder, "--appendonly", "yes", "--save", "", *options]
    variables = os.environ | (environment or {})
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}"
    try:
        with redis.Redis.from_url(url) as client:
            wait_until(lambda: _answers(client))
            if "--cluster-enabled" in options:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class SettableClock:
    """The clock of the servers that are started with its environment: by how much it is set forward."""

    def __init__(self, library: str, file: Path) -> None:
        """`library` is libfaketime, which is told by the file."""
        self._file = file
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set_forward(0)

    def set_forward(self, seconds: int) -> None:
        """Sets it so far before the true time, or behind it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._file)  # whole at every moment


@contextlib.contextmanager
def server_of_another_time(binary: str, *options: str) -> Iterator[tuple[str, SettableClock]]:
    """A server whose clock can be set while it runs. Not Debian's Redis: its allocator asks for the time too early."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        pytest.skip("no libfaketime on this machine: install it (apt install faketime) to set clocks")
    with tempfile.TemporaryDirectory(prefix="cr-clock-") as folder:
        clock = SettableClock(found[0], Path(folder) / "clock")
        with server(binary, *options, environment=clock.environment) as url:
            yield url, clock


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
