"""Which of a text's numbers another text may leave out: the inner ones of a run, and those of an example."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.segments import Kind, Segment
from reward_service.domain.paraphrases.tokens import TextToken

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
    """The places, in `mentions`, of those that need not be in the other text."""
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
    """Of a formula with dots: all but the largest number, if one stands behind them, and the ends of a list.

    Of lists below each other the ends are inner ones as well.
    """
    largest = max((mentions[at].value for at in inside), default=None)
    for_ever = not inside or mentions[inside[-1]].end <= dots[-1].start()
    firm = {at for at in inside if mentions[at].value == largest and not (for_ever and at not in ends)}
    if any(each.group() == "\\vdots" for each in dots):
        return set(inside[1:]) - firm
    return set(inside) - firm - ends


def runs_of(text: str, mentions: Sequence[Mention]) -> Iterator[range]:
    """Stretches of numbers with nothing but signs, dots and "and" between them."""
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
    """All but the ends of 1, 2, ..., 9, 10; all but the first of 3, 5, 7, which may come as "three from 3 on".

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
    """From "for example", "such as 7" or "like 7" to the end of the sentence or bracket, and what stands in quotes."""
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
    if token.text in ("example", "examples", "instance"):
        return True
    return following is not None and (
        (token.text == "such" and following.text == "as")
        or (token.text in ("like", "e") and (following.kind == "number" or following.text == "."))
    )
