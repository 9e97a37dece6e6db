"""Write the state of the store as Prometheus reads it."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from reward_service.domain.paraphrases.rewriting import Fate
from reward_service.store.gauges import NOTHING, Gauges, ParaphraseGauges, RunGauges
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED

TEACHER_WAITS = (NOTHING, "weights")


class _Shown(Collector):
    def __init__(self, gauges: Gauges | None) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        yield GaugeMetricFamily("co_rewarding_store_up", "1 if Redis answers, else 0.", int(self._gauges is not None))
        if self._gauges is not None:
            yield CounterMetricFamily(
                "co_rewarding_store_cpu_seconds", "CPU time that Redis has used.", self._gauges.store_cpu_s
            )
            yield GaugeMetricFamily("co_rewarding_store_bytes", "Memory that Redis holds.", self._gauges.store_bytes)
            yield GaugeMetricFamily("co_rewarding_workers", "Worker processes seen lately.", self._gauges.workers)
            yield from _families(self._gauges.runs)
            yield from _paraphrases(self._gauges.paraphrases)


def exposition(gauges: Gauges | None) -> bytes:
    """The gauges as text; None if Redis is away. All API replicas show the same ones: they read the same Redis."""
    registry = CollectorRegistry()
    registry.register(_Shown(gauges))
    return generate_latest(registry)


def _families(runs: tuple[RunGauges, ...]) -> Iterator[GaugeMetricFamily]:
    waiting = _family(
        "waiting", "Cohorts that are open, jobs that are queued, what waits for a teacher or peers.", "what"
    )
    peers = _family("peer_groups_awaited", "Groups of a peer's ballots that the run waits for.", "peer")
    absent = _family(
        "peer_absent", "1 for a peer that the run does not wait for until it sends rollouts again.", "peer"
    )
    cohorts = _family("cohorts", "Cohorts by state; ended ones count while their run is in use.", "state")
    oldest = _family("oldest_job_seconds", "Age of the job that waits longest to be settled.")
    top = _family("top_answer_share", "Share of the most frequent answer among all answers of the latest step.")
    version = _family("teacher_version", "Step of the newest weights in the teacher's average.")
    lag = _family("teacher_lag_steps", "Steps between the teacher and the newest weights that were announced.")
    labels = _family("teacher_labels", "Labels that are asked for, and those that a teacher is making.", "what")
    teachers = _family("teachers", "Teacher processes seen in the last 10 s, by what they wait for.", "waiting_for")
    for each in runs:
        for what, count in (
            ("open", each.open),
            ("queued", each.queued),
            ("teacher", each.waiting_for_teacher),
            ("peers", each.waiting_for_peers),
        ):
            waiting.add_metric((each.run, what), count)
        for state in ("open", "settled", "abstained"):
            cohorts.add_metric((each.run, state), getattr(each, state))
        for peer, count in sorted(each.awaited_of_peers.items()):
            peers.add_metric((each.run, peer), count)
        for peer in each.absent_peers:
            absent.add_metric((each.run, peer), 1)
        oldest.add_metric((each.run,), each.oldest_job_s)
        if each.top_share is not None:
            top.add_metric((each.run,), each.top_share)
        if each.teacher is not None:
            version.add_metric((each.run,), each.teacher.version)
            lag.add_metric((each.run,), each.teacher.lag)
            labels.add_metric((each.run, "asked"), each.teacher.asked)
            labels.add_metric((each.run, "making"), each.teacher.making)
            for waiting_for in sorted({*TEACHER_WAITS, *each.teacher.teachers}):  # 0 too: so that its absence is seen
                teachers.add_metric((each.run, waiting_for), each.teacher.teachers[waiting_for])
    yield from (waiting, peers, absent, cohorts, oldest, top, version, lag, labels, teachers)


def _paraphrases(gauges: ParaphraseGauges) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    """What is counted is counted in Redis, with the outcome itself: a process that dies takes no count with it."""
    name = "co_rewarding_paraphrase"
    yield GaugeMetricFamily(f"{name}rs", "Paraphraser processes that work on jobs.", gauges.paraphrasers)
    jobs = GaugeMetricFamily(f"{name}_jobs", "Jobs that are unfinished, by state.", labels=["state"])
    jobs.add_metric(("running",), gauges.running)
    jobs.add_metric(("paused",), gauges.paused)
    questions = GaugeMetricFamily(f"{name}_questions", "Questions that wait, and those in hand.", labels=["what"])
    questions.add_metric(("waiting",), gauges.waiting)
    questions.add_metric(("making",), gauges.making)
    yield from (jobs, questions)
    yield GaugeMetricFamily(f"{name}_oldest_job_seconds", "Age of the oldest running job.", gauges.oldest_job_s)
    fates = CounterMetricFamily(f"{name}s", "Questions by what became of them.", labels=["fate"])
    for fate in Fate:
        fates.add_metric((fate.value,), gauges.counts[FATE].get(fate.value, 0))
    drawn = CounterMetricFamily(f"{name}_candidates", "Candidates by prompt.", labels=["prompt", "verdict"])
    for prompt, count in sorted(gauges.counts[DRAWN].items()):
        accepted = gauges.counts[ACCEPTED].get(prompt, 0)
        drawn.add_metric((prompt, "accepted"), accepted)
        drawn.add_metric((prompt, "rejected"), count - accepted)
    rejections = CounterMetricFamily(f"{name}_rejections", "Candidates by the check that rejects.", labels=["check"])
    for check, count in sorted(gauges.counts[REJECTED].items()):
        rejections.add_metric((check,), count)
    yield from (fates, drawn, rejections)


def _family(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"co_rewarding_{name}", what, labels=("run", *labels))
