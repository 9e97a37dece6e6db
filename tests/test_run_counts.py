"""Counts by run: summed over processes, never falling for a run in use, and with an end."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reward_service import run_counts
from reward_service.run_counts import RunCounter, RunCounts, SharedRunCounts
from reward_service.telemetry import Metrics, registry_of

SEEN = RunCounter("seen", "Things seen.")
LEFT = RunCounter("left", "Things left, by reason.", ("reason",))
BOTH = (SEEN, LEFT)


class Clock:
    """Seconds since the epoch, which a test moves."""

    def __init__(self) -> None:
        self.now_s = time.time() - 10 * 24 * 3600.0

    def __call__(self) -> float:
        return self.now_s


def told(collector: RunCounts | SharedRunCounts) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, each.labels.pop("run"), *each.labels.values()): each.value for each in samples}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def test_processes_are_summed_and_one_that_comes_again_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, count in ((1, 2), (2, 3), (1, 4)):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        counts = RunCounts(BOTH)
        counts.add(SEEN, "r", (), count)
        counts.add(LEFT, 'q"\\\n', ("why",), count)
    assert told(SharedRunCounts(BOTH, str(folder))) == {("seen_total", "r"): 9, ("left_total", 'q"\\\n', "why"): 9}


def test_a_run_that_is_idle_for_a_day_is_not_shown_and_goes_on_when_it_comes_again() -> None:
    clock = Clock()
    counts = RunCounts(BOTH, clock)
    counts.add(SEEN, "old", (), 5)
    clock.now_s += run_counts.IDLE_S + 1
    counts.add(SEEN, "new", (), 1)
    assert told(counts) == {("seen_total", "new"): 1}
    counts.add(SEEN, "old", (), 1)
    assert told(counts) == {("seen_total", "new"): 1, ("seen_total", "old"): 6}


def test_a_process_that_has_died_shows_its_runs_for_no_longer(folder: Path) -> None:
    clock = Clock()
    counts = RunCounts(BOTH, clock)
    counts.add(SEEN, "of days ago", (), 5)
    assert told(SharedRunCounts(BOTH, str(folder))) == {}
    clock.now_s = time.time()
    counts.add(SEEN, "of now", (), 5)
    assert told(SharedRunCounts(BOTH, str(folder))) == {("seen_total", "of now"): 5}


@pytest.mark.parametrize("shared", [False, True])
def test_of_many_runs_the_latest_are_shown_and_those_in_use_never_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setattr(run_counts, "SHOWN_RUNS", 10)
    monkeypatch.setattr(run_counts, "KEPT_RUNS", 20)
    if shared:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    clock = Clock()
    clock.now_s = time.time() - 3600.0
    counts = RunCounts(BOTH, clock)
    shown = SharedRunCounts(BOTH, str(tmp_path)) if shared else counts
    for n in range(500):
        clock.now_s += 1
        counts.add(SEEN, f"run {n}", (), 1)
        counts.add(LEFT, f"run {n}", ("why",), 1)
        clock.now_s += 1
        counts.add(SEEN, "in use", (), 1)
        now = told(shown)
        assert now["seen_total", "in use"] == n + 1
        assert now["left_total", f"run {n}", "why"] == 1
        assert len({name[1] for name in now}) == min(n + 2, 10)
    assert len(counts._used_s) <= 20
    if shared:
        (file,) = tmp_path.iterdir()
        assert file.stat().st_size == 1 << 16  # as large as it began


def test_thousands_of_runs_are_shown_in_no_time(folder: Path) -> None:
    metrics = Metrics()

    async def count() -> bytes:
        for n in range(10_000):
            for verdict in ("right", "wrong", "unknown"):
                metrics.count(metrics.labels, 1, f"run {n}", verdict)
            metrics.count(metrics.rewarded, 1, f"run {n}")
        return await metrics.exposed()

    text = asyncio.run(count()).decode()
    assert text.count("co_rewarding_labels_total{") == 3 * run_counts.SHOWN_RUNS
    began_s = time.process_time()
    generate_latest(registry_of(str(folder)))
    assert time.process_time() - began_s < 0.5  # 0.06 s on a quiet machine


def test_the_event_loop_goes_on_while_it_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = Metrics()
    monkeypatch.setattr("reward_service.telemetry.generate_latest", lambda _: time.sleep(0.3) or b"text")

    async def longest_s() -> float:
        exposing = asyncio.create_task(metrics.exposed())
        longest_s = 0.0
        while not exposing.done():
            before_s = time.monotonic()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.monotonic() - before_s)
        assert await exposing == b"text"
        return longest_s

    assert asyncio.run(longest_s()) < 0.25
