"""Compare the letters and relations of two texts: a condition that is left out takes some of them with it."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from reward_service.domain.paraphrases.elements import LETTER, Element

_RELATIONS = frozenset({"=", "<", ">", "≤", "≥", "≠", "\\mid", "\\in"})
_SPARE = 1.0


class Symbols(NamedTuple):
    """How much less a paraphrase says in symbols than its original, whatever the letters are called.

    `relations` is a logarithm of how often equations and inequalities stand. `lone` is how many more letters stand only
    once: they are named and not used, or used and not named.
    """

    lone: float
    relations: float


def symbols_of(there: Iterable[Element], here: Iterable[Element]) -> Symbols:
    """Compare what two texts say, the original first."""
    before, after = _counted(there), _counted(here)
    relations, kept = (sum(each[sign] for sign in _RELATIONS) for each in (before, after))
    return Symbols(float(_lone(after) - _lone(before)), math.log((relations + _SPARE) / (kept + _SPARE)))


def _counted(elements: Iterable[Element]) -> Counter[str]:
    return Counter(each.text for each in elements if each.weight)


def _lone(counted: Counter[str]) -> int:
    return sum(count == 1 and text.removeprefix(LETTER) not in ("", text) for text, count in counted.items())
