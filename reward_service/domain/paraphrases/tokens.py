"""Cut a text into prose, formulas and figures, and these into tokens and sentences.

Linear, whatever the text holds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.lexemes import CONTENT, FORMULA_IN_TEXT, PROSE, SAME, SIGNS, STYLE, TEXT_STYLES, TYPESETTING
from reward_service.domain.paraphrases.vocabulary import ASKING

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
    """The kind of a segment."""

    PROSE = auto()
    MATH = auto()
    FIGURE = auto()


class Segment(NamedTuple):
    """A stretch of a text, without the delimiters around it."""

    kind: Kind
    start: int
    end: int


def segments_of(text: str) -> list[Segment]:
    """Return the segments of a text in order. An opening without its end is prose, except for a figure's."""
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
    """Return for each mark the one that closes it, from the end, so that each mark is looked at once."""
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


_TWO_DIGITS = frozenset({"\\frac", "\\binom"})
_FUNCTIONS = frozenset({"sin", "cos", "tan", "log", "ln", "gcd", "lcm", "max", "min", "frac", "sqrt"})
_LONGEST = 4
_SAME: Mapping[str, str] = MappingProxyType({
    **{sign: SAME.get(latex, latex) for sign, latex in SIGNS.items()},
    **SAME,
    **{f"\\{name}": name for name in _FUNCTIONS - {"frac", "sqrt"}},
    **{sign: sign for sign in "÷—‐‑‘’“”、。∛ℝℤℕℚℂ"},
    "\\{": "{", "\\}": "}", "\\lbrace": "{", "\\rbrace": "}", "\\degree": "°", "°": "°", "º": "°", "\\div": "÷",
    "\\mathrm": "\\mathrm", "\\sim": "\\sim",
})  # fmt: skip
"""The spellings of a text, in which brackets are not told apart and functions may be words."""
_NOTHING = frozenset({
    *(f"\\{name}" for name in TYPESETTING), "\\,", "\\;", "\\:", "\\!", "\\ ", "\\quad", "\\qquad", "\\\n", "\\textbf",
    "\\textit", "\\emph", "\\mathrm", "\\phantom", "~",
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
    """Return the tokens of a text without those of its figures."""
    found: list[TextToken] = []
    for segment in segments:
        if segment.kind is Kind.PROSE:
            found += _prose(text, segment.start, segment.end, math=False)
        elif segment.kind is Kind.MATH:
            found += _formula(text, segment.start, segment.end)
    return found


def _prose(text: str, start: int, end: int, *, math: bool) -> Iterator[TextToken]:
    for lexeme in PROSE.finditer(text, start, end):
        kind = lexeme.lastgroup or ""
        first, last = lexeme.span(kind) if kind else (end, end)
        yield from _break(text, lexeme.start(), first, math=math)
        said = _spelled(kind, lexeme[kind or 0])
        if said:
            yield TextToken(kind, said, first, last, math)


def _break(text: str, start: int, end: int, *, math: bool) -> Iterator[TextToken]:
    """Yield the end of a line that the spaces before a lexeme hold."""
    at = text.find("\n", start, end) if end > start else -1
    if at >= 0:
        yield TextToken("break", text[at:end], at, end, math)


def _spelled(kind: str, said: str) -> str:
    """Return what a lexeme means in one spelling; nothing for typesetting, and for the end."""
    if kind in ("command", "sign"):
        said = _SAME.get(said, "\\dots" if said.startswith("...") else said)
        return "" if said in _NOTHING else said
    if kind in ("word", "ordinal"):
        return said.lower().replace("’", "'")
    return "" if kind in ("layout", "") else said


def _formula(text: str, start: int, end: int) -> Iterator[TextToken]:
    takes, last = 0, ""
    for lexeme in FORMULA_IN_TEXT.finditer(text, start, end):
        kind = lexeme.lastgroup or ""
        first, behind = lexeme.span(kind) if kind else (end, end)
        yield from _break(text, lexeme.start(), first, math=True)
        if text[first - 1 : first] == text[behind : behind + 1] == "^":
            takes = 1
        if kind == "styled":
            yield from _styled(text, lexeme)
        elif kind == "word":
            for token in _letters(lexeme[kind], first):
                takes, last = max(takes - 1, 0), token.text
                yield token
        elif kind == "number" and takes and lexeme[kind].isdecimal() and behind - first > 1:
            # After \log_ one digit belongs to it, after \frac two, and one in 5^65^w: \log_432, \frac12.
            for at in range(first, min(first + takes, behind)):
                yield TextToken("number", text[at], at, at + 1, True)
            if first + takes < behind:
                yield TextToken("number", text[first + takes : behind], first + takes, behind, True)
            takes = 0
        elif said := _spelled(kind, lexeme[kind or 0]):
            if kind == "number":
                takes = max(takes - 1, 0)
            else:
                takes = 2 if said in _TWO_DIGITS else 1 if said == "_" and last == "log" else 0
            last = said
            yield TextToken(kind, said, first, behind, True)


def _styled(text: str, lexeme: re.Match[str]) -> Iterator[TextToken]:
    r"""Yield the words within \text{}; of other styles the command, its braces, and the formula within."""
    first, last = lexeme.span(CONTENT)
    if lexeme[STYLE] in TEXT_STYLES:
        yield from _prose(text, first, last, math=True)
        return
    start, opening = lexeme.start("styled"), text.index("{", lexeme.end(STYLE))
    said = _spelled("command", text[start : lexeme.end(STYLE)])
    if said:
        yield TextToken("command", said, start, lexeme.end(STYLE), True)
    yield TextToken("sign", "{", opening, opening + 1, True)
    yield from _formula(text, first, last)
    yield TextToken("sign", "}", last, last + 1, True)


def _letters(word: str, start: int) -> Iterator[TextToken]:
    """Yield the letters of a formula one by one, and the name of a function at their end as a word."""
    for at in range(len(word)):
        if len(word) - at <= _LONGEST and word[at:] in _FUNCTIONS:
            yield TextToken("word", word[at:], start + at, start + len(word), True)
            return
        yield TextToken("letter", word[at], start + at, start + at + 1, True)


_ENDS = frozenset({".", "?", "!"})
_RELATIVE = frozenset({"where", "which", "when", "who", "whose"})
"""Words that ask in a question, and else begin a clause."""
_RESULTS = frozenset({"give", "obtain", "return"})
"""Words that behind "to" say what comes out: "is multiplied to give a square"."""
_BEFORE_COMMANDS = frozenset({"and", "then", "please", "to", "now", "can", "you", "must", "us", "or", "if", "is"})


def sentences_of(tokens: Sequence[TextToken]) -> Iterator[Sequence[TextToken]]:
    """Return the tokens of each sentence or line, with its ending, which may be the last sign of a formula."""
    first = 0
    for at, token in enumerate(tokens):
        ends = token.text in _ENDS or token.kind == "break"
        if ends and (not token.math or at + 1 == len(tokens) or not tokens[at + 1].math):
            yield tokens[first : at + 1]
            first = at + 1
    if first < len(tokens):
        yield tokens[first:]


def asks(sentence: Sequence[TextToken]) -> bool:
    """Return whether a sentence asks for something."""
    return any(token.text == "?" or (token.kind == "word" and token.text in ASKING) for token in sentence)


def question_of(tokens: Sequence[TextToken]) -> list[TextToken]:
    """Return the tokens of all sentences that ask, or of the last one where none does."""
    sentences = list(sentences_of(tokens))
    asking = [sentence for sentence in sentences if asks_clearly(sentence)]
    asking = asking or [sentence for sentence in sentences if asks(sentence)] or sentences[-1:]
    return [token for sentence in asking for token in sentence]


def commands_of(sentence: Sequence[TextToken]) -> Iterator[int]:
    """Yield the places of the words that ask: "find", but not that of "they decide", "the order" or ", where"."""
    question = any(token.text == "?" for token in sentence)
    for at, token in enumerate(sentence):
        if token.kind != "word" or token.text not in ASKING:
            continue
        if at == 0 or (_commands(sentence[at - 1], token) and (question or token.text not in _RELATIVE)):
            yield at


def asks_clearly(sentence: Sequence[TextToken]) -> bool:
    """Return whether a sentence is a question or a command."""
    return any(token.text == "?" for token in sentence) or any(True for _ in commands_of(sentence))


def _commands(before: TextToken, word: TextToken) -> bool:
    if before.text == "to" and word.text in _RESULTS:
        return False
    return before.kind in ("sign", "break") or before.text in _BEFORE_COMMANDS
