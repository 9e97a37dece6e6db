"""Reduce quotients of sums to lowest terms, so that equal fractions have one form."""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.values import Monomial, NotReadError, Number, Sum, is_constant, sum_key

MAX_DEGREE = 24
_PLAIN_ATOMS = frozenset({"pi", "e"})

Polynomial = Sequence[Number]
"""Coefficients from the constant term up."""


def canonical(algebra: Algebra, terms: Sum) -> tuple[str, bool]:
    """The canonical text of a sum, and whether it is complete: two complete sums are equal only if their texts are.

    A quotient is brought over one denominator; with one variable it is then reduced.
    """
    if is_constant(terms):
        return sum_key(terms), True
    if not any(name[0] == "~" for monomial in terms for name, _ in monomial):
        return sum_key(terms), True
    try:
        above, below = _over_one_line(algebra, terms)
    except NotReadError:  # too large to be expanded: its form stays as it was written
        return sum_key(terms), False
    if any(name.startswith("~cos(") for half in (above, below) for monomial in half for name, _ in monomial):
        above, below = _without_cosines(algebra, above), _without_cosines(algebra, below)
    reduced = _multiple(above, below) or _reduced(above, below)
    if reduced is not None:
        return reduced, True
    return (f"({sum_key(above)})/({sum_key(below)})" if below != {(): 1} else sum_key(above)), _plain(
        above
    ) and below == {(): 1}


def _without_cosines(algebra: Algebra, terms: Sum) -> Sum:
    """With 1 - sin² in place of each cos²."""
    total: Sum = {}
    for monomial, coefficient in terms.items():
        product: Sum = {(): coefficient}
        for name, power in monomial:
            if name.startswith("~cos(") and power.denominator == 1 and 2 <= power <= MAX_DEGREE:
                sine = algebra.atom("sin", *algebra.atoms[name].arguments)
                square = algebra.add({(): 1}, algebra.multiply(sine, sine), -1)
                product = algebra.multiply(product, algebra.power(square, int(power) // 2))
                power = int(power) % 2
            if power:
                product = algebra.multiply(product, {((name, power),): 1})
        total = algebra.add(total, product)
    return total


def _multiple(above: Sum, below: Sum) -> str | None:
    """The number that a sum is of another; None if it is none."""
    if above.keys() != below.keys() or not above:
        return None
    first = next(iter(above))
    ratio = Fraction(above[first]) / below[first]
    return str(ratio) if all(value == ratio * below[monomial] for monomial, value in above.items()) else None


def _plain(terms: Sum) -> bool:
    return not any(name[0] == "~" for monomial in terms for name, _ in monomial)


def _over_one_line(algebra: Algebra, terms: Sum) -> tuple[Sum, Sum]:
    """Numerator and denominator, with every whole power of an unexpanded sum expanded."""
    deepest: dict[str, int] = {}
    for monomial in terms:
        for name, power in monomial:
            if power.denominator == 1 and power < 0 and name[0] != "#":
                deepest[name] = max(deepest.get(name, 0), -int(power))
    below: Sum = {(): 1}
    for name, power in deepest.items():
        below = algebra.multiply(below, _expanded(algebra, name, power))
    above: Sum = {}
    for monomial, coefficient in terms.items():
        product: Sum = {(): coefficient}
        rest = dict(monomial)
        for name, power in deepest.items():
            product = algebra.multiply(product, _expanded(algebra, name, int(rest.pop(name, 0)) + power))
        for name, power in rest.items():
            factor = (
                _expanded(algebra, name, int(power))
                if power.denominator == 1 and name[0] != "#"
                else {((name, power),): 1}
            )
            product = algebra.multiply(product, factor)
        above = algebra.add(above, product)
    return above, below


def _expanded(algebra: Algebra, name: str, power: int) -> Sum:
    if power == 0:
        return {(): 1}
    atom = algebra.atoms.get(name)
    if atom is None or atom.function != "sum":
        return {((name, power),): 1}
    if power > MAX_DEGREE or power < 0:
        raise NotReadError
    result: Sum = {(): 1}
    for _ in range(power):
        result = algebra.multiply(result, atom.arguments[0])
    return result


def _reduced(above: Sum, below: Sum) -> str | None:
    """A quotient of polynomials in one variable in lowest terms; None if it is not one."""
    names = {name for terms in (above, below) for monomial in terms for name, _ in monomial}
    if len(names) != 1:
        return None
    (name,) = names
    if name[0] in "~#" or name == "i":
        return None
    top, bottom = _polynomial(above), _polynomial(below)
    if top is None or bottom is None:
        return None
    common = _gcd(top, bottom)
    top, bottom = _quotient(top, common), _quotient(bottom, common)
    scale = _content(bottom)
    top, bottom = [Fraction(c) / scale for c in top], [Fraction(c) / scale for c in bottom]
    above_key, below_key = sum_key(_terms(top, name)), sum_key(_terms(bottom, name))
    return above_key if below_key == "1" else f"({above_key})/({below_key})"


def _polynomial(terms: Sum) -> Polynomial | None:
    found: dict[int, Number] = {}
    for monomial, coefficient in terms.items():
        power = monomial[0][1] if monomial else 0
        if power.denominator != 1 or not 0 <= power <= 4 * MAX_DEGREE:
            return None
        found[int(power)] = coefficient
    return [found.get(power, 0) for power in range(max(found, default=0) + 1)]


def _terms(polynomial: Polynomial, name: str) -> Sum:
    terms: dict[Monomial, Number] = {}
    for power, coefficient in enumerate(polynomial):
        if coefficient:
            terms[((name, power),) if power else ()] = (
                coefficient.numerator if coefficient.denominator == 1 else coefficient
            )
    return terms


def _gcd(one: Polynomial, other: Polynomial) -> Polynomial:
    while any(other):
        one, other = other, _divided(one, other)[1]
    return _trimmed(one)


def _quotient(one: Polynomial, other: Polynomial) -> Polynomial:
    return _divided(one, other)[0] if any(one) else [0]


def _divided(one: Polynomial, other: Polynomial) -> tuple[Polynomial, Polynomial]:
    rest, divisor = _trimmed(one), _trimmed(other)
    quotient: list[Number] = [0] * max(len(rest) - len(divisor) + 1, 1)
    while len(rest) >= len(divisor) and any(rest):
        factor = Fraction(rest[-1]) / divisor[-1]
        if factor.numerator.bit_length() > 4096:
            raise NotReadError
        shift = len(rest) - len(divisor)
        quotient[shift] = factor
        rest = [
            value - factor * divisor[place - shift] if place >= shift else value for place, value in enumerate(rest)
        ]
        rest = _trimmed(rest[:-1])
    return quotient, rest


def _trimmed(polynomial: Polynomial) -> Polynomial:
    end = len(polynomial)
    while end > 1 and not polynomial[end - 1]:
        end -= 1
    return polynomial[:end] or [0]


def _content(polynomial: Polynomial) -> Fraction:
    """What makes the denominator's coefficients coprime integers, its first one positive."""
    some = [value for value in polynomial if value]
    content = Fraction(gcd(*(value.numerator for value in some)), lcm(*(value.denominator for value in some)))
    return -content if some[-1] < 0 else content
