"""What our own reader leaves to math-verify: sums, products and integrals that were not carried out.

Its grammar guesses, so whatever it is known to guess at is refused here, its normalisation of units and prose is left
out, and its verdict is believed only where our own comparison of what it read says the same. Limits are left out: it
takes them from one side. Its limits of time are signals it sets itself: they are off here, where the kernel's hold.
"""

import re

import math_verify
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, NormalizationConfig, latex2sympy
from sympy import Expr

from reward_service.grading.notation import ELSEWHERE, UnfitError, tokens
from reward_service.grading.reader import AnswerReader
from reward_service.grading.scalars import Finding, equal
from reward_service.grading.verdicts import Verdict

MAX_DEPTH = 6  # its time is exponential in the nesting of brackets

_NORMAL = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none", equations=False
)
_CASED = ConversionConfig(lowercase_symbols=False)
# 2(3) and 2\frac{4}{2} are sums to it, the index of a number is dropped, a logarithm has base ten, i is a letter.
_GUESSED = re.compile(
    r"\d\s*[({_]|[\d)}]\s+\d|[)}]\d|\d\s*\\frac|\\log|\\lg|\^\s*\(|[,;=<>|!&\[\]]|(?<![A-Za-z\\])[ei](?![A-Za-z])|\\infty\s*[-+]"
)
_BOUND_START = re.compile(r"_\{\s*[A-Za-z]\s*=\s*")


def compare_by_math_verify(a: str, b: str) -> Finding:
    """The verdict on two answers of which at least one needs math-verify; UnfitError if it would have to guess."""
    one, other = _read(a), _read(b)
    forwards = math_verify.verify(one, other, timeout_seconds=None, raise_on_error=True)
    backwards = math_verify.verify(other, one, timeout_seconds=None, raise_on_error=True)
    verdict, reason = equal(one.doit(), other.doit())
    agreed = forwards == backwards == (verdict is Verdict.SAME)
    return (verdict, reason) if agreed else (Verdict.UNDECIDED, "disagreement")


def _read(text: str) -> Expr:
    found = tokens(text)
    if ELSEWHERE.isdisjoint(found):
        reading = AnswerReader(found).answer()
    else:
        if _depth(text) > MAX_DEPTH or _GUESSED.search(_BOUND_START.sub("_{", text)) or _added_to(found):
            raise UnfitError("ambiguous")
        try:
            reading = latex2sympy(text, is_real=True, normalization_config=_NORMAL, conversion_config=_CASED)
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # its parser raises plain Exception for what it cannot read
            raise UnfitError("notation") from error
    if not isinstance(reading, Expr):
        raise UnfitError("shape")
    return reading


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "({[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")}]":
            depth -= 1
    return deepest


def _added_to(found: list[str]) -> bool:
    """Whether a sum follows a big operator at its own level: nobody knows where the operator ends."""
    depth, behind = 0, False
    for word in found:
        if word in ("(", "{"):
            depth += 1
        elif word in (")", "}"):
            depth -= 1
        elif word in ELSEWHERE:
            if behind:
                return True
            behind = True
        elif behind and depth == 0 and word in ("+", "-"):
            return True
    return False
