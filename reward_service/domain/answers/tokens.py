"""Cut the text of an answer into tokens, and leave typesetting out."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.answers.units import are_units
from reward_service.domain.answers.values import NotReadError
from reward_service.domain.lexemes import ACCENTS, CONTENT, FORMULA, SAME, STYLE, TEXT_STYLES, TYPESETTING

MAX_TOKENS = 4096

# Typesetting that says nothing. \, and \! vanish; "\ " and ~ are spaces.
_NOISE = re.compile(
    rf"\\(?:(?:{'|'.join(sorted(TYPESETTING, reverse=True))}|bf|rm|it)(?![A-Za-z])"
    r"|(?<![\d,\\]\\)[!;:,> ]|(?<!\\\\)[!;:,> ](?!\s*\d{3}(?!\d))"
    r"|quad|qquad|hspace\{[^{}]*\}|phantom(?:\{[^{}]*\}|(?![A-Za-z])))|~"
)
_TIES = re.compile(r"(?<=[-+*/=<>,])~|~(?=[-+*/=<>,])")
"""Spaces; but ~5 is about 5."""
_DEGREE = re.compile(
    r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|(?<=[\d}])\s*\\circ(?![A-Za-z])|\\(?:degree|deg)(?![A-Za-z])"
)
_ORDINAL = re.compile(r"(?<=\d)\s*\^\s*\{?\s*\\(?:text|mathrm|textrm|rm)\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?")
_SEPARATORS = re.compile(r"[^\d.]")
_COMMANDS_WITHIN = re.compile(r"\\[A-Za-z]")
_KNOWN_SIGNS = frozenset({"<=", ">=", *"-+*/^_=<>(){}[]|,;!'&:%\"?.@#`"})
_SEPARATING = frozenset({"and", "or", ", and", ", or", "&"})
_WORD_COMMANDS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "ln", "log", "lg", "exp", "gcd", "lcm", "max", "min", "det",
})  # fmt: skip
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sqrt": "\\sqrt", "pi": "\\pi", "infinity": "\\infty", "infty": "\\infty", "inf": "\\infty", "and": ",",
        "or": ",", "arcsin": "\\asin", "arccos": "\\acos", "arctan": "\\atan", "cup": "\\cup", "times": "*",
    }
)  # fmt: skip


_OF_THEIR_TEXT = frozenset({"number", "word", "text", "repeating", "accented"})


class Token(NamedTuple):
    """A lexeme: its kind (`number`, `word`, `text`, `base`, or the sign or command itself), and what it holds."""

    kind: str
    text: str
    spaced: bool = False


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of an answer.

    Raises:
        NotReadError: it holds what no answer does, or too much.
    """
    if "\\" in text:
        if "^" in text and ("\\text" in text or "rm" in text):
            text = _ORDINAL.sub("", text)
        text = _NOISE.sub(" ", text)
        if "\\circ" in text or "\\deg" in text:
            text = _DEGREE.sub(r"\\degree ", text)
    elif "~" in text:
        text = _TIES.sub(" ", text)
    found: list[Token] = []
    at = 0
    for lexeme in FORMULA.finditer(text):
        kind = lexeme.lastgroup
        if kind is None:
            break
        said, end = lexeme[kind], lexeme.end()
        spaced = end - len(said) > at
        if kind == "sign":
            if said in _KNOWN_SIGNS:
                found.append(Token(SAME[said] if len(said) > 1 else said, said, spaced))
            elif said.startswith("..."):
                found.append(Token("\\dots", said, spaced))
            elif said != "$":
                raise NotReadError
        elif kind == "number":
            found.append(Token("number", said if said.isdigit() else _SEPARATORS.sub("", said), spaced))
        elif kind == "word":
            found.append(_word(said, spaced))
        elif kind == "command":
            found.append(_command(said, spaced))
        elif kind == "styled":
            _add_styled(found, lexeme[STYLE], lexeme[CONTENT])
        elif said.startswith("\\\\"):
            found.append(Token("\\\\", said, spaced))
        else:
            raise NotReadError
        at = end
    if len(found) > MAX_TOKENS:
        raise NotReadError
    return _indices_first(found) if "_" in text and "^" in text else found


def _indices_first(found: list[Token]) -> list[Token]:
    """Return the tokens with each index before the exponent that it stood behind: v^2_0 is v_0^2."""
    ends = _ends_of_groups(found)
    ordered: list[Token] = []
    moved: dict[int, int] = {}
    at = 0
    while at < len(found):
        if at in moved:
            at = moved[at]
            continue
        end = ends.get(at + 1, at + 2)
        of_name = found[at].kind == "^" and at and found[at - 1].kind not in ("number", ")")
        if of_name and end < len(found) and found[end].kind == "_" and end not in moved:
            after = ends.get(end + 1, end + 2)
            ordered += found[end:after]
            moved[end] = after
        ordered.append(found[at])
        at += 1
    return ordered


def _ends_of_groups(found: list[Token]) -> dict[int, int]:
    """Return for each opening brace the place behind its closing one."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(found):
        if token.kind == "{":
            opened.append(place)
        elif token.kind == "}" and opened:
            ends[opened.pop()] = place + 1
    return ends


def structure(tokens: list[Token]) -> str:
    """Return the tokens as one text, where spaces and the braces around a single token make no difference."""
    kept: list[str] = []
    for token in tokens:
        if token.kind == "}" and len(kept) > 1 and kept[-2] == "{":
            kept[-2:] = [kept[-1]]
        else:
            named = f"{token.kind} {token.text}" if token.kind in ("\\begin", "\\end") else token.kind
            kept.append(token.text if token.kind in _OF_THEIR_TEXT else named)
    return " ".join(kept)


def _word(text: str, spaced: bool) -> Token:
    if len(text) > 1:
        if text in _WORDS:
            return Token(_WORDS[text], text, spaced)
        if text in _WORD_COMMANDS:
            return Token("\\" + text, text, spaced)
    if not text.isascii():
        raise NotReadError
    return Token("word", text, spaced)


def _command(text: str, spaced: bool) -> Token:
    if text[-1] == "}" and len(text) > 2:
        command, _, name = text.partition("{")
        return Token(command.rstrip(), name[:-1], spaced)
    return Token(SAME.get(text, text), text, spaced)


def _add_styled(found: list[Token], style: str, content: str) -> None:
    r"""Add the content of \text{} as words unless it is a number or a letter, and that of \mathbf{} as it is."""
    stripped = content.strip()
    if _COMMANDS_WITHIN.search(content):
        found += [
            Token(SAME.get("\\" + style, "\\" + style), style),
            Token("{", "{"),
            *tokens_of(stripped),
            Token("}", "}"),
        ]
        return
    if not stripped:
        return
    after_number = bool(found) and found[-1].kind in ("number", "}", ")", "\\degree")
    if style in TEXT_STYLES and stripped.lower().rstrip(",") in _SEPARATING:
        found.append(Token(",", "and" if "and" in stripped.lower() else "or" if "or" in stripped.lower() else ","))
        return
    if style in TEXT_STYLES and (not _plain(stripped) or (after_number and are_units(stripped))):
        found.append(Token("text", content))
        return
    inner = tokens_of(stripped)
    if not inner:
        return
    if style in ACCENTS:
        found += _accented(ACCENTS[style], inner)
        return
    if len(inner) == 1:
        found += inner
    else:
        found += [Token("{", "{"), *inner, Token("}", "}")]


def _accented(accent: str, inner: list[Token]) -> list[Token]:
    """Read a bar: over digits it repeats them, over two points it is a segment, over a letter another letter."""
    (first, *others) = inner
    if first.kind == "number":
        return [Token("repeating", first.text)]
    if not others and first.kind == "word" and (len(first.text) == 1 or first.text.isupper()):
        return [first if len(first.text) > 1 else Token("accented", f"{first.text}.{accent}", first.spaced)]
    return [Token("\\" + accent, ""), *inner]


def _plain(content: str) -> bool:
    return content in _WORD_COMMANDS or (content.isascii() and not re.search(r"[A-Za-z]{2}", content))


MAX_DEPTH = 32
"""How deep brackets, lines, roots, functions and exponents may stand in each other."""
END = Token("end", "")


class Cursor:
    """A place in the tokens of an answer."""

    def __init__(self, tokens: list[Token]) -> None:
        """Begin at the first token."""
        # The end is a token too, so that whoever looks a few tokens ahead finds one.
        self.tokens: list[Token] = [*tokens, END, END, END, END, END, END, END, END]
        self.kinds: list[str] = [token[0] for token in self.tokens]
        """Those of the tokens. A token may be replaced by one of its kind only."""
        self.at: int = 0
        self.depth: int = 0

    @property
    def next(self) -> Token:
        """Return the next token."""
        return self.tokens[self.at]

    def ahead(self, by: int) -> Token:
        """Return a later token, at most six further."""
        return self.tokens[self.at + by]

    def take(self, kind: str) -> bool:
        """Pass the next token if it is of this kind."""
        if self.kinds[self.at] == kind:
            self.at += 1
            return True
        return False

    def expect(self, kind: str) -> None:
        """Pass a token that must be of this kind.

        Raises:
            NotReadError: another one is.
        """
        if not self.take(kind):
            raise NotReadError

    def deeper(self) -> None:
        """Go one level deeper.

        Raises:
            NotReadError: that is too deep.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotReadError
