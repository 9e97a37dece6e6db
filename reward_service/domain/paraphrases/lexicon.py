"""Tell how words come back in paraphrases: by which other words, and how surely.

`lexicon.txt` is counted from pairs by `python -m benchmarks.paraphrase_lexicon`.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import stem

SIGNS = frozenset({
    "=", "+", "<", ">", "≤", "≥", "≠", "\\mid", "\\forall", "\\exists", "\\sum", "\\in", "*", "\\frac", "^", "|",
    "\\pi", "°", "%", "\\sqrt", "$", "\\angle", "\\triangle", "\\dots", "\\cup", "\\cap", "\\mathbb", "-", "/",
})  # fmt: skip
"""Signs that may come back as words."""
SAME = 0.6
"""How surely a word stands for itself."""
LEAST = 0.01
"""What is below is no counterpart."""
UNKNOWN = -2.5
"""The expected support of a word that the lexicon has not, as a logarithm."""
NEAR, FAR, ANYWHERE = 1.0, 0.2, 0.1
"""How much a counterpart counts at the same place of the other text, in its neighbourhood, and elsewhere."""
REACH = 0.2
"""What is near, as a share of the text."""
MOST_TERMS = 1500
"""What stands behind is not compared."""


class Term(NamedTuple):
    """A word by its stem, or a sign, with its token."""

    text: str
    token: TextToken


def terms_of(tokens: Sequence[TextToken]) -> list[Term]:
    """Return the words and signs of a text that may come back."""
    found: list[Term] = []
    for token in tokens:
        if token.kind == "word" and len(token.text) > 1:
            found.append(Term(stem(token.text.removesuffix("'s")), token))
        elif token.text in SIGNS:
            found.append(Term(token.text, token))
    return found[:MOST_TERMS]


def _read() -> Iterator[tuple[str, float, Mapping[str, float]]]:
    text = (files("reward_service.domain.paraphrases") / "lexicon.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        word, expected, *others = line.split(" ")
        pairs = (other.rpartition(":") for other in others)
        yield word, float(expected), MappingProxyType({other: float(weight) / 100 for other, _, weight in pairs})


_ENTRIES = tuple(_read())
EXPECTED: Mapping[str, float] = MappingProxyType({word: expected for word, expected, _ in _ENTRIES})
"""The mean support of a word of a question in its paraphrase, as a logarithm."""
COUNTERPARTS: Mapping[str, Mapping[str, float]] = MappingProxyType({word: others for word, _, others in _ENTRIES})
"""The words of a paraphrase that may stand for a word of the question, each with its probability."""


def _turned(counterparts: Mapping[str, Mapping[str, float]]) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for word, others in counterparts.items():
        for other, weight in others.items():
            found.setdefault(other, {})[word] = weight
    return MappingProxyType(found)


ORIGINALS = _turned(COUNTERPARTS)
"""The words of a question that a word of a paraphrase may stand for."""


def supports(
    terms: Sequence[str], others: Sequence[str], counterparts: Mapping[str, Mapping[str, float]] = COUNTERPARTS
) -> list[float]:
    """Return how surely each word of a question comes back in the paraphrase, as a logarithm; shape of `terms`."""
    places: dict[str, list[float]] = {}
    for at, other in enumerate(others):
        places.setdefault(other, []).append(at / max(len(others) - 1, 1))
    found: list[float] = []
    for at, term in enumerate(terms):
        place, best = at / max(len(terms) - 1, 1), LEAST
        for other, weight in ((term, SAME), *counterparts.get(term, {}).items()):
            if weight > best and other in places:
                best = max(best, weight * _nearness(places[other], place))
        found.append(math.log(best))
    return found


def _nearness(places: Sequence[float], place: float) -> float:
    at = bisect_left(places, place)
    away = min(abs(place - other) for other in places[max(0, at - 1) : at + 1])
    return NEAR if away < REACH else FAR if away < 2 * REACH else ANYWHERE
