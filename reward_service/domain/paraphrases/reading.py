"""Read texts for the checks once: their words, numbers and formulas."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from reward_service.domain.paraphrases.counted_numbers import (
    CoveredNumbers,
    covered_numbers,
    examples_of,
    optional_numbers,
    runs_of,
)
from reward_service.domain.paraphrases.formulas import (
    MOST_TOKENS,
    Piece,
    Tuple,
    formulas_of,
    groups_of,
    piece_of,
    pieces_of,
    terms_of,
    tuples_of,
)
from reward_service.domain.paraphrases.quantities import Mention, mentions_of
from reward_service.domain.paraphrases.tokens import Kind, Segment, TextToken, segments_of, tokens_of
from reward_service.domain.paraphrases.vocabulary import IMPLIED

MOST_CHARS = 12_000
"""What stands behind is not read: no question is so long."""

_NUMERAL = re.compile(r"\d{1,12}(?:\.\d{1,12})?")
_NAME = re.compile(r"[A-Za-z]{3,} \d")
_LABEL = re.compile(r'label\s?\(\s?"([^"\n]{0,80})"')


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TextReading:
    """A text's parts, words, numbers and formulas.

    `loose` are the places of the mentions that another text may leave out, `runs` those of lists of numbers; `implied`
    are the numbers that words bring with them, `drawn` those that label a figure, `accounts` all of them. `examples`
    and `choices` say where the text gives examples, and from where on it lists choices.
    """

    text: str
    segments: Sequence[Segment]
    tokens: Sequence[TextToken]
    words: tuple[str, ...]
    mentions: Sequence[Mention]
    runs: Sequence[range]
    loose: frozenset[int]
    implied: frozenset[Fraction]
    drawn: frozenset[Fraction]
    accounts: CoveredNumbers
    examples: Sequence[tuple[int, int]]
    choices: int
    formulas: Sequence[Piece]
    pieces: Sequence[Piece]
    terms: Sequence[Piece]
    groups: Sequence[Piece]
    tuples: Sequence[Tuple]

    @property
    def has_figure(self) -> bool:
        """Return whether the text draws something."""
        return any(segment.kind is Kind.FIGURE for segment in self.segments)

    def in_example(self, place: int) -> bool:
        """Return whether a place in the text is inside an example."""
        at = bisect_right(self.examples, (place, len(self.text))) - 1
        return at >= 0 and place < self.examples[at][1]


def read_text(text: str) -> TextReading:
    """Read a text, of which at most `MOST_CHARS` are read. Pure and linear."""
    text = text[:MOST_CHARS]
    segments = segments_of(text)
    tokens = tokens_of(text, segments)
    words = tuple(token.text for token in tokens if token.kind == "word")
    mentions = mentions_of(tokens)
    runs = tuple(runs_of(text, mentions))
    examples = tuple(examples_of(tokens))
    implied = frozenset(value for word in {*words} & IMPLIED.keys() for value in IMPLIED[word])
    drawn = _drawn(text, segments)
    formulas = list(formulas_of(tokens, segments))
    return TextReading(
        text=text,
        segments=segments,
        tokens=tokens,
        words=words,
        mentions=mentions,
        runs=runs,
        loose=optional_numbers(text, segments, mentions, runs, examples),
        implied=implied,
        drawn=drawn,
        accounts=covered_numbers(text, mentions, runs, implied.union(drawn, _sketched(text, segments))),
        examples=examples,
        choices=_choices(tokens),
        formulas=[piece_of(formula) for formula in formulas if len(formula) <= MOST_TOKENS],
        pieces=[piece for formula in formulas for piece in pieces_of(formula)],
        terms=[term for formula in formulas for term in terms_of(formula)],
        groups=[group for formula in formulas for group in groups_of(formula)],
        tuples=list(tuples_of(tokens)),
    )


def _drawn(text: str, segments: Sequence[Segment]) -> frozenset[Fraction]:
    """Return the numbers that label a figure: not those of names ("Row 2", P_1)."""
    found: set[Fraction] = set()
    for segment in segments:
        if segment.kind is Kind.FIGURE:
            for label in _LABEL.finditer(text, segment.start, segment.end):
                said = label[1]
                if _NAME.search(said) is None:
                    for mention in mentions_of(tokens_of(said, segments_of(said))):
                        found.update(() if mention.label else (*mention.values, *mention.parts))
    return frozenset(found)


def _sketched(text: str, segments: Sequence[Segment]) -> Iterator[Fraction]:
    for segment in segments:
        if segment.kind is Kind.FIGURE:
            yield from (Fraction(found.group()) for found in _NUMERAL.finditer(text, segment.start, segment.end))


def _choices(tokens: Sequence[TextToken]) -> int:
    """Return where (A) stands that (B) and (C) follow; the end of the text where none does."""
    places: list[int] = []
    for at in range(1, len(tokens) - 1):
        letter = "abc"[len(places)]
        if tokens[at].text.lower() == letter and tokens[at + 1].text in (")", "."):
            places.append(tokens[at].start)
            if len(places) == 3:
                return places[0]
    return tokens[-1].end if tokens else 0


class Span(NamedTuple):
    """A place in a text, from `start` to `end`."""

    start: int
    end: int
