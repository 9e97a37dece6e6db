# pyright: basic, reportMissingImports=false
"""Measure an API on Ray beside the bare process: `python -m benchmarks.on_ray`, where ray[serve] is installed.

APIs over one store and one worker take turns on one core: the bare process of `co-rewarding serve`; an actor that has
the same process as its child, as `co-rewarding ray up` does; and an actor with uvicorn within. Ray Serve takes ASGI
applications, and the service's hot routes are none: so a no-op FastAPI endpoint is measured bare and under Ray Serve.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import ray
import uvicorn
import uvloop
from co_rewarding_client.foreign import Foreign
from fastapi import FastAPI
from ray import serve
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import NOOP, SERVICE, Bench, Kind, Server, Turn
from benchmarks.noop import app_of
from benchmarks.servers import HOST, noop, service, settings_of
from benchmarks.throughput import probed
from reward_service.api.app import ApiService
from reward_service.dashboard.page import WithPage
from reward_service.processes import keep_what_was_made
from reward_service.serving.api_process import BACKLOG, DrainingServer
from reward_service.serving.connection_limits import ConnectionLimits, Doorkeeper
from reward_service.serving.connections import BoundedProtocol
from reward_service.serving.supervisor import Supervisor, _bound
from reward_service.settings import Settings
from reward_service.tools.loadtest.workload import QUESTIONS, Batches, Singles, Workload

CHILD, WITHIN, SERVE = "actor, child process", "actor, uvicorn within", "no-op under Ray Serve"
NODE = "127.0.0.2"  # of the loopback; Ray takes another address of the machine for 127.0.0.1
SERVE_PORT = 18_123


class Child:
    """An actor that has the process of `co-rewarding serve` as its child, as `reward_service.on_ray.parts.Part`.

    `Part` listens on its node's address and asks for a key, which the load generator does not send.
    """

    def __init__(self, settings: Settings) -> None:
        self._supervisor = Supervisor(settings)
        self._kept = contextlib.ExitStack()
        self._kept.enter_context(self._supervisor.kept())
        self._supervisor.wait_ready()

    def facts(self) -> dict[str, Any]:
        return {"url": self._supervisor.url, "processes": self._supervisor.pids("api")}

    def stop(self) -> None:
        self._kept.close()


class Within:
    """An actor that serves by uvicorn in its own process, in a thread."""

    def __init__(self, settings: Settings) -> None:
        service = ApiService(settings)
        keeper = Doorkeeper(ConnectionLimits.of(settings), service.metrics)
        config = uvicorn.Config(
            WithPage(service.asgi),
            loop="uvloop",
            http=partial(BoundedProtocol, keeper, service),  # type: ignore[arg-type]
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
        )
        self._listener = _bound(HOST, 0)
        self._server = DrainingServer(config, service)
        keep_what_was_made()
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        threading.Thread(target=lambda: uvloop.run(self._server.serve([self._listener])), daemon=True).start()

    def facts(self) -> dict[str, Any]:
        return {"url": f"http://{HOST}:{self._listener.getsockname()[1]}", "processes": [os.getpid()]}


@contextlib.contextmanager
def actor(name: str, made: Foreign, cores: Cores, beside: dict[str, Sequence[int]]) -> Iterator[Server]:
    """An actor that serves, pinned."""
    facts = ray.get(made.facts.remote())
    where = urlsplit(facts["url"])
    for pid in facts["processes"]:
        pin(pid, cores.api)
    yield Server(name, str(where.hostname), int(where.port or 0), {"API": facts["processes"], **beside}, checked=True)
    if name == CHILD:
        ray.get(made.stop.remote())
    ray.kill(made)


@contextlib.contextmanager
def under_serve(answers: dict[str, str], cores: Cores) -> Iterator[Server]:
    """The no-op under Ray Serve: its proxy, and a replica."""

    def application() -> FastAPI:
        return app_of(answers)

    serve.start(http_options=serve.HTTPOptions(host=HOST, port=SERVE_PORT))
    deployed = serve.deployment(serve.ingress(application)(), max_ongoing_requests=100_000)
    serve.run(deployed.bind(), name="bench")
    names = ("ray::ServeReplica", "ray::ProxyActor")
    pids = [each.pid for each in psutil.process_iter() if " ".join(each.cmdline()[:1]).startswith(names)]
    for pid in pids:
        pin(pid, cores.api)
    yield Server(SERVE, HOST, SERVE_PORT, {"API": pids, "generator": [os.getpid()]}, checked=False)
    serve.shutdown()


def kinds() -> list[Kind]:
    """Singles, and batches of 256; the no-op has routes of its own."""
    made: list[tuple[str, Workload, int]] = [("singles", Singles(), 512), ("256", Batches(QUESTIONS), 8)]
    return [_kind(name, workload, connections) for name, workload, connections in made]


def _kind(name: str, workload: Workload, connections: int) -> Kind:
    idle = workload.on(f"{workload.route}/{name}")
    workloads: dict[str, Workload] = {SERVICE: workload, CHILD: workload, WITHIN: workload, NOOP: idle, SERVE: idle}
    return Kind(name, workloads, connections, {})


def ratios(turns: dict[str, list[Turn]], other: str, bare: str) -> tuple[float, float]:
    """Of another to the bare process, pair by pair: by the clock, and by the API's CPU time."""
    pairs = list(zip(turns[other], turns[bare], strict=True))
    by_clock = statistics.median(its.rate / base.rate for its, base in pairs)
    return by_clock, statistics.median(its.rate_by_cpu / base.rate_by_cpu for its, base in pairs)


async def measured(bench: Bench, kind: Kind, seconds: float, rounds: int) -> dict[str, list[Turn]]:
    return {name: list(turns) for name, turns in (await bench.throughput(kind, seconds, rounds)).turns.items()}


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_ray", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    console, cores = Console(width=100), Cores.of_this_machine()
    console.print(f"{describe()}; ray {ray.__version__}", highlight=False, soft_wrap=True)
    pin(os.getpid(), cores.rest)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=8, _node_ip_address=NODE, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20
    )
    table = Table("", "API", "rollouts/s", "of the bare process", "by CPU time")
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        bare = stack.enter_context(service(folder / "data", cores))
        answers = {route: answer.decode() for route, answer in uvloop.run(probed(bare, kinds(), cores)).items()}
        store = {"redis_url": f"unix://{folder / 'data' / 'valkey.sock'}", "workers": 0}
        settings = settings_of(folder / "other").model_copy(update=store)
        beside = {role: pids for role, pids in bare.pids.items() if role != "API"}
        servers = [
            bare,
            stack.enter_context(actor(CHILD, ray.remote(Child).remote(settings), cores, beside)),
            stack.enter_context(actor(WITHIN, ray.remote(Within).remote(settings), cores, beside)),
            stack.enter_context(noop(folder, {route: text.encode() for route, text in answers.items()}, cores)),
            stack.enter_context(under_serve(answers, cores)),
        ]
        bench = Bench(servers, cores)
        for kind in kinds():
            turns = uvloop.run(measured(bench, kind, given.seconds, given.rounds))
            for which, base in ((SERVICE, SERVICE), (CHILD, SERVICE), (WITHIN, SERVICE), (NOOP, NOOP), (SERVE, NOOP)):
                rate = statistics.median(turn.rate for turn in turns[which])
                by_clock, by_cpu = ratios(turns, which, base)
                table.add_row(kind.name, which, f"{rate:,.0f}", f"{by_clock:.2f}", f"{by_cpu:.2f}")
    ray.shutdown()
    console.print(table)


if __name__ == "__main__":
    main()
