# pyright: basic, reportMissingImports=false
"""Measure an API on Ray beside the bare process: `python -m benchmarks.on_ray`, where ray[serve] is installed.

Four APIs over one store and one worker take turns on one core: the bare process of `co-rewarding serve`; an actor that
has the same process as its child, as `co-rewarding ray up` does; an actor with uvicorn within; and Ray Serve.
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
from ray import serve
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe, pin
from benchmarks.measuring import SERVICE, Bench, Kind, Server, Turn
from benchmarks.servers import HOST, service, settings_of
from reward_service.api.app import ApiService
from reward_service.dashboard.page import WithPage
from reward_service.on_ray.parts import Part, PartOrder, Role
from reward_service.processes import keep_what_was_made
from reward_service.serving.api_process import BACKLOG, DrainingServer
from reward_service.serving.connection_limits import ConnectionLimits, Doorkeeper
from reward_service.serving.connections import BoundedProtocol
from reward_service.serving.supervisor import _bound
from reward_service.settings import Settings
from reward_service.tools.loadtest.workload import QUESTIONS, Batches, Singles

CHILD, WITHIN, SERVE = "actor, child process", "actor, uvicorn within", "Ray Serve"
OTHERS = (CHILD, WITHIN, SERVE)
HELD = 16_384


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
def actor(name: str, made: Any, cores: Cores, **options: Any) -> Iterator[Server]:
    facts = ray.get(made.facts.remote())
    where = urlsplit(facts["url"])
    for pid in facts["processes"]:
        pin(pid, cores.api)
    yield Server(name, str(where.hostname), int(where.port or 0), _pids(facts["processes"], **options), checked=True)
    if name == CHILD:
        ray.get(made.stop.remote())
    ray.kill(made)


@contextlib.contextmanager
def served(settings: Settings, cores: Cores, **options: Any) -> Iterator[Server]:
    """Ray Serve: its proxy, and a replica with the service's ASGI application."""

    def application() -> Any:
        return WithPage(ApiService(settings).asgi)

    serve.start(http_options=serve.HTTPOptions(host=HOST, port=18_123, request_timeout_s=None))
    deployed = serve.deployment(serve.ingress(application)(), max_ongoing_requests=100_000)
    serve.run(deployed.options(ray_actor_options={"num_cpus": 1}).bind(), name="bench")
    pids = [
        process.pid
        for process in psutil.process_iter()
        if any(word in " ".join(process.cmdline()[:1]) for word in ("ray::ServeReplica", "ray::ProxyActor"))
    ]
    for pid in pids:
        pin(pid, cores.api)
    yield Server(SERVE, HOST, 18_123, _pids(pids, **options), checked=True)
    serve.shutdown()


def _pids(api: Sequence[int], beside: dict[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {"API": api, **beside}


def kinds() -> list[Kind]:
    names = (SERVICE, *OTHERS)
    made = [("singles", Singles(), 512), ("256", Batches(QUESTIONS), 8)]
    return [Kind(name, dict.fromkeys(names, workload), connections, {}) for name, workload, connections in made]


def ratios(turns: dict[str, list[Turn]], other: str) -> tuple[float, float, float]:
    """Of another to the bare process, pair by pair: by the clock, by the API's CPU time, and its API's share of a core."""
    pairs = list(zip(turns[other], turns[SERVICE], strict=True))
    by_clock = statistics.median(its.rate / bare.rate for its, bare in pairs)
    by_cpu = statistics.median(its.rate_by_cpu / bare.rate_by_cpu for its, bare in pairs)
    return by_clock, by_cpu, statistics.median(its.busy.shares["API"] for its, _ in pairs)


async def measured(bench: Bench, kind: Kind, seconds: float, rounds: int) -> dict[str, list[Turn]]:
    return {name: list(turns) for name, turns in (await bench.throughput(kind, seconds, rounds)).turns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_ray", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=OTHERS, choices=OTHERS)
    given = parser.parse_args()
    console, cores = Console(width=110), Cores.of_this_machine()
    console.print(f"{describe()}; ray {ray.__version__}", highlight=False, soft_wrap=True)
    pin(os.getpid(), cores.rest)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=8, _node_ip_address="127.0.0.2", include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
    table = Table("", "API", "rollouts/s", "of the bare process", "by CPU time", "API's share of a core")
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        bare = stack.enter_context(service(folder / "data", cores))
        store = {"redis_url": f"unix://{folder / 'data' / 'valkey.sock'}", "workers": 0}
        settings = settings_of(folder / "other").model_copy(update=store)
        beside = {role: pids for role, pids in bare.pids.items() if role != "API"}
        servers = [bare]
        if CHILD in given.only:
            made: Any = ray.remote(Part).remote(PartOrder(Role.API, "bench", settings))
            servers.append(stack.enter_context(actor(CHILD, made, cores, beside=beside)))
        if WITHIN in given.only:
            made = ray.remote(Within).remote(settings)
            servers.append(stack.enter_context(actor(WITHIN, made, cores, beside=beside)))
        if SERVE in given.only:
            servers.append(stack.enter_context(served(settings, cores, beside=beside)))
        bench = Bench(servers, cores)
        for kind in kinds():
            turns = uvloop.run(measured(bench, kind, given.seconds, given.rounds))
            median = {each: statistics.median(turn.rate for turn in some) for each, some in turns.items()}
            table.add_row(kind.name, "the bare process", f"{median[SERVICE]:,.0f}", "1", "1", "")
            for other in given.only:
                by_clock, by_cpu, share = ratios(turns, other)
                table.add_row("", other, f"{median[other]:,.0f}", f"{by_clock:.2f}", f"{by_cpu:.2f}", f"{share:.2f}")
    ray.shutdown()
    console.print(table)


if __name__ == "__main__":
    main()
