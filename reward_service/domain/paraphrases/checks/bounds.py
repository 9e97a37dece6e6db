"""Check bounds: at least, at most, less and more than are kept."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Evidence, Pair, Span, TextReading, Tolerances
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import word_set


class Bound(StrEnum):
    """The way in which a number bounds something."""

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
_REACH_OF_A_BOUND = 7
_TRIVIAL = 1
_ONE = 1
_NEAR = 4
_RANGING = word_set(
    "to through between from up inclusive or more fewer less least most than below above under over within range "
    "minimum maximum first until ≤ ≥ < > [ ] ( \\dots \\in need needs needed can must required capacity limit"
)
"""Words near a number that may stand for a bound."""
_LIMITING = word_set(
    "most no not none never cannot without fewer less lower below under ≤ < only single unique exactly precisely one "
    "once each every distinct different maximum up injective alone most either neither nor two"
)
"""Words of a text that limits how many there are."""
_SAYING_LESS = _LESS | {"<", "≤", "below", "under", "beneath"}
_SAYING_MORE = _MORE | {">", "≥", "above", "over", "exceeds", "exceed", "exceeding", "exceeded"}


def bounds_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a number that bounds otherwise in the two texts, and to a bound that the original does not have.

    A number bounds strictly or not, from above or from below. "At least" and "at most" may not come to a number that
    was exact, and "at most one" not to a text that limits nothing.
    """
    before = _bounds(pair.original.tokens, pair.original.mentions)
    after = _bounds(pair.paraphrase.tokens, pair.paraphrase.mentions)
    for value, bounds in before.items():
        others = after.get(value)
        if others and bounds.keys().isdisjoint(others):
            (old, there), (new, here) = next(iter(bounds.items())), next(iter(others.items()))
            words = f"{old} {value} became {new} {value}"
            return Evidence(words, (Span(there.start, there.end),), (Span(here.start, here.end),))
    return _new_bound(pair, before, after) or _turned(pair)


def _new_bound(
    pair: Pair, before: Mapping[Fraction, Mapping[Bound, Mention]], after: Mapping[Fraction, Mapping[Bound, Mention]]
) -> Evidence | None:
    """Find a number with "at least" or "at most" that is exact in the original, or "at most one" where it limits none."""
    limited = not _LIMITING.isdisjoint(token.text for token in pair.original.tokens)
    exact = {each.value: each for each in _exact(pair.original)}
    for value, bounds in after.items():
        if value in before:
            continue
        for bound, here in bounds.items():
            spans = (Span(here.start, here.end),)
            if bound in (Bound.AT_MOST, Bound.BELOW) and value == _ONE and not limited:
                return Evidence(f"{bound} {value}, and the original limits nothing", (), spans)
            there = exact.get(value)
            if there is not None and value > _ONE and bound in (Bound.AT_MOST, Bound.AT_LEAST):
                return Evidence(f"{value} became {bound} {value}", (Span(there.start, there.end),), spans)
    return None


def _exact(reading: TextReading) -> Iterator[Mention]:
    """Yield the numbers that are no ends of a range or list: not 1 and 9 of "from 1 to 9", "[1, 9]" or "1, ..., 9"."""
    listed = {reading.mentions[at].start for run in reading.runs for at in run}
    starts = {token.start: at for at, token in enumerate(reading.tokens)}
    ends = {token.end: at for at, token in enumerate(reading.tokens)}
    for mention in reading.mentions:
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None or mention.start in listed or mention.label:
            continue
        around = {token.text for token in reading.tokens[max(0, first - _NEAR) : last + _NEAR + 1]}
        if around.isdisjoint(_RANGING):
            yield mention


def _turned(pair: Pair) -> Evidence | None:
    """Find "less" where the original only says "more", or the other way round, with as many comparisons in both."""
    before, after = _compared(pair.original), _compared(pair.paraphrase)
    if sum(map(len, before)) != sum(map(len, after)):
        return None
    for old, new, gone, come in (
        (before[0], after[1], before[1], after[0]),
        (before[1], after[0], before[0], after[1]),
    ):
        if old and new and not gone and not come:
            words = f"{old[0].text} became {new[0].text}"
            return Evidence(words, spans_of(old[:1]), spans_of(new[:1]))
    return None


def _compared(reading: TextReading) -> tuple[list[TextToken], list[TextToken]]:
    """Return the tokens that say less, and those that say more."""
    less = [token for token in reading.tokens if token.text in _SAYING_LESS]
    more = [token for token in reading.tokens if token.text in _SAYING_MORE]
    return less, more


def _bounds(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> dict[Fraction, dict[Bound, Mention]]:
    """Return the numbers that bound something, with the way they do."""
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
    before = [token.text for token in reversed(tokens[max(0, at - _REACH_OF_A_BOUND) : at + 1])]
    behind = [token.text for token in tokens[last + 1 : last + 3]]
    bound = _from_words(before)
    if bound is not None:
        return bound
    if behind[:1] == ["or"] and len(behind) > 1:
        return Bound.AT_MOST if behind[1] in _LESS else Bound.AT_LEAST if behind[1] in _MORE else None
    return _BEHIND.get(behind[0]) if behind else None


def _from_words(before: Sequence[str]) -> Bound | None:
    """Return the bound of the words in front of a number, the nearest first; a denial turns the bound around."""
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
