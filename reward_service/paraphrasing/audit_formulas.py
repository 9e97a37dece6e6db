"""Set the formulas of an audit page: find them in the texts, mark them as a whole, and ship KaTeX beside the page."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

from reward_service.domain.paraphrases.reading import Span
from reward_service.domain.paraphrases.tokens import Kind, segments_of

FOLDER = "katex"
"""The folder of KaTeX, in the package and beside the page."""
HEAD = f'<link rel="stylesheet" href="{FOLDER}/katex.min.css"><script defer src="{FOLDER}/katex.min.js"></script>'
SCRIPT = """<script>
addEventListener("DOMContentLoaded", () => {
  if (!window.katex) return
  for (const each of document.querySelectorAll("[data-tex]"))
    katex.render(each.dataset.tex, each, { displayMode: "block" in each.dataset, throwOnError: false, maxSize: 20 })
})
</script>
"""
"""Without scripts or KaTeX, the formulas stay as they are written."""

_OPENING = re.compile(r"(?:\$\$?|\\[(\[]|\\begin\s{0,4}\{[A-Za-z]{1,24}\*?\})\Z")
_CLOSING = re.compile(r"\$\$?|\\[)\]]|\\end\s{0,4}\{[A-Za-z]{1,24}\*?\}")
_LONGEST_OPENING = 40


class Formula(NamedTuple):
    """A formula with its delimiters, from `start` to `end`, and what KaTeX is given."""

    start: int
    end: int
    tex: str
    block: bool


def formulas_in(text: str) -> Iterator[Formula]:
    """Yield the formulas of a text in order."""
    for segment in segments_of(text):
        if segment.kind is not Kind.MATH:
            continue
        opening = _OPENING.search(text[max(0, segment.start - _LONGEST_OPENING) : segment.start])
        closing = _CLOSING.match(text, segment.end)
        if opening is None or closing is None:
            continue
        start, end = segment.start - len(opening.group()), closing.end()
        environment = opening.group().startswith("\\begin")
        tex = text[start:end] if environment else text[segment.start : segment.end]
        yield Formula(start, end, tex, environment or opening.group() in ("$$", "\\["))


def whole(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans, of which each that touches a formula covers it."""
    formulas = list(formulas_in(text))
    found: list[Span] = []
    for span in spans:
        touched = [each for each in formulas if each.start < span.end and span.start < each.end]
        start = min([span.start, *(each.start for each in touched)])
        found.append(Span(start, max([span.end, *(each.end for each in touched)])))
    return found


def html_of(text: str, start: int, end: int) -> str:
    """Return a part of a text as HTML, with the formulas that lie in it as a whole to be set."""
    parts: list[str] = []
    at = start
    for formula in formulas_in(text):
        if formula.start < at or formula.end > end:
            continue
        block = " data-block" if formula.block else ""
        written = escape(text[formula.start : formula.end])
        parts += escape(text[at : formula.start]), f'<span data-tex="{escape(formula.tex)}"{block}>{written}</span>'
        at = formula.end
    return "".join((*parts, escape(text[at:end])))


def ship(out: Path) -> None:
    """Copy KaTeX, with its licence, beside the page. Raises OSError."""
    with as_file(files("reward_service.paraphrasing") / FOLDER) as folder:
        copytree(folder, out / FOLDER, dirs_exist_ok=True)
