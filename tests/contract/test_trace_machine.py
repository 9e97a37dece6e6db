"""Histories of what settlements leave for their run: last labels, their orders, and signs; and a model beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import QuestionSort, View
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reward_service.domain.history import PastLabel, standing_of
from reward_service.domain.signs import SignSums
from reward_service.store.connection import as_dict
from reward_service.store.job_records import Job
from reward_service.store.jobs import JobStore
from reward_service.store.runs import RunStore
from reward_service.store.settling import BatchEnding, Delivery
from reward_service.store.submissions import StoreLimits
from reward_service.store.traces import KeptLabel, NotedLabel, PastQuestion, Place, Traces, TraceStore, packed_labels
from reward_service.workers.counting import JobSums, packed_sums
from tests.contract.conftest import KINDS, started
from tests.contract.histories import EPOCH_MS, Bench, play

LIMITS = StoreLimits(retention_s=1_000_000)
COUNTED_STEPS = 8
STEPS = st.sampled_from([*range(11), None])
ATTEMPTS = st.sampled_from([0, 0, 0, 1])
SHARES = st.sampled_from([0.25, 0.5, 1.0])
LABELS = st.builds(
    PastLabel, st.sampled_from(View), STEPS, ATTEMPTS, SHARES, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from("45")
)
QUESTIONS = st.sampled_from(["q", "q1", "r", "s", "ü"])
Name = tuple[int, int]


class TraceModel:
    """What is kept of a run, written apart: labels by question, sums and counts of answers by step and attempt."""

    def __init__(self, window: int) -> None:
        """Nothing was settled."""
        self.window = window
        self.labels: dict[str, dict[View, list[PastLabel]]] = {}
        self.sums: dict[Name, SignSums] = {}
        self.tops: dict[Name, int] = {}
        self.answers: dict[Name, dict[str, int]] = {}

    def settle(self, labels: Sequence[tuple[str, PastLabel]], jobs: Sequence[JobSums]) -> None:
        """Labels and sums of one job."""
        noted: set[tuple[str, int | None, int]] = set()
        apart: dict[Name, list[bool]] = {}
        for question, label in labels:
            other = View.PARAPHRASE if label.view is View.ORIGINAL else View.ORIGINAL
            of_other = self.labels.get(question, {}).get(other, [])
            twins = [each for each in of_other if (each.step, each.attempt) == (label.step, label.attempt)]
            is_again = self.note(question, label)
            if is_again is None:
                continue
            of_step = question, label.step, label.attempt
            if twins and label.step is not None and not is_again and of_step not in noted:
                apart.setdefault((label.step, label.attempt), []).append(twins[0].answer == label.answer)
            noted.add(of_step)
        pairs = [JobSums(*name, SignSums(pairs=len(same), same=sum(same)), {}) for name, same in apart.items()]
        for job in (*jobs, *pairs):
            self.add(job)

    def note(self, question: str, label: PastLabel) -> bool | None:
        """Keep a label: whether it replaces one of its own step and attempt; None where it comes too late."""
        own = self.labels.get(question, {}).get(label.view, [])
        of_step = [each for each in own if label.step is not None and each.step == label.step]
        if any(each.attempt > label.attempt for each in of_step):
            return None
        rest = [each for each in own if each not in of_step]
        later = [at for at, each in enumerate(rest) if each.step is not None and each.step > (label.step or 0)]
        at = later[0] if later and label.step is not None else len(rest)
        self.labels.setdefault(question, {})[label.view] = [*rest[:at], label, *rest[at:]][-self.window :]
        return any(each.attempt == label.attempt for each in of_step)

    def add(self, job: JobSums) -> None:
        """Add the sums of a step."""
        name = job.step or 0, job.attempt
        is_new = name not in self.sums
        known = self.sums.get(name, SignSums())
        self.sums[name] = msgspec.convert([*map(sum, zip(known, job.sums, strict=True))], SignSums)
        latest = sorted(self.sums, key=lambda each: (each[0], str(each[1])), reverse=True)[:COUNTED_STEPS]
        if is_new:
            self.answers = {each: counts for each, counts in self.answers.items() if each in latest}
        self.tops.setdefault(name, 0)
        if name in latest:
            counts = self.answers.setdefault(name, {})
            for answer, count in job.answers.items():
                counts[answer] = counts.get(answer, 0) + count
            self.tops[name] = max([self.tops[name], *counts.values()])


@st.composite
def jobs_of(draw: st.DrawFn) -> JobSums:
    """The sums of one step and attempt."""
    sums = SignSums(*draw(st.lists(st.integers(0, 3), min_size=len(SignSums._fields), max_size=len(SignSums._fields))))
    answers = draw(st.dictionaries(st.sampled_from("4567"), st.integers(1, 5), max_size=3))
    return JobSums(draw(st.integers(0, 10)), draw(ATTEMPTS), sums, answers)


class TraceMachine(RuleBasedStateMachine):
    """One run, whose jobs are settled, some of them twice."""

    bench: ClassVar[Bench]

    @initialize(window=st.integers(1, 4))
    def begin(self, window: int) -> None:
        self.run = f"r{uuid4().hex[:10]}"
        self.model = TraceModel(window)
        self.count = 0
        self.traces = TraceStore(self.bench.connection)
        self.jobs = JobStore(self.bench.connection, self.bench.reading, LIMITS, f"w-{self.run}")
        self.bench.do(self.bench.connection.pass_time(self.run, EPOCH_MS, 1000))
        self.bench.do(RunStore(self.bench.connection, LIMITS).put(self.run, RunSettings()))

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.bench.forget(self.run)

    @rule(
        labels=st.lists(st.tuples(QUESTIONS, LABELS), max_size=4),
        jobs=st.lists(jobs_of(), max_size=2, unique_by=lambda job: (job.step, job.attempt)),
        again=st.booleans(),
    )
    def settle(self, labels: list[tuple[str, PastLabel]], jobs: list[JobSums], again: bool) -> None:
        """A job leaves labels and sums; another worker may settle it too."""
        self.count += 1
        name = f"b{self.count}"
        noted = packed_labels([NotedLabel(q, self.model.window, KeptLabel.of(label)) for q, label in labels])
        traces = Traces(noted, packed_sums(jobs))
        for expected in ("settled", "known") if again else ("settled",):
            delivery = Delivery(self.run, Job(b"0-1", batch=name))
            ending = BatchEnding(delivery, name, b"record", settled=1, abstained=0)
            assert self.bench.do(self.jobs.settle_batch(ending, traces)) == expected
        self.model.settle(labels, jobs)

    @rule(question=QUESTIONS, step=st.integers(0, 10), answers=st.tuples(*[st.sampled_from("45")] * 2), share=SHARES)
    def settle_views_apart(self, question: str, step: int, answers: tuple[str, str], share: float) -> None:
        """Each view by a job of its own, the second one twice."""
        job = JobSums(step, 0, SignSums(), {})
        for view, answer in zip((*View, View.PARAPHRASE), (*answers, answers[0]), strict=True):
            self.settle([(question, PastLabel(view, step, 0, share, share, answer))], [job], False)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "run"):
            return
        self.bench.do(self.traces.series(self.run, 1))  # what waits to be added up is added
        kept = self.bench.do(self.bench.connection.read_all(self.run))
        history = {
            question.decode(): [each.label() for each in msgspec.msgpack.decode(some, type=list[KeptLabel])]
            for question, some in as_dict(kept.get("history", [])).items()
        }
        assert {
            question: {view: [each for each in some if each.view is view] for view in {each.view for each in some}}
            for question, some in history.items()
        } == self.model.labels
        self.agree_on_orders(kept, history)
        self.agree_on_signs(kept)

    def agree_on_orders(self, kept: Mapping[str, Any], history: Mapping[str, Sequence[PastLabel]]) -> None:
        for sort, number_of in (
            (QuestionSort.FLIPS, lambda standing: -standing.flips),
            (QuestionSort.DISAGREEMENT, lambda standing: -standing.disagreement),
            (QuestionSort.SHARE, lambda standing: standing.share),
        ):
            found = {name.decode(): float(n) for name, n in as_dict(kept.get(f"questions:{sort}", [])).items()}
            expected = {question: number_of(standing_of(some)) for question, some in history.items()}
            assert found == pytest.approx(expected)
            pages: list[PastQuestion] = []
            more = True
            while more:
                after = pages[-1].place if pages else None
                page, more = self.bench.do(self.traces.questions(self.run, sort, 2, after))
                assert len(page) == 2 or not more
                pages += page
            assert [each.place for each in pages] == sorted(Place(n, name.encode()) for name, n in found.items())
            assert {each.question_id: each.labels for each in pages} == history

    def agree_on_signs(self, kept: Mapping[str, Any]) -> None:
        model = self.model
        series: dict[Name, tuple[SignSums, int]] = {}
        for name, packed in as_dict(kept.get("series", [])).items():
            *sums, top = msgspec.msgpack.decode(packed)
            step, attempt = map(int, name.split(b":"))
            series[step, attempt] = msgspec.convert(sums, SignSums), top
        assert series == {name: (sums, model.tops[name]) for name, sums in model.sums.items()}
        steps = {name.decode(): int(step) for name, step in as_dict(kept.get("steps", [])).items()}
        assert steps == {f"{step}:{attempt}": step for step, attempt in model.sums}
        counted = {
            key.removeprefix("answers:"): {answer.decode(): int(count) for answer, count in as_dict(held).items()}
            for key, held in kept.items()
            if key.startswith("answers:")
        }
        assert counted == {f"{at[0]}:{at[1]}": counts for at, counts in model.answers.items() if counts}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_history_is_one_of_the_model(kind: str) -> None:
    with started(kind) as url:
        play(TraceMachine, url)
