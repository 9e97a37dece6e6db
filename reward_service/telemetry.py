"""Define the metrics that Prometheus reads, and sum what the processes of a service have counted."""

import asyncio
import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from reward_service.domain.signs import SignSums
from reward_service.metrics import Metric
from reward_service.process_metrics import ProcessCollector, Processes
from reward_service.run_counts import RunCounter, RunCounts, SharedRunCounts

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 900.0)

KILLED = "killed"
"""The reason of a judgement whose child had to be killed."""

FLUSH_S = 0.25


def _by_run(metric: Metric) -> RunCounter:
    return RunCounter(metric.family, metric.help, metric.labels[1:])


class Metrics:
    """The counters of one process; where several share a PROMETHEUS_MULTIPROC_DIR, any of them shows the sum."""

    rewarded = _by_run(Metric.ROLLOUTS_REWARDED)
    abstentions = _by_run(Metric.ABSTENTIONS)
    labels = _by_run(Metric.LABELS)
    label_votes = _by_run(Metric.LABEL_VOTES)
    label_ballots = _by_run(Metric.LABEL_BALLOTS)
    groups = _by_run(Metric.GROUPS)
    group_rollouts = _by_run(Metric.GROUP_ROLLOUTS)
    group_answered = _by_run(Metric.GROUP_ANSWERED)
    distinct_answers = _by_run(Metric.DISTINCT_ANSWERS)
    label_agreement = _by_run(Metric.LABEL_AGREEMENT)
    labels_elected = _by_run(Metric.LABELS_ELECTED)
    view_pairs = _by_run(Metric.VIEW_PAIRS)
    pairs = _by_run(Metric.PAIRS)
    by_run = (
        rewarded, abstentions, labels, label_votes, label_ballots, pairs, groups, group_rollouts, group_answered,
        distinct_answers, label_agreement, labels_elected, view_pairs,
    )  # fmt: skip

    def __init__(self) -> None:
        """Fresh counters in a registry of their own."""
        self._registry = CollectorRegistry()
        self._counts: dict[tuple[Any, ...], float] = {}
        self._counts_of_run: dict[str, dict[RunCounter, float]] = {}
        self._signs: dict[str, list[SignSums]] = {}
        self._times: dict[tuple[Any, ...], _Times] = {}
        self._timed = False
        self._children: dict[tuple[Any, ...], Any] = {}
        self._by_run = RunCounts(self.by_run)
        self._registry.register(self._by_run)
        self._rendering = asyncio.Lock()
        self.requests = self._counter(Metric.REQUESTS)
        self.rollouts = self._counter(Metric.ROLLOUTS)
        self.prompts_not_found = self._counter(Metric.PROMPTS_NOT_FOUND)
        self.settled = self._counter(Metric.COHORTS_SETTLED)
        self.settle = self._histogram(Metric.SETTLE_SECONDS)
        self.claimed = self._counter(Metric.JOBS_CLAIMED)
        self.failures = self._counter(Metric.JOB_FAILURES)
        self.expired = self._counter(Metric.COHORTS_EXPIRED)
        self.undecided = self._counter(Metric.COMPARISONS_UNDECIDED)
        self.judgements = self._counter(Metric.JUDGEMENTS)
        self.judge_kills = self._counter(Metric.JUDGE_KILLS)
        self.judge_cpu = self._counter(Metric.JUDGE_CPU_SECONDS)
        self.closed_connections = self._counter(Metric.CONNECTIONS_CLOSED)
        self.quota_refusals = self._counter(Metric.QUOTA_REFUSALS)
        self.latency = self._histogram(Metric.REQUEST_SECONDS)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.family, metric.help, metric.labels, registry=self._registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.family, metric.help, metric.labels, buckets=LATENCY_BUCKETS_S, registry=self._registry)

    def accepted(self, route: str, count: int) -> None:
        """Rollouts came in."""
        self._count(self.rollouts, count, route)

    def answered(self, route: str, status: int, took_s: float) -> None:
        """A request was answered."""
        self._count(self.requests, 1, route, str(status))
        self._time(self.latency, took_s, route)

    def over_quota(self, key: str, quota: Mapping[str, object]) -> None:
        """A request of a key was refused for a quota of the key or of its run; `quota` is as its problem shows it."""
        self._count(self.quota_refusals, 1, key, str(quota["name"]))

    def settled_after(self, age_s: float) -> None:
        """A job was settled so long after it was queued."""
        self._time(self.settle, age_s)

    def judged(self, verdict: str, cpu_s: float, reason: str) -> None:
        """The symbolic judge gave its verdict."""
        self.judgements.labels(verdict, reason).inc()
        self.judge_cpu.inc(cpu_s)
        if reason == KILLED:
            self.judge_kills.inc()

    def count(self, metric: Counter | RunCounter, count: float, *labels: str) -> None:
        """Counts what happens too often to be written each time; it shows after a moment. A run is the first label."""
        if count:
            self._count(metric, count, *labels)

    def count_of_run(self, run: str, counts: Iterable[tuple[RunCounter, float]]) -> None:
        """Counts several things of a run that have no further labels, as `count` does: each costs a fifth."""
        known = self._counts_of_run.get(run)
        if known is None:
            known = self._counts_of_run[run] = {}
        for metric, count in counts:
            if count:
                known[metric] = known.get(metric, 0.0) + count
        if not self._timed:
            self._flush_soon()

    def signs(self, run: str, sums: SignSums) -> None:
        """Count the signs of settled groups, of all steps together. They are summed when they are written."""
        self._signs.setdefault(run, []).append(sums)
        if not self._timed:
            self._flush_soon()

    def flush(self) -> None:
        """Writes the counts of the last moment where other processes see them."""
        self._timed = False
        counts, self._counts = self._counts, {}
        for (metric, *labels), count in counts.items():
            if isinstance(metric, RunCounter):
                self._by_run.add(metric, labels[0], tuple(labels[1:]), count)
            else:
                self._bound(metric, *labels).inc(count)
        signs, self._signs = self._signs, {}
        for run, many in signs.items():
            self._count_signs(run, SignSums(*map(sum, zip(*many, strict=True))))
        of_run, self._counts_of_run = self._counts_of_run, {}
        for run, some in of_run.items():
            for metric, count in some.items():
                self._by_run.add(metric, run, (), count)
        times, self._times = self._times, {}
        for (histogram, *labels), those in times.items():
            those.observe(self._bound(histogram, *labels))

    def _count_signs(self, run: str, sums: SignSums) -> None:
        for metric, count, *labels in (
            (self.groups, sums.groups),
            (self.group_rollouts, sums.rollouts),
            (self.group_answered, sums.answered),
            (self.distinct_answers, sums.distinct),
            (self.labels_elected, sums.labels),
            (self.label_agreement, sums.agreement),
            (self.view_pairs, sums.same, "yes"),
            (self.view_pairs, sums.pairs - sums.same, "no"),
        ):
            if count:
                self._by_run.add(metric, run, tuple(labels), count)

    def _count(self, metric: Counter | RunCounter, count: float, *labels: str) -> None:
        """Counts in memory for a moment: a file that processes share costs more than the rest of a short request."""
        key = (metric, *labels)
        self._counts[key] = self._counts.get(key, 0) + count
        if not self._timed:
            self._flush_soon()

    def _time(self, histogram: Histogram, took_s: float, *labels: str) -> None:
        key = (histogram, *labels)
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = _Times()
        times.add(took_s)
        if not self._timed:
            self._flush_soon()

    def _flush_soon(self) -> None:
        self._timed = True
        asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def _bound(self, metric: Any, *labels: str) -> Any:  # noqa: ANN401
        """A metric with its labels: prometheus_client's own look-up costs as much as the count."""
        key = (id(metric), *labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = metric.labels(*labels) if labels else metric
        return found

    def exposition(self) -> bytes:
        """What Prometheus reads: this process, or all that share the folder."""
        self.flush()
        return self._rendered()

    async def exposed(self) -> bytes:
        """The same, put together beside the event loop, for one who asks after another."""
        self.flush()
        async with self._rendering:
            return await asyncio.to_thread(self._rendered)

    def _rendered(self) -> bytes:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        return generate_latest(registry_of(os.environ["PROMETHEUS_MULTIPROC_DIR"]))


class _Times:
    """The latencies of a moment by bucket: one by one the histogram would write each into its file."""

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self._sum_s = 0.0

    def add(self, took_s: float) -> None:
        self._counts[bisect_left(LATENCY_BUCKETS_S, took_s)] += 1
        self._sum_s += took_s

    def observe(self, histogram: Any) -> None:  # noqa: ANN401 - as `Histogram.observe` does for one
        histogram._sum.inc(self._sum_s)
        for bucket, count in zip(histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)


class _Shared(multiprocess.MultiProcessCollector):
    """The files of a folder, but for those that a process has just made and not begun: the library cannot read them."""

    def __init__(self, registry: CollectorRegistry | None, path: str) -> None:
        super().__init__(registry, path)
        self._folder = Path(path)

    def collect(self) -> Iterable[Any]:
        return self.merge([str(file) for file in self._folder.glob("*.db") if _begun(file)], accumulate=True)


def _begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process has ended meanwhile
        return False


def registry_of(folder: str) -> CollectorRegistry:
    """The sum of what the processes that share a folder have counted, and what they use."""
    registry = CollectorRegistry()
    registry.register(_Shared(registry=None, path=folder))
    registry.register(SharedRunCounts(Metrics.by_run, folder))
    registry.register(ProcessCollector(partial(Processes.read, folder)))
    return registry
