"""The comparison of two answers, as a judge child makes it: their shapes first, then their parts."""

import sympy
from sympy import Expr

from reward_service.grading.math_verify_fallback import compare_by_math_verify
from reward_service.grading.notation import UnfitError, tokens
from reward_service.grading.reader import AnswerReader, Items, Reading, RelationChain
from reward_service.grading.scalars import Finding, equal
from reward_service.grading.verdicts import Verdict

_FLIPPED = {">": "<", ">=": "<=", "=": "="}


def compare(a: str, b: str, *, guarded: bool = True) -> Finding:
    """The verdict on two answers and what led to it. May take for ever, and all memory: the caller sets the limits."""
    try:
        tokens_a, tokens_b = tokens(a, bounded=guarded), tokens(b, bounded=guarded)
        try:
            readings = AnswerReader(tokens_a).answer(), AnswerReader(tokens_b).answer()
        except UnfitError as error:
            if error.reason != "elsewhere":
                raise
            return compare_by_math_verify(a, b)
    except UnfitError as error:
        return Verdict.UNDECIDED, error.reason
    return _judged(*readings)


def _judged(a: Reading, b: Reading) -> Finding:
    if isinstance(a, Expr) and isinstance(b, Expr):
        return equal(a, b)
    if isinstance(a, Items) and isinstance(b, Items) and a.kind == b.kind:
        return _sets(a, b) if a.kind == "\\{\\}" else _sequences(a, b)
    if isinstance(a, RelationChain) and isinstance(b, RelationChain):
        return _chains(_ascending(a), _ascending(b))
    return Verdict.UNDECIDED, "shape"


def _sequences(a: Items, b: Items) -> Finding:
    """Part by part in their order. A bare list or a union in another order is left open: it may mean the same."""
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
    """Whether some part of `a` differs from every part of `b`."""
    return any(all(_judged(one, other)[0] is Verdict.DIFFERENT for other in b.items) for one in a.items)


def _ascending(chain: RelationChain) -> RelationChain:
    """a > b as b < a."""
    if any(relation in (">", ">=") for relation in chain.relations) and all(
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
    """Whether one relation is a multiple of the other; that they are none does not make them different."""
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
