"""What docs/methods.md says of the ballots of peers: whose are kept, who waits for them, who is absent; without I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_RECORDS = 8
ABSENT = "absent"


class Place(NamedTuple):
    """One view of a question, whatever the step."""

    question: str
    view: str


class Waiter(NamedTuple):
    """What waits for a group of a peer's: a batch or cohort of a run."""

    run: str
    name: str
    place: Place
    step: int | None
    lag: int


class Sent(NamedTuple):
    """A group as its trainer sends it: answers by rollout; `size` is None where no more will come."""

    place: Place
    step: int | None
    attempt: int
    answers: Mapping[int, str]
    size: int | None = None


@dataclass
class Kept:
    """The ballots of a group that are kept for peers."""

    attempt: int = -1
    is_whole: bool = False
    answers: dict[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class Job:
    """A job in a run's stream; `peers` label it. `casts`: its ballots are kept for others; `how`: `r`, its peers have
    come, or `o`, its time is over.
    """

    name: str
    queued_ms: int
    groups: Sequence[Sent]
    peers: tuple[str, ...] = ()
    casts: bool = False
    how: str = ""
    due_ms: int | None = None
    taken: bool = False


@dataclass
class Awaiting:
    """A batch or cohort that waits: until when, and for which groups of which peers."""

    job: Job
    due_ms: int
    missed: set[tuple[str, Place]]


class Seen(NamedTuple):
    """What a look at a peer's group finds: answers, or None; that none are waited for; that records may hold some."""

    answers: list[str] | None
    is_absent: bool
    is_recorded: bool


class Heard(NamedTuple):
    """The ballots of peers for a job, by peer and view; whether some are missing that are not waited for."""

    answers: dict[tuple[str, Place], list[str]]
    is_short: bool


@dataclass
class Run:
    """A run: its settings, what is kept of its ballots, who waits for them, and what it waits for itself."""

    peers: tuple[str, ...] = ()
    is_made: bool = False
    is_followed: bool = False
    is_late: bool = False
    newest: int | None = None
    first: int | None = None
    kept: dict[tuple[Place, int | None], Kept] = field(default_factory=dict)
    steps: set[tuple[Place, int]] = field(default_factory=set)
    waiters: dict[tuple[Place, int | None], set[Waiter]] = field(default_factory=dict)
    lagging: set[Waiter] = field(default_factory=set)
    missing: dict[str, int | str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    awaiting: dict[str, Awaiting] = field(default_factory=dict)
    settled: dict[str, Sequence[Sent]] = field(default_factory=dict)


class PeerModel:
    """Some runs, and one worker for all of them."""

    def __init__(self, names: Iterable[str], lag: int, patience_ms: int) -> None:
        """Nothing was sent."""
        self.runs = {name: Run() for name in names}
        self.lag, self.patience_ms = lag, patience_ms
        self.now_ms = 0

    # -- runs and jobs

    def put(self, name: str, peers: Sequence[str]) -> None:
        """A run is made, or made again: it and its peers are followed, and it waits for each of them."""
        self.runs[name].is_made, self.runs[name].peers = True, tuple(peers)
        for each in (name, *peers) if peers else ():
            run = self.runs[each]
            if not run.is_followed and (run.is_made or run.settled):
                run.is_late, run.first = True, None
            run.is_followed = True
        for peer in peers:
            self.runs[peer].missing.pop(name, None)

    def send(self, name: str, job: str, groups: Sequence[Sent]) -> None:
        """Groups are queued, together."""
        run = self.runs[name]
        due_ms = self.now_ms + self.patience_ms if job.startswith("c") and run.is_followed else None
        run.jobs.append(Job(job, self.now_ms, groups, run.peers, run.is_followed, due_ms=due_ms))

    def expire(self, name: str) -> int:
        """What has waited for long enough goes on."""
        run = self.runs[name]
        due = sorted((each.due_ms, of) for of, each in run.awaiting.items() if each.due_ms <= self.now_ms)
        for _, of in due:
            self._let_go(name, of, "o")
        return len(due)

    def awaited(self, name: str) -> Counter[str]:
        """How many groups of each peer a run waits for."""
        return Counter(peer for each in self.runs[name].awaiting.values() for peer, _ in each.missed)

    # -- the way of a job

    def cast(self, name: str, groups: Sequence[Sent], *, is_alive: bool = True) -> None:
        """Ballots are kept, and whoever waits for them goes on."""
        run = self.runs[name]
        ready: set[Waiter] = set()
        lagging: set[Waiter] = set()
        for group in groups:
            self._keep(run, group)
            if is_alive:
                run.missing.clear()
                run.first = group.step if run.first is None else run.first
            if group.step is not None:
                run.newest = max(group.step, -1 if run.newest is None else run.newest)
            if run.kept[group.place, group.step].is_whole:
                ready |= run.waiters.get((group.place, group.step), set())
            lagging |= {each for each in run.lagging if each.step is not None and each.step < (run.newest or 0)}
        lagging -= ready
        ready |= {each for each in lagging if self.look(name, each.place, each.step, each.lag).answers is not None}
        for waiter in ready:
            self._came(waiter.run, waiter.name, {(name, waiter.place)})
            run.waiters.get((waiter.place, waiter.step), set()).discard(waiter)
        run.lagging -= ready | lagging

    def _keep(self, run: Run, group: Sent) -> None:
        kept = run.kept.setdefault((group.place, group.step), Kept())
        anew = group.attempt > kept.attempt
        if kept.is_whole and group.step is None and not anew:
            anew = any(kept.answers.get(rollout) != answer for rollout, answer in group.answers.items())
        if anew:
            kept.answers, kept.is_whole = {}, False
        elif group.attempt < kept.attempt or kept.is_whole:
            return
        kept.answers = {**group.answers, **kept.answers}
        kept.attempt = group.attempt
        if group.size is None or len(kept.answers) >= group.size:
            kept.is_whole = True
            if group.step is not None:
                run.steps.add((group.place, group.step))

    def look(
        self,
        peer: str,
        place: Place,
        step: int | None,
        lag: int,
        asker: str = "",
        waited_ms: int = 0,
        *,
        final: bool = False,
        waiter: Waiter | None = None,
    ) -> Seen:
        """What a run finds of a peer's group; a waiter is told later."""
        run = self.runs[peer]
        kept = run.kept.get((place, step), Kept())
        if kept.is_whole:
            return Seen(sorted(kept.answers.values()), False, False)
        since = run.missing.get(asker)
        if final and isinstance(since, int) and self.now_ms - since >= 0.9 * self.patience_ms:
            since = run.missing[asker] = ABSENT
        no_more = final or since == ABSENT
        if step is not None and lag and (no_more or (run.newest is not None and run.newest > step)):
            for earlier in range(step - 1, step - lag - 1, -1):
                stands_in = run.kept[place, earlier].answers if (place, earlier) in run.steps else {}
                if stands_in:
                    return Seen(sorted(stands_in.values()), False, False)
        recorded = step is not None and run.is_late and (run.first is None or step <= run.first)
        if no_more:
            return Seen(sorted(kept.answers.values()) or None, not kept.answers, recorded)
        if waiter is not None:
            run.waiters.setdefault((place, step), set()).add(waiter)
            run.missing.setdefault(asker, self.now_ms - waited_ms)
            if step is not None and lag:
                run.lagging.add(waiter)
        return Seen(None, False, recorded)

    def find(self, name: str, job: Job) -> Heard | None:
        """What a job hears of its peers; None where it waits from now on."""
        sought = [(peer, group.place, group.step) for group in job.groups for peer in job.peers]
        sought = list(dict.fromkeys(sought))
        waited_ms = self.now_ms - job.queued_ms
        overdue = job.how == "o"
        looks = {
            (peer, place): self.look(peer, place, step, self.lag, name, waited_ms, final=overdue)
            for peer, place, step in sought
        }
        recorded = [each for each in sought if looks[each[:2]].answers is None and looks[each[:2]].is_recorded]
        if recorded and not job.how:
            for peer in dict.fromkeys(peer for peer, _, _ in recorded):
                groups = [self._recorded(peer, place, step) for one, place, step in recorded if one == peer]
                self.cast(peer, [each for each in groups if each is not None], is_alive=False)
            for peer, place, step in recorded:
                looks[peer, place] = self.look(peer, place, step, self.lag, name, waited_ms)
        awaited = {pair for pair, seen in looks.items() if seen.answers is None and not seen.is_absent}
        if awaited and not job.how:
            self._wait(name, job, sought, awaited, waited_ms)
            return None
        self.runs[name].awaiting.pop(job.name, None)
        missed = [seen for seen in looks.values() if seen.answers is None]
        answers = {pair: seen.answers for pair, seen in looks.items() if seen.answers is not None}
        return Heard(answers, any(seen.is_absent for seen in missed))

    def _wait(
        self,
        name: str,
        job: Job,
        sought: Sequence[tuple[str, Place, int | None]],
        awaited: set[tuple[str, Place]],
        waited_ms: int,
    ) -> None:
        """A job waits. One that a dead worker had left waiting looks at all that was noted, also at what came since."""
        run = self.runs[name]
        if job.name in run.settled:
            return
        if job.name not in run.awaiting:
            due_ms = job.queued_ms + self.patience_ms if job.due_ms is None else job.due_ms
            run.awaiting[job.name] = Awaiting(job, due_ms, set(awaited))
        left = set(run.awaiting[job.name].missed)
        done: set[tuple[str, Place]] = set()
        for peer, place, step in sought:
            if (peer, place) in left:
                waiter = Waiter(name, job.name, place, step, self.lag)
                seen = self.look(peer, place, step, self.lag, name, waited_ms, waiter=waiter)
                if seen.answers is not None or seen.is_absent:
                    done.add((peer, place))
        if done:
            self._came(name, job.name, done)

    def _came(self, name: str, of: str, pairs: set[tuple[str, Place]]) -> None:
        awaiting = self.runs[name].awaiting.get(of)
        if awaiting is None:
            return
        awaiting.missed -= pairs
        if not awaiting.missed:
            self._let_go(name, of, "r")

    def _let_go(self, name: str, of: str, how: str) -> None:
        job = self.runs[name].awaiting.pop(of).job
        self.runs[name].jobs.append(Job(of, self.now_ms, job.groups, job.peers, how=how))

    def _recorded(self, peer: str, place: Place, step: int | None) -> Sent | None:
        """A group among the settled batches of a peer: that of the highest attempt, each rollout as it came first."""
        of_question = [
            groups
            for name, groups in self.runs[peer].settled.items()
            if name.startswith("b")
            for groups in _by_question(groups)
            if groups[0].place.question == place.question and groups[0].step == step
        ][-MOST_RECORDS:]
        own = [group for groups in of_question for group in groups if group.place == place]
        if not own:
            return None
        attempt = max(group.attempt for group in own)
        answers: dict[int, str] = {}
        for group in own:
            if group.attempt == attempt:
                answers = {**group.answers, **answers}
        return Sent(place, step, attempt, answers)


def _by_question(groups: Sequence[Sent]) -> Iterable[list[Sent]]:
    """The cohorts of a batch: each question is one."""
    for question in dict.fromkeys(group.place.question for group in groups):
        yield [group for group in groups if group.place.question == question]
