"""What docs/teacher.md and the contract say of batches and of the labels that they wait for, without I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Wanted(NamedTuple):
    """A label that a batch waits for: of `need` or a newer version (None: the newest announced), for so many rollouts.

    `text` is what the teacher is asked, where the request says it; `told` whether that must be known by now.
    """

    slot: str
    need: int | None
    rollouts: int
    text: str | None
    told: bool


@dataclass
class Slot:
    """One view of a question as the teacher sees it."""

    text: str | None = None
    version: int | None = None
    label: str | None = None
    wanted: int | None = None
    waiting: dict[str, tuple[int, int]] = field(default_factory=dict)
    teacher: str | None = None

    def has(self, need: int) -> bool:
        """Whether there is a label that serves."""
        return self.version is not None and self.version >= need

    @property
    def rollouts(self) -> int:
        """How many rollouts wait for its label."""
        return sum(rollouts for _, rollouts in self.waiting.values())

    @property
    def asked(self) -> bool:
        """Whether a teacher is asked for its label."""
        return self.wanted is not None and self.text is not None


@dataclass
class Batch:
    """A batch that is pending or settled; `missing` are the labels that it still waits for."""

    count: int
    missing: set[str] = field(default_factory=set)
    replicas: set[str] = field(default_factory=set)
    deadline_ms: int = 0
    waits: bool = False
    record: object = None


@dataclass(eq=False)
class Job:
    """An entry of the run's stream."""

    batch: str
    overdue: bool
    replicas: frozenset[str]
    taken: bool = False


class BatchModel:
    """One run's batches and its teachers."""

    def __init__(self, *, most_jobs: int, most_waiting: int, patience_ms: int, lease_ms: int) -> None:
        """Empty, at time 0; no weights were announced. Everything is kept for longer than the test looks."""
        self.most_jobs, self.most_waiting = most_jobs, most_waiting
        self.patience_ms, self.lease_ms = patience_ms, lease_ms
        self.now_ms, self.announced = 0, 0
        self.slots: dict[str, Slot] = {}
        self.leases: dict[str, int] = {}
        self.batches: dict[str, Batch] = {}
        self.jobs: list[Job] = []
        self.listening: set[str] = set()

    def pass_time(self, by_ms: int) -> None:
        """Time passes."""
        self.now_ms += by_ms

    def submit(self, name: str, count: int, wanted: Sequence[Wanted], replica: str) -> str | tuple[str, str] | Batch:
        """A batch is queued, or waits for its labels; one that is known is not taken again, and wakes one more."""
        known = self.batches.get(name)
        if known:
            if known.waits:
                known.replicas.add(replica)
            return known
        waiting = sum(batch.waits for batch in self.batches.values())
        if len(self.jobs) >= self.most_jobs or (wanted and waiting >= self.most_waiting):
            return "full"
        for each in wanted:
            if each.told and each.text is None and self._slot(each.slot).text is None:
                return ("untold", each.slot)
        batch = Batch(count, replicas={replica}, deadline_ms=self.now_ms + self.patience_ms)
        self.batches[name] = batch
        for each in wanted:
            slot, need = self._slot(each.slot), self.announced if each.need is None else each.need
            slot.text = each.text or slot.text
            if each.rollouts and not slot.has(need):
                batch.missing.add(each.slot)
                slot.waiting[name] = need, each.rollouts
                slot.wanted = max(need, slot.wanted or 0)
        batch.waits = bool(batch.missing)
        if not batch.waits:
            self._queue(name, overdue=False)
        return batch

    def prefetch(self, slot: str, need: int | None, text: str) -> None:
        """A question is announced: its label is asked for before anybody waits."""
        at, need = self._slot(slot), self.announced if need is None else need
        at.text = text
        if not at.has(need):
            at.wanted = max(need, at.wanted or 0)

    def announce(self, step: int) -> None:
        """Weights of a step."""
        self.announced = step

    def takeable(self, version: int) -> dict[str, int]:
        """The labels that a teacher of this version may take, with the rollouts that wait for each."""
        return {
            name: slot.rollouts
            for name, slot in self.slots.items()
            if slot.asked and name not in self.leases and (slot.wanted or 0) <= version
        }

    def too_new(self, version: int) -> int:
        """How many labels wait for a newer version."""
        asked = (slot for name, slot in self.slots.items() if slot.asked and name not in self.leases)
        return sum((slot.wanted or 0) > version for slot in asked)

    def take_back(self) -> int:
        """Labels whose teacher has not said for long that it is at work are free for others; how many."""
        left = [name for name, until_ms in self.leases.items() if until_ms <= self.now_ms]
        for name in left:
            del self.leases[name]
        return len(left)

    def take(self, names: Sequence[str], teacher: str) -> None:
        """A teacher is at work on these."""
        for name in names:
            self.leases[name] = self.now_ms + self.lease_ms
            self.slots[name].teacher = teacher

    def renew(self, names: Sequence[str], teacher: str) -> list[str]:
        """A teacher is still at work on these; those that it has lost."""
        lost = [name for name in names if not self._holds(name, teacher)]
        for name in names:
            if name not in lost:
                self.leases[name] = self.now_ms + self.lease_ms
        return lost

    def give_back(self, names: Sequence[str], teacher: str) -> None:
        """A teacher does not finish these."""
        for name in names:
            if self._holds(name, teacher):
                del self.leases[name]

    def keep(self, name: str, version: int, label: str, teacher: str) -> int:
        """A label is kept unless one of its version or a newer one is there; how many batches go on with it."""
        slot = self._slot(name)
        if not slot.has(version):
            slot.version, slot.label = version, label
        newest = slot.version or 0
        if slot.teacher == teacher:
            self.leases.pop(name, None)
            slot.teacher = None
        gone_on = 0
        for batch, (need, _) in list(slot.waiting.items()):
            if need <= newest:
                del slot.waiting[batch]
                waiting = self.batches[batch]
                waiting.missing.discard(name)
                if waiting.waits and not waiting.missing:
                    waiting.waits = False
                    self._queue(batch, overdue=False)
                    gone_on += 1
        if slot.wanted is not None and slot.wanted <= newest:
            slot.wanted = None
        return gone_on

    def expire(self) -> int:
        """Batches whose time is over go on with the labels that are there, and wait for none any more."""
        due = sorted(
            (b.deadline_ms, name) for name, b in self.batches.items() if b.waits and b.deadline_ms <= self.now_ms
        )
        for _, name in due:
            for slot in self.slots.values():
                slot.waiting.pop(name, None)
            self.batches[name].waits = False
            self._queue(name, overdue=True)
        return len(due)

    def read(self) -> list[Job]:
        """The jobs that nobody has read."""
        fresh = [job for job in self.jobs if not job.taken]
        for job in fresh:
            job.taken = True
        return fresh

    def settle(self, job: Job, record: object) -> tuple[str, set[str]]:
        """A worker settles a batch: whoever is first decides. Answers who is told, too."""
        batch = self.batches[job.batch]
        first = batch.record is None
        if first:
            batch.record = record
        if job in self.jobs:
            self.jobs.remove(job)
        return "settled" if first else "known", set(job.replicas & self.listening)

    def _holds(self, name: str, teacher: str) -> bool:
        return name in self.leases and self.slots[name].teacher == teacher

    def _slot(self, name: str) -> Slot:
        return self.slots.setdefault(name, Slot())

    def _queue(self, name: str, *, overdue: bool) -> None:
        batch = self.batches[name]
        self.jobs.append(Job(name, overdue, frozenset(batch.replicas)))
