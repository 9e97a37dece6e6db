"""Cut the formulas and lists of a text into pieces that another text may have under other letters."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reward_service.domain.paraphrases.tokens import Kind, Segment, TextToken

RELATIONS = frozenset({"=", "<", ">", "≤", "≥", "≠", "\\equiv", "\\approx"})
_CUTS = frozenset({",", ";", "&", "\\\\", "?", "\\in", "\\to", ":", "\\mid"})
NUMBER, LETTER, SIGN, RELATION = "<number>", "<letter>", "<sign>", "<relation>"
"""What stands in a skeleton for what may change: longer than any sign, so nothing in a text reads like it."""
_SIGNS = frozenset({"+", "-"})
_OPENING, _CLOSING = frozenset({"{", "(", "["}), frozenset({"}", ")", "]"})
_BETWEEN = frozenset({",", ";", "&", "\\\\", "|"})
_NOTHING = frozenset({"{", "}", "*", ".", "?", ","})
MOST_TOKENS = 400
"""A piece longer than this is left alone: it would cost more than it tells."""


class Piece(NamedTuple):
    """A formula or a part of one: its skeleton, and beside it what the skeleton masks.

    Those are numbers without superfluous noughts, letters, and signs and relations.
    """

    skeleton: tuple[str, ...]
    numbers: tuple[str, ...]
    signs: tuple[str, ...]
    letters: tuple[str, ...]
    start: int
    end: int


def formulas_of(tokens: Sequence[TextToken], segments: Sequence[Segment]) -> Iterator[Sequence[TextToken]]:
    """The tokens of each formula that has some."""
    at = 0
    for segment in segments:
        if segment.kind is not Kind.MATH:
            continue
        while at < len(tokens) and tokens[at].start < segment.start:
            at += 1
        first = at
        while at < len(tokens) and tokens[at].start < segment.end:
            at += 1
        if at > first:
            yield tokens[first:at]


def pieces_of(formula: Sequence[TextToken]) -> list[Piece]:
    """A formula cut at its relations and commas."""
    return [piece_of(part) for part in _cut(formula, RELATIONS | _CUTS) if len(part) <= MOST_TOKENS]


def terms_of(formula: Sequence[TextToken]) -> list[Piece]:
    """A formula cut at its relations, commas, and at the signs that stand in no brackets."""
    found: list[Piece] = []
    for part in _cut(formula, RELATIONS | _CUTS):
        depth, first = 0, 0
        for at, token in enumerate(part):
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if token.text in _SIGNS and depth <= 0 and at > first:
                found.append(piece_of(part[first:at]))
                first = at
        if len(part) - first <= MOST_TOKENS:
            found.append(piece_of(part[first:]))
    return found


def groups_of(formula: Sequence[TextToken]) -> Iterator[Piece]:
    """What stands in the innermost brackets and braces: x + 3 of (x + 3)^2."""
    first: int | None = None
    for at, token in enumerate(formula):
        if token.text in _OPENING:
            first = at + 1
        elif token.text in _CLOSING:
            if first is not None and first < at <= first + MOST_TOKENS:
                yield piece_of(formula[first:at])
            first = None


def _cut(formula: Sequence[TextToken], at: frozenset[str]) -> Iterator[list[TextToken]]:
    part: list[TextToken] = []
    for token in formula:
        cuts = token.text in at or (token.kind == "word" and len(token.text) > 3)
        if cuts or token.text.startswith(("\\begin", "\\end")):
            if part:
                yield part
            part = []
        elif token.kind != "break":
            part.append(token)
    if part:
        yield part


class Tuple(NamedTuple):
    """Numbers between two brackets, or in a column, with their signs."""

    numbers: tuple[str, ...]
    start: int
    end: int


def tuples_of(tokens: Sequence[TextToken]) -> Iterator[Tuple]:
    """The points, intervals, sets, rows and columns that hold nothing but numbers: at least two."""
    numbers: list[str] = []
    start, sign = None, ""
    for token in tokens:
        if token.text in _OPENING or token.text.startswith("\\begin"):
            numbers, start, sign = [], token.start, ""
        elif token.text in _CLOSING or token.text.startswith("\\end"):
            if start is not None and len(numbers) > 1:
                yield Tuple(tuple(numbers), start, token.end)
            start = None
        elif start is None or token.text in _BETWEEN or token.kind == "break":
            continue
        elif token.text in _SIGNS:
            sign = token.text.replace("+", "")
        elif token.kind == "number":
            numbers.append(sign + plain_number(token.text))
            sign = ""
        else:
            start = None


def piece_of(tokens: Sequence[TextToken]) -> Piece:
    """Masks what may change."""
    skeleton: list[str] = []
    numbers: list[str] = []
    signs: list[str] = []
    letters: list[str] = []
    for token in tokens:
        if token.text in _NOTHING:
            continue
        if token.kind == "number":
            skeleton.append(NUMBER)
            numbers.append(plain_number(token.text))
        elif token.kind == "letter":
            skeleton.append(LETTER)
            letters.append(token.text)
        elif token.text in _SIGNS:
            skeleton.append(SIGN)
            signs.append(token.text)
        elif token.text in RELATIONS:
            skeleton.append(RELATION)
            signs.append(token.text)
        elif token.kind == "break":
            continue
        else:
            skeleton.append(token.text)
    return Piece(tuple(skeleton), tuple(numbers), tuple(signs), tuple(letters), tokens[0].start, tokens[-1].end)


def plain_number(number: str) -> str:
    """A number without superfluous noughts: .50 as 0.5, 007 as 7."""
    whole, point, rest = number.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")
