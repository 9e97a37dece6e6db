"""Redis and its kin, started for a test."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator

import redis

from tests.waiting import wait_until


def _free_port() -> int:
    """A port of which the one 10,000 above exists too: a cluster's nodes talk there."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= 55_535:
            return port


@contextlib.contextmanager
def server(binary: str, *options: str) -> Iterator[str]:
    """A server of its own with an append-only file, at a free port: its URL."""
    port = _free_port()
    folder = tempfile.mkdtemp(prefix="cr-redis-")
    command = [binary, "--port", str(port), "--dir", folder, "--appendonly", "yes", "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
