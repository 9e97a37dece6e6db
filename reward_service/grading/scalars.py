"""Decide whether two expressions are equal: numbers disprove, a proof confirms, all else stays undecided."""

import sympy
from sympy import Expr, Rational
from sympy.core.evalf import PrecisionExhausted
from sympy.core.random import seed

from reward_service.grading.verdicts import Verdict

DIGITS = 60
AGREED = Rational(1, 10**40)
FAR_DIGITS = 300
_MOST_NODES = 60
_LARGEST = 20  # powers of ten between which every part of a number must lie that is settled by its digits
_INTEGERS = frozenset("nmkjlN")  # letters that stand for integers as a rule
_INTEGER_POINTS = (7, 12, 3)
_POINTS = (Rational(7, 3), Rational(-13, 11), Rational(5, 17))
_OFFSET = sympy.Integer(7)
_UNDEFINED = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)

Finding = tuple[Verdict, str]


def equal(a: Expr, b: Expr) -> Finding:
    """The verdict on two expressions, and what led to it.

    SAME needs the same symbols, agreement wherever both are evaluated, and a proof; DIFFERENT a point where the values
    part, to far more digits than the evaluation could have lost.
    """
    seed(0)  # sympy's own tests are random; a verdict should be repeatable
    if a.has(*_UNDEFINED) or b.has(*_UNDEFINED):
        return _infinite(a, b)
    if a == b:
        return Verdict.SAME, "identical"
    if a.free_symbols != b.free_symbols:
        return Verdict.UNDECIDED, "symbols"
    found = _at_points(a, b)
    return found if found is not None else _proof(a, b)


def _infinite(a: Expr, b: Expr) -> Finding:
    if a in (sympy.oo, -sympy.oo) and a == b:
        return Verdict.SAME, "identical"
    ends = [value for value in (a, b) if value in (sympy.oo, -sympy.oo)]
    if len(ends) == 2 or (ends and all(value in ends or (value.is_number and value.is_finite) for value in (a, b))):
        return Verdict.DIFFERENT, "infinite"
    return Verdict.UNDECIDED, "undefined"


def _at_points(a: Expr, b: Expr) -> Finding | None:
    """What some values say; None if they agree."""
    symbols = sorted(_symbols(a) | _symbols(b), key=lambda symbol: symbol.name)
    complex_too = a.has(sympy.I) or b.has(sympy.I) or any(not symbol.is_real for symbol in symbols)
    agreed, apart = 0, False
    for point in range(len(_POINTS) if symbols else 1):
        values = [(symbol, _value_of(symbol, index, point)) for index, symbol in enumerate(symbols)]
        at_a, at_b = _evaluated(a.subs(values)), _evaluated(b.subs(values))
        if at_a is None or at_b is None:
            continue
        if not complex_too and bool(symbols) and not (at_a.is_real and at_b.is_real):
            apart = apart or at_a.is_real != at_b.is_real
            continue
        if sympy.Abs(at_a - at_b) > AGREED * sympy.Max(1, sympy.Abs(at_a), sympy.Abs(at_b)):
            return Verdict.DIFFERENT, "values"
        agreed += 1
    if apart:
        return Verdict.UNDECIDED, "domain"
    return None if agreed >= (2 if symbols else 1) else (Verdict.UNDECIDED, "values")


def _symbols(value: Expr) -> set[sympy.Symbol]:
    return {symbol for symbol in value.free_symbols if isinstance(symbol, sympy.Symbol)}


def _value_of(symbol: sympy.Symbol, index: int, point: int) -> Expr:
    """A fixed point for a symbol, another for each. Some are negative: |x| is not x."""
    if symbol.name in _INTEGERS:
        return sympy.Integer(_INTEGER_POINTS[point] + 2 * index)
    value = _POINTS[(point + index) % len(_POINTS)] + Rational(index, 3)
    if symbol.is_positive:
        return abs(value) + 1
    return value if symbol.is_real else value + sympy.I * Rational(3 + point, 7)


def _evaluated(value: Expr, digits: int = DIGITS) -> Expr | None:
    """The number plus an offset, to so many true digits; None if that cannot be had.

    The offset makes of a hidden zero, which has no first digit, a number that has one.
    """
    try:
        number = (value + _OFFSET).evalf(digits, maxn=4 * digits, strict=True)
    except (PrecisionExhausted, ZeroDivisionError, OverflowError, ValueError, TypeError, NotImplementedError):
        return None
    real, imaginary = number.as_real_imag()
    return number if real.is_Float or real.is_Rational or imaginary.is_Float else None


def _proof(a: Expr, b: Expr) -> Finding:
    """They agree where they were looked at: is there a proof?"""
    difference = a - b
    for step in (sympy.expand, sympy.simplify):
        difference = step(difference)
        if difference.is_zero:
            return Verdict.SAME, "proof"
        if difference.is_Rational:
            return Verdict.DIFFERENT, "proof"
    if not difference.is_number:
        return Verdict.UNDECIDED, "unproven"
    if _to_the_last_digit(a, b):
        return Verdict.SAME, "digits"
    if a.is_algebraic and b.is_algebraic:
        zero = sympy.minimal_polynomial(difference) == sympy.Symbol("x")
        return Verdict.SAME if zero else Verdict.DIFFERENT, "algebra"
    return Verdict.UNDECIDED, "unproven"


def _to_the_last_digit(a: Expr, b: Expr) -> bool:
    """Two short closed forms, made of parts of common size, agree to 300 digits.

    1 + e^{-1000} and 1 do as well, and tanh(400): hence no part may be very small or large, and none saturates.
    """
    if a.has(sympy.sinh, sympy.cosh, sympy.tanh, sympy.floor, sympy.ceiling, sympy.factorial, sympy.binomial):
        return False
    if b.has(sympy.sinh, sympy.cosh, sympy.tanh, sympy.floor, sympy.ceiling, sympy.factorial, sympy.binomial):
        return False
    nodes = [*sympy.preorder_traversal(a), *sympy.preorder_traversal(b)]
    if len(nodes) > _MOST_NODES:
        return False
    for node in nodes:
        size = sympy.Abs(node).evalf(15, strict=False)
        hidden_zero = node in (a, b) or node.is_zero
        if not hidden_zero and not (size.is_Float or size.is_Rational):
            return False
        if not hidden_zero and not 10**-_LARGEST < size < 10**_LARGEST:
            return False
        if isinstance(node, Rational) and (abs(node.p) > 10**9 or node.q > 10**9):
            return False
    far_a, far_b = _evaluated(a, FAR_DIGITS), _evaluated(b, FAR_DIGITS)
    if far_a is None or far_b is None:
        return False
    return bool(sympy.Abs(far_a - far_b) < Rational(1, 10 ** (FAR_DIGITS - 30)) * sympy.Max(1, sympy.Abs(far_a)))
