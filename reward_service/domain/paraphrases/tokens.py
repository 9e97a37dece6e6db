r"""The words, numbers and signs of a text, each with its place. Linear, whatever the text holds."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.segments import Kind, Segment

# 1,234 in all its spellings; but {991,992,993} and 70,90,130 are lists.
_GROUPED = r"(?<![\d{(\[,])[1-9]\d{0,2}(?:(?:,|\{,\}|,?\\!,?|\\,|\{\\,\})\d{3})+(?!\d)"
_LAYOUT = (
    r"(?P<layout>\\(?:renewcommand|hspace|vspace|cline|multicolumn|setlength|includegraphics)\*?(?:\{[^{}]{0,80}\}){1,2}"
    r"|\\\\\[[^\[\]]{0,12}\])"
)
_PROSE = re.compile(
    rf"{_LAYOUT}|(?P<ordinal>\d+(?:st|nd|rd|th)\b)"
    rf"|(?P<number>(?:{_GROUPED}|\d+)(?:\.\d+)?|(?<![\d.])\.\d+|[¼-¾⅐-⅞])"
    r"|(?P<word>[^\W\d_]+(?:['’][a-z]{1,2}\b)?)"
    r"|(?P<command>\\(?:[A-Za-z]+|.))"
    r"|(?P<break>\n\s*)"
    r"|(?P<sign>\.\.\.+|[^\s\w]|_)",
    re.DOTALL,
)
_MATH = re.compile(
    rf"{_LAYOUT}"
    r"|(?P<text>\\(?:text(?:bf|it|rm|sf|tt|normal)?|mbox|hbox|emph|mathrm|rm)\s{0,8}\{([^{}]*)\})"
    r"|(?P<named>\\operatorname\*?\s{0,8}\{([^{}]*)\})"
    rf"|(?P<number>(?:{_GROUPED}|\d+)(?:\.\d+)?|(?<![\d.])\.\d+|[¼-¾⅐-⅞])"
    r"|(?P<word>(?:sin|cos|tan|log|ln|gcd|lcm|max|min|frac|sqrt)(?![A-Za-z]))"
    r"|(?P<letter>[^\W\d_])"
    r"|(?P<command>\\(?:(?:begin|end)\s{0,4}\{[A-Za-z]{1,24}\*?\}|[A-Za-z]+|.))"
    r"|(?P<break>\n\s*)"
    r"|(?P<sign>\.\.\.+|[^\s\w]|_)",
    re.DOTALL,
)
_TWO_DIGITS = frozenset({"\\frac", "\\binom"})
_SAME: Mapping[str, str] = MappingProxyType({
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\dbinom": "\\binom", "\\tbinom": "\\binom",
    "\\leq": "≤", "\\le": "≤", "\\leqslant": "≤", "\\geq": "≥", "\\ge": "≥", "\\geqslant": "≥", "\\lt": "<",
    "\\gt": ">", "\\neq": "≠", "\\ne": "≠", "\\times": "*", "\\cdot": "*", "\\ast": "*", "×": "*", "·": "*", "⋅": "*",
    "\\div": "÷", "−": "-", "–": "-", "\\cdots": "\\dots", "\\ldots": "\\dots", "\\dotsc": "\\dots", "…": "\\dots",
    "\\dotsb": "\\dots", "\\dotsm": "\\dots",
    "\\{": "{", "\\}": "}", "\\lbrace": "{", "\\rbrace": "}", "\\lvert": "|", "\\rvert": "|", "\\vert": "|",
    "\\mid": "|", "\\degree": "°", "\\%": "%", "\\varphi": "\\phi", "\\varepsilon": "\\epsilon", "\\bold": "\\mathbf",
    "\\ln": "ln", "\\log": "log", "\\sin": "sin", "\\cos": "cos", "\\tan": "tan", "\\gcd": "gcd", "\\max": "max",
    "\\min": "min", "\\lcm": "lcm", "π": "\\pi", "√": "\\sqrt", "∠": "\\angle", "∞": "\\infty", "\\sqrt": "\\sqrt",
})  # fmt: skip
_NOTHING = frozenset({
    "\\left", "\\right", "\\big", "\\Big", "\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\bigg", "\\Bigg", "\\biggl",
    "\\biggr", "\\displaystyle", "\\textstyle", "\\limits", "\\nolimits", "\\,", "\\;", "\\:", "\\!", "\\ ", "\\quad",
    "\\qquad", "\\\n", "\\textbf", "\\textit", "\\emph", "\\mathrm", "\\phantom", "~",
})  # fmt: skip


class TextToken(NamedTuple):
    """A lexeme: `kind` is number, ordinal, word, letter (a symbol of a formula), command, sign or break.

    `text` is what it means in one spelling, small letters for words; `start` and `end` are its place in the text.
    """

    kind: str
    text: str
    start: int
    end: int
    math: bool


def tokens_of(text: str, segments: list[Segment]) -> list[TextToken]:
    """All of a text but its figures."""
    found: list[TextToken] = []
    for segment in segments:
        if segment.kind is Kind.PROSE:
            found += _prose(text, segment.start, segment.end, math=False)
        elif segment.kind is Kind.MATH:
            found += _formula(text, segment.start, segment.end)
    return found


def _prose(text: str, start: int, end: int, *, math: bool) -> Iterator[TextToken]:
    for lexeme in _PROSE.finditer(text, start, end):
        kind, said = lexeme.lastgroup or "", lexeme.group()
        if kind in ("command", "sign"):
            said = _SAME.get(said, "\\dots" if said.startswith("...") else said)
            if said in _NOTHING:
                continue
        elif kind == "layout":
            continue
        elif kind in ("word", "ordinal"):
            said = said.lower().replace("’", "'")
        yield TextToken(kind, said, lexeme.start(), lexeme.end(), math)


def _formula(text: str, start: int, end: int) -> Iterator[TextToken]:
    takes, last = 0, ""
    for lexeme in _MATH.finditer(text, start, end):
        kind, said = lexeme.lastgroup or "", lexeme.group()
        if kind == "layout":
            continue
        if kind in ("text", "named"):
            inner = 2 if kind == "text" else 4
            yield from _prose(text, lexeme.start(inner), lexeme.end(inner), math=True)
            continue
        if kind in ("command", "sign"):
            said = _SAME.get(said, "\\dots" if said.startswith("...") else said)
            if said in _NOTHING:
                continue
            takes = 2 if said in _TWO_DIGITS else 1 if said == "_" and last == "log" else 0
        elif kind == "number" and takes and len(said) > 1 and said.isdecimal():
            # After \log_ one digit belongs to it, after \frac two: \log_432, \frac12.
            at = lexeme.start()
            for digit in said[:takes]:
                yield TextToken("number", digit, at, at + 1, True)
                at += 1
            if at < lexeme.end():
                yield TextToken("number", text[at : lexeme.end()], at, lexeme.end(), True)
            takes = 0
            continue
        elif kind != "break":
            takes = max(takes - 1, 0)
        last = said.lower() if kind == "word" else said
        yield TextToken(kind, last, lexeme.start(), lexeme.end(), True)
