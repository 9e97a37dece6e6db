"""Tell what else a number says by the words around it: 22 % less is 78 %, a diameter of 10 is a radius of 5."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import ABOVE, BELOW, UNITS, word_set

_LESS = word_set(
    "less off lower fewer cheaper shorter smaller discount discounted decrease decreased decreases decreasing reduced "
    "reduces reduction reducing fell fall falls drop drops dropped lost loses loss declined declines remove removed "
    "spent spends sold sells gave used evaporates shrinks deducted"
)
_MORE = word_set(
    "more higher greater longer larger increase increased increases increasing raised raises raise rose rises rise "
    "grew grows gained gains gain markup extra interest tax tip"
)
_BEFORE, _BEHIND = 4, 4
_FAR = 6
_BELOW_ALONE = frozenset({"<", "below", "under"})
_ABOVE_ALONE = frozenset({">", "above", "over", "exceeds", "exceed", "exceeding"})
_WRAPPING = frozenset({"$", "\\$", "{", "}"})
_PERIOD = re.compile(r"^(\d{1,6}?)\1+$")
_MOST_WHOLE = 12
_MOST_PERIOD = 4
_LONGEST_BINOMIAL = 5


def equivalents(tokens: Sequence[TextToken], first: int, last: int, value: Fraction) -> Iterator[Fraction]:
    """Yield the values that say the same as the number from one token to another."""
    before = {token.text for token in tokens[max(0, first - _BEFORE) : first]}
    if tokens[last].text in ("%", "percent"):
        around = before.union(token.text for token in tokens[last + 1 : last + 1 + _BEHIND])
        if around & _LESS and value < 100:
            yield from (100 - value, 1 - value / 100)
        if around & _MORE:
            yield from (100 + value, 1 + value / 100)
    if "diameter" in before:
        yield value / 2
    if "radius" in before:
        yield 2 * value
    yield from _chosen_otherwise(tokens, first, value)
    if last + 1 < len(tokens) and tokens[last + 1].text == "\\dots":
        yield from _periodic(tokens[last].text)


def _chosen_otherwise(tokens: Sequence[TextToken], first: int, value: Fraction) -> Iterator[Fraction]:
    r"""Yield 7 for 10 of \binom{17}{10}: to choose 10 of 17 is to leave out 7."""
    around = [token.text for token in tokens[max(0, first - _LONGEST_BINOMIAL) : first]]
    binomial = around[:2] + around[3:] == ["\\binom", "{", "}", "{"]
    if binomial and around[2].isdecimal() and len(around[2]) <= _MOST_WHOLE:
        yield max(Fraction(around[2]) - value, Fraction(0))


def _periodic(decimal: str) -> Iterator[Fraction]:
    """Yield what 0.3737... is: 37/99, and 0.37 as it is written in short."""
    whole, _, rest = decimal.partition(".")
    found = _PERIOD.match(rest)
    if found is not None and whole.isdecimal() and len(whole) <= _MOST_WHOLE:
        yield from repeating(whole, "", found[1])


def repeating(whole: str, fixed: str, period: str) -> Iterator[Fraction]:
    """Yield the value of a whole number with fixed digits and a period behind the point, then its beginnings."""
    start, scale = Fraction(int(f"{whole}{fixed}" or "0")), 10 ** len(fixed)
    yield (start + Fraction(int(period), 10 ** len(period) - 1)) / scale
    for times in range(1, _MOST_PERIOD + 1):
        digits = f"{fixed}{period * times}"
        yield int(whole or "0") + Fraction(int(digits), 10 ** len(digits))


def between(tokens: Sequence[TextToken], at: int, after: int, value: Fraction) -> Fraction | None:
    """Return the whole number just inside an end of "between 100 and 500"; None for a number that is no such end."""
    before = [token.text for token in tokens[max(0, at - _FAR) : at] if token.text not in _WRAPPING]
    if any(token.text == "inclusive" for token in tokens[after : after + _FAR]):
        return None
    if before[-1:] == ["between"]:
        return value + 1
    return value - 1 if before[-1:] == ["and"] and before[-3:-2] == ["between"] else None


def just_inside(value: Fraction, tokens: Sequence[TextToken], at: int, after: int) -> Fraction | None:
    """Return the whole number just inside a strict bound: 99 of "less than 100"; "5 less than x" bounds nothing."""
    before = [token.text for token in tokens[max(0, at - _FAR) : at]]
    if before[-1:] in (["$"], ["\\$"]):
        before = before[:-1]
    last, behind = before[-1] if before else "", tokens[after].text if after < len(tokens) else ""
    if last == "than":
        compared, counted = before[-2:-1], before[-3:-2]
        if counted and (counted[0] in ("no", "not") or counted[0] in UNITS or counted[0][:1].isdigit()):
            return None
        return value - 1 if not BELOW.isdisjoint(compared) else value + 1 if not ABOVE.isdisjoint(compared) else None
    if last in _BELOW_ALONE or behind == ">":
        return value - 1
    if last in _ABOVE_ALONE or behind == "<":
        return value + 1
    return None
