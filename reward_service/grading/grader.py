"""Graders: from the answers of a cohort to classes of equal answers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from reward_service.domain.canonical import Canonicalise, canonical_key

KEPT_KEYS = 16_384


@dataclass(frozen=True, slots=True)
class Classes:
    """Each answer's class, and how many comparisons were left undecided."""

    class_of: Mapping[str, str]
    undecided: int = 0


class Grader(Protocol):
    """Sorts answers into classes: an equivalence relation, whatever the order in which they come."""

    async def classify(self, answers: Collection[str]) -> Classes:
        """The class of each answer."""
        ...


class CanonicalGrader:
    """Equal keys, equal answers."""

    def __init__(self, key: Canonicalise = canonical_key) -> None:
        """`key` is the canonical form; few answers are new, so the latest keys are kept."""
        self._key = lru_cache(KEPT_KEYS)(key)

    async def classify(self, answers: Collection[str]) -> Classes:
        """Each answer's canonical key."""
        return Classes({answer: self._key(answer) for answer in answers})
