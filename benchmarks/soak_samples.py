"""Look every few seconds at what a service uses, what its store keeps, and how long answers take."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import redis
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.soak_parts import Parts
from benchmarks.soak_traffic import Run
from reward_service.tools.loadtest.report import percentile

OLDEST_JOB, WAITING = "co_rewarding_oldest_job_seconds", "co_rewarding_waiting"
LABELS = "co_rewarding_teacher_labels"
STORE_FIELDS: Mapping[str, str] = {
    "used_memory": "used_bytes",
    "used_memory_rss": "resident_bytes",
    "expired_keys": "expired",
    "evicted_keys": "evicted",
    "connected_clients": "clients",
    "aof_current_size": "aof_bytes",
    "used_cpu_user": "cpu_user_s",
    "used_cpu_sys": "cpu_system_s",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; what could not be asked at that moment is empty.

    Attributes:
        at_s: seconds since the traffic began.
        trouble: what happened at that moment.
        processes: of each `part/role`: `pid`, `pss_bytes`, `rss_bytes`, `fds`, `threads`, `cpu_s`.
        store: what the store says of itself, and `keys`.
        lag: `oldest_job_s`, `queued` jobs, `open` cohorts, `labels` that the teacher owes.
        latencies: of each run since the last look: `calls`, `p50_s`, `p99_s`, `max_s`.
        rewarded: cohorts so far.
        kept: of those, how many the store keeps.
    """

    at_s: float
    trouble: str
    rewarded: int
    kept: int
    processes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    store: Mapping[str, float] = field(default_factory=dict)
    lag: Mapping[str, float] = field(default_factory=dict)
    latencies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Sampler:
    """Samples parts under the traffic of runs."""

    def __init__(self, parts: Parts, runs: Sequence[Run], retention_s: float) -> None:
        """The time begins now."""
        self.samples: list[Sample] = []
        self._parts = parts
        self._runs = runs
        self._retention_s = retention_s
        self._began_s = time.monotonic()
        self._http = httpx.Client(timeout=2.0)

    async def look(self, trouble: str) -> Sample:
        """Takes one sample."""
        latencies = {run.name: self._latencies(run) for run in self._runs}
        at_s = time.monotonic() - self._began_s
        rewarded = sum(run.ledger.rewarded["cohorts"] for run in self._runs)
        kept = sum(run.ledger.kept(self._retention_s) for run in self._runs)
        processes, store, lag = await asyncio.to_thread(self._asked)
        self.samples.append(Sample(at_s, trouble, rewarded, kept, processes, store, lag, latencies))
        return self.samples[-1]

    def close(self) -> None:
        """Asks no more."""
        self._http.close()

    def _latencies(self, run: Run) -> dict[str, float]:
        taken, run.ledger.latencies_s = run.ledger.latencies_s, []
        if not taken:
            return {"calls": 0}
        p50_s, p99_s = percentile(taken, 50), percentile(taken, 99)
        return {"calls": len(taken), "p50_s": p50_s, "p99_s": p99_s, "max_s": max(taken)}

    def _asked(self) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, float]]:
        processes: dict[str, dict[str, float]] = {}
        for part in self._parts.all.values():
            for role, process in part.by_role():
                with contextlib.suppress(psutil.Error):
                    processes[f"{part.name}/{role}"] = _used(process)
        return processes, self._store(), self._lag()

    def _store(self) -> dict[str, float]:
        try:
            said: dict[str, Any] = self._parts.store.info("all")  # type: ignore[assignment] - not asynchronous
            keys = self._parts.store.dbsize()
        except redis.RedisError:
            return {}
        return {name: float(said[theirs]) for theirs, name in STORE_FIELDS.items()} | {"keys": float(keys)}  # type: ignore[arg-type]

    def _lag(self) -> dict[str, float]:
        try:
            text = self._http.get(f"{self._parts.urls[0]}/metrics").text
        except httpx.HTTPError:
            return {}
        lag = {"oldest_job_s": 0.0, "queued": 0.0, "open": 0.0, "labels": 0.0}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == OLDEST_JOB:
                    lag["oldest_job_s"] = max(lag["oldest_job_s"], sample.value)
                elif sample.name == WAITING and sample.labels["what"] in lag:
                    lag[sample.labels["what"]] += sample.value
                elif sample.name == LABELS:
                    lag["labels"] += sample.value
        return lag


def _used(process: psutil.Process) -> dict[str, float]:
    memory = process.memory_full_info()
    times = process.cpu_times()
    return {
        "pid": process.pid,
        "pss_bytes": memory.pss,
        "rss_bytes": memory.rss,
        "fds": process.num_fds(),
        "threads": process.num_threads(),
        "cpu_s": times.user + times.system,
    }
