"""Write the state of the store as Prometheus reads it."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from reward_service.domain.paraphrases.rewriting import Fate
from reward_service.metrics import Metric
from reward_service.process_metrics import Family, family
from reward_service.store.gauges import NOTHING, Gauges, ParaphraseGauges, RunGauges
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED

TEACHER_WAITS = (NOTHING, "weights")


class _Shown(Collector):
    def __init__(self, gauges: Gauges | None) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Family]:
        yield _value(Metric.STORE_UP, int(self._gauges is not None))
        if self._gauges is not None:
            yield _value(Metric.STORE_CPU_SECONDS, self._gauges.store_cpu_s)
            yield _value(Metric.STORE_BYTES, self._gauges.store_bytes)
            yield _value(Metric.STORE_UPTIME_SECONDS, self._gauges.store_uptime_s)
            yield _value(Metric.WORKERS, self._gauges.workers)
            yield _value(Metric.WORKERS_LOST, self._gauges.workers_lost)
            yield from _families(self._gauges.runs)
            yield from _paraphrases(self._gauges.paraphrases)


def exposition(gauges: Gauges | None) -> bytes:
    """The gauges as text; None if Redis is away. All API replicas show the same ones: they read the same Redis."""
    registry = CollectorRegistry()
    registry.register(_Shown(gauges))
    return generate_latest(registry)


def _families(runs: tuple[RunGauges, ...]) -> Iterator[Family]:
    waiting = family(Metric.WAITING)
    peers = family(Metric.PEER_GROUPS_AWAITED)
    absent = family(Metric.PEER_ABSENT)
    cohorts = family(Metric.COHORTS)
    oldest = family(Metric.OLDEST_JOB_SECONDS)
    top = family(Metric.TOP_ANSWER_SHARE)
    version = family(Metric.TEACHER_VERSION)
    lag = family(Metric.TEACHER_LAG_STEPS)
    labels = family(Metric.TEACHER_LABELS)
    teachers = family(Metric.TEACHERS)
    lost = family(Metric.TEACHERS_LOST)
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
            lost.add_metric((each.run,), each.teacher.lost)
            for waiting_for in sorted({*TEACHER_WAITS, *each.teacher.teachers}):  # 0 too: so that its absence is seen
                teachers.add_metric((each.run, waiting_for), each.teacher.teachers[waiting_for])
    yield from (waiting, peers, absent, cohorts, oldest, top, version, lag, labels, teachers, lost)


def _paraphrases(gauges: ParaphraseGauges) -> Iterator[Family]:
    """What is counted is counted in Redis, with the outcome itself: a process that dies takes no count with it."""
    yield _value(Metric.PARAPHRASERS, gauges.paraphrasers)
    jobs = family(Metric.PARAPHRASE_JOBS)
    jobs.add_metric(("running",), gauges.running)
    jobs.add_metric(("paused",), gauges.paused)
    questions = family(Metric.PARAPHRASE_QUESTIONS)
    questions.add_metric(("waiting",), gauges.waiting)
    questions.add_metric(("making",), gauges.making)
    yield from (jobs, questions, _value(Metric.PARAPHRASE_OLDEST_JOB_SECONDS, gauges.oldest_job_s))
    fates = family(Metric.PARAPHRASES)
    for fate in Fate:
        fates.add_metric((fate.value,), gauges.counts[FATE].get(fate.value, 0))
    drawn = family(Metric.PARAPHRASE_CANDIDATES)
    for prompt, count in sorted(gauges.counts[DRAWN].items()):
        accepted = gauges.counts[ACCEPTED].get(prompt, 0)
        drawn.add_metric((prompt, "accepted"), accepted)
        drawn.add_metric((prompt, "rejected"), count - accepted)
    rejections = family(Metric.PARAPHRASE_REJECTIONS)
    for check, count in sorted(gauges.counts[REJECTED].items()):
        rejections.add_metric((check,), count)
    yield from (fates, drawn, rejections)


def _value(metric: Metric, value: float) -> Family:
    """Return a metric without labels, with its value."""
    made = family(metric)
    made.add_metric((), value)
    return made
