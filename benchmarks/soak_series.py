"""Define the series of a soak: what must not grow, and how each is read from a sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.soak_samples import Sample

MIB = 2**20

Value = Callable[[Sample], float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """Something that must not grow: its name, unit, and value in a sample (None where it was not seen)."""

    name: str
    unit: str
    value: Value
    panel: str


def _of(process: str, field: str, unit: float = 1.0) -> Value:
    return lambda sample: sample.processes[process][field] / unit if process in sample.processes else None


def _store(field: str, unit: float = 1.0) -> Value:
    return lambda sample: sample.store[field] / unit if field in sample.store else None


def _per_kept(sample: Sample) -> float | None:
    return sample.store["used_bytes"] / sample.kept if sample.store and sample.kept else None


def _latency(run: str, field: str) -> Value:
    return lambda sample: 1000 * sample.latencies[run][field] if field in sample.latencies.get(run, {}) else None


def _lag(field: str) -> Value:
    return lambda sample: sample.lag.get(field)


def _series() -> list[Series]:
    witnesses = {
        "API": "api-1/api",
        "worker": "worker-1/worker",
        "worker's judge": "worker-1/judge",
        "API's supervisor": "api-1/api supervisor",
        "worker's supervisor": "worker-1/worker supervisor",
    }
    series: list[Series] = []
    for name, process in witnesses.items():
        series.append(Series(f"{name}, memory (PSS)", "MiB", _of(process, "pss_bytes", MIB), "memory of processes"))
    for name, process in witnesses.items():
        series.append(Series(f"{name}, open files", "", _of(process, "fds"), "open files"))
    series += [
        Series("API, threads", "", _of("api-1/api", "threads"), "threads"),
        Series("store, open files", "", _of("store/store", "fds"), "open files"),
        Series("store, clients", "", _store("clients"), "open files"),
        Series("store, used memory", "MiB", _store("used_bytes", MIB), "store's memory"),
        Series("store, used memory of a kept cohort", "B", _per_kept, "store's memory of a kept cohort"),
        Series("store, append-only file", "MiB", _store("aof_bytes", MIB), "store's memory"),
        Series("store, keys", "", _store("keys"), "keys"),
        Series("oldest job", "s", _lag("oldest_job_s"), "lag"),
        Series("open cohorts", "", _lag("open"), "open cohorts"),
    ]
    for run, name in (("soak-parts", "parts"), ("soak-singles", "singles"), ("soak-taught", "taught")):
        for field in ("p50_s", "p99_s"):
            series.append(Series(f"{name}, {field[:3]}", "ms", _latency(run, field), "latency"))
    return series


SERIES: Sequence[Series] = _series()
