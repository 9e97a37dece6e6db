"""Two nodes of a Ray cluster on this machine, each with an address of its own, and a service within."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from reward_service.on_ray.config import RayConfig
from tests.support.ports import free_port

HEAD, OTHER = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Ray's cluster of two nodes with 4 CPUs and 2 GPUs by name; this process has joined it."""
    pytest.importorskip("ray", reason="Ray is not installed here: make e2e-ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_health_check_period_ms": "1000"}
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=node(HEAD))
    made.add_node(**node(OTHER))
    ray.init(address=made.address, namespace="a-trainer", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def node(address: str) -> dict[str, Any]:
    """A node at an address of this machine's loopback."""
    return {
        "num_cpus": 4,
        "num_gpus": 2,
        "object_store_memory": 80 * 2**20,
        "node_ip_address": address,
        "include_dashboard": False,
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a store: the path of a Unix socket is short."""
    made = Path(tempfile.mkdtemp(prefix="cr-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def config(folder: Path) -> RayConfig:
    """A service with a Valkey on the head, an API on both nodes and two workers."""
    return configured(store={"data_dir": folder, "port": free_port()})


def configured(**tables: Any) -> RayConfig:
    """A configuration with a name of its own; each API takes a free port."""
    whole = {"name": f"s-{secrets.token_hex(4)}", "api": {"port": 0, "cpus": 0.5}, "workers": WORKERS} | tables
    return RayConfig.model_validate(whole)


WORKERS = {"least": 2, "most": 2, "cpus": 0.5}


def processes_of(service: str) -> list[psutil.Process]:
    """The processes that hold the service's mark: its actors, and what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TEST_SERVICE") == service and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
