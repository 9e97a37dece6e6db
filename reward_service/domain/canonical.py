"""A first canonical form of answers: equal keys mean equal answers, at a bounded price.

It settles what notation alone makes different (spacing, \\dfrac, 0.50 and 1/2, thousands separators). What it leaves
apart may still be equal: a finer grader replaces it behind the same seam, `Canonicalise`.
"""

import re
from collections.abc import Callable
from fractions import Fraction

Canonicalise = Callable[[str], str]
"""From an answer to the key of its class; pure, bounded in the answer's length."""

_MAX_DIGITS = 64
_NOISE = re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[,!;: ]|\$|~")
# A space between two words or two numbers separates them (1 1/2 is not 11/2); any other is typesetting.
_SPACE = re.compile(r"\s+")
_RENAMED = re.compile(r"\\[dt]frac(?![A-Za-z])")
_BARE_FRACTION = re.compile(r"\\frac(\d)(\d)")
_ASSIGNMENT = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?=(?=[^=])")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,(?:\\!)?\d{3})+(?:\.\d+)?")
_DECIMAL = re.compile(r"([+-]?)(\d*)\.?(\d*)")
_RATIO = re.compile(r"([+-]?)(?:\\frac\{([+-]?\d+)\}\{(\d+)\}|(\d+)/(\d+))")


def canonical_key(answer: str) -> str:
    """The key of an answer's class. Linear in its length; numbers of more than 64 digits stay as they are written."""
    text = _RENAMED.sub(r"\\frac", answer.replace("−", "-"))
    text = _SPACE.sub(_kept_space, _NOISE.sub("", text).strip()).rstrip(".")
    text = _BARE_FRACTION.sub(r"\\frac{\1}{\2}", text)
    assigned = _ASSIGNMENT.match(text)
    if assigned is not None:
        text = text[assigned.end() :]
    return _rational_key(text) or text or answer


def _kept_space(space: re.Match[str]) -> str:
    before, after = (
        space.string[space.start() - 1 : space.start()],
        space.string[space.end() : space.end() + 1],
    )
    return " " if before.isalnum() and after.isalnum() else ""


def _rational_key(text: str) -> str | None:
    if len(text) > 2 * _MAX_DIGITS:
        return None
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    ratio = _RATIO.fullmatch(text)
    if ratio is not None:
        sign, top, bottom, plain_top, plain_bottom = ratio.groups()
        numerator, denominator = int(top or plain_top), int(bottom or plain_bottom)
        return str(Fraction(-numerator if sign == "-" else numerator, denominator)) if denominator else None
    decimal = _DECIMAL.fullmatch(text)
    if decimal is not None and (decimal[2] or decimal[3]):
        scaled = Fraction(int(decimal[2] + decimal[3]), 10 ** len(decimal[3]))
        return str(-scaled if decimal[1] == "-" else scaled)
    return None
