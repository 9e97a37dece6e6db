"""Histories of batches and of the labels that they wait for: the real scripts beside the model."""

from collections import Counter
from typing import ClassVar, NamedTuple
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reward_service.store import labels as store
from reward_service.store.cohorts import CohortStore, parse_batch
from reward_service.store.connection import as_dict
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.keys import RunKeys, channel, qualified
from reward_service.store.label_queue import LabelQueue
from reward_service.store.label_records import TeacherLabel, TeacherPrompt
from reward_service.store.records import (
    BallotRow,
    BatchJob,
    CohortHead,
    CohortRows,
    Rules,
    packed,
    unpack_batch,
    unpack_job,
)
from reward_service.store.runs import RunStore
from reward_service.store.settling import BatchEnding
from reward_service.store.submissions import Refused, Revised, StoredBatch, StoreLimits
from reward_service.store.teachers import AnnouncedWeights, TeacherStore
from reward_service.workers.settlement_jobs import settle_batch
from tests.contract.batch_model import BatchModel, Job, Wanted
from tests.contract.conftest import KINDS, started
from tests.contract.election_model import ELECTORATES, TEACHER, Needs, Vote, settle
from tests.contract.histories import EPOCH_MS, Bench, PlainGrader, play, row_of

PATIENCE_S, LEASE_S = 100, 30
LIMITS = StoreLimits(jobs=4, open_cohorts=4, retention_s=1_000_000)
PRINT = "f" * 32
PASSES_MS = [1, 29_999, 30_000, 69_999, 70_000, 99_999, 100_000]
METHODS = ["co-rewarding-i", "co-rewarding-ii", "co-rewarding-ii", "co-rewarding-iii"]
QUESTIONS, TEACHERS, REPLICAS, WORKERS = ["1", "2"], ["t1", "t2"], ["r1", "r2"], ["w1", "w2"]
ANSWERS = ["4", "4.0", "5", None]
SLOTS = [f"{question}{view}" for question in QUESTIONS for view in "op"]


class Asked(NamedTuple):
    """A batch as it is submitted."""

    name: str
    question: str
    method: str
    votes: list[Vote]
    wanted: list[Wanted]

    @property
    def slots(self) -> list[str]:
        """The labels that it waits for."""
        return [each.slot for each in self.wanted if each.rollouts]


class BatchMachine(RuleBasedStateMachine):
    """One run, two API replicas, two workers, two teachers."""

    bench: ClassVar[Bench]

    @initialize(votes=st.integers(1, 2), share=st.sampled_from([0.0, 0.5, 0.75, 1.0]))
    def begin(self, votes: int, share: float) -> None:
        self.run = f"r{uuid4().hex[:10]}"
        self.keys = RunKeys(self.run)
        self.model = BatchModel(
            most_jobs=LIMITS.jobs,
            most_waiting=LIMITS.open_cohorts,
            patience_ms=PATIENCE_S * 1000,
            lease_ms=LEASE_S * 1000,
        )
        connection = self.bench.connection
        self.channels = {name: channel(f"{name}-{self.run}") for name in REPLICAS}
        self.batches = {name: CohortStore(connection, LIMITS, self.channels[name]) for name in REPLICAS}
        self.labels = {name: store.LabelStore(connection, LIMITS, self.channels[name]) for name in REPLICAS}
        self.queues = {name: LabelQueue(connection, LIMITS, name, LEASE_S) for name in TEACHERS}
        self.workers = {
            name: JobStore(connection, self.bench.reading, LIMITS, f"{name}-{self.run}") for name in WORKERS
        }
        self.teachers = TeacherStore(connection)
        self.needs = Needs(votes, share)
        self.in_hand: dict[str, list[tuple[Delivery, Job]]] = {name: [] for name in WORKERS}
        self.job_of: dict[bytes, Job] = {}
        self.asked: dict[str, Asked] = {}
        self.made: dict[str, TeacherLabel] = {}
        self.counts: Counter[str] = Counter()
        self.told: Counter[tuple[str, str, bytes]] = Counter()
        self.move_clock()
        settings = RunSettings(
            cohort_deadline_s=PATIENCE_S, min_votes=votes, min_vote_share=share, method="co-rewarding-ii"
        )
        self.at: Revised = self.bench.do(RunStore(connection, LIMITS).put(self.run, settings))
        for name in REPLICAS:
            self.bench.do(self.bench.ears.listen(self.channels[name]))
            self.model.listening.add(name)

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.bench.do(self.bench.ears.heard())
            for name in self.model.listening:
                self.bench.do(self.bench.ears.turn_away(self.channels[name]))
            self.bench.forget(self.run)

    def move_clock(self) -> None:
        self.bench.do(self.bench.connection.pass_time(self.run, EPOCH_MS + self.model.now_ms, 1000))

    @rule(by_ms=st.sampled_from(PASSES_MS), worker=st.sampled_from(WORKERS))
    def time_passes(self, by_ms: int, worker: str) -> None:
        """A worker looks for what is overdue."""
        self.model.pass_time(by_ms)
        self.move_clock()
        assert self.bench.do(self.workers[worker].expire(self.run)) == self.model.expire()

    # -- batches

    @rule(
        question=st.sampled_from(QUESTIONS),
        method=st.sampled_from(METHODS),
        seats=st.dictionaries(
            st.tuples(st.sampled_from("op"), st.integers(0, 2)), st.sampled_from(ANSWERS), min_size=1, max_size=4
        ),
        need=st.sampled_from([None, 0, 1, 2]),
        worded=st.integers(0, 5).map(bool),
        replica=st.sampled_from(REPLICAS),
    )
    def submit(
        self,
        question: str,
        method: str,
        seats: dict[tuple[str, int], str | None],
        need: int | None,
        worded: bool,
        replica: str,
    ) -> None:
        votes = [Vote(view, rollout, answer) for (view, rollout), answer in seats.items()]
        self.send(
            Asked(f"b{len(self.asked)}", question, method, votes, self.wanted(question, method, votes, need, worded)),
            replica,
        )

    @precondition(lambda self: self.model.batches)
    @rule(data=st.data(), replica=st.sampled_from(REPLICAS))
    def submit_again(self, data: st.DataObject, replica: str) -> None:
        """The latest more often than those before."""
        known = list(self.model.batches)
        self.send(self.asked[data.draw(st.sampled_from([*known, known[-1], known[-1]]))], replica)

    def send(self, asked: Asked, replica: str) -> None:
        rules = Rules(asked.method, *self.needs[:2])
        rows = list(map(row_of, asked.votes))
        cohort = CohortRows(CohortHead(asked.question, 1, 0, rules), rows, list(range(len(rows))), asked.slots)
        payload = packed(BatchJob(self.run, 1, asked.method, [cohort]))
        if asked.wanted:
            asking = [
                store.WantedLabel(
                    each.slot, each.slot[0], "op".index(each.slot[1]), each.need, each.rollouts,
                    None if each.text is None else TeacherPrompt(text=each.text), each.told,
                )
                for each in asked.wanted
            ]  # fmt: skip
            sent = self.labels[replica].submit(self.run, asked.name, PRINT, payload, self.at, len(rows), asking)
        else:
            sent = self.batches[replica].submit(self.run, asked.name, PRINT, payload, self.at, len(rows))
        answer = self.bench.do(sent)
        expected = self.model.submit(asked.name, len(rows), asked.wanted, replica)
        if isinstance(expected, str | tuple):
            why, about = (expected, "") if isinstance(expected, str) else (expected[0], expected[1][0])
            assert isinstance(answer, Refused)
            assert (answer.why, answer.about) == (why, about)
            return
        record = expected.record
        assert answer == StoredBatch(
            PRINT, record if isinstance(record, bytes) else None, 0 if record else expected.count
        )
        self.asked[asked.name] = asked

    def wanted(self, question: str, method: str, votes: list[Vote], need: int | None, worded: bool) -> list[Wanted]:
        """The labels that a request wants; the views that it holds rollouts of, it must word."""
        present = {vote.view for vote in votes}
        wanted: dict[str, Wanted] = {}
        for view in sorted(present):
            voter, (asked, *_) = ELECTORATES[method][view]
            if voter == TEACHER:
                text = f"{question}{asked}?" if worded and asked in present else None
                rollouts = sum(vote.view == view for vote in votes)
                wanted[asked] = Wanted(f"{question}{asked}", need, rollouts, text, asked in present)
        for view in sorted(present - wanted.keys() if wanted else ()):
            wanted[view] = Wanted(f"{question}{view}", need, 0, f"{question}{view}?" if worded else None, True)
        return list(wanted.values())

    # -- teachers

    @rule(slot=st.sampled_from(SLOTS), need=st.sampled_from([None, 0, 1, 2]), replica=st.sampled_from(REPLICAS))
    def prefetch(self, slot: str, need: int | None, replica: str) -> None:
        coming = store.Coming(slot, slot[0], "op".index(slot[1]), TeacherPrompt(text=f"{slot}?"))
        self.bench.do(self.labels[replica].prefetch(self.run, need, [coming]))
        self.model.prefetch(slot, need, f"{slot}?")

    @precondition(lambda self: self.model.announced < 2)
    @rule()
    def announce(self) -> None:
        accepted = self.model.announced or None
        step = self.model.announced + 1
        alpha = self.bench.do(self.teachers.announce(self.run, accepted, 0.5, AnnouncedWeights(step, "w")))
        assert alpha == 0.5
        self.model.announce(step)

    @rule(teacher=st.sampled_from(TEACHERS), version=st.integers(0, 2), most=st.integers(1, 4))
    def take(self, teacher: str, version: int, most: int) -> None:
        """Before it takes labels, a teacher asks what there is."""
        before, too_new = self.model.takeable(version), self.model.too_new(version)
        demand = self.bench.do(self.queues[teacher].demand(self.run, version))
        assert (demand.most is not None, demand.too_new) == (bool(before), too_new)
        taken = self.bench.do(self.queues[teacher].take(self.run, version, most))
        assert taken.left == self.model.take_back()
        takeable = self.model.takeable(version)
        assert len(taken.items) == min(most, len(takeable))
        for each in taken.items:
            assert each.rollouts == takeable[each.slot], "as many rollouts wait as wait"
            assert each.prompt.text == f"{each.slot}?"
            assert (each.question_id, "op"[each.view]) == (each.slot[0], each.slot[1])
        self.model.take([each.slot for each in taken.items], teacher)
        assert len({each.slot for each in taken.items}) == len(taken.items)

    @rule(
        teacher=st.sampled_from(TEACHERS),
        slot=st.sampled_from(SLOTS),
        version=st.integers(0, 2),
        answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3),
    )
    def keep(self, teacher: str, slot: str, version: int, answers: list[str | None]) -> None:
        """A teacher keeps a label, be it still its own to make or not."""
        rows = [BallotRow("op".index(slot[1]), 1, index, answer) for index, answer in enumerate(answers)]
        label = TeacherLabel(version, 7, teacher, rows)
        gone_on = self.bench.do(self.queues[teacher].keep((self.run, slot), label))
        if not self.model.slots or slot not in self.model.slots or not self.model.slots[slot].has(version):
            self.made[slot] = label
        assert gone_on == self.model.keep(slot, version, "", teacher)

    @rule(teacher=st.sampled_from(TEACHERS), slots=st.lists(st.sampled_from(SLOTS), min_size=1, unique=True))
    def renew(self, teacher: str, slots: list[str]) -> None:
        claims, lost = [(self.run, slot) for slot in slots], self.model.renew(slots, teacher)
        assert self.bench.do(self.queues[teacher].renew(claims)) == [(self.run, slot) for slot in lost]

    @rule(teacher=st.sampled_from(TEACHERS), slots=st.lists(st.sampled_from(SLOTS), min_size=1, unique=True))
    def give_back(self, teacher: str, slots: list[str]) -> None:
        self.bench.do(self.queues[teacher].give_back([(self.run, slot) for slot in slots]))
        self.model.give_back(slots, teacher)

    # -- workers

    @rule(worker=st.sampled_from(WORKERS))
    def read(self, worker: str) -> None:
        if all(job.taken for job in self.model.jobs):
            return  # a server looks only ten times a second whether a reader has waited for long enough
        self.bench.do(self.workers[worker].runs())
        deliveries = self.bench.do(self.workers[worker].read([self.run], 100, 0.001))
        jobs = self.model.read()
        assert [(each.job.batch, each.job.overdue) for each in deliveries] == [(job.batch, job.overdue) for job in jobs]
        for delivery, job in zip(deliveries, jobs, strict=True):
            assert set(delivery.channel.split("\n")) == {self.channels[replica] for replica in job.replicas}
            self.job_of[delivery.job.entry] = job
            self.in_hand[worker].append((delivery, job))

    @rule(worker=st.sampled_from(WORKERS), dies=st.booleans())
    def take_over(self, worker: str, dies: bool) -> None:
        """A worker claims what another holds, which has died or is slow."""
        other = WORKERS[1 - WORKERS.index(worker)]
        if dies:
            self.in_hand[other].clear()
        deliveries = self.bench.do(self.workers[worker].claim(self.run, 0.0, 100))
        jobs = [self.job_of[each.job.entry] for each in deliveries]
        assert Counter(map(id, jobs)) == Counter(id(job) for job in self.model.jobs if job.taken)
        held = [job for _, job in self.in_hand[worker]]
        self.in_hand[worker] += [(d, job) for d, job in zip(deliveries, jobs, strict=True) if job not in held]

    @precondition(lambda self: any(self.in_hand.values()))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([name for name in WORKERS if self.in_hand[name]]))
        self.settle_one(worker, *data.draw(st.sampled_from(self.in_hand[worker])))

    @rule(worker=st.sampled_from(WORKERS), takes_over=st.booleans())
    def settle_all(self, worker: str, takes_over: bool) -> None:
        """A worker that is quick; the other may be slow."""
        self.read(worker)
        if takes_over:
            self.take_over(worker, False)
        for delivery, job in list(self.in_hand[worker]):
            self.settle_one(worker, delivery, job)

    @rule()
    def two_workers_settle(self) -> None:
        """One takes over what the other is slow with."""
        self.read("w1")
        self.settle_all("w2", True)
        for delivery, job in list(self.in_hand["w1"]):
            self.settle_one("w1", delivery, job)

    def settle_one(self, worker: str, delivery: Delivery, job: Job) -> None:
        asked = self.asked[job.batch]
        payload = unpack_job(delivery.job.payload)
        slots = payload.cohorts[0].slots
        assert slots == asked.slots
        found = self.bench.do(self.workers[worker].labels(self.run, slots))
        assert found == [self.made.get(slot) for slot in slots]
        labels = {slot: label for slot, label in zip(slots, found, strict=True) if label is not None}
        settled = self.bench.do(settle_batch(payload, PlainGrader(), labels, overdue=job.overdue))
        (cohort,) = settled.record.cohorts
        teachers = [
            Vote(slot[1], row.rollout, row.answer, TEACHER) for slot, label in labels.items() for row in label.rows_G
        ]
        outcome = settle(asked.method, asked.votes, self.needs, expired=job.overdue, teachers=teachers)
        assert cohort.rewards_B == outcome.rewards
        assert {"op"[each.view]: (each.answer, each.votes, each.of) for each in cohort.labels} == outcome.labels
        elected = any(each is not None for each in outcome.rewards)
        assert cohort.state == ("settled" if elected else "abstained")
        record = packed(settled.record)
        kept = self.workers[worker].settle_batch(
            BatchEnding(delivery, job.batch, record, settled=int(elected), abstained=int(not elected))
        )
        expected, told = self.model.settle(job, record)
        assert self.bench.do(kept) == expected
        if expected == "settled":
            self.counts["settled" if elected else "abstained"] += 1
        stands = self.model.batches[job.batch].record
        assert isinstance(stands, bytes)
        for replica in told:
            self.told[self.channels[replica], qualified(self.run, job.batch), stands] += 1
        self.in_hand[worker].remove((delivery, job))

    # -- what is compared after every step

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "run"):
            return
        kept, heard = self.bench.all(self.bench.connection.read_all(self.run), self.bench.ears.heard())
        batches = {name[2:]: parse_batch(data) for name, data in kept.items() if name.startswith("b:")}
        assert batches == {
            name: StoredBatch(PRINT, batch.record, 0 if batch.record else batch.count)  # type: ignore[arg-type]
            for name, batch in self.model.batches.items()
        }
        jobs = [as_dict(fields) for _, fields in kept.get("jobs", [])]
        assert [(job[b"b"].decode(), bool(job.get(b"o"))) for job in jobs] == [
            (job.batch, job.overdue) for job in self.model.jobs
        ]
        assert {name[2:] for name in kept if name.startswith("w:")} == {
            name for name, batch in self.model.batches.items() if batch.waits
        }
        for name, slot in self.model.slots.items():
            fields = as_dict(kept.get(f"l:{name}", []))
            waiting = {field[2:].decode(): data for field, data in fields.items() if field.startswith(b"b:")}
            assert waiting == {batch: b"%d:%d" % each for batch, each in slot.waiting.items()}
            assert int(fields.get(b"n", 0)) == slot.rollouts
        # What teachers are asked, and what they are at work on.
        asked = {name for name, slot in self.model.slots.items() if slot.asked and name not in self.model.leases}
        assert {name.decode() for name in kept.get("asks", [])[::2]} == asked
        assert {name.decode() for name in kept.get("taken", [])[::2]} == set(self.model.leases)
        counts = as_dict(kept.get("stats", []))
        assert {state.decode(): int(count) for state, count in counts.items() if int(count)} == dict(self.counts)
        told: Counter[tuple[str, str, bytes]] = Counter()
        for name, message in heard:
            about, _, data = message.partition(b"\n")
            record = parse_batch(data).record
            assert record is not None
            unpack_batch(record)
            told[name, about.decode(), record] += 1
        assert told == self.told
        self.told.clear()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_history_is_one_of_the_model(kind: str) -> None:
    with started(kind) as url:
        play(BatchMachine, url)
