r"""Refuse texts that are not worth asking the judge about: too long, deep or large, or with two meanings. Linear."""

import re
from collections.abc import Sequence

from reward_service.domain.answers.parser import parse
from reward_service.domain.answers.reading import mathematics
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.tree import Node
from reward_service.domain.answers.values import NotReadError

MAX_CHARS = 512
MAX_DEPTH = 24
MAX_DIGITS = 400
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 500

OPERATORS = frozenset(["\\sum", "\\prod", "\\int"])
"""Notation that is left to math-verify."""
_BESIDE_OPERATORS = frozenset({
    "sum", "prod", "int", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos",
    "arctan", "ln", "log", "lg", "exp", "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta",
    "theta", "kappa", "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega", "frac", "dfrac", "tfrac", "cfrac", "binom",
    "dbinom", "tbinom", "sqrt", "lfloor", "rfloor", "lceil", "rceil", "pi", "infty", "cdot", "times", "div", "left",
    "right", "big", "Big", "bigl", "bigr", "quad", "qquad", "displaystyle",
})  # fmt: skip
_OPENING, _CLOSING = frozenset(["(", "[", "{", "\\{"]), frozenset([")", "]", "}", "\\}"])
_GROUPED_DIGITS = re.compile(r"\d,\d{3}(?!\d)")
_WHOLE_GROUPED = re.compile(r"\s*\$?\s*-?\d{1,3}(?:,\d{3})+(?:\.\d+)?[\s.$]*")
_PROSE = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]\s*){3}")
_LETTERS_ONLY = re.compile(r"[A-Za-z\s,;.$]*")
_SHOUTED = re.compile(r"(?<![\\A-Za-z])[A-Z]{2}")
_COMMAND = re.compile(r"\\(?:begin|end)\{[a-zA-Z]+\}|\\([A-Za-z]+)")


class UnfitError(ValueError):
    """The text is not asked about; `reason` is one of a small fixed set of words."""

    def __init__(self, reason: str) -> None:
        """Why not."""
        super().__init__(reason)
        self.reason = reason


def unfit(text: str) -> str | None:
    """Return why no child should be asked about the text; None if one may be."""
    try:
        tokens = fit_tokens(text)
        if not has_operator(tokens):
            node_of(tokens)
    except UnfitError as error:
        return error.reason
    return None


def fit_tokens(text: str, *, bounded: bool = True) -> list[Token]:
    """Return the tokens of an answer; `bounded` is False only in tests of what holds where this guard fails.

    Raises:
        UnfitError: too long, too deep, too large, or not in the notation that is read without doubt.
    """
    if not text.strip(" .$") or (bounded and len(text) > MAX_CHARS):
        raise UnfitError("length")
    if _GROUPED_DIGITS.search(text) and not _WHOLE_GROUPED.fullmatch(text):
        raise UnfitError("ambiguous")  # (1,234): a number or a pair?
    # y e s is no product, AB and BA are two segments, and two letters alone may be a word.
    bare = _COMMAND.sub("+", text)
    if _PROSE.search(bare) or _SHOUTED.search(bare) or (_LETTERS_ONLY.fullmatch(text) and len(text.strip(" .$")) > 1):
        raise UnfitError("prose")
    try:
        found = mathematics(text)
    except NotReadError as cause:
        raise UnfitError("notation") from cause
    if has_operator(found) and any(command[1] not in _BESIDE_OPERATORS for command in _COMMAND.finditer(text)):
        raise UnfitError("notation")
    if bounded:
        _bound(found)
    return found


def has_operator(tokens: Sequence[Token]) -> bool:
    """Return whether there is a sum, a product or an integral that was not carried out."""
    return any(token.kind in OPERATORS for token in tokens)


def node_of(tokens: list[Token]) -> Node:
    """Return the root of the tokens' tree.

    Raises:
        UnfitError: the grammar does not read them.
    """
    try:
        return parse(tokens).root
    except (NotReadError, RecursionError) as cause:
        raise UnfitError("notation") from cause


def _bound(found: Sequence[Token]) -> None:
    """Nesting, exponents and factorials that would only be asked about to be killed."""
    depth = 0
    exponents: list[int] = []  # the depths at which an exponent in braces is open
    for at, token in enumerate(found):
        kind, before = token.kind, found[at - 1].kind if at else ""
        if kind in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise UnfitError("depth")
            if before == "^":
                exponents.append(depth)
        elif kind in _CLOSING:
            if exponents and exponents[-1] == depth:
                exponents.pop()
            depth -= 1
        elif kind == "number":
            if len(token.text) > MAX_DIGITS:
                raise UnfitError("digits")
            if (exponents or before == "^") and float(token.text) > MAX_EXPONENT:
                raise UnfitError("exponent")
        elif kind == "^" and exponents and (before == "number" or before in _CLOSING):
            raise UnfitError("tower")
        elif kind == "!" and (before == "!" or _large(found, at)):
            raise UnfitError("factorial")
        elif kind in ("^", "!") and at > 1 and found[at - 2].kind == "^":
            raise UnfitError("ambiguous")  # 2^3^2, 2^3!
        elif kind == "word" and before == "^" and len(token.text) > 1:
            raise UnfitError("ambiguous")  # 2^xy


def _large(found: Sequence[Token], at: int) -> bool:
    """Whether the factorial at this place may be of a large number: of one, or of brackets that hold any number."""
    before = found[at - 1] if at else None
    if before is not None and before.kind == "number":
        return float(before.text) > MAX_FACTORIAL
    inside = (token for token in found[:at] if token.kind == "number")
    return before is not None and before.kind in _CLOSING and any(float(token.text) > 9 for token in inside)
