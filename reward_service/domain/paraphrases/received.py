"""Share the elements of a paraphrase out among the sentences of its original: a sentence left out receives none.

An element goes to the sentences that have it or a word that it may stand for, by how near they are to its place, and
where nothing explains it to those at its place. Then those of one sentence go where most of them went.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reward_service.domain.paraphrases.alignment import places_in_original
from reward_service.domain.paraphrases.elements import Element
from reward_service.domain.paraphrases.lexicon import ORIGINALS, SAME
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.tokens import asks_clearly, sentences_of

_WIDTH = 4.0
"""Over how many elements the nearness of a place falls to 1/e."""
_FAR = 0.02
"""What is left of the nearness anywhere."""
_FLOOR = 0.012
"""How surely an element stands for any other at its place."""
_NEAREST = 4
"""How many of the places of a word are looked at, and how many sentences around a place."""
_LEAST_WEIGHT = 0.1
_UNDECIDED = 0.5
"""How much of a sentence goes to each sentence of the original before anything is known."""
_KEPT, _KEPT_NUMBER = 2.0, 4.0
"""How much more a word or number of only one sentence is, where it is kept: another sentence would not have it."""
_SMALL = frozenset({"#0", "#1", "#2", "#3"})
_LEAST_SENTENCE, _LEAST_QUESTION = 2.5, 5.0
"""What is less is no sentence that may be missed: "Find it" goes into the sentence before."""


class Receipt(NamedTuple):
    """A sentence of the original: its weight, and that of the elements of the paraphrase that stand for it.

    `kept` is what the words and numbers count besides that only the sentence has and that the paraphrase says.
    """

    weight: float
    received: float
    kept: float
    place: Span

    @property
    def owed(self) -> float:
        """Return what the sentence has not received."""
        return max(0.0, self.weight - self.received - self.kept)


def receipts(
    original: TextReading, paraphrase: TextReading, there: Sequence[Element], here: Sequence[Element]
) -> list[Receipt]:
    """Return what each sentence of the original receives, but for the shortest ones. Linear in the lengths."""
    sentences = list(sentences_in(original, there))
    shares = _Likelihoods(there, [(first, last) for first, last, _ in sentences])
    drawn = [shares.of(each, place) for each, place in zip(here, places_in_original(there, here), strict=True)]
    received = [0.0] * len(sentences)
    for first, last, _ in sentences_in(paraphrase, here):
        told = [(each.weight, likely) for each, likely in zip(here[first:last], drawn[first:last], strict=True)]
        for at, weight in _shared_out(told, _shared_out(told, {}, len(sentences)), len(sentences)).items():
            received[at] += weight
    found: list[Receipt] = []
    for (first, last, least), got, kept in zip(sentences, received, _kept(there, here, sentences), strict=True):
        weight = sum(each.weight for each in there[first:last])
        if weight >= least:
            found.append(Receipt(weight, got, kept, Span(there[first].start, there[last - 1].end)))
    return found


def _kept(
    there: Sequence[Element], here: Sequence[Element], sentences: Sequence[tuple[int, int, float]]
) -> Iterator[float]:
    """Yield how much more each sentence has received as it is the only one with a word or number that is kept."""
    said = {each.text for each in here}
    places: dict[str, set[int]] = {}
    for at, (first, last, _) in enumerate(sentences):
        for each in there[first:last]:
            if each.weight >= 1 and each.text in said:
                places.setdefault(each.text, set()).add(at)
    kept = [0.0] * len(sentences)
    for text, found in places.items():
        if len(found) == 1:
            kept[next(iter(found))] += _KEPT_NUMBER if text.startswith("#") and text not in _SMALL else _KEPT
    yield from kept


def sentences_in(reading: TextReading, elements: Sequence[Element]) -> Iterator[tuple[int, int, float]]:
    """Yield the elements of each sentence, from one to another, and the least weight that may be missed."""
    first = 0
    for sentence in sentences_of(reading.tokens):
        last = bisect_left(elements, sentence[-1].end, lo=first, key=lambda each: each.start)
        if last > first:
            yield first, last, _LEAST_QUESTION if asks_clearly(sentence) else _LEAST_SENTENCE
        first = last


def _shared_out(
    told: Sequence[tuple[float, Mapping[int, float]]], before: Mapping[int, float], count: int
) -> dict[int, float]:
    """Share the elements of a sentence out, by how likely each goes where, and how much went there before."""
    total = sum(before.values()) + _UNDECIDED * count
    prior = {at: (weight + _UNDECIDED) / total for at, weight in before.items()}
    found: dict[int, float] = {}
    for weight, likely in told:
        shares = {at: each * prior.get(at, 1.0) for at, each in likely.items()}
        whole = sum(shares.values())
        for at, each in shares.items():
            found[at] = found.get(at, 0.0) + weight * each / whole
    return found


class _Likelihoods:
    """How likely an element stands for each sentence of the original."""

    def __init__(self, there: Sequence[Element], sentences: Sequence[tuple[int, int]]) -> None:
        self._weights = [max(each.weight, _LEAST_WEIGHT) for each in there]
        self._sentences = sentences
        self._starts = [first for first, _ in sentences]
        self._of = [at for at, (first, last) in enumerate(sentences) for _ in range(first, last)]
        self._places: dict[str, list[int]] = {}
        for at, each in enumerate(there):
            self._places.setdefault(each.text, []).append(at)

    def of(self, element: Element, place: float) -> dict[int, float]:
        found: dict[int, float] = {}
        for text, sure in ((element.text, SAME), *ORIGINALS.get(element.text, {}).items()):
            places = self._places.get(text)
            for at in _nearest(places, place) if places else ():
                near = math.exp(-abs(at - place) / _WIDTH) + _FAR
                sentence = self._of[at]
                found[sentence] = found.get(sentence, 0.0) + sure * self._weights[at] * near
        middle = bisect_right(self._starts, place) - 1
        for at in range(max(0, middle - _NEAREST), min(len(self._sentences), middle + _NEAREST + 1)):
            first, last = self._sentences[at]
            found[at] = found.get(at, 0.0) + _FLOOR * (_mass(last - 0.5 - place) - _mass(first - 0.5 - place))
        return found


def _nearest(places: Sequence[int], place: float) -> Sequence[int]:
    at = bisect_left(places, place)
    return places[max(0, at - _NEAREST // 2) : at + _NEAREST // 2]


def _mass(away: float) -> float:
    """Return how much of the nearness lies before a place that is so far away."""
    return _WIDTH * (math.exp(away / _WIDTH) if away < 0 else 2 - math.exp(-away / _WIDTH))
