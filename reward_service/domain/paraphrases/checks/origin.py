"""The same problem: another problem's text shares neither words nor numbers with the original."""

from collections import Counter

from reward_service.domain.paraphrases.pair import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import TextReading
from reward_service.domain.paraphrases.vocabulary import content

_LEAST_WORDS, _MANY_WORDS = 4, 5
_LEAST_PIECE = 3
_SMALL = 3
"""Numbers up to this stand in every text."""


def same_problem(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Enough of the words or numbers are shared. A new story may change nearly all words, but not the numbers."""
    said, said_again = _said(pair.original), _said(pair.paraphrase)
    if min(len(said), len(said_again)) < _LEAST_WORDS:
        return None
    share = _dice(said, said_again)
    if share >= tolerances.least_words or _same_numerals(pair):
        return None
    numbers = _shared_numbers(pair)
    if numbers is None:
        return Evidence(f"{share:.0%} of the words are shared, and no numbers tell more")
    one_is_enough = share > 0 or min(len(said), len(said_again)) < _MANY_WORDS
    if numbers >= tolerances.least_numbers and (one_is_enough or _numbers_in_both(pair) > 1):
        return None
    return Evidence(f"{share:.0%} of the words and {numbers:.0%} of the numbers are shared")


def _same_numerals(pair: Pair) -> bool:
    """Whether both texts hold the same numerals equally often, and more than one."""
    one, other = (
        Counter(mention.value for mention in reading.mentions if mention.digits)
        for reading in (pair.original, pair.paraphrase)
    )
    return one == other and one.total() > 1


def _numbers_in_both(pair: Pair) -> int:
    """How many different numbers both texts say, but for small ones."""
    said, said_again = (
        {mention.value for mention in reading.mentions if mention.value > _SMALL}
        for reading in (pair.original, pair.paraphrase)
    )
    return len(said & said_again)


def _said(reading: TextReading) -> frozenset[object]:
    """The words and the shapes of formulas that tell one problem from another."""
    shapes = frozenset(piece.skeleton for piece in reading.pieces if len(piece.skeleton) >= _LEAST_PIECE)
    return content(reading.words) | shapes


def _dice(one: frozenset[object], other: frozenset[object]) -> float:
    """The share of two sets that they have in common."""
    return 2 * len(one & other) / max(len(one) + len(other), 1)


def _shared_numbers(pair: Pair) -> float | None:
    """The share of both texts' numbers that the other accounts for; None where there are but small ones."""
    hits: list[bool] = []
    for reading, other in ((pair.original, pair.paraphrase), (pair.paraphrase, pair.original)):
        hits += [
            other.accounts.cover(mention)
            for at, mention in enumerate(reading.mentions)
            if mention.digits and mention.value > _SMALL and at not in reading.loose
        ]
    return sum(hits) / len(hits) if hits else None
