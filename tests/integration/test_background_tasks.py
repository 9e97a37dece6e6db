"""A background task that fails ends its process visibly, and the supervisor starts another that works."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from redis import Redis

from reward_service.serving.supervisor import Supervisor
from tests.support.service import pair, running
from tests.support.waiting import wait_until

Break = Callable[[Supervisor, Redis], Callable[[], object]]  # breaks something of a task; how it is mended


def _rewards(supervisor: Supervisor) -> list[float]:
    body = {"rollouts": pair("q", ["4"], ["4"])}
    answer = httpx.post(f"{supervisor.url}/v1/rewards", json=body, timeout=30.0)
    return answer.raise_for_status().json()["rewards"]


def a_beat(_: Supervisor, store: Redis) -> Callable[[], object]:
    """Workers say that they are there in a sorted set; now it is a text."""
    while not (store.delete("cr:workers") and store.set("cr:workers", "?", nx=True)):
        continue
    return lambda: store.delete("cr:workers")


def a_message(_: Supervisor, store: Redis) -> Callable[[], object]:
    """A message that no worker sends."""
    for channel in store.pubsub_channels("cr:wake:*"):
        store.publish(channel, b"\xff\n")
    return lambda: None


@pytest.mark.parametrize(("role", "task", "broken"), [("worker", "beat", a_beat), ("api", "wakeups", a_message)])
def test_its_process_ends_visibly_and_another_works(
    role: str, task: str, broken: Break, capfd: pytest.CaptureFixture[str]
) -> None:
    with running() as supervisor, Redis.from_url(supervisor.redis_url) as store:
        assert _rewards(supervisor) == [1.0, 1.0]
        (pid,) = supervisor.pids(role)
        mend = broken(supervisor, store)
        wait_until(lambda: supervisor.pids(role) not in ([], [pid]), every_s=0.05)
        mend()
        supervisor.wait_ready()
        assert _rewards(supervisor) == [1.0, 1.0]
    said = capfd.readouterr().err
    assert "a background task failed; the process ends" in said
    assert task in said


@contextlib.contextmanager
def _errors_to(path: str) -> Iterator[None]:
    """Processes started in the context have this file as their standard error."""
    kept = os.dup(2)
    with open(path, "w") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_logs_that_a_full_disk_does_not_take_end_nothing() -> None:
    with contextlib.ExitStack() as stack:
        with _errors_to("/dev/full"):
            supervisor = stack.enter_context(running(log_level="DEBUG", redis_patience_s=1.0))
        store = stack.enter_context(Redis.from_url(supervisor.redis_url))
        pids = {role: supervisor.pids(role) for role in ("api", "worker")}
        store.config_set("maxmemory", 1)  # something to log, for every background task
        began_s = time.monotonic()
        while time.monotonic() < began_s + 2.0:
            assert httpx.get(f"{supervisor.url}/ready", timeout=30.0).status_code == 503
        store.config_set("maxmemory", 0)
        supervisor.wait_ready()
        assert _rewards(supervisor) == [1.0, 1.0]
        assert {role: supervisor.pids(role) for role in pids} == pids
