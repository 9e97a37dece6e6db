"""Graders: from the answers of a cohort to classes of equal answers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from reward_service.domain.answers.conventions import Conventions


@dataclass(frozen=True, slots=True)
class Classes:
    """Each answer's class, and how many comparisons were left undecided."""

    class_of: Mapping[str, str]
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Matches:
    """Which answers equal one that is given, and how many comparisons were left undecided."""

    equal: frozenset[str]
    undecided: int = 0


class Grader(Protocol):
    """Says which answers are equal, whatever the order in which they come."""

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """The class of each answer: an equivalence relation."""
        ...

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """The answers that equal the truth, each judged by itself: what else is in the cohort has no say."""
        ...
