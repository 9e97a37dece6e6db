r"""LaTeX balanced: what is opened is closed, of braces, $, \[, \(, \left and environments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.reading import TextReading
from reward_service.domain.paraphrases.segments import Kind

_MARK = re.compile(
    r"\\\\|\\(?:begin|end)\s{0,4}\{[A-Za-z]{1,24}\*?\}|\\(?:left|right)(?![A-Za-z])|\\[\[\]()]|\\[{}$]|[{}]|\$\$?"
)
_NAMES = {"{": "a brace", "\\left": "\\left", "\\[": "\\[", "\\(": "\\(", "$": "a $", "$$": "a $$"}
_CLOSERS = {"}": "{", "\\right": "\\left", "\\]": "\\[", "\\)": "\\("}
_MONEY = re.compile(r"\$\$?\s?\d")


@dataclass(frozen=True, slots=True)
class _Defect:
    name: str
    at: int


def latex_balanced(pair: Pair, _: Tolerances) -> Evidence | None:
    """Nothing is left open that the original closes."""
    there = {defect.name for defect in _defects(pair.original)}
    for defect in _defects(pair.paraphrase):
        if defect.name not in there:
            return Evidence(f"{defect.name} is not balanced", (), (Span(defect.at, defect.at + 1),))
    return None


def _defects(reading: TextReading) -> Iterator[_Defect]:
    """What is closed without being open, and what stays open: each where it stands."""
    opened: dict[str, list[int]] = {}
    paired = {
        place for segment in reading.segments if segment.kind is Kind.MATH for place in (segment.start, segment.end)
    }
    for at, mark in _marks(reading):
        if mark in ("$", "$$"):
            if at not in paired and at + len(mark) not in paired and not _MONEY.match(reading.text, at):
                yield _Defect(_NAMES[mark], at)
        elif mark.startswith("\\begin"):
            opened.setdefault(mark.replace("\\begin", "").strip(), []).append(at)
        elif mark.startswith("\\end") or mark in _CLOSERS:
            name = _CLOSERS.get(mark) or mark.replace("\\end", "").strip()
            if not opened.get(name):
                yield _Defect(_NAMES.get(name, f"environment {name}"), at)
            else:
                opened[name].pop()
        elif mark in _NAMES:
            opened.setdefault(mark, []).append(at)
    for name, places in opened.items():
        if places:
            yield _Defect(_NAMES.get(name, f"environment {name}"), places[-1])


def _marks(reading: TextReading) -> Iterator[tuple[int, str]]:
    figures = [segment for segment in reading.segments if segment.kind is Kind.FIGURE]
    figure = 0
    for mark in _MARK.finditer(reading.text):
        while figure < len(figures) and figures[figure].end <= mark.start():
            figure += 1
        if figure < len(figures) and figures[figure].start <= mark.start():
            continue
        if mark.group() not in ("\\\\", "\\{", "\\}", "\\$"):
            yield mark.start(), mark.group()
