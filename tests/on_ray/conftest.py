"""Two nodes of a Ray cluster on this machine, each with an address of its own, and a service within."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reward_service.on_ray.config import RayConfig
from tests.on_ray.ray_services import HEAD, OTHER, configured, node
from tests.support.ports import free_port


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Ray's cluster of two nodes with 4 CPUs and 2 GPUs by name; this process has joined it."""
    pytest.importorskip("ray", reason="Ray is not installed here: make e2e-ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=node(HEAD))
    made.add_node(**node(OTHER))
    ray.init(address=made.address, namespace="a-trainer", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


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
