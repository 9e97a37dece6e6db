"""Define the life of a cohort: one transition table, and when a cohort is complete."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from co_rewarding_schema.errors import DomainError
from co_rewarding_schema.vocabulary import View


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
