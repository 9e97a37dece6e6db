"""Which numbers a text accounts for: what another text may say in their place."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from reward_service.domain.paraphrases.quantities import Mention

_BY = re.compile(r"\s*[-$]*\s*(?:by|x|×|\\times)\s*[-$]*\s*")
_MOST_GAP = 14
_LEAST_RUN = 3


@dataclass(frozen=True, slots=True, eq=False)
class CoveredNumbers:
    """The numbers that a text says, in any way; of those outside a strict bound and just inside one, once more."""

    said: frozenset[Fraction]
    inclusive: frozenset[Fraction]
    within: frozenset[Fraction]

    def cover(self, mention: Mention) -> bool:
        """Whether a number of another text is said here: 1/2 as half, 50 % or 0.5, "less than 100" as "up to 99"."""
        said = self.said
        if any(value in said for value in mention.values):
            return True
        if mention.parts and all(part in said for part in mention.parts if part):
            return True
        if mention.values and mention.value.numerator == 1 and Fraction(mention.value.denominator) in said:
            return True  # a third of it, and divided by 3
        if mention.within is not None:
            return mention.within in self.inclusive
        return bool(mention.values) and mention.value in self.within


def covered_numbers(
    text: str, mentions: Sequence[Mention], runs: Sequence[range], besides: Iterable[Fraction]
) -> CoveredNumbers:
    """Of the numbers that a text mentions, and those that it brings with it besides."""
    said = {value for each in mentions for value in (*each.values, *each.parts)}
    return CoveredNumbers(
        frozenset(said.union(besides, _steps(mentions, runs), _boards(text, mentions), _counts(mentions, runs))),
        frozenset(each.value for each in mentions if each.within is None),
        frozenset(each.within for each in mentions if each.within is not None),
    )


def _steps(mentions: Sequence[Mention], runs: Sequence[range]) -> Iterator[Fraction]:
    """By how much runs go on: 4 of 1, 5, 9, ..."""
    for run in runs:
        for at, following in pairwise(run):
            yield abs(mentions[following].value - mentions[at].value)


def _counts(mentions: Sequence[Mention], runs: Sequence[range]) -> Iterator[Fraction]:
    """How many members lists have, and how often a number stands: 4 of 16 + 16 + 16 + 16."""
    yield from (Fraction(len(run)) for run in runs)
    yield from (Fraction(count) for count in Counter(each.value for each in mentions).values() if count >= _LEAST_RUN)


def _boards(text: str, mentions: Sequence[Mention]) -> Iterator[Fraction]:
    """How many squares boards have: 16 of 4 by 4."""
    for one, other in pairwise(mentions):
        if other.start - one.end <= _MOST_GAP and _BY.fullmatch(text, one.end, other.start):
            yield one.value * other.value
