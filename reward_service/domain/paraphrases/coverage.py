"""Tell how well a paraphrase covers its original: whether a stretch of the original finds neither words nor room in it.

The words of a stretch that was put otherwise find counterparts, or at least other words where they would stand. The
words of one that was left out find neither. The weights are counted by `python -m benchmarks.paraphrase_coverage`.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.lexicon import (
    COUNTERPARTS,
    EXPECTED,
    MOST_TERMS,
    UNKNOWN,
    Term,
    supports,
    terms_of,
)
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.titles import title_end
from reward_service.domain.paraphrases.tokens import TextToken, commands_of, sentences_of
from reward_service.domain.paraphrases.vocabulary import FUNCTION_WORDS, word_set

_SAID, _UNSAID = math.log(0.8), math.log(0.03)
"""The support of a number that the other text says, and of one that it does not."""
_EXPECTED_OF_NUMBERS = -0.4
_MOST_EXPECTED = -0.2
_SPARE = 0.5
"""What each term may lack of its expected support."""
_NEVER = math.log(0.01)
_FUNCTION_WORD, _SIGN, _NAME, _ASIDE = 0.5, 0.5, 0.25, 0.25
"""The weight of a function word, a sign, a name, and of what stands in a remark or a list that goes on."""
_REPEATED = 0.5
"""A term weighs less each time it comes again: 1, 1/√2, 1/√3."""
_SPARE_WEIGHT, _SPARE_SENTENCES = 4.0, 1.0
_LONGEST_BRACKET, _LEAST_BRACKET = 120, 6
_MOST_PLACES, _FAR = 4, 0.35
"""Where a term may be the same as one of the other text: a term of few places, at about the same share of the text."""

_COMMANDS = word_set("express write give provide round enter state present report")
_ANSWERS = word_set("answer answers result solution solutions")
_NOTES = word_set("note recall remember reminder enter hint")
_FORMS = word_set("form format is")


class Element(NamedTuple):
    """A word by its stem, a sign, or a number of a text: what counts in it, how much, and where it stands."""

    text: str
    weight: float
    start: int
    end: int


class Coverage(NamedTuple):
    """How a paraphrase covers its original.

    `lack` is what the stretch of the original from `start` to `end` lacks of its expected support, less what the
    paraphrase says instead in the same place. `shorter` and `fewer` tell how much less the paraphrase says, in elements
    and in sentences, as logarithms.
    """

    lack: float
    shorter: float
    fewer: float
    stretch: Span

    @property
    def score(self) -> float:
        """The logarithm of the odds that something is left out, if that is as frequent as not."""
        return INTERCEPT + LACK * self.lack + SHORTER * self.shorter + FEWER * self.fewer


INTERCEPT, LACK, SHORTER, FEWER = -1.82, 0.44, 0.22, 2.87


def coverage_of(original: TextReading, paraphrase: TextReading) -> Coverage:
    """Compare what two texts say. Linear in their length."""
    there, here = elements_of(original), elements_of(paraphrase)
    lacks = _lacks(original, paraphrase, there, here)
    rooms = _rooms(there, here, _unexplained(original, paraphrase, there, here))
    lack, stretch = _worst(there, [lack - room for lack, room in zip(lacks, rooms, strict=True)])
    shorter = _ratio(sum(each.weight for each in there), sum(each.weight for each in here), _SPARE_WEIGHT)
    return Coverage(lack, shorter, _ratio(_sentences(original), _sentences(paraphrase), _SPARE_SENTENCES), stretch)


def _ratio(one: float, other: float, spare: float) -> float:
    return math.log((one + spare) / (other + spare))


def elements_of(reading: TextReading) -> list[Element]:
    """Return what a text says in front of its choices; what only says how to answer does not count."""
    numbers = [each for each in reading.mentions if each.values and not each.label]
    found = [(each.start, each.end, f"#{each.value}", 1.0) for each in numbers]
    starts = {each.start for each in reading.mentions}
    common = {token.text for token in reading.tokens if token.kind == "word" and reading.text[token.start].islower()}
    terms = [term for term in terms_of(reading.tokens) if term.token.start not in starts]
    found += [(term.token.start, term.token.end, term.text, _weight(term, common)) for term in terms]
    idle, asides = (
        [Span(0, title_end(reading.text)), *_formats(reading)],
        _merged([*_asides(reading), *_series(reading)]),
    )
    seen: Counter[str] = Counter()
    elements: list[Element] = []
    for start, end, text, weight in sorted(found)[:MOST_TERMS]:
        if start >= reading.choices:
            break
        seen[text] += 1
        weight = 0.0 if _inside(start, idle) else weight * (_ASIDE if _inside(start, asides) else 1.0)
        elements.append(Element(text, weight / seen[text] ** _REPEATED, start, end))
    return elements


def _weight(term: Term, common: Collection[str]) -> float:
    """Return the weight of a term, less for what may be exchanged: names that only stand with a capital, and signs."""
    if term.token.kind != "word":
        return _SIGN
    if term.token.text in FUNCTION_WORDS:
        return _FUNCTION_WORD
    return 1.0 if term.token.text in common or term.text in EXPECTED else _NAME


def _inside(place: int, spans: Sequence[Span]) -> bool:
    at = bisect_left(spans, (place + 1,)) - 1
    return at >= 0 and place < spans[at].end


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same places in order, without overlaps."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(end, found[-1].end))
        else:
            found.append(Span(start, end))
    return found


def _formats(reading: TextReading) -> Iterator[Span]:
    """Yield what says in which form to answer: "express your answer as", "the answer is in the form"."""
    before = False
    for sentence in sentences_of(reading.tokens):
        first = _format(sentence, before=before)
        before = first is not None
        if first is not None:
            yield Span(sentence[first].start, sentence[-1].end)


def _format(sentence: Sequence[TextToken], *, before: bool) -> int | None:
    texts = [token.text for token in sentence]
    for at, text in enumerate(texts):
        if text in _COMMANDS and not _ANSWERS.isdisjoint(texts[at + 1 : at + 5]):
            return at
    told = texts[:1] == ["the"] and not _ANSWERS.isdisjoint(texts[1:3]) and not _FORMS.isdisjoint(texts[2:8])
    return 0 if told or (before and texts[:2] == ["please", "provide"]) else None


def _asides(reading: TextReading) -> Iterator[Span]:
    """Yield the remarks of a text: examples, longer texts in brackets, definitions of signs, and notes."""
    yield from (Span(*each) for each in reading.examples)
    opening = None
    for at, token in enumerate(reading.tokens):
        if token.text == "(" and not token.math:
            opening = at
        elif token.text == ")" and not token.math and opening is not None:
            if _LEAST_BRACKET <= at - opening <= _LONGEST_BRACKET:
                yield Span(reading.tokens[opening].start, token.end)
            opening = None
    noting = False
    for sentence in sentences_of(reading.tokens):
        texts = [token.text for token in sentence]
        noting = texts[0] in _NOTES or (noting and "?" not in texts and not any(True for _ in commands_of(sentence)))
        if noting or not {"denote", "denotes"}.isdisjoint(texts):
            yield Span(sentence[0].start, sentence[-1].end)


def _series(reading: TextReading) -> Iterator[Span]:
    """Yield lists of numbers of which some need not be told: 1 + 2 + ... + 9, {1, 2, 3, 4}."""
    for run in reading.runs:
        if not reading.loose.isdisjoint(run):
            yield Span(reading.mentions[run[0]].start, reading.mentions[run[-1]].end)


def _sentences(reading: TextReading) -> int:
    formats = sum(1 for _ in _formats(reading))
    return max(0, sum(len(each) > 3 for each in sentences_of(reading.tokens)) - formats)


def _lacks(
    original: TextReading, paraphrase: TextReading, there: Sequence[Element], here: Sequence[Element]
) -> list[float]:
    """Return what each element of the original lacks of its expected support."""
    found = _supports(original, paraphrase, there, here, COUNTERPARTS)
    return [each.weight * (_expected(each.text) - support - _SPARE) for each, support in zip(there, found, strict=True)]


def _expected(text: str) -> float:
    if text.startswith("#"):
        return _EXPECTED_OF_NUMBERS
    return min(EXPECTED.get(text, UNKNOWN), _MOST_EXPECTED)


def _unexplained(
    original: TextReading, paraphrase: TextReading, there: Sequence[Element], here: Sequence[Element]
) -> list[float]:
    """Return how much of each element of the paraphrase stands for nothing in the original, in [0, 1]."""
    found = _supports(paraphrase, original, here, there, _ORIGINALS)
    return [each.weight * min(1.0, support / _NEVER) for each, support in zip(here, found, strict=True)]


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
    anchors = [(-1, -1), *_anchors(there, here), (len(there), len(here))]
    sums = [0.0, *accumulate(unexplained)]
    rooms: list[float] = []
    for (one, first), (other, last) in pairwise(anchors):
        share = (sums[last] - sums[first + 1]) / (other - one) if other > one else 0.0
        rooms += [share] * (other - one)
    return rooms[: len(there)]


def _anchors(there: Sequence[Element], here: Sequence[Element]) -> list[tuple[int, int]]:
    """Return the places of elements that both texts have, as many as stand in the same order."""
    places: dict[str, list[int]] = {}
    for at, each in enumerate(here):
        places.setdefault(each.text, []).append(at)
    pairs: list[tuple[int, int]] = []
    for at, each in enumerate(there):
        others = places.get(each.text, [])
        if 0 < len(others) <= _MOST_PLACES:
            wanted = at / len(there)
            other = min(others, key=lambda place: abs(place / len(here) - wanted))
            if abs(other / len(here) - wanted) < _FAR:
                pairs.append((at, other))
    return _rising(pairs)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of some pairs whose second places rise as the first ones do."""
    lasts: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(lasts, place)
        before.append(ends[length - 1] if length else -1)
        lasts[length : length + 1] = [place]
        ends[length : length + 1] = [at]
    found: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


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


def _originals() -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for word, others in COUNTERPARTS.items():
        for other, weight in others.items():
            found.setdefault(other, {})[word] = weight
    return MappingProxyType(found)


_ORIGINALS = _originals()
"""The words of a question that a word of a paraphrase may stand for."""
