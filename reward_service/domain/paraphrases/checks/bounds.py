"""Check bounds: at least, at most, less and more than are kept."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.tokens import TextToken, sentences_of
from reward_service.domain.paraphrases.vocabulary import ABOVE, BELOW, denies, word_set


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
_SKIPPED = frozenset({"\\sqrt", "$", "\\$", "{", "(", "-"})
_REACH_OF_A_BOUND = 7
_ONE = 1
_TIMES: Mapping[str, Fraction] = MappingProxyType({"once": Fraction(1), "twice": Fraction(2)})
_NEAR = 4
_RANGING = word_set(
    "to through between from up inclusive or more fewer less least most than below above under over within range "
    "minimum maximum first until ≤ ≥ < > [ ] ( \\dots \\in need needs needed can must required capacity limit "
    "\\lfloor \\lceil \\rfloor \\rceil"
)
"""Words near a number that may stand for a bound."""
_LIMITING = word_set(
    "most no not none never cannot without fewer less lower below under ≤ < only single unique exactly precisely once "
    "maximum up injective alone either neither nor between divisor factor coprime gcd"
)
"""Words of a text that limits how many there are."""
_EXCEEDING = word_set("exceeds exceed exceeding exceeded")
_REACH_OF_A_DENIAL = 4
_LINKS = word_set("be been is are was were any ever to have has do does exactly strictly")
"""Words between a denial and the comparison that it denies."""
_PLAIN_CHARS = 16
_PLAIN = re.compile(r"\b(?:at (?:least|most)|(?:more|less|fewer|greater) than)[\s$\\({]*(?:sqrt|frac)?[\s{]*$")
_EXTREMES = word_set("largest greatest biggest smallest least")
_MULTIPLES = re.compile(r"\b(?:multiples? of|divisible by)[\s$\\({]*(\d{1,6})(?![\d.,]*\d)")
_FLOOR = re.compile(
    r"\b(?:greatest|largest|biggest|highest) (?:whole number|integer)(?: that is| which is)? (?:strictly )?"
    r"(?:less|smaller|lower) than\b(?! or equal)(?=[\s$\\(]{1,6}[a-z]\b)"
)
_NOT_STRICT = re.compile(
    r"\\lfloor|not exceed|less than or equal|at most|no (?:more|greater|larger) than|\\le\b|\\leq|≤"
)
_STRICTNESS = (frozenset({Bound.BELOW, Bound.AT_MOST}), frozenset({Bound.ABOVE, Bound.AT_LEAST}))
_ADDING = word_set("add adds added adding sum sums summing total totals totaling")


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
            if value == 0 and "positive" in pair.original.words:
                continue
            if frozenset((old, new)) in _STRICTNESS and _never_reached(pair.original, value, there):
                continue
            words = f"{old} {value} became {new} {value}"
            return Evidence(words, (Span(there.start, there.end),), (Span(here.start, here.end),))
    return _new_bound(pair, before, after) or _turned(pair) or _strict_floor(pair)


def _never_reached(reading: TextReading, value: Fraction, mention: Mention) -> bool:
    """Return whether it is the same to reach a bound or not: 100x, and 350 where multiples of 12 are meant."""
    behind = bisect_left(reading.tokens, mention.end, key=lambda token: token.start)
    if any(token.kind == "letter" and token.start == mention.end for token in reading.tokens[behind : behind + 1]):
        return True
    sentence = next((each for each in sentences_of(reading.tokens) if each[-1].end >= mention.end), ())
    if not sentence or _EXTREMES.isdisjoint(token.text for token in sentence):
        return False
    factors = {int(found[1]) for found in _MULTIPLES.finditer(reading.text, sentence[0].start, sentence[-1].end)}
    return any(factor and value % factor for factor in factors)


def _new_bound(
    pair: Pair, before: Mapping[Fraction, Mapping[Bound, Mention]], after: Mapping[Fraction, Mapping[Bound, Mention]]
) -> Evidence | None:
    """Find "at least" or "at most" with a number that was exact, and "at most one" where nothing is limited."""
    words = {token.text for token in pair.original.tokens}
    limited = not _LIMITING.isdisjoint(words)
    bounding = {here.start for bounds in after.values() for here in bounds.values()}
    exact = {each.value: each for each in _exact(pair.original)}
    still = {each.value for each in pair.paraphrase.mentions if each.start not in bounding}
    for value, bounds in after.items():
        if value in before:
            continue
        for bound, here in bounds.items():
            spans = (Span(here.start, here.end),)
            if bound is Bound.BELOW and value == 0 and "positive" in words and "negative" not in words:
                return Evidence("less than 0, and positive in the original", (), spans)
            if bound in (Bound.AT_MOST, Bound.BELOW) and value == _ONE and not limited:
                return Evidence(f"{bound} {value}, and the original limits nothing", (), spans)
            there = exact.get(value)
            if there is not None and value > _ONE and value not in still and _plainly(pair.paraphrase, here):
                return Evidence(f"{value} became {bound} {value}", (Span(there.start, there.end),), spans)
    return None


def _strict_floor(pair: Pair) -> Evidence | None:
    """Find "the largest integer less than x" where the original's may be x itself."""
    here = _FLOOR.search(pair.paraphrase.text)
    if here is None or _FLOOR.search(pair.original.text) or not _NOT_STRICT.search(pair.original.text):
        return None
    return Evidence(f"{here.group()} may not be equal here", (), (Span(*here.span()),))


def _plainly(reading: TextReading, mention: Mention) -> bool:
    """Return whether "at least", "more than" or the like stands in front of a number: not "from 1 up to 50"."""
    before = reading.text[max(0, mention.start - _PLAIN_CHARS) : mention.start].lower()
    return _PLAIN.search(before) is not None


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
    """Find "less than" where the original only says "more than" of the same thing, with as many comparisons in both."""
    old, new = (list(_comparisons(reading)) for reading in (pair.original, pair.paraphrase))
    if len(old) != len(new) or _symbols(pair.original) != _symbols(pair.paraphrase):
        return None
    for less in (True, False):
        gone, come = [each for each in old if each.less == less], [each for each in new if each.less != less]
        if gone and come and len(gone) == len(old) and _same_thing(gone[0], come[0]):
            words = f"{gone[0].token.text} became {come[0].token.text}"
            return Evidence(words, spans_of([gone[0].token]), spans_of([come[0].token]))
    return None


class _Comparison(NamedTuple):
    """A word that compares, whether it says less or more, and the numbers and letters beside: "1 less than x"."""

    token: TextToken
    less: bool
    than: tuple[str, ...]


def _comparisons(reading: TextReading) -> Iterator[_Comparison]:
    """Yield "less than", "exceeds" and the like; a denial turns them around."""
    tokens = [token for token in reading.tokens if token.text not in ("{", "}", "(", ")", "$")]
    for at, token in enumerate(tokens):
        behind = [each.text for each in tokens[at + 1 : at + 2]]
        if token.text in _EXCEEDING or (token.text in BELOW | ABOVE and behind == ["than"]):
            before = [each.text for each in tokens[max(0, at - _REACH_OF_A_DENIAL) : at]]
            denied = _is_denied(before)
            if not denied and any(map(denies, before)):
                continue  # "no number that is less" says as much as "all that are more"
            following = tokens[at + 1 + (behind == ["than"]) :]
            if [each.text for each in following[:3]] == ["or", "equal", "to"]:
                following = following[3:]
            by = [each.text for each in tokens[max(0, at - 1) : at] if each.kind == "number"]
            than = *by, *(each.text for each in following[:2] if each.kind in ("number", "letter", "command"))
            yield _Comparison(token, (token.text in BELOW) != denied, than)


def _is_denied(before: Sequence[str]) -> bool:
    """Return whether a comparison is denied itself: "is not to be more than", not "no cube that is more than"."""
    for word in reversed(before):
        if denies(word):
            return True
        if word not in _LINKS:
            return False
    return False


def _same_thing(one: _Comparison, other: _Comparison) -> bool:
    """Return whether two comparisons are with things of one shape: 2x and 2a, or words both times."""
    shapes = [["x" if part.isalpha() else part for part in each.than] for each in (one, other)]
    return shapes[0] == shapes[1] and bool(shapes[0])


def _symbols(reading: TextReading) -> Counter[str]:
    return Counter(token.text for token in reading.tokens if token.text in ("<", ">", "≤", "≥"))


def _bounds(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> dict[Fraction, dict[Bound, Mention]]:
    """Return the numbers that bound something, with the way they do."""
    starts = {token.start: at for at, token in enumerate(tokens)}
    ends = {token.end: at for at, token in enumerate(tokens)}
    found: dict[Fraction, dict[Bound, Mention]] = {}
    for mention in (*mentions, *_times(tokens)):
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None:
            continue
        bound = _bound(tokens, first, last)
        if bound is not None:
            found.setdefault(mention.value, {}).setdefault(bound, mention)
    return found


def _times(tokens: Sequence[TextToken]) -> Iterator[Mention]:
    """Yield "once" and "twice" as numbers, and the 0 that is meant by "nonnegative"."""
    for at, token in enumerate(tokens):
        if token.text in _TIMES:
            yield Mention((_TIMES[token.text],), token.start, token.end, digits=False)
        if token.text == "nonnegative" or (token.text == "negative" and _before(tokens, at) == ["non", "-"]):
            yield Mention((Fraction(0),), token.start, token.end, digits=False)


def _before(tokens: Sequence[TextToken], at: int) -> list[str]:
    return [token.text for token in tokens[max(0, at - 2) : at]]


def _bound(tokens: Sequence[TextToken], first: int, last: int) -> Bound | None:
    if tokens[last].text in ("nonnegative", "negative"):
        return Bound.AT_LEAST
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
        return Bound.AT_MOST if behind[1] in BELOW else Bound.AT_LEAST if behind[1] in ABOVE else None
    return _BEHIND.get(behind[0]) if behind else None


def _from_words(before: Sequence[str]) -> Bound | None:
    """Return the bound of the words in front of a number, the nearest first; a denial turns the bound around."""
    if not before:
        return None
    bound, rest = _BEFORE.get(before[0]), before[1:]
    if before[0] == "than" and rest:
        bound, rest = Bound.BELOW if rest[0] in BELOW else Bound.ABOVE if rest[0] in ABOVE else None, rest[1:]
    elif list(before[:4]) == ["to", "equal", "or", "than"] and len(before) > 4:
        word, rest = before[4], before[5:]
        bound = Bound.AT_MOST if word in BELOW else Bound.AT_LEAST if word in ABOVE else None
    elif list(before[:2]) == ["most", "at"] or (list(before[:2]) == ["to", "up"] and _ADDING.isdisjoint(before[2:3])):
        bound, rest = Bound.AT_MOST, before[2:]
    elif list(before[:3]) == ["as", "many", "as"]:
        bound, rest = Bound.AT_MOST, before[3:]
    elif list(before[:2]) == ["least", "at"]:
        bound, rest = Bound.AT_LEAST, before[2:]
    if bound is None:
        return None
    denied = any(map(denies, _same_clause(rest)))
    return _DENIED[bound] if denied else bound


def _same_clause(words: Sequence[str]) -> Sequence[str]:
    for at, word in enumerate(words):
        if word in (".", ",", ";", "and", "or", "that", "are", "which"):
            return words[:at]
    return words
