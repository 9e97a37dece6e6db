"""Where a text speaks, where it calculates and where it draws: prose, formulas, [asy] figures. One pass over it."""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

_DELIMITER = re.compile(
    r"\\\\|\\\$|\$\$?|\\[\[\]()]|\\(?:begin|end)\s{0,4}\{([A-Za-z]{1,24})\*?\}|\[asy\]|\[/asy\]|</?asy>", re.IGNORECASE
)
_MATH_ENVIRONMENTS = frozenset({
    "align", "aligned", "alignat", "array", "bmatrix", "cases", "displaymath", "eqnarray", "equation", "flalign",
    "gather", "gathered", "math", "matrix", "multline", "pmatrix", "smallmatrix", "split", "vmatrix",
})  # fmt: skip
_CLOSING: Mapping[str, str] = MappingProxyType({"\\[": "\\]", "\\(": "\\)", "[asy]": "[/asy]", "<asy>": "</asy>"})
# "$3 plus $2 an hour" is money, and what stands between two formulas is none.
_WORDS = re.compile(
    r"\s?\d[\d,.]{0,20}[.,;:?!)]?\s+(?:[a-z]{2,}|[A-Z][a-z])|[^{\\=]*?(?<![a-zA-Z\\])[a-z]{2,}\s[a-z]{2,}\s[a-z]{2,}"
)
_LOOKAHEAD = 80


class Kind(Enum):
    """What a segment is."""

    PROSE = auto()
    MATH = auto()
    FIGURE = auto()


class Segment(NamedTuple):
    """A stretch of a text, without the delimiters around it."""

    kind: Kind
    start: int
    end: int


def segments_of(text: str) -> list[Segment]:
    """The text from its beginning to its end. What is opened and never closed is prose, but for a figure."""
    marks = [(found.group().lower(), found.start(), found.end(), found[1]) for found in _DELIMITER.finditer(text)]
    closings = _closings(text, marks)
    found: list[Segment] = []
    prose, at = 0, 0
    while at < len(marks):
        word, start, end, _ = marks[at]
        close = closings[at]
        if close is None and word not in ("[asy]", "<asy>"):
            at += 1
            continue
        _add(found, Kind.PROSE, prose, start)
        figure = word in ("[asy]", "<asy>")
        inner_end, prose, at = (len(text), len(text), len(marks)) if close is None else (
            marks[close][1], marks[close][2], close + 1,
        )  # fmt: skip
        _add(found, Kind.FIGURE if figure else Kind.MATH, end, inner_end)
    _add(found, Kind.PROSE, prose, len(text))
    return found


def _closings(text: str, marks: list[tuple[str, int, int, str | None]]) -> list[int | None]:
    """For each mark the one that closes what it opens; from the end to the beginning, so each is looked at once."""
    closings: list[int | None] = [None] * len(marks)
    latest: dict[str, int] = {}
    for at in range(len(marks) - 1, -1, -1):
        word, _, end, environment = marks[at]
        if word in ("$", "$$"):
            close = latest.get(word)
            if close is not None and not (word == "$" and _are_words(text, end, marks[close][1])):
                closings[at] = close
        elif word in _CLOSING:
            closings[at] = latest.get(_CLOSING[word])
        elif environment is not None and environment.lower() in _MATH_ENVIRONMENTS and word.startswith("\\begin"):
            closings[at] = latest.get(word.replace("\\begin", "\\end"))
        latest[word] = at
    return closings


def _are_words(text: str, start: int, end: int) -> bool:
    return _WORDS.match(text[start : min(end, start + _LOOKAHEAD)]) is not None


def _add(found: list[Segment], kind: Kind, start: int, end: int) -> None:
    if end > start:
        found.append(Segment(kind, start, end))
