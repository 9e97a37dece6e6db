"""Histories of runs that vote for each other: drawn operations on the real scripts, and the model beside them.

`a` asks `b` and `c`, `b` may ask `a`, and `c` asks nobody and sends its groups in parts. After each step all that is
kept of the three runs is compared.
"""

from collections import Counter
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reward_service.store.cohorts import CohortStore
from reward_service.store.connection import as_dict
from reward_service.store.job_records import CastOf
from reward_service.store.jobs import Delivery, JobStore, queued_at_ms
from reward_service.store.keys import mark_of
from reward_service.store.peers import Group
from reward_service.store.records import (
    BallotRow,
    BatchJob,
    CohortHead,
    CohortRecord,
    CohortRows,
    Rules,
    packed,
    unpack_job,
    unpack_row,
)
from reward_service.store.runs import RunStore
from reward_service.store.settling import BatchEnding
from reward_service.store.submissions import JoiningCohort, Revised, StoredBatch, StoreLimits
from reward_service.workers.peer_ballots import NO_PEERS, PeerBallots
from reward_service.workers.peer_ballots import Heard as RealHeard
from reward_service.workers.settlement_jobs import settle_batch, settle_cohort
from tests.contract.conftest import KINDS, started
from tests.contract.histories import EPOCH_MS, Bench, PlainGrader, play
from tests.contract.peer_model import Heard, Job, PeerModel, Place, Sent, Waiter

RUNS = "abc"
PATIENCE_S, RETENTION_S = 100, 1_000_000
LIMITS = StoreLimits(jobs=1000, open_cohorts=1000, retention_s=RETENTION_S)
PASSES_MS = [1, 1_000, 50_000, 89_999, 90_000, 99_999, 100_000, 100_000]
SIZE = 2
STEPS = st.sampled_from([0, 1, 1, 2, 2, 3, None])
PLACES = [Place("q", "o"), Place("q", "p"), Place("s", "o")]
GROUPS = st.dictionaries(
    st.sampled_from(PLACES),
    st.lists(st.sampled_from(["4", "5", "6"]), min_size=SIZE, max_size=SIZE),
    min_size=1,
    max_size=3,
)
DEATHS = st.sampled_from(["", "", "", "it has cast", "it has found"])


class PeerMachine(RuleBasedStateMachine):
    """Three runs, and a worker for all of them, which may die."""

    bench: ClassVar[Bench]

    @initialize(lag=st.integers(0, 2), ring=st.booleans(), named=st.booleans())
    def begin(self, lag: int, ring: bool, named: bool) -> None:
        tag = uuid4().hex[:10]
        self.name_of = {letter: f"{letter}{tag}" for letter in RUNS}
        self.letter_of = {name: letter for letter, name in self.name_of.items()}
        self.peers = {"a": ("b", "c"), "b": ("a",) if ring else (), "c": ()}
        self.model = PeerModel(RUNS, lag, PATIENCE_S * 1000)
        connection = self.bench.connection
        self.runs = RunStore(connection, LIMITS)
        self.store = CohortStore(connection, LIMITS, f"cr:wake:{tag}")
        self.jobs = JobStore(connection, self.bench.reading, LIMITS, f"w-{tag}")
        self.votes = PeerBallots(self.jobs.peers, self.jobs.peer_records, self.age_s)
        self.at: dict[str, Revised] = {}
        self.in_hand: list[tuple[str, Delivery, Job]] = []
        self.count = 0
        self.move_clock()
        for letter in "cba" if named else "bc":
            self.put(letter)

    def teardown(self) -> None:
        if hasattr(self, "name_of"):
            for name in self.letter_of:
                self.bench.forget(name)

    def move_clock(self) -> None:
        for name in self.letter_of:
            self.bench.do(self.bench.connection.pass_time(name, EPOCH_MS + self.model.now_ms, 1000))

    def age_s(self, delivery: Delivery) -> float:
        return (EPOCH_MS + self.model.now_ms - queued_at_ms(delivery.job.entry)) / 1000

    # -- runs, and the clock

    @rule(letter=st.sampled_from(RUNS))
    def put(self, letter: str) -> None:
        """A run is made, or its trainer starts again."""
        peers = tuple(self.name_of[each] for each in self.peers[letter])
        settings = RunSettings(
            method="peer-majority" if peers else "majority-voting",
            group_size=SIZE,
            cohort_deadline_s=PATIENCE_S,
            peers=peers,
            max_peer_lag=self.model.lag if peers else 0,
        )
        self.at[letter] = self.bench.do(self.runs.put(self.name_of[letter], settings))
        self.model.put(letter, self.peers[letter])
        self.bench.do(self.jobs.runs())

    @rule(by_ms=st.sampled_from(PASSES_MS), expires=st.booleans())
    def time_passes(self, by_ms: int, expires: bool) -> None:
        self.model.now_ms += by_ms
        self.move_clock()
        for letter in RUNS if expires else "":
            assert self.bench.do(self.jobs.expire(self.name_of[letter])) == self.model.expire(letter)

    # -- rollouts

    @rule(letter=st.sampled_from("aab"), step=STEPS, groups=GROUPS, attempt=st.sampled_from([0, 0, 0, 1]))
    def send(self, letter: str, step: int | None, groups: dict[Place, list[str]], attempt: int) -> None:
        """Whole groups, in a batch."""
        self.submit(letter, whole(groups, step, attempt))

    @rule(
        letter=st.sampled_from("bcc"),
        step=STEPS,
        place=st.sampled_from(PLACES),
        seats=st.permutations(range(SIZE)),
        attempts=st.sampled_from([(0, 0), (0, 0), (1, 0), (0, 1)]),
    )
    def send_parts(
        self, letter: str, step: int | None, place: Place, seats: list[int], attempts: tuple[int, int] = (0, 0)
    ) -> None:
        """A group in two batches, the second of which may not come, or be of another attempt."""
        for seat, attempt in zip(seats[: SIZE - (letter == "b")], attempts, strict=False):
            self.submit(letter, [Sent(place, step, attempt, {seat: "456"[seat]}, SIZE)])

    def submit(self, letter: str, groups: list[Sent]) -> None:
        if letter not in self.at:
            return
        self.count += 1
        name = f"b{self.count}"
        rules = Rules.of(self.at[letter].settings.method, self.at[letter].settings)
        cohorts: list[CohortRows] = []
        for question in dict.fromkeys(group.place.question for group in groups):
            own = [group for group in groups if group.place.question == question]
            rows = [row for group in own for row in rows_of(group)]
            head = CohortHead(question, own[0].step, own[0].attempt, rules)
            cohorts.append(CohortRows(head, rows, list(range(len(rows)))))
        batch = BatchJob(self.name_of[letter], groups[0].step, rules.method, cohorts)
        kept = self.bench.do(
            self.store.submit(
                self.name_of[letter], name[1:], "f" * 32, packed(batch), self.at[letter], 1, CastOf(groups[0].size)
            )
        )
        assert isinstance(kept, StoredBatch)
        self.model.send(letter, name, groups)

    @rule(
        step=STEPS, place=st.sampled_from(PLACES), answers=st.lists(st.sampled_from("45"), min_size=SIZE, max_size=SIZE)
    )
    def join(self, step: int | None, place: Place, answers: list[str]) -> None:
        """A group of `a` whose rollouts come one by one, and are whole."""
        if "a" not in self.at:
            return
        self.count += 1
        group = Sent(place, step, 0, dict(enumerate(answers)))
        head = CohortHead(place.question, step, 0, Rules.of(self.at["a"].settings.method, self.at["a"].settings))
        ballots = [(row.view, f"{place.view}{row.rollout}", row) for row in rows_of(group)]
        joining = JoiningCohort(str(self.count), packed(head), place.view, ballots)
        self.bench.do(self.store.join(self.name_of["a"], [joining], self.at["a"]))
        self.model.send("a", f"c{self.count}", [group])

    # -- the worker

    @rule(letter=st.sampled_from(RUNS), dies=DEATHS)
    def work(self, letter: str, dies: str) -> None:
        """The worker takes the new jobs of a run, and dies over the first of them, or over none."""
        if all(job.taken for job in self.model.runs[letter].jobs):
            return  # a server looks only ten times a second whether a reader has waited for long enough
        read = self.bench.do(self.jobs.read([self.name_of[letter]], 100, 0.001))
        taken = [(letter, delivery, self.take(letter, delivery)) for delivery in read]
        assert all(job.taken for job in self.model.runs[letter].jobs)
        self.in_hand += taken
        self.work_on(taken, dies)

    @precondition(lambda self: self.in_hand)
    @rule(dies=DEATHS)
    def take_over(self, dies: str) -> None:
        """Another worker goes on with what was left."""
        self.work_on(list(self.in_hand), dies)

    def work_on_all(self) -> None:
        for letter in RUNS:
            self.work(letter, "")

    @rule(
        step=STEPS,
        groups=GROUPS,
        by_ms=st.sampled_from(PASSES_MS),
        later=st.integers(1, 2),
        others=st.sampled_from(["", "b", "c"]),
    )
    def wait_in_vain(
        self, step: int | None, groups: dict[Place, list[str]], by_ms: int, later: int, others: str
    ) -> None:
        """Nobody sends anything until some time has passed, or one peer does; then the next group comes."""
        self.send("a", step, groups, 0)
        self.work_on_all()
        for letter in others:
            self.send_parts(letter, step, min(groups), [0, 1])
        self.time_passes(by_ms, True)
        self.work_on_all()
        self.send("a", None if step is None else step + later, groups, 0)
        self.work("a", "")

    @rule(step=STEPS, groups=GROUPS, first=st.sampled_from(["abc", "bac", "bca", "cba"]), dies=DEATHS)
    def all_answer(self, step: int | None, groups: dict[Place, list[str]], first: str, dies: str) -> None:
        """Each run sends the same groups, one after the other; the worker may die over some of them."""
        for letter in first:
            if letter == "c":
                for place in sorted(groups):
                    self.send_parts("c", step, place, [0, 1])
            else:
                self.send(letter, step, groups, 0)
            self.work(letter, dies)
        self.take_over(dies)

    @rule(step=STEPS, groups=GROUPS)
    def job_is_left_while_peers_become_absent(self, step: int | None, groups: dict[Place, list[str]]) -> None:
        """A worker dies over a group that waits; its job is taken over when an earlier one has waited in vain."""
        self.send("a", step, groups, 0)
        self.work("a", "")
        self.time_passes(PATIENCE_S * 500, False)
        self.send("a", step, groups, 0)
        self.work("a", "it has found")
        self.time_passes(PATIENCE_S * 500, True)
        self.work("a", "")
        self.take_over("")

    @rule(step=STEPS, groups=GROUPS, place=st.sampled_from(PLACES), letter=st.sampled_from("bc"))
    def peer_casts_while_it_is_awaited(
        self, step: int | None, groups: dict[Place, list[str]], place: Place, letter: str
    ) -> None:
        """A group has waited to its end, and another one only since the peer has cast something else."""
        self.send("a", step, groups, 0)
        self.work("a", "")
        self.time_passes(PATIENCE_S * 500, False)
        self.submit(letter, [Sent(place, 7, 0, {0: "4"}, None)])
        self.work(letter, "")
        self.send("a", None if step is None else step + 1, groups, 0)
        self.work("a", "")
        self.time_passes(PATIENCE_S * 500, True)
        self.work("a", "")

    @precondition(lambda self: "a" not in self.at)
    @rule(step=STEPS, groups=GROUPS, again=st.integers(0, 1), attempt=st.integers(0, 1))
    def name_late(self, step: int | None, groups: dict[Place, list[str]], again: int, attempt: int) -> None:
        """The peers of `a` have sent their groups, some of them twice, when it is made."""
        for letter in "bc":
            self.submit(letter, whole(groups, step, attempt))
            self.work(letter, "")
        for at in range(again):
            self.submit("b", [Sent(each, step, at, {1: "6", 2: "7"}) for each in sorted(groups)])
            self.work("b", "")
        self.put("a")
        self.send("a", step, groups, 0)
        self.work("a", "")

    def take(self, letter: str, delivery: Delivery) -> Job:
        """The model's job that a delivery is of."""
        job = delivery.job
        name = f"b{job.batch}" if job.batch is not None else f"c{job.cohort}"
        about = name, "o" if job.overdue else "r" if job.ready else "", job.cast is not None
        found = next(
            each
            for each in self.model.runs[letter].jobs
            if not each.taken and (each.name, each.how, each.casts) == about
        )
        found.taken = True
        return found

    def work_on(self, taken: list[tuple[str, Delivery, Job]], dies: str) -> None:
        for letter, delivery, job in taken:
            self.process(letter, delivery, job, dies)
            if dies:
                return
            self.in_hand.remove((letter, delivery, job))
            self.model.runs[letter].jobs.remove(job)

    def process(self, letter: str, delivery: Delivery, job: Job, dies: str) -> None:
        """As Worker does it."""
        name, model = self.name_of[letter], self.model.runs[letter]
        batch = seen = None
        if delivery.job.batch is not None:
            batch = unpack_job(delivery.job.payload)
            if delivery.job.cast is not None:
                self.bench.do(self.votes.cast_batch(name, delivery.job.batch, batch, delivery.job.cast))
            asked = [(each.head, each.rows_B) for each in batch.cohorts if each.head.rules.peers]
        else:
            seen, _ = self.bench.do(self.jobs.load(name, delivery.job.cohort or ""))
            assert (seen is None) == (job.name in model.settled)
            if seen is None:
                self.bench.do(self.jobs.acknowledge(delivery))
                return
            if delivery.job.cast is not None:
                self.bench.do(self.votes.cast_cohort(name, seen))
            asked = [(seen.head, seen.all_rows())] if seen.head.rules.peers else []
        if job.casts:
            self.model.cast(letter, job.groups)
        if dies == "it has cast":
            return
        heard: RealHeard | None = NO_PEERS
        if asked:
            heard = self.bench.do(self.votes.found(delivery, asked, overdue=delivery.job.overdue))
        expected = self.model.find(letter, job) if job.peers else Heard({}, False)
        assert (heard is None) == (expected is None)
        if heard is not None and expected is not None:
            assert self.told(heard) == expected
        if dies:
            return
        if heard is None or expected is None:
            self.bench.do(self.jobs.acknowledge(delivery))
            return
        records = self.keep(name, delivery, batch, seen, heard)
        assert Counter(vote for record in records for vote in self.votes_in(record)) == Counter(
            (peer, place, answer) for (peer, place), answers in expected.answers.items() for answer in answers
        )
        model.settled.setdefault(job.name, job.groups)

    def keep(
        self, name: str, delivery: Delivery, batch: BatchJob | None, seen: Any, heard: RealHeard
    ) -> list[CohortRecord]:
        if batch is not None:
            record = self.bench.do(settle_batch(batch, PlainGrader(), heard=heard)).record
            marks = [mark_of(each.head.question_id, each.head.step) for each in record.cohorts]
            self.bench.do(
                self.jobs.settle_batch(
                    BatchEnding(delivery, delivery.job.batch or "", packed(record), settled=1, abstained=0, marks=marks)
                )
            )
            return record.cohorts
        event, settled = self.bench.do(settle_cohort(seen, None, PlainGrader(), heard=heard))
        kept = packed(settled.record)
        assert (
            self.bench.do(self.jobs.settle_cohort(delivery, delivery.job.cohort or "", seen, event, kept)) == "settled"
        )
        return [settled.record]

    def told(self, heard: RealHeard) -> Heard:
        """What was heard, in the model's words."""
        places = {Group(place.question, "op".index(place.view), None).slot: place for place in PLACES}
        answers: dict[tuple[str, Place], list[str]] = {}
        for pair, rows in heard.rows.items():
            peer, slot = pair.split(" ")
            answers[self.letter_of[peer], places[slot]] = sorted(row.answer or "" for row in rows)
        return Heard(answers, heard.is_short)

    def votes_in(self, record: CohortRecord) -> list[tuple[str, Place, str]]:
        question = record.head.question_id
        return [
            (self.letter_of[peer or ""], Place(question, "op"[row.view]), row.answer or "")
            for row, _, peer in record.electors()
        ]

    # -- what is compared after every step

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "name_of"):
            return
        for letter, name in self.name_of.items():
            self.agree_on(letter, self.bench.do(self.bench.connection.read_all(name)))

    def agree_on(self, letter: str, kept: dict[str, Any]) -> None:
        """All that is kept of a run."""
        run = self.model.runs[letter]
        slots = {Group(place.question, "op".index(place.view), None).slot: place for place in PLACES}
        jobs = [as_dict(fields) for _, fields in kept.get("jobs", [])]
        assert Counter(
            (
                f"b{job[b'b'].decode()}" if b"b" in job else f"c{job[b'c'].decode()}",
                b"o" in job,
                b"r" in job,
                b"f" in job,
            )
            for job in jobs
        ) == Counter((job.name, job.how == "o", job.how == "r", job.casts) for job in run.jobs)
        waits = {key[2:]: as_dict(held) for key, held in kept.items() if key.startswith("p:")}
        assert {
            of: {
                (self.letter_of[peer.decode()], slots[slot.decode()])
                for peer, slot in (field[2:].split(b" ") for field in held if field.startswith(b"x:"))
            }
            for of, held in waits.items()
        } == {of: each.missed for of, each in run.awaiting.items()}
        assert {of.decode(): int(due_ms) - EPOCH_MS for of, due_ms in as_dict(kept.get("peer-waits", [])).items()} == {
            of: each.due_ms for of, each in run.awaiting.items()
        }
        awaited = {self.letter_of[n.decode()]: int(m) for n, m in as_dict(kept.get("awaited-peers", [])).items()}
        assert awaited == self.model.awaited(letter)
        missing = as_dict(kept.get("missing", []))
        assert {
            self.letter_of[n.decode()]: how.decode() if how == b"absent" else int(how) - EPOCH_MS
            for n, how in missing.items()
        } == run.missing
        standing = as_dict(kept.get("standing", []))
        assert {n.decode(): int(step) for n, step in standing.items()} == {
            n: step for n, step in (("step", run.newest), ("first", run.first)) if step is not None
        }
        assert {self.waiter(text, slots) for text in as_dict(kept.get("lagging", []))} == run.lagging
        groups: dict[tuple[Place, int | None], tuple[int, bool, dict[str, str]]] = {}
        waiters: dict[tuple[Place, int | None], set[Waiter]] = {}
        for key, held in kept.items():
            kind, _, rest = key.partition(":")
            slot, colon, step = rest.partition(":")
            if kind != "v" or not colon:
                continue
            place = slots[slot], int(step) if step else None
            fields = as_dict(held)
            waiters[place] = {self.waiter(each[2:], slots) for each in fields if each.startswith(b"w:")}
            if b"a" in fields:
                answers = {f[2:].decode(): unpack_row(v).answer or "" for f, v in fields.items() if f[:2] == b"b:"}
                groups[place] = int(fields[b"a"]), b"s" in fields, answers
        assert groups == {
            place: (each.attempt, each.is_whole, {f"{place[0].view}{n}": answer for n, answer in each.answers.items()})
            for place, each in run.kept.items()
        }
        assert {place: those for place, those in waiters.items() if those} == {
            place: those for place, those in run.waiters.items() if those
        }
        steps = {
            (slots[key[2:]], int(step))
            for key, held in kept.items()
            if key.startswith("v:") and ":" not in key[2:]
            for step in as_dict(held)
        }
        assert steps == run.steps

    def waiter(self, text: bytes, slots: dict[str, Place]) -> Waiter:
        """A waiter as a run keeps it, in the model's words."""
        run, name, slot, lag, step = text.decode().split(" ")
        return Waiter(self.letter_of[run], name, slots[slot], int(step) if step else None, int(lag))


def whole(groups: dict[Place, list[str]], step: int | None, attempt: int) -> list[Sent]:
    """Whole groups of a step."""
    return [Sent(place, step, attempt, dict(enumerate(groups[place]))) for place in sorted(groups)]


def rows_of(group: Sent) -> list[BallotRow]:
    """The rollouts of a group as they are stored."""
    return [BallotRow("op".index(group.place.view), 0, rollout, answer) for rollout, answer in group.answers.items()]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_history_is_one_of_the_model(kind: str) -> None:
    with started(kind) as url:
        play(PeerMachine, url)
