"""Record the outcome of each request, and pass the records to the report."""

from collections.abc import Iterable
from pathlib import Path

import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One request that has ended.

    Attributes:
        kind: of traffic: singles or batches.
        cohort: the cohort of a single rollout; for a batch a number of its own.
        rollouts: how many it held.
        due_s: when it should be sent, in seconds from the start.
        sent_s: when it was, the last time.
        answered_s: when its answer was there.
        troubles: the statuses that it was sent again for; 0 is a connection that broke.
        status: the last one; 0 if there was none.
        right: whether every reward was what the method makes of the ballots.
    """

    kind: str
    cohort: int
    rollouts: int
    due_s: float
    sent_s: float
    answered_s: float
    troubles: list[int]
    status: int
    right: bool

    @property
    def latency_s(self) -> float:
        """From when it was due: what a trainer waits, the generator's own delay included."""
        return self.answered_s - self.due_s


class Log(msgspec.Struct, frozen=True):
    """What the generator leaves: when it began (s since the epoch), what it used itself, and the records."""

    began_s: float
    cpu_s: float
    peak_bytes: int
    records: list[Record]

    @property
    def ended_s(self) -> float:
        """The time of the last answer."""
        return self.began_s + max((each.answered_s for each in self.records), default=0.0)


def write(path: Path, log: Log) -> None:
    """As MessagePack."""
    path.write_bytes(msgspec.msgpack.encode(log))


def read(path: Path) -> Log:
    """What `write` has written."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Log)


def settle_delays_s(records: Iterable[Record]) -> list[float]:
    """For each cohort of singles the time from its last ballot to its last reward, in seconds."""
    sent_s: dict[int, float] = {}
    answered_s: dict[int, float] = {}
    for each in records:
        if each.kind == "singles":
            sent_s[each.cohort] = max(sent_s.get(each.cohort, 0.0), each.sent_s)
            answered_s[each.cohort] = max(answered_s.get(each.cohort, 0.0), each.answered_s)
    return [answered_s[cohort] - sent_s[cohort] for cohort in sent_s]
