"""Tell by how each word of a text comes back in its paraphrase whether what it belongs to was left out.

A word that paraphrases nearly always keep says much where it is gone. A word that they often exchange says little. How
much is counted by `python -m benchmarks.paraphrase_clues`, which writes `clues.txt`: the logarithm of how often a word
comes back so in sentences that were left out, over how often it does in whole paraphrases.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.alignment import places_in_original
from reward_service.domain.paraphrases.elements import Element
from reward_service.domain.paraphrases.lexicon import COUNTERPARTS, SAME
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.vocabulary import FUNCTION_WORDS

GRADES = (0.03, 0.12, 0.35)
"""The limits between the grades of how surely a word comes back: not, hardly, perhaps, surely."""
_UNSAID, _IMPLIED_NUMBER, _SAME_NUMBER = 0.005, 0.3, 0.9
_REACH, _WIDTH, _ANYWHERE = 2.0, 8.0, 0.08
"""How many elements away a counterpart counts in full, over how many more it falls to 1/e, and what is left of it."""
_FULL_WEIGHT = 0.5
"""From which weight on an element is a clue in full: names, remarks and what says how to answer are less."""
_SPARE = 5.0
"""What is added to the weight of a sentence, so that the clues of short ones count less."""
_NONE_MISSED = -1.0
_SMALL_NUMBERS = frozenset({"#0", "#1", "#2", "#3"})


class Clue(NamedTuple):
    """How an element of the original comes back.

    `repeated` tells whether another sentence of the original has the element too, so that it may be the other one that
    comes back. `grade` counts the limits of `GRADES` that the probability of the counterpart reaches.
    """

    text: str
    repeated: bool
    grade: int
    share: float

    @property
    def evidence(self) -> float:
        """Return what the clue says for a sentence left out, as a logarithm; below 0 it says that the word is there."""
        row = _EVIDENCE.get(self.text) or _EVIDENCE[kind_of(self.text)]
        return self.share * row[self.repeated][self.grade]


def clues_of(
    original: TextReading,
    paraphrase: TextReading,
    there: Sequence[Element],
    here: Sequence[Element],
    sentences: Sequence[tuple[int, int, float]],
    counterparts: Mapping[str, Mapping[str, float]] = COUNTERPARTS,
) -> list[Clue]:
    """Return a clue for each element of the original, whose sentences go from one element to another."""
    numbers = {each.start: each for each in original.mentions}
    found = _Found(paraphrase, here, places_in_original(there, here), counterparts)
    within = [{each.text for each in there[first:last]} for first, last, _ in sentences]
    repeated = {text for text, count in Counter(text for each in within for text in each).items() if count > 1}
    clues: list[Clue] = []
    for at, each in enumerate(there):
        number = numbers.get(each.start) if each.text.startswith("#") else None
        grade = bisect_left(GRADES, found.sureness(each.text, at, number))
        clues.append(Clue(each.text, each.text in repeated, grade, min(1.0, each.weight / _FULL_WEIGHT)))
    return clues


def missed_of(
    clues: Sequence[Clue], there: Sequence[Element], sentences: Sequence[tuple[int, int, float]]
) -> tuple[float, Span]:
    """Return the most that the clues of a sentence behind the first say for its being left out, and the sentence."""
    found: list[tuple[float, Span]] = []
    for first, last, least in sentences:
        if sum(each.weight for each in there[first:last]) >= least:
            evidence = sum(each.evidence for each in clues[first:last])
            weight = sum(each.share for each in clues[first:last])
            found.append((evidence / (weight + _SPARE), Span(there[first].start, there[last - 1].end)))
    return max(found[1:], default=(_NONE_MISSED, Span(0, 0)))


class _Found:
    """Where a paraphrase says what, by the places in the original."""

    def __init__(
        self,
        paraphrase: TextReading,
        here: Sequence[Element],
        places: Sequence[float],
        counterparts: Mapping[str, Mapping[str, float]],
    ) -> None:
        self._accounts = paraphrase.accounts
        self._counterparts = counterparts
        self._places: dict[str, list[float]] = {}
        for each, place in zip(here, places, strict=True):
            self._places.setdefault(each.text, []).append(place)

    def sureness(self, text: str, place: int, number: Mention | None) -> float:
        """Return how surely something stands for an element at its place."""
        if number is not None:
            if text in self._places:
                return _SAME_NUMBER * self._nearness(text, place)
            return _IMPLIED_NUMBER if self._accounts.cover(number) else _UNSAID
        others = ((text, SAME), *self._counterparts.get(text, {}).items())
        return max(
            (sure * self._nearness(other, place) for other, sure in others if other in self._places), default=_UNSAID
        )

    def _nearness(self, text: str, place: int) -> float:
        places = self._places[text]
        at = bisect_left(places, place)
        away = min(abs(place - other) for other in places[max(0, at - 1) : at + 1])
        return min(1.0, math.exp(-max(0.0, away - _REACH) / _WIDTH) + _ANYWHERE)


def kind_of(text: str) -> str:
    """Return the kind of an element, by which the table of clues knows those that it has not counted one by one."""
    if text.startswith("#"):
        return "?small" if text in _SMALL_NUMBERS else "?number"
    if not text[:1].isalpha():
        return "?sign"
    if text in FUNCTION_WORDS:
        return "?function"
    return "?known" if text in COUNTERPARTS else "?unknown"


Row = tuple[tuple[float, ...], tuple[float, ...]]
"""What each grade says, of an element of one sentence and of one that another sentence has too."""


def _read() -> Iterator[tuple[str, Row]]:
    for line in (files("reward_service.domain.paraphrases") / "clues.txt").read_text("utf-8").splitlines():
        if not line.startswith("# "):
            text, *told = line.split(" ")
            values = tuple(int(each) / 100 for each in told)
            yield text, (values[: len(GRADES) + 1], values[len(GRADES) + 1 :])


_EVIDENCE: Mapping[str, Row] = MappingProxyType(dict(_read()))
