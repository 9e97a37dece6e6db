"""Check that nothing is left out: no stretch of the original without counterparts in the paraphrase."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from reward_service.domain.paraphrases.lexicon import EXPECTED, UNKNOWN, Term, supports, terms_of
from reward_service.domain.paraphrases.reading import Evidence, Pair, Span, Tolerances

_SPARE = 0.5
"""What each word of a stretch may lack of its expected support."""
_MOST_EXPECTED = -0.2
_SPARE_TERMS = 3


class Gap(NamedTuple):
    """The stretch of the original that lacks the most support, and how much longer the paraphrase is, as a logarithm.

    `lack` is the sum of what its words lack of the support that they usually find.
    """

    lack: float
    longer: float
    first: int
    last: int


def gap_of(terms: Sequence[Term], others: Sequence[Term]) -> Gap:
    """Return the stretch of the original's terms that the others support least."""
    found = supports([term.text for term in terms], [other.text for other in others])
    best, first, last = 0.0, 0, 0
    lack, begins = 0.0, 0
    for at, (term, support) in enumerate(zip(terms, found, strict=True)):
        lack += min(EXPECTED.get(term.text, UNKNOWN), _MOST_EXPECTED) - support - _SPARE
        if lack <= 0:
            lack, begins = 0.0, at + 1
        elif lack > best:
            best, first, last = lack, begins, at
    longer = math.log((len(others) + _SPARE_TERMS) / (len(terms) + _SPARE_TERMS))
    return Gap(best, longer, first, last)


LENGTH_IN_LACK = 20.0
"""What a paraphrase of half the length lacks more, divided by log 2."""


def lack_of(pair: Pair) -> float:
    """Return the support that a stretch of the original lacks, more where the paraphrase is shorter."""
    gap = gap_of(terms_of(pair.original.tokens), terms_of(pair.paraphrase.tokens))
    return gap.lack - LENGTH_IN_LACK * gap.longer


def nothing_dropped(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Object to a stretch of the original that finds no counterpart, the more the shorter the paraphrase is."""
    terms, others = terms_of(pair.original.tokens), terms_of(pair.paraphrase.tokens)
    if not terms or not others:
        return None
    gap = gap_of(terms, others)
    if gap.lack - LENGTH_IN_LACK * gap.longer < tolerances.most_lacking:
        return None
    start, end = terms[gap.first].token.start, terms[gap.last].token.end
    said = " ".join(pair.original.text[start:end].split())
    return Evidence(f"nothing stands for: {said[:80]}", (Span(start, end),), ())
