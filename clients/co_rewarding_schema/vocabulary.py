"""The words of the field that cross the wire: views, voters, abstentions."""

from enum import StrEnum


class View(StrEnum):
    """Which wording of a question a rollout answered: x or x′ (same problem, same answer)."""

    ORIGINAL = "original"
    PARAPHRASE = "paraphrase"


class Voter(StrEnum):
    """Whose answers elect a label: the trained policy, or its slow average, the teacher."""

    POLICY = "policy"
    TEACHER = "teacher"


class Abstention(StrEnum):
    """Why a whole group was not rewarded. There is no silent zero, and never one for part of a group."""

    NO_LABEL = "no-label"
    EXPIRED = "expired"
    NO_GROUND_TRUTH = "no-ground-truth"
    NO_STATISTICS = "no-statistics"
    QUARANTINED = "quarantined"
