"""What docs/ and the design say of cohorts, in plain Python without I/O: the specification that the store is held to.

Time is a number that the test moves. Each method is one atomic step, and answers what the service must answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.contract.election_model import ELECTORATES, Elected, Needs, Vote, reward, settle

HEARTBEAT_MS = 3_000
"""For so long a replica that is not seen any more is taken for one whose connection broke."""
RESTART_S = 5
"""For so long after its start a server cannot say who is gone: replicas are on their way back."""
COME_AGAIN_MS = 60_000
"""For so long a settled cohort gives its rewards again to a text that comes again."""


class Refusal(NamedTuple):
    """Nothing of the call was kept; `about` names the cohort and the ballot or view."""

    why: str
    about: tuple[str, ...] = ()


@dataclass
class Record:
    """A settled cohort: each ballot's vote, reward and reason to abstain, and the labels that stand."""

    state: str
    labels: dict[str, Elected]
    votes: dict[str, Vote]
    rewards: dict[str, float | None]
    reasons: dict[str, str | None]
    end_ms: int
    sizes: dict[str, int]

    def without_end(self) -> "Record":
        """The same, whenever it is forgotten."""
        return replace(self, end_ms=0)


@dataclass
class Cohort:
    """A cohort that waits for ballots or for a worker; of a settled one, what has come late."""

    method: str
    needs: Needs
    views: str
    end_ms: int
    state: str = "open"
    sizes: dict[str, int] = field(default_factory=dict)
    ballots: dict[str, Vote] = field(default_factory=dict)
    late: dict[str, Vote] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)

    def cast(self, view: str) -> int:
        """How many ballots of a view came in time."""
        return sum(vote.view == view for vote in self.ballots.values())

    def whole(self, view: str) -> bool:
        """Whether a group has all of its ballots."""
        return view in self.sizes and self.cast(view) >= self.sizes[view]

    def seen(self) -> "Cohort":
        """What a worker that loads it now has in hand."""
        return replace(self, ballots=dict(self.ballots), late=dict(self.late))


class Joining(NamedTuple):
    """Ballots with identities on their way into one cohort."""

    cohort: str
    method: str
    views: str
    votes: Mapping[str, Vote]


class Arrival(NamedTuple):
    """A rollout without identity, known by its text, and the request that waits for it."""

    question: str
    method: str
    views: str
    view: str
    text: str
    answer: str | None
    size: int
    request: str


@dataclass
class Place:
    """Where a rollout without identity is, and the request that waits there."""

    cohort: str
    ballot: str
    text: str
    request: str
    replica: str
    abandoned: bool = False


@dataclass(eq=False)
class Job:
    """An entry of the run's stream; `taken` when a worker has read it."""

    cohort: str
    taken: bool = False


class NewPlace(NamedTuple):
    """The round that waits for the rollout."""

    cohort: str


class CohortModel:
    """One run."""

    def __init__(self, *, most_jobs: int, most_open: int, retention_ms: int, patience_ms: int) -> None:
        """Empty, at time 0, on a server that has been up for long."""
        self.most_jobs, self.most_open = most_jobs, most_open
        self.retention_ms, self.patience_ms = retention_ms, patience_ms
        self.now_ms, self.up_s = 0, 1000
        self.group_size, self.needs, self.revision = 0, Needs(1, 0.0), 0
        self.cohorts: dict[str, Cohort] = {}
        self.records: dict[str, Record] = {}
        self.deadlines_ms: dict[str, int] = {}
        self.deadlines_end_ms = 0
        self.jobs: list[Job] = []
        self.jobs_end_ms = 0
        self.workers_known = False
        self.tickets: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.counts_end_ms = 0
        self.places: dict[str, list[Place]] = {}
        self.rounds: dict[tuple[str, str], int] = {}
        self.places_end_ms: dict[str, int] = {}
        self.listening: set[str] = set()
        self.alive_until_ms: dict[str, int] = {}

    # -- the run, its replicas and the clock

    def change(self, group_size: int, needs: Needs) -> None:
        """The run gets other settings."""
        if (group_size, needs) != (self.group_size, self.needs):
            self.group_size, self.needs, self.revision = group_size, needs, self.revision + 1

    def beat(self, replica: str) -> None:
        """A replica says that it lives."""
        self.alive_until_ms[replica] = self.now_ms + HEARTBEAT_MS

    def lives(self, replica: str) -> bool | None:
        """Whether a replica lives; None while that cannot be told."""
        lately = self.alive_until_ms.get(replica, 0) > self.now_ms
        if replica in self.listening:
            return True if lately else None
        return None if lately or self.up_s < RESTART_S else False

    def restart(self) -> None:
        """The server starts again: it keeps what it had, and nobody is connected."""
        self.up_s = 0
        self.listening.clear()

    def pass_time(self, by_ms: int) -> None:
        """What is kept no longer is forgotten."""
        self.now_ms += by_ms
        self.up_s += by_ms // 1000
        now = self.now_ms
        self.cohorts = {name: each for name, each in self.cohorts.items() if each.end_ms > now}
        self.records = {name: each for name, each in self.records.items() if each.end_ms > now}
        self.tickets = {name: end_ms for name, end_ms in self.tickets.items() if end_ms > now}
        if self.deadlines_end_ms <= now:
            self.deadlines_ms.clear()
        if self.jobs_end_ms <= now:
            self.jobs.clear()
            self.workers_known = False
        if self.counts_end_ms <= now:
            self.counts.clear()
        for question in [each for each, end_ms in self.places_end_ms.items() if end_ms <= now]:
            del self.places[question], self.places_end_ms[question]
            self.rounds = {at: n for at, n in self.rounds.items() if at[0] != question}

    # -- ballots with identities

    def join(
        self, joining: Sequence[Joining], replica: str, revision: int, ticket: str | None = None
    ) -> Refusal | list[Record | None] | None:
        """All of the ballots join, or none; the record of each cohort that is settled already.

        A ballot that is known is not cast again, a contradicting one is refused, and so is one beyond its group, late
        or not. The first ballot of a cohort says how large its groups are. None where the ticket is known: its request
        came before.
        """
        if ticket in self.tickets:
            return None
        refused = self._refusal(revision) or next(filter(None, map(self._contradiction, joining)), None)
        if refused:
            return refused
        opening = sum(each.cohort not in self.cohorts and each.cohort not in self.records for each in joining)
        if opening and len(self.deadlines_ms) + opening > self.most_open:
            return Refusal("full")
        answers: list[Record | None] = []
        for each in joining:
            record = self.records.get(each.cohort)
            fresh = {ballot: vote for ballot, vote in each.votes.items() if not self._known(each.cohort, ballot)}
            cohort = self.cohorts.get(each.cohort)
            if cohort is None and (fresh or record is None):
                cohort = self._reopened(each, record) if record else self._opened(each.cohort, each.method, each.views)
                if record is None:
                    cohort.sizes = dict.fromkeys(each.views, self.group_size)
            if cohort is not None:
                for ballot, vote in fresh.items():
                    (cohort.ballots if cohort.state == "open" else cohort.late)[ballot] = vote
                cohort.waiting.add(replica)
                self._close_if_whole(each.cohort)
            answers.append(record)
        if ticket:
            self.tickets[ticket] = self.now_ms + self.retention_ms + self.patience_ms
        return answers

    def _refusal(self, revision: int) -> Refusal | None:
        if revision != self.revision:
            return Refusal("stale")
        return Refusal("full") if len(self.jobs) >= self.most_jobs else None

    def _contradiction(self, each: Joining) -> Refusal | None:
        cohort = self.cohorts.get(each.cohort)
        votes = {**cohort.ballots, **cohort.late} if cohort else {}
        settled = {**self.records[each.cohort].votes, **votes} if each.cohort in self.records else votes
        for ballot, vote in each.votes.items():
            if votes.get(ballot, vote) != vote or settled.get(ballot, vote).answer != vote.answer:
                return Refusal("conflict", (each.cohort, ballot))
        for view in each.views:
            coming = sum(vote.view == view and ballot not in settled for ballot, vote in each.votes.items())
            cast = sum(vote.view == view for vote in settled.values())
            known = cohort or self.records.get(each.cohort)
            size = known.sizes.get(view, self.group_size) if known else self.group_size
            if coming and cast + coming > size:
                return Refusal("overfull", (each.cohort, view))
        return None

    def _known(self, name: str, ballot: str) -> bool:
        cohort, record = self.cohorts.get(name), self.records.get(name)
        return bool(
            (cohort and (ballot in cohort.ballots or ballot in cohort.late)) or (record and ballot in record.votes)
        )

    def _opened(self, name: str, method: str, views: str) -> Cohort:
        cohort = self._made(name, method, views)
        self.deadlines_ms[name] = self.now_ms + self.patience_ms
        self.deadlines_end_ms = cohort.end_ms
        return cohort

    def _made(self, name: str, method: str, views: str) -> Cohort:
        end_ms = self.now_ms + self.patience_ms + self.retention_ms
        cohort = self.cohorts[name] = Cohort(method, self.needs, views, end_ms)
        return cohort

    def _reopened(self, each: Joining, record: Record) -> Cohort:
        """A settled cohort for which ballots come late is queued once for all of them, and kept for as long as they."""
        cohort = self._made(each.cohort, each.method, each.views)
        cohort.state, record.end_ms = record.state, cohort.end_ms
        cohort.sizes = dict(record.sizes)
        self._queue(each.cohort, self.retention_ms + self.patience_ms)
        return cohort

    def _queue(self, name: str, kept_ms: int) -> None:
        self.jobs.append(Job(name))
        self.jobs_end_ms = self.now_ms + kept_ms

    def _close_if_whole(self, name: str) -> None:
        cohort = self.cohorts[name]
        if cohort.state == "open" and all(map(cohort.whole, cohort.views)):
            cohort.state = "complete"
            self.deadlines_ms.pop(name, None)
            self._queue(name, self.retention_ms + self.patience_ms)

    def watch(self, names: Sequence[str], replica: str) -> list[Record | None]:
        """One more waits for these."""
        for name in names:
            if name in self.cohorts:
                self.cohorts[name].waiting.add(replica)
        return [self.records.get(name) for name in names]

    # -- rollouts without identity

    def find_place(self, coming: Arrival, revision: int) -> Refusal | list[Place] | NewPlace:
        """Where a rollout belongs: one of the places that are free for it, or a new one.

        A place is free for a text that comes again when its request was abandoned, when the replica that held it is
        gone, or when its group is whole: then it can only be the same rollout. A repeated command finds its own.
        """
        places = [each for each in self.places.get(coming.question, []) if each.text == coming.view + coming.text]
        there = [each for each in places if self._stands(each.cohort)]
        own = [each for each in there if each.request == coming.request]
        if own:
            return own
        if revision != self.revision:
            return Refusal("stale")
        taken = [each for each in there if not (each.abandoned or self._is_whole(each.cohort, coming.view))]
        free = [each for each in there if each not in taken or self.lives(each.replica) is False]
        if free:
            return free
        if any(self.lives(each.replica) is None for each in taken):
            return Refusal("unsure")
        return self._refusal(revision) or self._new_place(coming)

    def _stands(self, name: str) -> bool:
        record = self.records.get(name)
        if record:
            return record.end_ms - self.retention_ms + COME_AGAIN_MS > self.now_ms
        return name in self.cohorts

    def _is_whole(self, name: str, view: str) -> bool:
        return name in self.records or self.cohorts[name].whole(view)

    def _new_place(self, coming: Arrival) -> Refusal | NewPlace:
        number = self.rounds.get((coming.question, coming.view), 1)
        newest = max((each for (question, _), each in self.rounds.items() if question == coming.question), default=0)
        while True:
            name = f"{coming.question}-{number}"
            cohort = self.cohorts.get(name)
            if cohort and cohort.state == "open" and not cohort.whole(coming.view):
                return NewPlace(name)
            if not cohort and name not in self.records and number > newest:
                return Refusal("full") if len(self.deadlines_ms) >= self.most_open else NewPlace(name)
            number += 1

    def take_place(self, coming: Arrival, replica: str, cohort: str, ballot: str) -> None:
        """The rollout has the place that the service gave it, one that `find_place` allows."""
        self.beat(replica)
        self.places_end_ms[coming.question] = self.now_ms + self.retention_ms + self.patience_ms
        places = self.places.setdefault(coming.question, [])
        places[:] = [each for each in places if self._stands(each.cohort)]
        for place in places:
            if (place.cohort, place.ballot, place.text) == (cohort, ballot, coming.view + coming.text):
                place.replica, place.request, place.abandoned = replica, coming.request, False
                if cohort in self.cohorts:
                    self.cohorts[cohort].waiting.add(replica)
                return
        at = self.cohorts.get(cohort) or self._opened(cohort, coming.method, coming.views)
        at.sizes.setdefault(coming.view, coming.size)
        at.ballots[ballot] = Vote(coming.view, None, coming.answer)
        at.waiting.add(replica)
        self._close_if_whole(cohort)
        places.append(Place(cohort, ballot, coming.view + coming.text, coming.request, replica))
        self.rounds[coming.question, coming.view] = int(cohort.rsplit("-", 1)[1])

    def leave(self, question: str, request: str, *, answered: bool) -> None:
        """A request ends. One that has its answer gives its place up; one that was abandoned leaves it free."""
        places = self.places.get(question, [])
        if answered:
            places[:] = [each for each in places if each.request != request]
        for place in places:
            if place.request == request:
                place.request, place.abandoned = "", True

    # -- workers

    def read(self) -> list[Job]:
        """The jobs that nobody has read. Where a queue is new, workers make themselves known to it."""
        if not self.workers_known:
            self.workers_known, self.jobs_end_ms = True, self.now_ms + self.retention_ms
        fresh = [job for job in self.jobs if not job.taken]
        for job in fresh:
            job.taken = True
        return fresh

    def claim(self) -> list[Job]:
        """The jobs that somebody has read and not finished."""
        return [job for job in self.jobs if job.taken]

    def expire(self) -> int:
        """Cohorts whose time is over are closed and queued, the earliest first; how many."""
        due = sorted((at_ms, name) for name, at_ms in self.deadlines_ms.items() if at_ms <= self.now_ms)
        for _, name in due:
            del self.deadlines_ms[name]
        closed = [name for _, name in due if name in self.cohorts]
        for name in closed:
            self.cohorts[name].state = "expired"
            self._queue(name, self.retention_ms)
        return len(closed)

    def settle(self, name: str, seen: Cohort) -> tuple[str, Mapping[str, Record]]:
        """A worker settles what it has seen: 'settled', 'gone' (another did), or 'changed' (it must look again).

        Answers the record that each replica which waits is told.
        """
        cohort, record = self.cohorts.get(name), self.records.get(name)
        if cohort is None:
            return "gone", {}
        if (cohort.state, cohort.ballots, cohort.late) != (seen.state, seen.ballots, seen.late):
            return "changed", {}
        kept = _settled(cohort) if record is None else _with_late(record, cohort)
        kept.end_ms = self.now_ms + self.retention_ms
        self.records[name] = kept
        del self.cohorts[name]
        if record is None:
            self.counts[kept.state] = self.counts.get(kept.state, 0) + 1
            self.counts_end_ms = self.now_ms + self.retention_ms
        return "settled", dict.fromkeys(cohort.waiting & self.listening, kept)

    def done(self, job: Job) -> None:
        """A job is dropped."""
        if job in self.jobs:
            self.jobs.remove(job)


def _settled(cohort: Cohort) -> Record:
    """Late ballots are rewarded and do not vote."""
    votes = cohort.ballots | {ballot: vote._replace(counted=False) for ballot, vote in cohort.late.items()}
    outcome = settle(cohort.method, list(votes.values()), cohort.needs, expired=cohort.state == "expired")
    rewards = dict(zip(votes, outcome.rewards, strict=True))
    reasons = dict(zip(votes, outcome.reasons, strict=True))
    elected = any(each is not None for each in outcome.rewards)
    return Record("settled" if elected else "abstained", outcome.labels, votes, rewards, reasons, 0, dict(cohort.sizes))


def _with_late(record: Record, cohort: Cohort) -> Record:
    """What came before keeps its rewards; what came late is rewarded by the labels that stand."""
    late = {ballot: vote._replace(counted=False) for ballot, vote in cohort.late.items()}
    missing = next((reason for reason in record.reasons.values() if reason), "no-label")
    rewards, reasons = reward(record.labels, list(late.values()), missing)
    return replace(
        record,
        votes=record.votes | late,
        rewards=record.rewards | dict(zip(late, rewards, strict=True)),
        reasons=record.reasons | dict(zip(late, reasons, strict=True)),
    )


def views_of(method: str, view: str) -> str:
    """The views that are decided together with one."""
    together = {view}
    for target, (_, voted_on) in ELECTORATES[method].items():
        if together & {target, *voted_on}:
            together |= {target, *voted_on}
    return "".join(each for each in "op" if each in together)
