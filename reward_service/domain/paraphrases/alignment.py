"""Align two texts by what both say: where an element of the one would stand in the other, and which words are renamed.

A story told anew has other things in the same places: machines each time that the original has tractors.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

from reward_service.domain.paraphrases.elements import Element
from reward_service.domain.paraphrases.vocabulary import FUNCTION_WORDS

_MOST_PLACES, _FAR = 4, 0.25
"""Where a term may be the same as one of the other text: a term of few places, at about the same share of the text."""
_LEAST_RENAMED, _MOST_RENAMED = 2, 12
"""How often a renamed word stands at least, and how many of the most frequent words are compared."""
_REACH = 6
"""How many elements away the new word may stand from where the old one would."""
_LEAST_TOGETHER = 0.6
"""In which share of its places each of two words must stand where the other does."""


def anchors_of(there: Sequence[Element], here: Sequence[Element]) -> list[tuple[int, int]]:
    """Return the places of elements that both texts have, as many as stand in the same order."""
    places: dict[tuple[str, bool], list[int]] = {}
    for at, each in enumerate(here):
        places.setdefault((each.text, each.weight > 0), []).append(at)
    lengths = max(_end(there), 1), max(_end(here), 1)
    pairs: list[tuple[int, int]] = []
    for at, each in enumerate(there):
        others = places.get((each.text, each.weight > 0), [])
        if 0 < len(others) <= _MOST_PLACES:
            wanted = at * lengths[1] / lengths[0]
            other = min(others, key=lambda place: abs(place - wanted))
            if abs(other - wanted) < _FAR * lengths[1]:
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


def places_in_original(there: Sequence[Element], here: Sequence[Element]) -> list[float]:
    """Return where in the original each element of the paraphrase would stand, between the anchors; shape of `here`.

    What only says how to answer at the end of one text stretches nothing in the other.
    """
    anchors = anchors_of(there, here)
    end = _end(there), _end(here)
    if not anchors or all(last < place for last, place in zip(anchors[-1], end, strict=True)):
        anchors.append(end)
    found: list[float] = []
    for (one, first), (other, last) in pairwise([(-1, -1), *anchors, (len(there), len(here))]):
        found += [one + (other - one) * count / (last - first) for count in range(1, last - first + 1)]
    return found[: len(here)]


def _end(elements: Sequence[Element]) -> int:
    """Return the place behind the last element that counts."""
    return next((at + 1 for at in range(len(elements) - 1, -1, -1) if elements[at].weight), 0)


def renamings(there: Sequence[Element], here: Sequence[Element]) -> Mapping[str, str]:
    """Return the words of the paraphrase that stand where a word of the original does, each with that word."""
    old, new = _positions(there, range(len(there))), _positions(here, places_in_original(there, here))
    before, after = _most_frequent(old, new), _most_frequent(new, old)
    pairs = [(_together(old[word], new[other]), len(old[word]), word, other) for word in before for other in after]
    found: dict[str, str] = {}
    for share, _, word, other in sorted(pairs, reverse=True):
        if share >= _LEAST_TOGETHER and other not in found and word not in found.values():
            found[other] = word
    return found


def renamed(elements: Sequence[Element], names: Mapping[str, str]) -> list[Element]:
    """Return elements by their names in the other text."""
    return [each._replace(text=names.get(each.text, each.text)) for each in elements]


def _positions(elements: Sequence[Element], places: Sequence[float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each, place in zip(elements, places, strict=True):
        if each.text[:1].isalpha() and each.text not in FUNCTION_WORDS:
            found.setdefault(each.text, []).append(place)
    return found


def _most_frequent(words: Mapping[str, Sequence[float]], others: Mapping[str, object]) -> list[str]:
    """Return words that stand several times in the one text and never in the other."""
    found = [word for word, places in words.items() if word not in others and len(places) >= _LEAST_RENAMED]
    return sorted(found, key=lambda word: -len(words[word]))[:_MOST_RENAMED]


def _together(one: Sequence[float], other: Sequence[float]) -> float:
    return min(_share_near(one, other), _share_near(other, one))


def _share_near(places: Sequence[float], others: Sequence[float]) -> float:
    """Return the share of places that have one of some others, which rise, within reach."""
    near = 0
    for place in places:
        at = bisect_left(others, place - _REACH)
        near += at < len(others) and others[at] <= place + _REACH
    return near / len(places)
