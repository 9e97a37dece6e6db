"""Hold more singles at once than one API process takes connections: `make bench-held-many`.

Four API processes, each with a port of its own, share one Valkey and one worker. A generator for each opens its
connections, sends all rollouts but the last of each cohort, waits until everything is at rest, and sends the last ones.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
import uvloop
from rich.console import Console

from benchmarks.held import hold
from benchmarks.machine import describe
from benchmarks.measuring import Server
from benchmarks.servers import HOST
from benchmarks.soak_parts import free_ports
from benchmarks.stores import store, wait_for_store
from reward_service.processes import dies_with_parent, raise_open_files_limit
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings

FILE = Path(__file__).parent / "measured" / "held_many.json"
EACH = 16_384
APART = 1_000_000
"""Between the first numbers of two generators: no cohort is sent by both."""
LOOK_S = 0.5
PATIENCE_S = 60.0
"""The burst may keep a store busy for longer than a call usually waits, on a machine that others use."""


@dataclass(frozen=True, slots=True)
class HeldMany:
    """What became of singles that were held by several API processes at once.

    Attributes:
        api_processes, requests: how many of each.
        most_open: connections of all API processes together, at the most.
        lost: requests without a right answer.
        per_s: answers a second of the time in which requests were sent or answered, of all generators.
        api_bytes_each: growth of the APIs' memory by a request, its connection included.
        p99_after_last_s: from a cohort's last ballot to its answers, of the slowest generator.
        store_cpu_s, worker_cpu_s: CPU time of all.
    """

    machine: str
    api_processes: int
    requests: int
    most_open: int
    lost: int
    per_s: float
    api_bytes_each: float
    p99_after_last_s: float
    store_cpu_s: float
    worker_cpu_s: float

    @classmethod
    def read(cls, file: Path = FILE) -> "HeldMany":
        """What was written last."""
        return cls(**json.loads(file.read_text()))


def measure(api_processes: int, each: int, folder: Path, console: Console) -> HeldMany:
    """Starts everything, holds, and stops everything."""
    store_port, *ports = free_ports(1 + api_processes)
    with store(folder / "store", HOST, store_port) as (store_url, store_pid):
        wait_for_store(store_url)
        supervisors = [
            Supervisor(
                Settings(
                    data_dir=folder / str(port),
                    port=port,
                    redis_url=store_url,
                    workers=int(port == ports[0]),
                    log_level="WARNING",
                    redis_patience_s=PATIENCE_S,
                    header_timeout_s=600.0,
                )
            )
            for port in ports
        ]
        try:
            for supervisor in supervisors:
                supervisor.start()
            for supervisor in supervisors:
                supervisor.wait_ready()
            (worker,) = supervisors[0].pids("worker")
            apis = [supervisor.pids("api")[0] for supervisor in supervisors]
            before_s = [_used_s(store_pid), _used_s(worker)]
            with console.status(f"{api_processes * each:,} singles held by {api_processes} API processes"):
                found, most_open = _generated(ports, apis, [worker, store_pid], each)
            used_s = [_used_s(store_pid) - before_s[0], _used_s(worker) - before_s[1]]
        finally:
            for supervisor in supervisors:
                supervisor.stop()
    requests = sum(int(one["requests"]) for one in found)
    return HeldMany(
        machine=describe(),
        api_processes=api_processes,
        requests=requests,
        most_open=most_open,
        lost=sum(int(one["lost"]) for one in found),
        per_s=sum(one["per_s"] for one in found),
        api_bytes_each=sum(one["bytes_each"] * one["requests"] for one in found) / requests,
        p99_after_last_s=max(one["p99_after_last_s"] for one in found),
        store_cpu_s=used_s[0],
        worker_cpu_s=used_s[1],
    )


def _generated(
    ports: Sequence[int], apis: Sequence[int], others: Sequence[int], each: int
) -> tuple[list[dict[str, Any]], int]:
    """What each generator says, and the most open connections that were seen."""
    generators = [
        subprocess.Popen(
            dies_with_parent(
                [sys.executable, "-m", "benchmarks.held_many", "generate", str(port), str(number * APART), str(each)]
                + [str(pid) for pid in (api, *others)]
            ),
            stdout=subprocess.PIPE,
        )
        for number, (port, api) in enumerate(zip(ports, apis, strict=True))
    ]
    most_open = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal most_open
        processes = [psutil.Process(pid) for pid in apis]
        idle = sum(process.num_fds() for process in processes)
        while not over.wait(LOOK_S):
            most_open = max(most_open, sum(process.num_fds() for process in processes) - idle)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        said = [generator.communicate()[0] for generator in generators]
    finally:
        over.set()
        watching.join()
    return [json.loads(each) for each in said], most_open


def _used_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, invoke_without_command=True)


@app.callback(help=__doc__)
def main(
    context: typer.Context,
    api_processes: Annotated[int, typer.Option(min=1, max=16, help="API processes.")] = 4,
    each: Annotated[int, typer.Option(min=256, max=EACH, help="Singles that each of them holds.")] = EACH,
    out: Annotated[Path, typer.Option(help="Where the figures are written, as JSON.")] = FILE,
) -> None:
    """Measures, prints and writes."""
    if context.invoked_subcommand is not None:
        return
    raise_open_files_limit()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        began_s = time.monotonic()
        found = measure(api_processes, each, Path(folder), console)
        console.print(f"took {time.monotonic() - began_s:.0f} s")
    console.print(asdict(found))
    out.write_text(json.dumps(asdict(found), indent=1) + "\n")
    raise SystemExit(1 if found.lost else 0)


@app.command(hidden=True)
def generate(port: int, first: int, most: int, pids: list[int]) -> None:
    """Holds singles at one API process, and prints what became of them; `pids`: the API, the worker, the store."""
    server = Server("service", HOST, port, {"API": pids[:1], "worker": pids[1:2], "Valkey": pids[2:]}, checked=True)
    print(json.dumps(uvloop.run(hold(server, most, first)).document()))


if __name__ == "__main__":
    app()
