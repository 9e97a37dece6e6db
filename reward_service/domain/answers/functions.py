"""Apply functions: exactly where the value is a plain one, else as an atom."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from reward_service.domain.answers.algebra import ONE, ZERO, Algebra
from reward_service.domain.answers.numeric import real_value
from reward_service.domain.answers.values import (
    Monomial,
    NotReadError,
    Number,
    Sum,
    UndefinedError,
    comes_out,
    content,
    factors_of,
    is_constant,
    names_below,
    over,
    shared,
    small,
)

MAX_FACTORIAL = 400
CLOSE = 1e-6
FUNCTIONS = frozenset({
    "\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\asin", "\\acos", "\\atan", "\\sinh", "\\cosh", "\\tanh",
    "\\ln", "\\log", "\\lg", "\\exp", "\\gcd", "\\lcm", "\\max", "\\min",
})  # fmt: skip
_QUOTIENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"tan": ("sin", "cos"), "cot": ("cos", "sin"), "sec": ("", "cos"), "csc": ("", "sin")}
)
_OF_ONE = frozenset({"abs", "exp", "sin", "cos", *_QUOTIENTS})
_SINES_SQUARED: Mapping[Fraction, Fraction] = MappingProxyType(
    {
        Fraction(0): Fraction(0),
        Fraction(1, 6): Fraction(1, 4),
        Fraction(1, 4): Fraction(1, 2),
        Fraction(1, 3): Fraction(3, 4),
        Fraction(1, 2): Fraction(1),
    }
)
_TWELFTHS: Mapping[Fraction, tuple[tuple[int, int], tuple[int, int]]] = MappingProxyType(
    {
        Fraction(1, 12): ((6, 1), (2, -1)),
        Fraction(5, 12): ((6, 1), (2, 1)),
        Fraction(1, 10): ((5, 1), (1, -1)),
        Fraction(3, 10): ((5, 1), (1, 1)),
    }
)
"""Four times the sine of these half turns: roots and their signs."""
_FIFTHS: Mapping[Fraction, int] = MappingProxyType({Fraction(1, 5): -2, Fraction(2, 5): 2})
"""Sixteen times the square of the sine of these half turns, less ten, over √5."""
_INVERSE = frozenset({"asin", "acos", "atan"})
_PARTS = (12, 10)
_COMMUTING = frozenset({"gcd", "lcm", "max", "min"})


def _binomial(above: Number, below: Number) -> Number | None:
    if above.denominator != 1 or below.denominator != 1 or not 0 <= above <= MAX_FACTORIAL or below < 0:
        return None
    return math.comb(int(above), int(below))


def _absolute(value: Number) -> Number:
    return abs(value)


def _size(algebra: Algebra, terms: Sum) -> Sum | None:
    """The absolute value of a complex number; None for other sums."""
    halves: tuple[dict[Monomial, Number], dict[Monomial, Number]] = ({}, {})
    for monomial, value in terms.items():
        rest = tuple(pair for pair in monomial if pair != ("i", 1))
        if any(name[0] != "#" and name not in ("pi", "e") for name, _ in rest):
            return None
        halves[len(rest) < len(monomial)][rest] = value
    real, imaginary = halves
    if not imaginary:
        return None
    square = algebra.add(algebra.multiply(real, real), algebra.multiply(imaginary, imaginary))
    return algebra.power(square, Fraction(1, 2))


def _sign(terms: Sum) -> int:
    """The sign of a number that is no rational: of π - 3; 0 where it is not known."""
    value = real_value(terms)
    return 0 if value is None or abs(value) < CLOSE else 1 if value > 0 else -1


def _over_integers(function: Callable[..., int]) -> Callable[..., Number | None]:
    def value(*numbers: Number) -> Number | None:
        return function(*map(int, numbers)) if all(number.denominator == 1 for number in numbers) else None

    return value


_EXACT: Mapping[str, Callable[..., Number | None]] = MappingProxyType(
    {
        "abs": _absolute,
        "floor": math.floor,
        "ceil": math.ceil,
        "gcd": _over_integers(math.gcd),
        "lcm": _over_integers(math.lcm),
        "max": max,
        "min": min,
        "binom": _binomial,
    }
)


def applied(algebra: Algebra, name: str, *arguments: Sum) -> Sum:
    """A function of its arguments; the number it is, where that is known.

    Raises:
        NotReadError: the function takes another number of arguments.
    """
    algebra.spend(10)
    if not arguments or (name in _OF_ONE and len(arguments) != 1):
        raise NotReadError
    if name == "exp":
        (exponent,) = arguments
        return algebra.raised(algebra.symbol("e"), exponent)
    if name in _QUOTIENTS:
        above, below = _QUOTIENTS[name]
        ratio = applied(algebra, above, *arguments) if above else ONE
        return algebra.divide(ratio, applied(algebra, below, *arguments))
    if name in ("sin", "cos") and (turns := _half_turns(arguments[0])) is not None:
        value = _sine(algebra, turns + Fraction(1, 2) * (name == "cos"))
        if value is not None:
            return value
    if name in _INVERSE and len(arguments) == 1 and (angle := _angle(algebra, name, arguments[0])) is not None:
        return angle
    exact = _EXACT.get(name)
    if exact is not None and arguments and all(map(is_constant, arguments)):
        try:
            value = exact(*(argument.get((), 0) for argument in arguments))
        except TypeError as cause:  # one argument where two are needed
            raise NotReadError from cause
        if value is not None:
            return algebra.number(value)
    if name in _COMMUTING:
        arguments = tuple(sorted(arguments, key=repr))
    elif name == "abs":
        (inside,) = arguments
        if sign := _sign(inside):
            return algebra.scale(inside, sign)
        if (size := _size(algebra, inside)) is not None:
            return size
        if inside and inside[min(inside)] < 0:
            arguments = (algebra.scale(inside, -1),)
    return algebra.atom(name, *arguments)


def _half_turns(angle: Sum) -> Fraction | None:
    """An angle over π, where it is a rational multiple of π or of a degree; None for others."""
    if not angle:
        return Fraction(0)
    if len(angle) != 1:
        return None
    ((monomial, coefficient),) = angle.items()
    if monomial == (("pi", 1),):
        return Fraction(coefficient)
    return Fraction(coefficient) / 180 if monomial == (("deg", 1),) else None


def _sine(algebra: Algebra, half_turns: Fraction) -> Sum | None:
    """The sine of the angles that have a plain one: multiples of π/6 and π/4; None for others."""
    turns = half_turns % 2
    sign = 1
    if turns > 1:
        turns, sign = turns - 1, -1
    turns = min(turns, 1 - turns)
    squared = _SINES_SQUARED.get(turns)
    half = Fraction(1, 2)
    if squared is not None:
        return algebra.scale(algebra.power(algebra.number(squared), half), sign) if squared else ZERO
    if turns in _FIFTHS:
        root = algebra.scale(algebra.power({(): 5}, half), _FIFTHS[turns])
        return algebra.scale(algebra.power(algebra.add({(): 10}, root), half), Fraction(sign, 4))
    if turns not in _TWELFTHS:
        return None
    total: Sum = ZERO
    for square, part in _TWELFTHS[turns]:
        total = algebra.add(total, algebra.power({(): square}, half), part)
    return algebra.scale(total, Fraction(sign, 4))


def _angle(algebra: Algebra, name: str, terms: Sum) -> Sum | None:
    """The angle whose sine, cosine or tangent is a number, where the angle is a plain one; None for others."""
    value = real_value(terms)
    if value is None or (name != "atan" and abs(value) > 1 + CLOSE):
        return None
    half_turns = (math.atan(value) if name == "atan" else math.asin(max(-1.0, min(1.0, value)))) / math.pi
    for parts in _PARTS:
        angle = Fraction(round(half_turns * parts), parts)
        sine = _sine(algebra, angle) if abs(angle - half_turns) < CLOSE else None
        if sine is None:
            continue
        if name == "atan":
            cosine = _sine(algebra, angle + Fraction(1, 2))
            sine = algebra.divide(sine, cosine) if cosine else None
        if sine == terms:
            return algebra.scale(algebra.symbol("pi"), angle if name != "acos" else Fraction(1, 2) - angle)
    return None


def logarithm(algebra: Algebra, name: str, arguments: list[Sum], base: Sum | None) -> Sum:
    """ln, log and log_b as quotients of natural logarithms; log without a base stays apart, since nobody says which."""
    if len(arguments) != 1 or (name not in ("log", "ln", "lg")):
        raise NotReadError
    if base is None and name == "lg":
        base = {(): 10}
    if base is None:
        return _natural(algebra, arguments[0], "ln" if name == "ln" else "log")
    return algebra.divide(_natural(algebra, arguments[0], "ln"), _natural(algebra, base, "ln"))


def factorial(algebra: Algebra, terms: Sum) -> Sum:
    """n!, written out while it is short."""
    value = terms.get((), 0)
    if is_constant(terms) and value.denominator == 1:
        if value < 0:
            raise UndefinedError
        if value <= MAX_FACTORIAL:
            return algebra.number(math.factorial(int(value)))
    return algebra.atom("factorial", terms)


def _natural(algebra: Algebra, terms: Sum, name: str) -> Sum:
    """A logarithm of a product of powers as a sum of logarithms: ln 8 = 3 ln 2."""
    if not terms:
        raise UndefinedError
    if len(terms) > 1:
        return _of_quotient(algebra, terms, name)
    ((monomial, coefficient),) = terms.items()
    if coefficient < 0 or any(atom in ("i", "oo") for atom, _ in monomial):
        return algebra.atom(name, terms)
    algebra.spend_on_factors(coefficient)
    total: Sum = ZERO
    for factor, power in factors_of(terms):
        ((inside, _),) = factor.items()
        of_e = name == "ln" and factor == {(("e", 1),): 1}
        if inside and not comes_out(inside[0][0], power, 2):
            part, power = algebra.atom(name, algebra.power(factor, power)), 1
        else:
            part = ONE if of_e else algebra.atom(name, _integer_prime(factor))
        total = algebra.add(total, algebra.scale(part, Fraction(power)))
    return total


def _of_quotient(algebra: Algebra, terms: Sum, name: str) -> Sum:
    """A logarithm of a sum less those of what it is divided by, and that of its rational factor: ln((2x + 2)/y)."""
    below = names_below(shared(terms), 2)
    scale = content(terms)
    rest: Sum = {over(monomial, below): small(Fraction(value) / scale) for monomial, value in terms.items()}
    outer: Sum = {below: scale}
    return algebra.add(algebra.atom(name, rest), _natural(algebra, outer, name))


def _integer_prime(factor: Sum) -> Sum:
    """A prime is one number, whether it stands as a coefficient or under a root."""
    ((monomial, _),) = factor.items()
    return {(): int(monomial[0][0][1:])} if monomial and monomial[0][0][0] == "#" else factor
