"""Services for tests within the cluster of conftest.py, and their processes."""

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from reward_service.on_ray.config import RayConfig
from tests.support.waiting import wait_until

HEAD, OTHER = "127.0.0.2", "127.0.0.3"
MARK = "TEST_SERVICE"
WORKERS = {"least": 2, "most": 2, "cpus": 0.5}


def node(address: str) -> dict[str, Any]:
    """A node at an address of this machine's loopback."""
    return {
        "num_cpus": 4,
        "num_gpus": 2,
        "object_store_memory": 80 * 2**20,
        "node_ip_address": address,
        "include_dashboard": False,
    }


def configured(**tables: Any) -> RayConfig:
    """A configuration with a name of its own; each API takes a free port."""
    name = f"s-{secrets.token_hex(4)}"
    marked = {"env_vars": {MARK: name}}
    whole = {"name": name, "api": {"port": 0, "cpus": 0.5}, "workers": WORKERS, "runtime_env": marked} | tables
    return RayConfig.model_validate(whole)


def processes_of(service: str) -> list[psutil.Process]:
    """The processes that hold the service's mark: its actors, and what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == service and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@contextmanager
def served(config: RayConfig) -> Iterator[Any]:
    """A service that is whole; when it is down, no process of it is left."""
    import ray

    from reward_service.on_ray.handle import up  # which imports Ray

    def addresses_alive() -> list[str]:
        return sorted(each["NodeManagerAddress"] for each in ray.nodes() if each["Alive"])

    wait_until(
        lambda: addresses_alive() == [HEAD, OTHER], 120.0, every_s=0.2
    )  # Ray learns late of a node that was killed
    service = up(config)
    try:
        service.wait_ready()
        yield service
    finally:
        service.down()
    wait_until(lambda: not processes_of(config.name), 20.0, every_s=0.1)  # the supervisor's own may be ending


def parts(service: Any, role: str) -> list[dict[str, Any]]:
    """What the service tells of its parts of a role."""
    return [part for part in service.status()["parts"] if part["role"] == role]


def kill(*pids: int) -> None:
    """The way no process can prepare for."""
    for pid in pids:
        with suppress(ProcessLookupError):  # it died with the one that had started it
            os.kill(pid, signal.SIGKILL)


def processes_on(cluster: Any, address: str) -> list[psutil.Process]:
    """Ray's processes of a node, and all that they started: ours among them."""
    (node_there,) = (each for each in cluster.worker_nodes if each.node_ip_address == address)
    raylets = [psutil.Process(each.process.pid) for each in node_there.all_processes["raylet"]]
    return raylets + [child for process in raylets for child in process.children(recursive=True)]


def pids_of(service: str) -> set[int]:
    """The same by their ids."""
    return {process.pid for process in processes_of(service)}


def kill_node(cluster: Any, address: str) -> None:
    """Ray is not told of it."""
    kill(*(process.pid for process in processes_on(cluster, address)))


def join_again(cluster: Any) -> None:
    """A node with the address of the one that was killed."""
    cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
    cluster.add_node(**node(OTHER))


def addresses(service: Any, role: str) -> list[str]:
    """Where the parts of a role run; one that does not run is nowhere."""
    return sorted(part["address"] or "nowhere" for part in parts(service, role))
