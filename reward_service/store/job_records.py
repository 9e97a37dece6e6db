"""Define the jobs of a run's stream."""

import msgspec


class CastOf(msgspec.Struct, frozen=True):
    """How the ballots of a batch are parts of groups: of so many rollouts, or `None` where the batch holds them whole.

    `numbered`: the rollouts have indices within their groups; else they are known by their batch and place there.
    """

    group_size: int | None = None
    numbered: bool = True

    def __str__(self) -> str:
        """Write it as a job holds it."""
        return "0" if self.group_size is None else f"{self.group_size}{'' if self.numbered else 'u'}"

    @classmethod
    def read(cls, text: bytes) -> "CastOf":
        """Read what a job holds."""
        return cls(int(text.rstrip(b"u")) or None, not text.endswith(b"u"))


class Job(msgspec.Struct, frozen=True):
    """An entry of a run's stream: settle this cohort, or this batch with its payload.

    What is `overdue` has waited for its teacher or its peers for as long as it may, and is settled with what is there.

    Attributes:
        cast: where the policy's ballots are kept for peers, how they come; None elsewhere.
        cast_alone: nothing is to be settled: the batch waits for its teacher, and its ballots do not.
        ready: the ballots of its peers have been waited for, and are there.
        due_ms: until when a cohort may wait for them (ms of the run's time), where that is known.
    """

    entry: bytes
    cohort: str | None = None
    batch: str | None = None
    payload: bytes = b""
    overdue: bool = False
    cast: CastOf | None = None
    cast_alone: bool = False
    ready: bool = False
    due_ms: int | None = None
