"""Compare two answers in a judge child: read each as parts, then compare shapes, then parts.

The library math-verify reads sums, products and integrals that were not carried out. Its grammar guesses, so inputs
where it is known to guess are refused, its normalisation of units and prose is left out, and its verdict needs our own
comparison of what it read to agree. Limits are left out: math-verify takes them from one side. Its time limits are
signals that it sets itself; they are off, because the kernel's limits hold.
"""

import re
from dataclasses import dataclass

import math_verify
import sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, NormalizationConfig, latex2sympy
from sympy import Expr

from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.tree import Node
from reward_service.domain.answers.values import Bracketed, Chain, Joined, Listed, Matrix
from reward_service.grading.bounds import OPERATORS, UnfitError, fit_tokens, has_operator, node_of
from reward_service.grading.expressions import ExpressionBuilder, infinity
from reward_service.grading.scalars import Finding, equal
from reward_service.grading.verdicts import Verdict

RELATIONS = frozenset(["=", "<", ">", "≤", "≥"])


@dataclass(frozen=True, slots=True)
class Items:
    """A list of readings; `kind` is what holds them together: brackets, commas, union signs or a matrix's shape."""

    kind: str
    items: tuple["Reading", ...]


@dataclass(frozen=True, slots=True)
class RelationChain:
    """Sides with relations between them: a < b = c."""

    relations: tuple[str, ...]
    sides: tuple["Reading", ...]


Reading = Expr | Items | RelationChain


def reading_of(node: Node) -> Reading:
    """Return the reading of an answer's tree.

    Raises:
        UnfitError: it has more than one meaning, or is of no shape that is compared here.
    """
    match node:
        case Listed(items, ""):
            return Items(",", tuple(map(reading_of, items)))
        case Chain(sides, relations) if RELATIONS.issuperset(relations):
            return RelationChain(relations, tuple(map(reading_of, sides)))
        case Joined("\\cup", items):
            return Items("\\cup", tuple(map(reading_of, items)))
        case Bracketed("{", items, "}"):
            return Items("\\{\\}", tuple(map(reading_of, items)))
        case Bracketed("(" | "[" as opening, items, closing) if len(items) > 1:
            return Items(opening + closing, tuple(map(reading_of, items)))
        case Matrix(rows):
            return Items(f"matrix {len(rows)}", tuple(reading_of(entry) for row in rows for entry in row))
        case _:
            end = infinity(node)
            return ExpressionBuilder().built(node) if end is None else end


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
    """Return the verdict on two answers of which at least one needs math-verify; UnfitError where it would guess."""
    one, other = _read(a), _read(b)
    forwards = math_verify.verify(one, other, timeout_seconds=None, raise_on_error=True)
    backwards = math_verify.verify(other, one, timeout_seconds=None, raise_on_error=True)
    verdict, reason = equal(one.doit(), other.doit())
    agreed = forwards == backwards == (verdict is Verdict.SAME)
    return (verdict, reason) if agreed else (Verdict.UNDECIDED, "disagreement")


def _read(text: str) -> Expr:
    found = fit_tokens(text)
    if not has_operator(found):
        reading = reading_of(node_of(found))
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


def _added_to(found: list[Token]) -> bool:
    """Return whether a sum follows a big operator at its own level: nobody knows where the operator ends."""
    depth, behind = 0, False
    for token in found:
        if token.kind in ("(", "{"):
            depth += 1
        elif token.kind in (")", "}"):
            depth -= 1
        elif token.kind in OPERATORS:
            if behind:
                return True
            behind = True
        elif behind and depth == 0 and token.kind in ("+", "-"):
            return True
    return False


_FLIPPED = {">": "<", "≥": "≤", "=": "="}


def compare(a: str, b: str, *, guarded: bool = True) -> Finding:
    """Return the verdict on two answers and its reason. Time and memory are unlimited: the caller sets the limits."""
    try:
        found = [fit_tokens(text, bounded=guarded) for text in (a, b)]
        if any(map(has_operator, found)):
            return compare_by_math_verify(a, b)
        one, other = (reading_of(node_of(tokens)) for tokens in found)
    except UnfitError as error:
        return Verdict.UNDECIDED, error.reason
    return _judged(one, other)


def _judged(a: Reading, b: Reading) -> Finding:
    if isinstance(a, Expr) and isinstance(b, Expr):
        return equal(a, b)
    if isinstance(a, Items) and isinstance(b, Items) and a.kind == b.kind:
        return _sets(a, b) if a.kind == "\\{\\}" else _sequences(a, b)
    if isinstance(a, RelationChain) and isinstance(b, RelationChain):
        return _chains(_ascending(a), _ascending(b))
    return Verdict.UNDECIDED, "shape"


def _sequences(a: Items, b: Items) -> Finding:
    """Compare part by part in order. A bare list or a union in another order is left open: it may mean the same."""
    in_order = a.kind not in (",", "\\cup")
    if len(a.items) != len(b.items):
        return (Verdict.DIFFERENT if in_order else Verdict.UNDECIDED), "shape"
    found = [_judged(one, other) for one, other in zip(a.items, b.items, strict=True)]
    if all(verdict is Verdict.SAME for verdict, _ in found):
        return Verdict.SAME, "parts"
    if in_order and any(verdict is Verdict.DIFFERENT for verdict, _ in found):
        return Verdict.DIFFERENT, "parts"
    if a.kind == "," and (_lacks(a, b) or _lacks(b, a)):
        return Verdict.DIFFERENT, "parts"
    return Verdict.UNDECIDED, "parts"


def _sets(a: Items, b: Items) -> Finding:
    if _covers(a, b) and _covers(b, a):
        return Verdict.SAME, "parts"
    return (Verdict.DIFFERENT if _lacks(a, b) or _lacks(b, a) else Verdict.UNDECIDED), "parts"


def _covers(a: Items, b: Items) -> bool:
    return all(any(_judged(one, other)[0] is Verdict.SAME for other in b.items) for one in a.items)


def _lacks(a: Items, b: Items) -> bool:
    """Return whether some part of `a` differs from every part of `b`."""
    return any(all(_judged(one, other)[0] is Verdict.DIFFERENT for other in b.items) for one in a.items)


def _ascending(chain: RelationChain) -> RelationChain:
    """Turn a > b into b < a."""
    if any(relation in (">", "≥") for relation in chain.relations) and all(
        relation in _FLIPPED for relation in chain.relations
    ):
        return RelationChain(tuple(_FLIPPED[relation] for relation in reversed(chain.relations)), chain.sides[::-1])
    return chain


def _chains(a: RelationChain, b: RelationChain) -> Finding:
    if a.relations != b.relations:
        return Verdict.UNDECIDED, "shape"
    found = [_judged(one, other)[0] for one, other in zip(a.sides, b.sides, strict=True)]
    if all(verdict is Verdict.SAME for verdict in found):
        return Verdict.SAME, "parts"
    first = a.sides[0]
    if a.relations == ("=",) and isinstance(first, sympy.Symbol) and found[0] is Verdict.SAME:
        if not any(isinstance(side, Expr) and side.has(first) for side in (a.sides[1], b.sides[1])):
            return found[1], "parts"  # y = this and y = that
        return Verdict.UNDECIDED, "parts"
    if len(a.relations) == 1:
        return _multiples(a, b)
    return Verdict.UNDECIDED, "parts"


def _multiples(a: RelationChain, b: RelationChain) -> Finding:
    """Compare two relations, one of which may be a multiple of the other; if not, they may still be the same."""
    sides = [side for side in (*a.sides, *b.sides) if isinstance(side, Expr)]
    if len(sides) != 4 or any(side.has(sympy.oo, sympy.zoo, sympy.nan) for side in sides):
        return Verdict.UNDECIDED, "shape"
    over, under = sympy.expand(sides[0] - sides[1]), sympy.expand(sides[2] - sides[3])
    if over.is_zero or under.is_zero or over.free_symbols != under.free_symbols or not over.free_symbols:
        return Verdict.UNDECIDED, "symbols"
    if not all(side.is_polynomial(*over.free_symbols) for side in (over, under)):
        return Verdict.UNDECIDED, "unproven"  # a quotient may hide where its divisor is zero
    ratio = sympy.cancel(over / under)
    constant = ratio.is_number and ratio.is_finite and ratio.is_nonzero
    if constant and (a.relations == ("=",) or ratio.is_positive):
        return Verdict.SAME, "proof"
    return Verdict.UNDECIDED, "unproven"
