"""Histories of cohorts: drawn operations on the real scripts, and the model beside them; compared after every step."""

from collections import Counter
from typing import ClassVar
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reward_service.store import cohorts as store
from reward_service.store.jobs import Delivery, JobStore
from reward_service.store.keys import GROUP, RunKeys, channel, qualified
from reward_service.store.records import BallotRow, CohortHead, Rules, open_cohort, packed, unpack_cohort
from reward_service.store.runs import RunStore
from reward_service.workers.settlement_jobs import settle_cohort
from tests.contract.cohort_model import (
    Arrival,
    Cohort,
    CohortModel,
    Job,
    Joining,
    NewPlace,
    Place,
    Record,
    Refusal,
    views_of,
)
from tests.contract.conftest import KINDS, started
from tests.contract.election_model import Needs, Vote
from tests.contract.histories import EPOCH_MS, Bench, PlainGrader, play, record_as_modelled, row_of, vote_of

PATIENCE_S, RETENTION_S = 100, 200
LIMITS = store.StoreLimits(jobs=6, open_cohorts=5, retention_s=RETENTION_S)
PASSES_MS = [1, 2_999, 3_000, 3_000, 3_000, 5_000, 59_999, 60_000, 99_999, 100_000, 100_000, 199_999, 200_000, 300_000]
ANSWERS = ["4", "4.0", "5", None]
JOINED = {"A": "co-rewarding-i", "B": "majority-voting", "C": "majority-voting-union"}
PLACED = {"q": "co-rewarding-i", "m": "majority-voting", "s": "majority-voting"}
STEPPED = "s"
TEXTS = {"a": "4", "b": "5", "c": None}
REPLICAS, WORKERS = ["r1", "r2"], ["w1", "w2"]
SELDOM = st.integers(0, 9).map(lambda n: n == 9)


class InHand:
    """A job that a worker holds, and what it has made of the cohort as it saw it."""

    def __init__(self, delivery: Delivery, job: Job) -> None:
        self.delivery, self.job = delivery, job
        self.seen: Cohort | None = None
        self.seen_ms = 0
        self.made: tuple[object, ...] = ()


class CohortMachine(RuleBasedStateMachine):
    """One run, two API replicas, two workers."""

    bench: ClassVar[Bench]

    @initialize(
        group_size=st.integers(1, 3),
        votes=st.integers(1, 2),
        share=st.sampled_from([0.0, 0.5, 0.75, 1.0]),
        answers=st.lists(st.sampled_from(ANSWERS), min_size=8, max_size=8),
    )
    def begin(self, group_size: int, votes: int, share: float, answers: list[str | None]) -> None:
        self.run = f"r{uuid4().hex[:10]}"
        self.keys = RunKeys(self.run)
        self.answers = answers
        self.model = CohortModel(
            most_jobs=LIMITS.jobs,
            most_open=LIMITS.open_cohorts,
            retention_ms=RETENTION_S * 1000,
            patience_ms=PATIENCE_S * 1000,
        )
        connection = self.bench.connection
        self.channels = {name: channel(f"{name}-{self.run}") for name in REPLICAS}
        self.replicas = {name: store.CohortStore(connection, LIMITS, self.channels[name]) for name in REPLICAS}
        self.workers = {
            name: JobStore(connection, self.bench.reading, LIMITS, f"{name}-{self.run}") for name in WORKERS
        }
        self.runs = RunStore(connection, LIMITS)
        self.in_hand: dict[str, list[InHand]] = {name: [] for name in WORKERS}
        self.job_of: dict[bytes, Job] = {}
        self.revised: list[store.Revised] = []
        self.requests: dict[str, Arrival] = {}
        self.told: Counter[tuple[str, str, str]] = Counter()
        self.move_clock()
        self.change_settings(group_size, votes, share)
        for name in REPLICAS:
            self.listen(name)

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.bench.do(self.bench.ears.heard())
            for name in self.model.listening:
                self.bench.do(self.bench.ears.turn_away(self.channels[name]))
            self.bench.forget(self.run)

    # -- the run, its replicas and the clock

    def move_clock(self) -> None:
        self.bench.do(self.bench.connection.pass_time(self.run, EPOCH_MS + self.model.now_ms, self.model.up_s))

    @rule(group_size=st.integers(1, 3), votes=st.integers(1, 2), share=st.sampled_from([0.0, 0.5, 0.75, 1.0]))
    def change_settings(self, group_size: int, votes: int, share: float) -> None:
        settings = RunSettings(
            group_size=group_size, cohort_deadline_s=PATIENCE_S, min_votes=votes, min_vote_share=share
        )
        self.revised.append(self.bench.do(self.runs.put(self.run, settings)))
        self.model.change(group_size, Needs(votes, share))
        assert self.revised[-1].revision == str(self.model.revision)

    def listen(self, replica: str) -> None:
        if replica not in self.model.listening:
            self.bench.do(self.bench.ears.listen(self.channels[replica]))
            self.model.listening.add(replica)

    def die(self, replica: str) -> None:
        if replica in self.model.listening:
            self.bench.do(self.bench.ears.turn_away(self.channels[replica]))
            self.model.listening.discard(replica)

    @rule(replica=st.sampled_from(REPLICAS), what=st.sampled_from(["dies", "dies", "dies", "listens", "beats"]))
    def replica_comes_or_goes(self, replica: str, what: str) -> None:
        """An API replica is killed, or its connection is lost; it listens again; it says that it lives."""
        if what == "dies":
            self.die(replica)
        elif what == "listens":
            self.listen(replica)
        else:
            self.bench.do(self.replicas[replica].beat([self.run]))
            self.model.beat(replica)

    @rule(
        by_ms=st.sampled_from(PASSES_MS),
        restarts=st.sampled_from([False, False, False, True]),
        expires=st.booleans(),
        worker=st.sampled_from(WORKERS),
    )
    def time_passes(self, by_ms: int, restarts: bool, expires: bool, worker: str) -> None:
        """After the server has started again, it may be; then a worker may look for what is overdue."""
        if restarts:
            for replica in REPLICAS:
                self.die(replica)
            self.model.restart()
        self.model.pass_time(by_ms)
        self.move_clock()
        for held in (each for hands in self.in_hand.values() for each in hands):
            # No worker is slow for as long as things are kept: it would look again.
            if held.seen and self.model.now_ms - held.seen_ms >= RETENTION_S * 1000:
                held.seen = None
        if expires:
            assert self.bench.do(self.workers[worker].expire(self.run)) == self.model.expire()

    # -- ballots with identities

    @rule(
        parts=st.dictionaries(
            st.sampled_from(list(JOINED)),
            st.sets(st.tuples(st.sampled_from("op"), st.integers(0, 3)), min_size=1, max_size=3),
            min_size=1,
        ),
        whole=st.booleans(),
        contradicts=SELDOM,
        replica=st.sampled_from(REPLICAS),
        ticket=st.sampled_from(["", "", "", "", "t1", "t2"]),
        stale=SELDOM,
    )
    def join(
        self,
        parts: dict[str, set[tuple[str, int]]],
        whole: bool,
        contradicts: bool,
        replica: str,
        ticket: str,
        stale: bool,
    ) -> None:
        """Parts of some cohorts, or the whole of them."""
        at = self.revised[0 if stale else -1]
        modelled: list[Joining] = []
        joining: list[store.JoiningCohort] = []
        for cohort, seats in parts.items():
            method = JOINED[cohort]
            views = views_of(method, "o")
            if whole:
                seats = {(view, seat) for view in views for seat in range(at.settings.group_size)}
            votes = dict(self.ballot(view, seat, contradicts) for view, seat in sorted(seats) if view in views)
            modelled.append(Joining(cohort, method, views, votes))
            ballots = [("op".index(vote.view), ballot, row_of(vote)) for ballot, vote in votes.items()]
            joining.append(store.JoiningCohort(cohort, self.head(cohort, method), views, ballots))
        kept = (ticket, b"ticket") if ticket else None
        answer = self.bench.do(self.replicas[replica].join(self.run, joining, at, kept))
        expected = self.model.join(modelled, replica, int(at.revision), ticket)
        if expected is None:
            assert answer == store.KeptTicket(b"ticket")
        elif isinstance(expected, Refusal):
            assert isinstance(answer, store.Refused)
            assert answer.why == expected.why
            assert answer.cohort == (expected.about[0] if expected.about else "")
            assert answer.why != "conflict" or answer.about == expected.about[1]
        else:
            assert isinstance(answer, list), answer
            self.check_records(answer, expected)

    def ballot(self, view: str, seat: int, contradicts: bool) -> tuple[str, Vote]:
        """A ballot whose seat lies beyond the group has no index: it is known by the request that it came in."""
        indexed = seat < self.revised[-1].settings.group_size
        answer = "9" if contradicts else self.answers[2 * seat + "op".index(view)]
        return f"{view}{seat}" if indexed else f"{view}r.{seat}", Vote(view, seat if indexed else None, answer)

    def head(self, question: str, method: str) -> bytes:
        settings = self.revised[-1].settings
        return packed(CohortHead(question, 1, 0, Rules(method, settings.min_votes, settings.min_vote_share)))

    @rule(question=st.sampled_from(list(PLACED)), replica=st.sampled_from(REPLICAS))
    def nobody_works_for_long(self, question: str, replica: str) -> None:
        """For as long as things are kept; only one rollout comes."""
        self.time_passes(RETENTION_S * 1000, False, False, "w1")
        self.place(question, "o", "a", 2, replica, False)
        self.time_passes(PATIENCE_S * 1000, False, True, "w1")

    @rule(
        question=st.sampled_from(list(PLACED)),
        text=st.sampled_from(list(TEXTS)),
        by_ms=st.sampled_from([1, 2_999, 3_000, 3_000, 5_000]),
        restarts=st.booleans(),
    )
    def replica_dies_under_a_rollout(self, question: str, text: str, by_ms: int, restarts: bool) -> None:
        """Or is cut off when the server starts again; the same rollout comes to the other one."""
        self.place(question, "o", text, 3, "r1", False)
        self.die("r1")
        self.time_passes(by_ms, restarts, False, "w1")
        self.place(question, "o", text, 3, "r2", False)

    @rule(data=st.data(), replica=st.sampled_from(REPLICAS))
    def watch(self, data: st.DataObject, replica: str) -> None:
        known = sorted({*self.model.cohorts, *self.model.records, "A"})
        names = data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
        answer = self.bench.do(self.replicas[replica].watch(self.run, names))
        self.check_records(answer, self.model.watch(names, replica))

    def check_records(self, answers: list[bytes | None], expected: list[Record | None]) -> None:
        assert [record_as_modelled(data) if data else None for data in answers] == [
            each.without_end() if each else None for each in expected
        ]

    # -- rollouts without identity

    @rule(
        question=st.sampled_from(list(PLACED)),
        view=st.sampled_from("op"),
        text=st.sampled_from(list(TEXTS)),
        size=st.integers(1, 3),
        replica=st.sampled_from(REPLICAS),
        stale=SELDOM,
    )
    def place(self, question: str, view: str, text: str, size: int, replica: str, stale: bool) -> None:
        method = PLACED[question]
        view = view if view in views_of(method, "o") else "o"
        request = f"q{len(self.requests)}"
        coming = Arrival(question, method, views_of(method, "o"), view, text, TEXTS[text], size, request)
        self.requests[request] = coming
        self.ask_for_place(coming, replica, self.revised[0 if stale else -1])

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), anew=st.booleans(), replica=st.sampled_from(REPLICAS))
    def place_again(self, data: st.DataObject, anew: bool, replica: str) -> None:
        """The same rollout comes again, as another request or because its command is repeated."""
        coming = self.requests[data.draw(st.sampled_from(list(self.requests)))]
        if anew:
            coming = coming._replace(request=f"q{len(self.requests)}")
            self.requests[coming.request] = coming
        self.ask_for_place(coming, replica, self.revised[-1])

    def ask_for_place(self, coming: Arrival, replica: str, at: store.Revised) -> None:
        row = BallotRow("op".index(coming.view), 0, None, coming.answer)
        arrival = store.ArrivingRollout(
            coming.question, coming.view + coming.text, "op".index(coming.view), coming.views, coming.size,
            self.head(coming.question, coming.method), row, coming.request, coming.question == STEPPED,
        )  # fmt: skip
        answer = self.bench.do(self.replicas[replica].place(self.run, arrival, at))
        expected = self.model.find_place(coming, int(at.revision))
        if isinstance(expected, Refusal):
            assert answer == store.Refused(store.Refusal(expected.why))
            return
        assert isinstance(answer, store.Placed), answer
        if isinstance(expected, NewPlace):
            assert answer.cohort == expected.cohort
            cohort = self.model.cohorts.get(answer.cohort)
            assert cohort is None or answer.ballot not in cohort.ballots
        else:
            assert (answer.cohort, answer.ballot) in {(place.cohort, place.ballot) for place in expected}
        assert answer.settled == (answer.cohort in self.model.records)
        self.model.take_place(coming, replica, answer.cohort, answer.ballot)

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), gives_up=st.sampled_from([False, False, True]), replica=st.sampled_from(REPLICAS))
    def leave(self, data: st.DataObject, gives_up: bool, replica: str) -> None:
        settled = [each for each in self.requests.values() if self.is_settled(each)]
        first = data.draw(st.sampled_from(settled or list(self.requests.values())))
        others = [each for each in self.requests.values() if each.question == first.question]
        self.end([first, *data.draw(st.lists(st.sampled_from(others), max_size=2))], gives_up, replica)

    def end(self, requests: list[Arrival], gives_up: bool, replica: str) -> None:
        """Requests of one question end together: those whose cohorts are settled have their answer."""
        leaving: list[store.Leaving] = []
        for each in dict.fromkeys(requests):
            answered, stepped = self.is_settled(each) and not gives_up, each.question == STEPPED
            leaving.append(store.Leaving(each.request, answered, stepped))
            self.model.leave(each.question, each.request, answered=answered and not stepped)
        self.bench.do(self.replicas[replica].leave(self.run, requests[0].question, leaving))

    @rule(question=st.sampled_from(list(PLACED)), text=st.sampled_from(list(TEXTS)), size=st.integers(1, 3))
    def client_comes_again(self, question: str, text: str, size: int) -> None:
        """It gave up, or has its answer."""
        self.place(question, "o", text, size, "r1", False)
        coming = list(self.requests.values())[-1]
        self.settle_all("w1", True)
        self.end([coming], False, "r1")
        self.place(question, "o", text, size, "r2", False)

    def is_settled(self, coming: Arrival) -> bool:
        places: list[Place] = self.model.places.get(coming.question, [])
        return any(at.request == coming.request and at.cohort in self.model.records for at in places)

    # -- workers

    def read(self, worker: str) -> None:
        if all(job.taken for job in self.model.jobs):
            return  # a server looks only ten times a second whether a reader has waited for long enough
        self.bench.do(self.workers[worker].runs())
        jobs = self.workers[worker]
        # Where the queue was forgotten, the first reading makes the worker known to the new one.
        deliveries = self.bench.do(jobs.read([self.run], 100, 0.001)) or self.bench.do(
            jobs.read([self.run], 100, 0.001)
        )
        expected = self.model.read()
        assert [each.job.cohort for each in deliveries] == [job.cohort for job in expected]
        for delivery, job in zip(deliveries, expected, strict=True):
            self.job_of[delivery.job.entry] = job
            self.in_hand[worker].append(InHand(delivery, job))

    @rule(worker=st.sampled_from(WORKERS), dies=st.booleans())
    def take_over(self, worker: str, dies: bool) -> None:
        """A worker claims what another holds, which has died or is slow."""
        other = WORKERS[1 - WORKERS.index(worker)]
        if dies:
            self.in_hand[other].clear()
        deliveries = self.bench.do(self.workers[worker].claim(self.run, 0.0, 100))
        jobs = [self.job_of[each.job.entry] for each in deliveries]
        assert Counter(map(id, jobs)) == Counter(map(id, self.model.claim()))
        held = [each.job for each in self.in_hand[worker]]
        self.in_hand[worker] += [InHand(d, job) for d, job in zip(deliveries, jobs, strict=True) if job not in held]

    @rule(worker=st.sampled_from(WORKERS))
    def look(self, worker: str) -> None:
        """A worker reads what is new, and looks at the cohorts that it is to settle."""
        self.read(worker)
        for held in list(self.in_hand[worker]):
            self.load(worker, held)

    @precondition(lambda self: any(each.seen for held in self.in_hand.values() for each in held))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """A worker keeps what it has made of a cohort that it looked at."""
        worker = data.draw(st.sampled_from([name for name in WORKERS if any(x.seen for x in self.in_hand[name])]))
        self.keep(worker, data.draw(st.sampled_from([each for each in self.in_hand[worker] if each.seen])))

    @rule(worker=st.sampled_from(WORKERS), takes_over=st.booleans())
    def settle_all(self, worker: str, takes_over: bool) -> None:
        """A worker that is quick; the other may be slow."""
        self.read(worker)
        if takes_over:
            self.take_over(worker, False)
        for held in list(self.in_hand[worker]):
            self.load(worker, held)
            if held.seen:
                self.keep(worker, held)

    @rule(
        cohort=st.sampled_from(list(JOINED)),
        seats=st.permutations([0, 1, 2]),
        early=st.booleans(),
        overtaken=st.booleans(),
    )
    def rollouts_come_late(self, cohort: str, seats: list[int], early: bool, overtaken: bool) -> None:
        """To a cohort that has closed: while a worker is at it, or after; another worker may be faster."""
        first, second, third = ({cohort: {("o", seat)}} for seat in seats)
        self.join(first, False, False, "r1", "", False)
        self.time_passes(PATIENCE_S * 1000, False, True, "w1")
        for late in (second, third):
            if not early:
                self.settle_all("w1", False)
                self.join(late, False, False, "r2", "", False)
            self.look("w1")
            if early:
                self.join(late, False, False, "r2", "", False)
            if overtaken:
                self.settle_all("w2", True)
                self.join(third, False, False, "r1", "", False)
            for held in [each for each in self.in_hand["w1"] if each.seen]:
                self.keep("w1", held)

    def load(self, worker: str, held: InHand) -> None:
        name, jobs, held.seen = held.job.cohort, self.workers[worker], None
        seen, stored = self.bench.do(jobs.load(self.run, name))
        cohort = self.model.cohorts.get(name)
        if seen is None or seen.state == "open":
            assert cohort is None or cohort.state == "open"
            self.bench.do(jobs.acknowledge(held.delivery))
            self.drop(worker, held)
            return
        assert cohort is not None
        earlier = unpack_cohort(stored) if stored else None
        event, settled = self.bench.do(settle_cohort(seen, earlier, PlainGrader()))
        held.seen_ms = self.model.now_ms
        held.seen, held.made = cohort.seen(), (seen, event, packed(settled.record))

    def keep(self, worker: str, held: InHand) -> None:
        name = held.job.cohort
        assert held.seen is not None
        answer = self.bench.do(self.workers[worker].settle_cohort(held.delivery, name, *held.made))  # type: ignore[arg-type]
        expected, told = self.model.settle(name, held.seen)
        assert answer == expected
        held.seen = None
        if answer != "changed":
            self.drop(worker, held)
        for replica, record in told.items():
            self.told[self.channels[replica], qualified(self.run, name), repr(record.without_end())] += 1

    def drop(self, worker: str, held: InHand) -> None:
        self.in_hand[worker].remove(held)
        self.model.done(held.job)

    # -- what is compared after every step

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "run"):
            return
        model = self.model
        kept, heard = self.bench.all(self.bench.connection.read_all(self.run), self.bench.ears.heard())
        # Cohorts, records, tickets and jobs that are kept, and how many there are of each.
        names = {"c": model.cohorts, "r": model.records, "t": model.tickets}
        assert {each for each in kept if each[:2] in ("c:", "r:", "t:")} == {
            f"{kind}:{name}" for kind, those in names.items() for name in those
        }
        jobs = [store.as_dict(fields)[b"c"].decode() for _, fields in kept.get("jobs", [])]
        assert jobs == [job.cohort for job in model.jobs]
        if jobs and model.workers_known:
            pending, *_ = self.bench.do(self.bench.connection.execute("XPENDING", self.keys.jobs, GROUP))
            assert pending == len(model.claim()), "what is done is no longer in a worker's hands"
        counts = store.as_dict(kept.get("stats", []))
        assert {state.decode(): int(count) for state, count in counts.items()} == model.counts
        assert len(kept.get("deadlines", [])) / 2 == len(model.deadlines_ms)
        for name, cohort in model.cohorts.items():
            real = open_cohort(store.as_dict(kept[f"c:{name}"]))
            assert real.state == cohort.state, name
            assert {ballot: vote_of(row) for ballot, row in real.ballots.items()} == cohort.ballots
            assert {ballot: vote_of(row) for ballot, row in real.late.items()} == cohort.late
        for name, record in model.records.items():
            assert record_as_modelled(kept[f"r:{name}"]) == record.without_end()
        # Who was woken, for which cohort, with which record.
        told: Counter[tuple[str, str, str]] = Counter()
        for channel_name, message in heard:
            about, _, data = message.partition(b"\n")
            told[channel_name, about.decode(), repr(record_as_modelled(data))] += 1
        assert told == self.told
        self.told.clear()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_history_is_one_of_the_model(kind: str) -> None:
    with started(kind) as url:
        play(CohortMachine, url)
