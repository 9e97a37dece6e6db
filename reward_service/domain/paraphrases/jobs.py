"""The life of a paraphrase job: one transition table."""

import enum
from collections.abc import Mapping
from types import MappingProxyType


class JobState(enum.StrEnum):
    """Where a job stands."""

    FILLING = "filling"
    """Its questions are coming in; it is nobody's yet, and forgotten if the rest never comes."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class JobEvent(enum.StrEnum):
    """What can happen to a job. What is asked for twice is the same as once."""

    FILL = "fill"
    """Its last question is there."""
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    """Every question has its outcome: of a paused job too, whose last questions were under way."""
    CANCEL = "cancel"


_S, _E = JobState, JobEvent
JOB_TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = MappingProxyType({
    (_S.FILLING, _E.FILL): _S.RUNNING,
    (_S.RUNNING, _E.PAUSE): _S.PAUSED,
    (_S.PAUSED, _E.PAUSE): _S.PAUSED,
    (_S.PAUSED, _E.RESUME): _S.RUNNING,
    (_S.RUNNING, _E.RESUME): _S.RUNNING,
    (_S.RUNNING, _E.FINISH): _S.DONE,
    (_S.PAUSED, _E.FINISH): _S.DONE,
    (_S.RUNNING, _E.CANCEL): _S.CANCELLED,
    (_S.PAUSED, _E.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _E.CANCEL): _S.CANCELLED,
})  # fmt: skip
"""Every legal step. The store carries the same table out atomically, rendered from this one."""

UNFINISHED = frozenset({JobState.RUNNING, JobState.PAUSED})
