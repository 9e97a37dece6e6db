"""Define a cohort: its ballots and labels, and its life by one transition table."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from co_rewarding_schema.errors import DomainError
from co_rewarding_schema.vocabulary import View, Voter


class Ballot(NamedTuple):
    """One answer cast by one voter on one view of one question in one step.

    `answer_class` names the class of equal answers that this one belongs to; None means that the response
    held no answer: such a ballot does not vote and earns 0 under an elected label. `rollout` is its index within the
    group, or None where the client could not say. A ballot that is not `counted` (it came after its cohort had closed,
    or a higher attempt took its place) is rewarded and does not vote. `version` is the teacher's that cast it.
    `verified` and `confidence` are the evidence that came with the rollout.
    """

    view: View
    voter: Voter
    rollout: int | None
    answer: str | None
    answer_class: str | None
    ground_truth: str | None = None
    ground_truth_class: str | None = None
    self_certainty: float | None = None
    entropy: float | None = None
    counted: bool = True
    version: int | None = None
    verified: bool | None = None
    confidence: float | None = None


class ElectedLabel(NamedTuple):
    """The elected answer (pseudo label) of one view, with its votes and who elected it.

    `of` counts the ballots of the electorate by their weight, those without an answer included, so that `votes / of` is
    the share of the group that stands behind the label. `matches_truth` is None where no ground truth was sent,
    `version` where no teacher voted. `instability` is the share of neighbours that differ among the question's last
    labels, under a method that asks for it.
    """

    view: View
    answer: str
    answer_class: str
    votes: int | float
    of: int | float
    voter: str
    voted_on: tuple[View, ...]
    matches_truth: bool | None = None
    version: int | None = None
    instability: float = 0.0

    @property
    def share(self) -> float | None:
        """Share of the electorate behind the label, in (0, 1]; None for a label that nobody elected."""
        return self.votes / self.of if self.of else None


class IllegalTransitionError(DomainError):
    """The event cannot happen to a cohort in this state."""


class CohortState(StrEnum):
    """Where a cohort stands."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    SETTLED = "settled"
    ABSTAINED = "abstained"


class CohortEvent(StrEnum):
    """What can happen to a cohort."""

    BALLOT = "ballot"  # one more ballot, and the quorum is not reached
    QUORUM = "quorum"  # every group has its ballots
    DEADLINE = "deadline"  # the time to wait is over
    ELECTED = "elected"  # at least one view got a label, or a reward that needs none
    UNELECTED = "unelected"  # no view did
    LATE = "late"  # a ballot after the doors closed: rewarded, never counted


_S, _E = CohortState, CohortEvent
TRANSITIONS: Mapping[tuple[CohortState, CohortEvent], CohortState] = MappingProxyType({
    (_S.OPEN, _E.BALLOT): _S.OPEN,
    (_S.OPEN, _E.QUORUM): _S.COMPLETE,
    (_S.OPEN, _E.DEADLINE): _S.EXPIRED,
    (_S.COMPLETE, _E.ELECTED): _S.SETTLED,
    (_S.COMPLETE, _E.UNELECTED): _S.ABSTAINED,
    (_S.EXPIRED, _E.ELECTED): _S.SETTLED,
    (_S.EXPIRED, _E.UNELECTED): _S.ABSTAINED,
    (_S.COMPLETE, _E.LATE): _S.COMPLETE,
    (_S.EXPIRED, _E.LATE): _S.EXPIRED,
    (_S.SETTLED, _E.LATE): _S.SETTLED,
    (_S.ABSTAINED, _E.LATE): _S.ABSTAINED,
})  # fmt: skip
"""Every legal step. The store carries the same table out atomically, rendered from this one."""

FINAL_STATES = frozenset({CohortState.SETTLED, CohortState.ABSTAINED})


def advance(state: CohortState, event: CohortEvent) -> CohortState:
    """The state after the event.

    Raises:
        IllegalTransitionError: the event cannot happen in this state (a cohort is settled exactly once).
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError as cause:
        raise IllegalTransitionError(f"a cohort that is {state} cannot meet {event}") from cause


def is_complete(needed: Mapping[View, int], cast: Mapping[View, int]) -> bool:
    """Whether every view that is waited for has as many ballots as its group."""
    return all(cast.get(view, 0) >= size for view, size in needed.items())
