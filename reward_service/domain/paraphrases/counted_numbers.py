"""Tell which numbers of a text count, and which it may leave out."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.tokens import Kind, Segment, TextToken

_BOUNDARIES = frozenset({".", ",", ";", "?", ":"})


def assignments(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> Mapping[str, list[Mention]]:
    """Return the numbers that each letter is said to be. With more on a side of the "=" it is an equation."""
    starts = {token.start: at for at, token in enumerate(tokens)}
    ends = {token.end: at for at, token in enumerate(tokens)}
    found: dict[str, list[Mention]] = {}
    for mention in mentions:
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None or first < 2:
            continue
        letter = tokens[first - 2]
        if tokens[first - 1].text == "=" and letter.kind == "letter" and _apart(tokens, first - 3, last + 1):
            found.setdefault(letter.text, []).append(mention)
    return found


def _apart(tokens: Sequence[TextToken], before: int, behind: int) -> bool:
    """Return whether a formula neither begins in front of a place nor goes on behind another."""
    sides = [tokens[at] for at in (before, behind) if 0 <= at < len(tokens)]
    return all(not token.math or token.text in _BOUNDARIES or token.kind == "word" for token in sides)


_BY = re.compile(r"\s*[-$]*\s*(?:by|x|×|\\times)\s*[-$]*\s*")
_MOST_GAP_OF_A_BOARD = 14
_LEAST_REPEATED = 3


@dataclass(frozen=True, slots=True, eq=False)
class CoveredNumbers:
    """The numbers that a text says, in any way; those just inside a strict bound are apart."""

    said: frozenset[Fraction]
    inclusive: frozenset[Fraction]
    alone: frozenset[Fraction]
    within: frozenset[Fraction]

    def cover(self, mention: Mention) -> bool:
        """Return whether another text's number is said: 1/2 as half, 50 % or 0.5, "less than 100" as "up to 99"."""
        said = self.said
        if any(value in said for value in mention.values):
            return True
        if mention.parts and all(part in said for part in mention.parts if part):
            return True
        if mention.values and mention.value.numerator == 1 and Fraction(mention.value.denominator) in said:
            return True  # a third of it, and divided by 3
        if mention.within is not None:
            return mention.within in (self.alone if mention.between else self.inclusive)
        return bool(mention.values) and mention.value in self.within


def covered_numbers(
    text: str, mentions: Sequence[Mention], runs: Sequence[range], besides: Iterable[Fraction]
) -> CoveredNumbers:
    """Return the numbers that a text covers: those it mentions, and those it implies besides."""
    said = {value for each in mentions for value in (*each.values, *each.parts)}
    return CoveredNumbers(
        frozenset(said.union(besides, _steps(mentions, runs), _boards(text, mentions), _counts(mentions, runs))),
        frozenset(each.value for each in mentions if each.within is None or each.between),
        frozenset(each.value for each in mentions if each.within is None),
        frozenset(each.within for each in mentions if each.within is not None),
    )


def _steps(mentions: Sequence[Mention], runs: Sequence[range]) -> Iterator[Fraction]:
    """Yield the steps of runs: 4 of 1, 5, 9, ..."""
    for run in runs:
        for at, following in pairwise(run):
            yield abs(mentions[following].value - mentions[at].value)


def _counts(mentions: Sequence[Mention], runs: Sequence[range]) -> Iterator[Fraction]:
    """Yield how many members lists have, and how often a number is repeated: 4 of 16 + 16 + 16 + 16."""
    yield from (Fraction(len(run)) for run in runs)
    yield from (
        Fraction(count) for count in Counter(each.value for each in mentions).values() if count >= _LEAST_REPEATED
    )


def _boards(text: str, mentions: Sequence[Mention]) -> Iterator[Fraction]:
    """Yield how many squares boards have: 16 of 4 by 4."""
    for one, other in pairwise(mentions):
        if other.start - one.end <= _MOST_GAP_OF_A_BOARD and _BY.fullmatch(text, one.end, other.start):
            yield one.value * other.value


_MOST_GAP = 24
_GAP = re.compile(
    r"(?:[\s,;:+*$&{}()-]|\\\\|\\(?:cdot|times|quad|text|cdots|ldots|dots|dotsc|dotsb|dotsm|vdots)(?![a-z])|\\,|\.\.\.|…|and\b)*"
)
_DOTS = re.compile(r"\\(?:cdots|ldots|dots|dotsc|dotsb|dotsm|vdots)(?![a-z])|\.\.\.|…")
_DOTTED_ON = re.compile(
    r"(?:[\s,;$+]|\\,)*(?:\\(?:cdots|ldots|dots|dotsc|dotsb|dotsm)(?![a-z])|\.\.\.|…|and so on\b)(?!\W*\d)"
)
_LEAST_RUN = 3
_QUOTES = {'"': '"', "“": "”"}


def optional_numbers(
    text: str,
    segments: Sequence[Segment],
    mentions: Sequence[Mention],
    runs: Sequence[range],
    examples: Sequence[tuple[int, int]],
) -> frozenset[int]:
    """Return the places, in `mentions`, of numbers that need not be in the other text."""
    loose: set[int] = set()
    ends: set[int] = set()
    for run in runs:
        loose |= _inner(text, mentions, run)
        ends |= {at for at in (run[0], run[-1]) if not mentions[at].parts} - loose
    starts = [mention.start for mention in mentions]
    for segment in segments:
        dots = list(_DOTS.finditer(text, segment.start, segment.end)) if segment.kind is Kind.MATH else []
        if dots:
            inside = range(bisect_left(starts, segment.start), bisect_left(starts, segment.end))
            loose |= _dotted(mentions, inside, ends, dots)
    for start, end in examples:
        loose.update(range(bisect_left(starts, start), bisect_left(starts, end)))
    return frozenset(loose)


def _dotted(mentions: Sequence[Mention], inside: range, ends: set[int], dots: Sequence[re.Match[str]]) -> set[int]:
    """Return the optional numbers of a formula with dots: not a largest number behind them, nor the ends of a list.

    Of lists below each other the ends are inner ones as well.
    """
    largest = max((mentions[at].value for at in inside), default=None)
    for_ever = not inside or mentions[inside[-1]].end <= dots[-1].start()
    firm = {at for at in inside if mentions[at].value == largest and not (for_ever and at not in ends)}
    if any(each.group() == "\\vdots" for each in dots):
        return set(inside[1:]) - firm
    return set(inside) - firm - ends


def runs_of(text: str, mentions: Sequence[Mention]) -> Iterator[range]:
    """Yield stretches of numbers with nothing but signs, dots and "and" between them."""
    first = 0
    for at in range(1, len(mentions) + 1):
        if at < len(mentions):
            end, start = mentions[at - 1].end, mentions[at].start
            if start - end <= _MOST_GAP and _GAP.fullmatch(text, end, start):
                continue
        if at - first >= _LEAST_RUN:
            yield range(first, at)
        first = at


def _inner(text: str, mentions: Sequence[Mention], run: range) -> set[int]:
    """Return the optional numbers of a run: all but the ends of 1, 2, ..., 9, 10; all but the first of 3, 5, 7.

    So may 3, 6, 12, which is doubled, and 2, 3, 5, ..., which goes on for ever.
    """
    if _DOTTED_ON.match(text, mentions[run[-1]].end):
        return set(run[1:])
    gaps = pairwise(run)
    if any(_DOTS.search(text, mentions[one].end, mentions[two].start) for one, two in gaps):
        return set(run[1:-1])
    values = [mentions[at].value for at in run]
    ratios = {other / one for one, other in pairwise(values) if one}
    if len(ratios) == 1 and ratios != {1}:
        return set(run[1:])
    loose: set[int] = set()
    begins = 0
    for at in range(1, len(values)):
        step = values[at] - values[at - 1]
        goes_on = at + 1 < len(values) and values[at + 1] - values[at] == step != 0
        if not goes_on:
            if step and at - begins + 1 >= _LEAST_RUN and step == values[begins + 1] - values[begins]:
                loose.update(run[begins + 1 : at + 1])
            begins = at
    return loose


def examples_of(tokens: Sequence[TextToken]) -> Iterator[tuple[int, int]]:
    """Yield examples: from "for example", "such as 7" or "like 7" to the end of the sentence or bracket, and quotes."""
    start: int | None = None
    ends = ""
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if start is not None:
            if not token.math and token.text in ends:
                yield start, token.end
                start = None
        elif token.text in _QUOTES:
            start, ends = token.start, _QUOTES[token.text]
        elif _begins_example(token, following):
            start, ends = token.start, ".?)" if at and tokens[at - 1].text == "(" else ".?"
    if start is not None and ends[0] == ".":
        yield start, tokens[-1].end


def _begins_example(token: TextToken, following: TextToken | None) -> bool:
    if token.text in ("example", "examples", "instance", "illustration"):
        return True
    return following is not None and (
        (token.text == "such" and following.text == "as")
        or (token.text in ("like", "e") and (following.kind == "number" or following.text == "."))
    )
