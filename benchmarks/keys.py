"""Measure what keys and quotas cost a request: `python -m benchmarks.keys`.

Services without a key, with a plain key, and with a key that has a scope, runs and quotas (none of which is used up)
take turns on one core. Rollouts per second of the API's CPU time are compared turn by turn: the ratio does not change
when others use the machine. `--beside FOLDER` compares with another checkout of this repository, too.
"""

import argparse
import contextlib
import gc
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import SERVICE, Bench, Server, Turn
from benchmarks.servers import HOST
from benchmarks.throughput import kinds_of
from reward_service.processes import dies_with_parent
from reward_service.tools.loadtest.workload import Workload

KEYLESS, PLAIN, BOUNDED = "no key", "a plain key", "scope, runs and quotas"
BESIDE, BESIDE_PLAIN = "beside, no key", "beside, a plain key"
KEY = "the-key-of-the-benchmark"
TABLE = f"""
[[keys]]
name = "benchmark"
key = "{KEY}"
scopes = ["score"]
runs = ["default", "team."]
[keys.quotas]
rollouts_per_s = 1e9
bytes_per_s = 1000000000000
held_requests = 1000000

[[runs]]
prefix = "default"
quotas = {{rollouts_per_s = 1e9, open_cohorts = 200000}}
"""


class Keyed:
    """A workload whose requests show a key."""

    def __init__(self, workload: Workload) -> None:
        """Show it with the requests of a workload."""
        self._workload = workload
        self.name, self.route = workload.name, workload.route
        self.rollouts, self.cohort, self.body_bytes = workload.rollouts, workload.cohort, workload.body_bytes

    def request(self, index: int) -> bytes:
        """The request of that index."""
        head = f"\r\nauthorization: Bearer {KEY}\r\n".encode()
        return self._workload.request(index).replace(b"\r\n", head, 1)

    def check(self, index: int, body: bytes) -> None:
        """Compare an answer with what is right."""
        self._workload.check(index, body)

    def on(self, route: str) -> "Keyed":
        """The same requests to another route."""
        return Keyed(self._workload.on(route))


@contextlib.contextmanager
def served(folder: Path, cores: Cores, code: Path, keys: str | None) -> Iterator[Server]:
    """A service of a checkout, with this file of keys."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CO_REWARDING_")}
    paths = os.pathsep.join(str(code / part) for part in (".", "clients", "trainer"))
    environment |= {"PYTHONPATH": paths, "CO_REWARDING_LOG_LEVEL": "ERROR", "CO_REWARDING_HEADER_TIMEOUT_S": "600"}
    words = [sys.executable, "-m", "reward_service", "serve", "--port", "0", "--data-dir", str(folder / "data")]
    if keys is not None:
        (folder / "keys").write_text(keys)
        words += ["--api-keys-file", str(folder / "keys")]
    said = folder / "log"
    with said.open("wb") as log:
        process = subprocess.Popen(dies_with_parent(words), env=environment, cwd=code, stdout=log, stderr=log)
    try:
        port = _port_of(process, said)
        roles = {"API": "api_process", "worker": "worker_process", "Valkey": "valkey-server"}
        children = psutil.Process(process.pid).children(recursive=True)
        pids = {
            role: [child.pid for child in children if any(word in part for part in child.cmdline())]
            for role, word in roles.items()
        }
        for role, some in pids.items():
            for pid in some:
                pin(pid, cores.api if role == "API" else cores.rest)
        yield Server(SERVICE, HOST, port, {**pids, "generator": [os.getpid()]}, checked=True)
    finally:
        process.terminate()
        process.wait(60.0)


def _port_of(process: subprocess.Popen[bytes], said: Path) -> int:
    deadline_s = time.monotonic() + 120.0
    while time.monotonic() < deadline_s and process.poll() is None:
        ports = {each.laddr.port for each in psutil.Process(process.pid).net_connections() if each.status == "LISTEN"}
        for port in ports:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://{HOST}:{port}/ready", timeout=5.0).status_code == 200:
                    return port
        time.sleep(0.2)
    raise RuntimeError(f"a service did not start: {re.sub(KEY, '…', said.read_text())}")


async def measure(
    servers: dict[str, Server], cores: Cores, kind: str, seconds: float, rounds: int
) -> dict[str, list[Turn]]:
    """The turns of each service, in an order that changes; a first round warms all up and is not counted."""
    (bare,) = kinds_of([kind])
    (keyed,) = kinds_of([kind])
    keyed.workloads[SERVICE] = Keyed(keyed.workloads[SERVICE])  # type: ignore[index] - a dict, made for this kind
    bench = Bench(list(servers.values()), cores)
    found: dict[str, list[Turn]] = {name: [] for name in servers}
    names = list(servers)
    for number in range(rounds + 1):
        for name in (*names[number % len(names) :], *names[: number % len(names)]):
            turn = await bench.turn(servers[name], bare if name in (KEYLESS, BESIDE) else keyed, seconds)
            if number:
                found[name].append(turn)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keys", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one turn, in seconds")
    parser.add_argument("--rounds", type=int, default=8, help="rounds that count")
    parser.add_argument("--kinds", nargs="+", default=["singles", "16"])
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout, without a key")
    given = parser.parse_args()
    cores, console = Cores.of_this_machine(), Console(width=130)
    console.print(describe(), str(cores), sep="\n", highlight=False, soft_wrap=True)
    pin(os.getpid(), cores.rest)
    gc.freeze()
    here = Path(__file__).parents[1]
    plan: list[tuple[str, Path, str | None]] = [(KEYLESS, here, None), (PLAIN, here, KEY), (BOUNDED, here, TABLE)]
    if given.beside is not None:
        beside = given.beside.resolve()
        plan += [(BESIDE, beside, None), (BESIDE_PLAIN, beside, KEY)]
    table = Table("kind", "service", "rollouts per s of the API's CPU, over no key: median (min-max)", box=None)
    with tempfile.TemporaryDirectory(prefix="cr-keys-") as folder, contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(served(Path(folder) / str(number), cores, code, keys))
            for number, (name, code, keys) in enumerate(plan)
        }
        for kind in given.kinds:
            found = uvloop.run(measure(servers, cores, kind, given.seconds, given.rounds))
            for name, turns in found.items():
                table.add_row(kind, name, _told(turns, found[KEYLESS]))
    console.print(table)


def _told(turns: Sequence[Turn], keyless: Sequence[Turn]) -> str:
    over = sorted(its.rate_by_cpu / bare.rate_by_cpu for its, bare in zip(turns, keyless, strict=True))
    return f"{statistics.median(over):.3f} ({over[0]:.3f}-{over[-1]:.3f})"


if __name__ == "__main__":
    main()
