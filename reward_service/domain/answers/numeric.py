"""Evaluate sums by numbers to prove them different."""

import cmath
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from reward_service.domain.answers.algebra import Algebra, Atom
from reward_service.domain.answers.values import Number, Sum

POINTS = 2
TOLERANCE = 1e-8
_MOST_BITS = 1000
_ILL = 1e-5
"""A sum this much smaller than its terms is known too badly to be put into a root or a quotient."""

_CONSTANTS: Mapping[str, complex] = MappingProxyType(
    {"pi": math.pi, "e": math.e, "i": 1j, "deg": math.pi / 180, "pct": 0.01}
)
_FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "sin": cmath.sin, "cos": cmath.cos, "ln": cmath.log, "log": cmath.log10, "abs": abs,
        "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh,
        "tanh": cmath.tanh, "power": pow,
    }
)  # fmt: skip


class _UnknownError(Exception):
    """The sum has no known number."""


def differ(one: Sum, first: Algebra | None, other: Sum, second: Algebra | None) -> bool:
    """Return whether two sums have different values at some point; False also where the values are unknown."""
    for point in range(POINTS):
        try:
            value, size = _value(one, first, point)
            against, weight = _value(other, second, point)
        except (_UnknownError, ArithmeticError, ValueError):
            continue
        if not (math.isfinite(size) and math.isfinite(weight)):
            continue
        if abs(value - against) > TOLERANCE * max(size, weight):
            return True
    return False


def sign_at(terms: Sum, algebra: Algebra | None, point: int) -> int:
    """Return the sign of a sum at a point; 0 where the value is unknown or not real."""
    try:
        value, size = _value(terms, algebra, point)
    except (_UnknownError, ArithmeticError, ValueError):
        return 0
    if not math.isfinite(size) or abs(value.imag) > TOLERANCE * size or abs(value.real) < 1e-6 * size:
        return 0
    return 1 if value.real > 0 else -1


def real_value(terms: Sum) -> float | None:
    """Return the number that a sum is; None for a sum with a symbol, or with a value that is not known well."""
    if any(name[0] != "#" and name not in ("pi", "e") for monomial in terms for name, _ in monomial):
        return None
    try:
        value, _ = _value(terms, None, 0)
    except (_UnknownError, ArithmeticError, ValueError):
        return None
    return value.real if math.isfinite(value.real) else None


def _value(terms: Sum, algebra: Algebra | None, point: int) -> tuple[complex, float]:
    """Return a sum's value at a point, and the size of its largest term, against which the value is precise."""
    total, size = 0j, 0.0
    for monomial, coefficient in terms.items():
        if coefficient.numerator.bit_length() > _MOST_BITS or coefficient.denominator.bit_length() > _MOST_BITS:
            raise _UnknownError
        product = complex(coefficient)
        weight = abs(product)
        for name, power in monomial:
            if abs(power) > _MOST_BITS:
                raise _UnknownError
            factor = _raised(_atom(name, algebra, point), power)
            product *= factor
            # A function's value is only as precise as what goes into it: sin π is 10⁻¹⁶ here.
            weight *= max(abs(factor), 1.0) if name[0] == "~" else abs(factor)
        total += product
        size = max(size, weight)
    return total, size


def _raised(base: complex, power: Number) -> complex:
    """Return a power; of a negative number the real root where the degree is odd, as in school."""
    if power.denominator == 1:
        return base ** int(power)
    if power.denominator % 2 and base.imag == 0 and base.real < 0:
        return complex((-base.real) ** float(power) * (-1 if power.numerator % 2 else 1))
    return base ** float(power)


def _atom(name: str, algebra: Algebra | None, point: int) -> complex:
    if name[0] == "#":
        return complex(int(name[1:]))
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if name[0] != "~":
        if name == "oo":
            raise _UnknownError
        return _place(name, point)
    if algebra is None:
        raise _UnknownError
    return _applied(algebra.atoms[name], algebra, point)


def _applied(atom: Atom, algebra: Algebra, point: int) -> complex:
    values: list[complex] = []
    for argument in atom.arguments:
        value, size = _value(argument, algebra, point)
        if abs(value) < _ILL * size:
            raise _UnknownError
        values.append(value)
    if atom.function == "sum":
        return values[0]
    function = _FUNCTIONS.get(atom.function)
    if function is None:
        raise _UnknownError
    return complex(function(*values))


def _place(name: str, point: int) -> complex:
    """Return a symbol's number at a point: between 0.5 and 1.9, the same for the same name everywhere."""
    seed = int.from_bytes(name.encode(errors="replace"), "big") % 1_000_003
    return complex(0.5 + 1.4 * math.modf((seed + 1) * (0.6180339887498949, 0.7548776662466927)[point])[0])
