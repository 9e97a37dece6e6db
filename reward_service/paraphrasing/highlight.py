"""A text with its evidence marked: cut into stretches that a page can show."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from reward_service.domain.paraphrases.pair import Span

MOST_SHOWN = 1_500
"""Characters of a text on a page; what matters of a longer one is around its first evidence."""
_BEFORE = 300


class Stretch(NamedTuple):
    """A part of a text, and whether it is evidence."""

    text: str
    marked: bool


def stretches(text: str, spans: Sequence[Span]) -> Iterator[Stretch]:
    """The text from its beginning, or from shortly before its first evidence; at most `MOST_SHOWN` characters."""
    first = min((span.start for span in spans), default=0)
    start = max(0, first - _BEFORE) if len(text) > MOST_SHOWN else 0
    end = min(len(text), start + MOST_SHOWN)
    if start:
        yield Stretch("… ", marked=False)
    inside = [(max(span.start, start), min(span.end, end)) for span in spans]
    edges = sorted({start, end, *(edge for span in inside for edge in span if span[0] < span[1])})
    for left, right in pairwise(edges):
        yield Stretch(text[left:right], any(span[0] <= left < span[1] for span in inside))
    if end < len(text):
        yield Stretch(" …", marked=False)
