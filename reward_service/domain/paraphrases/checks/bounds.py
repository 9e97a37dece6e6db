"""Relations kept: "at least 5" does not become "more than 5"."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.tokens import TextToken


class Bound(StrEnum):
    """How a number bounds something."""

    BELOW = "less than"
    AT_MOST = "at most"
    ABOVE = "more than"
    AT_LEAST = "at least"


_DENIED = {
    Bound.BELOW: Bound.AT_LEAST,
    Bound.ABOVE: Bound.AT_MOST,
    Bound.AT_MOST: Bound.ABOVE,
    Bound.AT_LEAST: Bound.BELOW,
}
_BEFORE = {
    "<": Bound.BELOW, "≤": Bound.AT_MOST, ">": Bound.ABOVE, "≥": Bound.AT_LEAST, "below": Bound.BELOW,
    "exceeds": Bound.ABOVE, "exceed": Bound.ABOVE, "exceeding": Bound.ABOVE,
}  # fmt: skip
_BEHIND = {"<": Bound.ABOVE, "≤": Bound.AT_LEAST, ">": Bound.BELOW, "≥": Bound.AT_MOST}
_LESS = frozenset({"less", "fewer", "smaller", "lower", "shorter"})
_MORE = frozenset({"more", "greater", "larger", "bigger", "higher", "longer"})
_DENIALS = frozenset({"no", "not", "none", "never", "cannot", "without"})
_SKIPPED = frozenset({"$", "\\$", "{", "(", "-"})
_REACH = 7
_TRIVIAL = 1


def bounds_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """No number bounds in the one text otherwise than in the other: strictly or not, from above or from below."""
    before = _bounds(pair.original.tokens, pair.original.mentions)
    after = _bounds(pair.paraphrase.tokens, pair.paraphrase.mentions)
    for value, bounds in before.items():
        others = after.get(value)
        if others and bounds.keys().isdisjoint(others):
            (old, there), (new, here) = next(iter(bounds.items())), next(iter(others.items()))
            words = f"{old} {value} became {new} {value}"
            return Evidence(words, (Span(there.start, there.end),), (Span(here.start, here.end),))
    return None


def _bounds(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> dict[Fraction, dict[Bound, Mention]]:
    """The numbers that bound something, with how they do."""
    starts = {token.start: at for at, token in enumerate(tokens)}
    ends = {token.end: at for at, token in enumerate(tokens)}
    found: dict[Fraction, dict[Bound, Mention]] = {}
    for mention in mentions:
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None or (mention.value <= _TRIVIAL and not mention.digits):
            continue
        bound = _bound(tokens, first, last)
        if bound is not None:
            found.setdefault(mention.value, {}).setdefault(bound, mention)
    return found


def _bound(tokens: Sequence[TextToken], first: int, last: int) -> Bound | None:
    at = first - 1
    while at >= 0 and tokens[at].text in _SKIPPED:
        if tokens[at].text == "-":
            return None
        at -= 1
    before = [token.text for token in reversed(tokens[max(0, at - _REACH) : at + 1])]
    behind = [token.text for token in tokens[last + 1 : last + 3]]
    bound = _from_words(before)
    if bound is not None:
        return bound
    if behind[:1] == ["or"] and len(behind) > 1:
        return Bound.AT_MOST if behind[1] in _LESS else Bound.AT_LEAST if behind[1] in _MORE else None
    return _BEHIND.get(behind[0]) if behind else None


def _from_words(before: Sequence[str]) -> Bound | None:
    """By the words in front of a number, the nearest first; a denial among them turns what it denies."""
    if not before:
        return None
    bound, rest = _BEFORE.get(before[0]), before[1:]
    if before[0] == "than" and rest:
        bound, rest = Bound.BELOW if rest[0] in _LESS else Bound.ABOVE if rest[0] in _MORE else None, rest[1:]
    elif list(before[:4]) == ["to", "equal", "or", "than"] and len(before) > 4:
        word, rest = before[4], before[5:]
        bound = Bound.AT_MOST if word in _LESS else Bound.AT_LEAST if word in _MORE else None
    elif list(before[:2]) in (["most", "at"], ["to", "up"]):
        bound, rest = Bound.AT_MOST, before[2:]
    elif list(before[:2]) == ["least", "at"]:
        bound, rest = Bound.AT_LEAST, before[2:]
    if bound is None:
        return None
    denied = not _DENIALS.isdisjoint(_same_clause(rest))
    return _DENIED[bound] if denied else bound


def _same_clause(words: Sequence[str]) -> Sequence[str]:
    for at, word in enumerate(words):
        if word in (".", ",", ";", "and", "or", "that", "are", "which"):
            return words[:at]
    return words
