"""Define what the API submits to the store, within which limits, and what the store answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from co_rewarding_schema.run_settings import RunSettings

from reward_service.store.records import BallotRow


class Refusal(StrEnum):
    """Why the store did not take ballots; nothing of the call was kept."""

    STALE = "stale"  # the run's settings have changed since they were read
    FULL = "full"  # too much is waiting to be settled
    CONFLICT = "conflict"  # a ballot of this identity has another content
    UNSURE = "unsure"  # whether a twin's replica lives cannot be told yet: ask again
    UNTOLD = "untold"  # nobody has said how a question is worded that the teacher is to answer
    OVERFULL = "overfull"  # more ballots than the group has rollouts
    REUSED = "reused"  # another request came under this key before


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, with the cohort and the ballot (or view) it is about."""

    why: Refusal
    cohort: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Revised:
    """A run's settings and the revision they were read at; and the quota of its open cohorts, if it has one."""

    settings: RunSettings
    revision: str
    most_open: int | None = None


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How much may wait, and how long things are kept.

    Attributes:
        jobs: settle jobs waiting in one run's stream.
        open_cohorts: cohorts of one run that wait for ballots.
        retention_s: how long a settled cohort, a ticket or an idempotency key is kept, in seconds.
    """

    jobs: int = 10_000
    open_cohorts: int = 200_000
    retention_s: float = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class JoiningCohort:
    """Ballots on their way into one cohort. `views` is one letter a view that the cohort waits for.

    `mark` is what the cohort is found by; without one it is not. `group_size` is None where the run's setting counts.
    """

    cohort: str
    head: bytes
    views: str
    ballots: Sequence[tuple[int, str, BallotRow]]  # index of the view, ballot id, ballot
    mark: bytes = b""
    group_size: int | None = None


class Placed(msgspec.Struct, frozen=True):
    """Where a rollout without identity found its place, and whether its cohort is settled already."""

    cohort: str
    ballot: str
    settled: bool = False


class ArrivingRollout(msgspec.Struct, frozen=True):
    """A rollout without identity: what is known of it, and the request that waits for it."""

    question: str
    digest: str
    view: int
    views: str
    group_size: int
    head: bytes
    row: BallotRow
    request: str
    stepped: bool = False
    mark: bytes = b""


class Leaving(msgspec.Struct, frozen=True):
    """The end of a request without identity."""

    request: str
    answered: bool
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A self-contained batch as it is kept: settled when `record` is there; `count` rollouts while it is not."""

    fingerprint: str
    record: bytes | None
    count: int = 0


@dataclass(frozen=True, slots=True)
class KeptTicket:
    """The ticket of a request that came before: its own, or another one's under the same key."""

    content: bytes
