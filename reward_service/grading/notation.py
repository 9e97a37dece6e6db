r"""Read the notation of the judge: cut texts into tokens, and refuse texts not worth asking about. Linear time."""

import re

MAX_CHARS = 512
MAX_DEPTH = 24
MAX_DIGITS = 400
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 500

# An alternative each; what fits none makes the text unreadable. A thousands comma is one that LaTeX knows as such.
_TOKEN = re.compile(
    r"(?P<space>\s+|\\[,;:! ]|\\(?:quad|qquad|displaystyle|left|right|big|Big|bigl|bigr)(?![A-Za-z])|~)"
    r"|(?P<degree>\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})|\\degree(?![A-Za-z]))"
    r"|(?P<number>\d+(?:(?:\{,\}|,\\!)\d{3})*(?:\.\d+)?|\.\d+)"
    r"|(?P<environment>\\(?:begin|end)\{[pbB]?matrix\})"
    r"|(?P<command>\\(?:[A-Za-z]+|[{}\\|]))"
    r"|(?P<letter>[A-Za-z])"
    r"|(?P<sign><=|>=|[-+*/^_=<>(){}\[\],;|!&])",
    re.ASCII,
)

_RENAMED = {
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\dbinom": "\\binom", "\\tbinom": "\\binom",
    "\\cdot": "*", "\\times": "*", "\\div": "/", "\\leq": "<=", "\\le": "<=", "\\leqslant": "<=", "\\geq": ">=",
    "\\ge": ">=", "\\geqslant": ">=", "\\lt": "<", "\\gt": ">", "\\lvert": "|", "\\rvert": "|", "\\vert": "|",
    "\\lbrace": "\\{", "\\rbrace": "\\}", "\\lbrack": "[", "\\rbrack": "]", "\\bigcup": "\\cup",
    "\\rightarrow": "\\to",
}  # fmt: skip

FUNCTIONS = frozenset(
    f"\\{name}"
    for name in (
        *("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"),
        *("arcsin", "arccos", "arctan", "ln", "log", "lg", "exp"),
    )
)
LETTERS = frozenset(
    f"\\{name}"
    for name in (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu"),
        *("nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega"),
        *("Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega"),
    )
)
SHAPES = frozenset(["\\frac", "\\sqrt", "\\binom", "\\lfloor", "\\rfloor", "\\lceil", "\\rceil"])
OTHERS = frozenset(["\\pi", "\\infty", "\\cup", "\\{", "\\}", "\\\\", "\\lim", "\\to"])
ELSEWHERE = frozenset(["\\sum", "\\prod", "\\int"])
"""Notation our own reader leaves to math-verify."""

DEGREE = "\\degree"
_KNOWN = FUNCTIONS | LETTERS | SHAPES | OTHERS | ELSEWHERE
_OPENING, _CLOSING = frozenset(["(", "[", "{", "\\{"]), frozenset([")", "]", "}", "\\}"])
_GROUPED_DIGITS = re.compile(r"\d,\d{3}(?!\d)")
_WHOLE_GROUPED = re.compile(r"\s*-?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*")
_PROSE = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]\s*){3}")
_LETTERS_ONLY = re.compile(r"[A-Za-z\s,;.]*")
_SHOUTED = re.compile(r"(?<![\\A-Za-z])[A-Z]{2}")
_COMMAND = re.compile(r"\\(?:begin|end)\{[a-zA-Z]+\}|\\[A-Za-z]+")
_RANGE_OR_DATE = re.compile(r"\s*\d+(?:\s*-\s*\d+)+\s*|\s*\d+(?:\s*/\s*\d+){2,}\s*", re.ASCII)


class UnfitError(ValueError):
    """The text is not asked about; `reason` is one of a small fixed set of words."""

    def __init__(self, reason: str) -> None:
        """Why not."""
        super().__init__(reason)
        self.reason = reason


def unfit(text: str) -> str | None:
    """Why no child should be asked about the text; None if one may be."""
    try:
        tokens(text)
    except UnfitError as error:
        return error.reason
    return None


def tokens(text: str, *, bounded: bool = True) -> list[str]:
    """The tokens of an answer; `bounded` is False only in tests of what holds where this guard fails.

    Raises:
        UnfitError: too long, too deep, too large, or not in the notation that is read without doubt.
    """
    if not text or (bounded and len(text) > MAX_CHARS):
        raise UnfitError("length")
    text = text.strip().rstrip(". ").replace("−", "-")
    if len(text) > 2 and text[0] == text[-1] == "$":  # one alone is money
        text = text[1:-1]
    if _WHOLE_GROUPED.fullmatch(text):
        text = text.replace(",", "")
    elif _GROUPED_DIGITS.search(text) or _RANGE_OR_DATE.fullmatch(text):
        raise UnfitError("ambiguous")  # (1,234): a number or a pair? 10-12: a range or -2?
    # y e s is no product, AB and BA are two segments, and two letters alone may be a word.
    bare = _COMMAND.sub("+", text)
    if _PROSE.search(bare) or _SHOUTED.search(bare) or (_LETTERS_ONLY.fullmatch(text) and len(text.strip()) > 1):
        raise UnfitError("prose")
    found = _split(text)
    if bounded:
        _bound(found)
    return found


def _split(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnfitError("notation")
        at = match.end()
        word = match.group()
        if match.lastgroup == "space":
            continue
        if match.lastgroup == "number":
            word = word.replace("{,}", "").replace(",\\!", "")
            if sum(map(str.isdigit, word)) > MAX_DIGITS:
                raise UnfitError("digits")
        elif match.lastgroup == "degree":
            word = DEGREE
        elif match.lastgroup == "command":
            word = _RENAMED.get(word, word)
            if word.startswith("\\") and word not in _KNOWN:
                raise UnfitError("notation")
        found.append(word)
    if not found:
        raise UnfitError("notation")
    return found


def _bound(found: list[str]) -> None:
    """Nesting, exponents and factorials that would only be asked about to be killed."""
    depth = 0
    exponents: list[int] = []  # the depths at which an exponent in braces is open
    for at, word in enumerate(found):
        before = found[at - 1] if at else ""
        if word in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise UnfitError("depth")
            if before == "^":
                exponents.append(depth)
        elif word in _CLOSING:
            if exponents and exponents[-1] == depth:
                exponents.pop()
            depth -= 1
        elif word[0].isdigit() and (exponents or before == "^") and _value(word) > MAX_EXPONENT:
            raise UnfitError("exponent")
        elif word == "^" and exponents and _numeric_base(before):
            raise UnfitError("tower")
        elif word == "!" and (before == "!" or _large(found, at)):
            raise UnfitError("factorial")


def _large(found: list[str], at: int) -> bool:
    """Whether the factorial at this place may be of a large number: of one, or of brackets that hold any number."""
    before = found[at - 1] if at else ""
    if before[:1].isdigit():
        return _value(before) > MAX_FACTORIAL
    return before in _CLOSING and any(word[:1].isdigit() and _value(word) > 9 for word in found[:at])


def _numeric_base(word: str) -> bool:
    return word[:1].isdigit() or word in _CLOSING


def _value(number: str) -> float:
    return float(number) if len(number) < 20 else float("inf")
