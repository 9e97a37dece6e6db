"""A run whose keys this release cannot read costs its own readers an answer that says why, and nobody else anything."""

from collections.abc import Iterator

import httpx
import pytest
import redis

from reward_service.store.keys import RunKeys
from tests.support.service import running


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with running() as supervisor, httpx.Client(base_url=supervisor.url, timeout=30.0) as client:
        for run in ("broken", "whole"):
            assert client.put(f"/v1/runs/{run}", json={"method": "majority-voting"}).status_code == 200
        with redis.Redis.from_url(supervisor.redis_url) as store:
            store.delete(RunKeys("broken").stats)
            store.set(RunKeys("broken").stats, "of another kind")
        yield client


def test_the_reader_of_a_run_that_cannot_be_read_is_told_why(client: httpx.Client) -> None:
    found = client.get("/v1/runs/broken")
    assert found.status_code == 500
    assert found.json()["type"] == "urn:co-rewarding:problem:internal"
    assert "run 'broken' cannot be read by this release" in found.json()["detail"]
    assert "WRONGTYPE" in found.json()["detail"]


def test_other_runs_are_read_as_before(client: httpx.Client) -> None:
    assert client.get("/v1/runs/whole").json()["method"] == "majority-voting"
    assert [run["run"] for run in client.get("/v1/runs").json()["runs"]].count("whole") == 1
