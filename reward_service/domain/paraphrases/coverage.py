"""Tell how well a paraphrase covers its original: what finds neither words nor room in it, and what a sentence lacks.

The words of a stretch that was put otherwise find counterparts, or at least other words where they would stand. The
words of one that was left out find neither. The weights are counted by `python -m benchmarks.paraphrase_coverage`.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from reward_service.domain.paraphrases.alignment import anchors_of, renamed, renamings
from reward_service.domain.paraphrases.clues import clues_of, missed_of
from reward_service.domain.paraphrases.elements import LETTER, Element, elements_of, sentence_count
from reward_service.domain.paraphrases.lexicon import COUNTERPARTS, EXPECTED, ORIGINALS, UNKNOWN, supports
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.received import receipts, sentences_in
from reward_service.domain.paraphrases.symbols import symbols_of

_SAID, _UNSAID = math.log(0.8), math.log(0.03)
"""The support of a number that the other text says, and of one that it does not."""
_EXPECTED_OF_NUMBERS = -0.4
_MOST_EXPECTED = -0.2
_SPARE = 0.5
"""What each term may lack of its expected support."""
_NEVER = math.log(0.01)
_SPARE_SENTENCES = 1.0


class Measures(NamedTuple):
    """How a paraphrase covers its original, in numbers of which more means less of it.

    `lack` is what a stretch of the original lacks of its expected support, less what the paraphrase says instead in the
    same place. `fewer` tells how many fewer sentences the paraphrase has, as a logarithm. `owed` is the most that a
    sentence has not received, and `missed` the most that the clues of one say for its being left out, by its weight;
    the first sentence does not count, since a paraphrase begins with it in other words. `lone` and `relations` compare
    the symbols.
    """

    lack: float
    fewer: float
    owed: float
    missed: float
    lone: float
    relations: float


INTERCEPT = -1.24
WEIGHTS = Measures(lack=0.23, fewer=0.95, owed=0.37, missed=1.09, lone=0.20, relations=1.15)


class Coverage(NamedTuple):
    """How a paraphrase covers its original; `stretch` is the place of what most probably lacks."""

    measures: Measures
    stretch: Span

    @property
    def score(self) -> float:
        """The logarithm of the odds that something is left out, if that is as frequent as not."""
        return INTERCEPT + sum(weight * each for weight, each in zip(WEIGHTS, self.measures, strict=True))


def coverage_of(original: TextReading, paraphrase: TextReading) -> Coverage:
    """Compare what two texts say. Linear in their length."""
    all_there, all_here = elements_of(original), elements_of(paraphrase)
    names = renamings(all_there, all_here)
    all_here = renamed(all_here, names)
    there, here = without_letters(all_there), without_letters(all_here)
    fewer = math.log((sentence_count(original) + _SPARE_SENTENCES) / (sentence_count(paraphrase) + _SPARE_SENTENCES))
    lacks = _lacks(original, paraphrase, there, here)
    rooms = _rooms(there, here, _unexplained(original, paraphrase, there, here))
    lack, stretch = _worst(there, [lack - room for lack, room in zip(lacks, rooms, strict=True)])
    owing = max(receipts(original, paraphrase, all_there, all_here)[1:], default=None, key=lambda each: each.owed)
    sentences = list(sentences_in(original, there))
    missed, sentence = missed_of(clues_of(original, paraphrase, there, here, sentences), there, sentences)
    measures = Measures(lack, fewer, owing.owed if owing else 0.0, missed, *symbols_of(all_there, all_here))
    told = [(WEIGHTS.lack * lack, stretch), (WEIGHTS.missed * missed, sentence)]
    if owing:
        told.append((WEIGHTS.owed * owing.owed, owing.place))
    return Coverage(measures, max(told)[1])


def without_letters(elements: Sequence[Element]) -> list[Element]:
    """Return the words, signs and numbers."""
    return [each for each in elements if each.text.removeprefix(LETTER) in ("", each.text)]


def _lacks(
    original: TextReading, paraphrase: TextReading, there: Sequence[Element], here: Sequence[Element]
) -> list[float]:
    """Return what each element of the original lacks of its expected support."""
    found = _supports(original, paraphrase, there, here, COUNTERPARTS)
    return [each.news * (_expected(each.text) - support - _SPARE) for each, support in zip(there, found, strict=True)]


def _expected(text: str) -> float:
    if text.startswith("#"):
        return _EXPECTED_OF_NUMBERS
    return min(EXPECTED.get(text, UNKNOWN), _MOST_EXPECTED)


def _unexplained(
    original: TextReading, paraphrase: TextReading, there: Sequence[Element], here: Sequence[Element]
) -> list[float]:
    """Return how much of each element of the paraphrase stands for nothing in the original, in [0, 1]."""
    found = _supports(paraphrase, original, here, there, ORIGINALS)
    return [each.news * min(1.0, support / _NEVER) for each, support in zip(here, found, strict=True)]


def _supports(
    reading: TextReading,
    other: TextReading,
    elements: Sequence[Element],
    others: Sequence[Element],
    counterparts: Mapping[str, Mapping[str, float]],
) -> list[float]:
    numbers = {each.start: each for each in reading.mentions}
    found = supports([each.text for each in elements], [each.text for each in others], counterparts)
    for at, each in enumerate(elements):
        if each.text.startswith("#"):
            found[at] = _SAID if other.accounts.cover(numbers[each.start]) else _UNSAID
    return found


def _rooms(there: Sequence[Element], here: Sequence[Element], unexplained: Sequence[float]) -> list[float]:
    """Return how much of the paraphrase is unexplained in the place of each element of the original."""
    anchors = [(-1, -1), *anchors_of(there, here), (len(there), len(here))]
    sums = [0.0, *accumulate(unexplained)]
    rooms: list[float] = []
    for (one, first), (other, last) in pairwise(anchors):
        share = (sums[last] - sums[first + 1]) / (other - one) if other > one else 0.0
        rooms += [share] * (other - one)
    return rooms[: len(there)]


def _worst(elements: Sequence[Element], lacks: Sequence[float]) -> tuple[float, Span]:
    """Return the stretch that lacks most, and how much."""
    best, stretch = 0.0, Span(0, 0)
    lack, begins = 0.0, 0
    for at, each in enumerate(lacks):
        lack += each
        if lack <= 0:
            lack, begins = 0.0, at + 1
        elif lack > best:
            best, stretch = lack, Span(elements[begins].start, elements[at].end)
    return best, stretch
