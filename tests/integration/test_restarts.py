"""Processes that were killed are told: how many live, how often one was started again, and since when."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from reward_service.process_metrics import Processes
from reward_service.processes import run_alone
from reward_service.serving.children import started
from reward_service.serving.ledger import ProcessLedger
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from tests.support.ports import free_port
from tests.support.service import running
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def service() -> Iterator[Supervisor]:
    with running(workers=2) as supervisor:
        yield supervisor


def told(service: Supervisor, name: str) -> dict[str, float]:
    """What /metrics says of each role; nothing while no API process listens."""
    try:
        text = httpx.get(f"{service.url}/metrics", timeout=10.0).raise_for_status().text
    except httpx.HTTPError:
        return {}
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == f"co_rewarding_{name}"]
    return {sample.labels["role"]: sample.value for sample in samples}


def test_nothing_was_restarted_at_first(service: Supervisor) -> None:
    assert told(service, "processes") == {"api": 1, "worker": 2}
    assert told(service, "process_restarts_total") == {"api": 0, "worker": 0, "store": 0}
    assert {*told(service, "process_resident_bytes")} == {"api", "worker"}, "the store tells of itself"


@pytest.mark.parametrize("role", ["worker", "api", "store"])
def test_a_process_that_was_killed_counts_as_restarted(service: Supervisor, role: str) -> None:
    restarts, since = told(service, "process_restarts_total"), told(service, "process_start_time_seconds")
    os.kill(service.pids("redis" if role == "store" else role)[0], signal.SIGKILL)
    wait_until(lambda: told(service, "process_restarts_total") == restarts | {role: restarts[role] + 1})
    now = told(service, "process_start_time_seconds")
    assert {each for each in now if now[each] > since[each]} == {role}
    wait_until(lambda: told(service, "processes") == {"api": 1, "worker": 2})


def test_a_process_that_is_down_does_not_live(tmp_path: Path) -> None:
    ledger = ProcessLedger(["worker"])
    try:
        child = started("worker", {"CO_REWARDING_PORT": "not a port"})
        ledger.started("worker")
        ledger.tell([child])
        assert Processes.read(ledger.folder).living == {child.process.pid: "worker"}
        child.process.wait()
        ledger.ended(child, [child])
        child.ended(0.0)
        ledger.tell([child])
        assert Processes.read(ledger.folder).living == {}
    finally:
        ledger.close()
    assert not Path(ledger.folder).exists()


def test_a_process_without_a_supervisor_tells_of_itself() -> None:
    port, interrupted, seen = free_port(), signal.getsignal(signal.SIGINT), ""

    async def work(settings: Settings) -> None:
        nonlocal seen
        async with httpx.AsyncClient() as client:
            seen = (await client.get(f"http://127.0.0.1:{settings.metrics_port}/metrics")).text

    try:
        run_alone("teacher", work, Settings(metrics_port=port))
    finally:
        signal.signal(signal.SIGINT, interrupted)
    families = {each.name: each for each in text_string_to_metric_families(seen)}
    for name in ("processes", "process_start_time_seconds", "process_resident_bytes", "process_cpu_seconds"):
        (sample,) = families[f"co_rewarding_{name}"].samples
        assert (sample.labels, sample.value > 0) == ({"role": "teacher"}, True)
    assert families["co_rewarding_process_restarts"].samples == []
