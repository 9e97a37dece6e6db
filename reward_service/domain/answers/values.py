"""Define the values of parsed answers: sums of monomials, and the forms that hold them."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import gcd, isqrt, lcm
from typing import Generic, NamedTuple, TypeAlias, TypeVar

Number = int | Fraction
Monomial = tuple[tuple[str, Number], ...]
"""Atoms and their exponents, sorted by atom. An atom is a symbol, `#p` for a prime p (whose exponent lies strictly
between 0 and 1: √12 is 2·#3^(1/2)), or a name that begins with `~` and stands for something in a `Algebra`."""

Sum = Mapping[Monomial, Number]
"""Monomials and their coefficients, none of them zero. The empty sum is 0."""


class NotReadError(Exception):
    """The text is not mathematics that this grammar reads, or reading it would cost too much."""


class UndefinedError(Exception):
    """The text is mathematics without a value, such as a division by zero."""


class Expression(NamedTuple):
    """A sum, with what it was marked with where it stood: a unit."""

    terms: Sum
    unit: str = ""


class Based(NamedTuple):
    """Digits in a base. The form is the answer: 52 in base 8 is not 42."""

    digits: str
    base: int


class Words(NamedTuple):
    """Text within mathematics, as an item of a list may be."""

    text: str


Item = TypeVar("Item")
"""What forms hold: nodes of a tree as they were read, or values."""


class Bracketed(NamedTuple, Generic[Item]):
    """Items between brackets: a tuple, a point, an interval, a set. `opening` and `closing` are one character each."""

    opening: str
    items: tuple[Item, ...]
    closing: str


class Listed(NamedTuple, Generic[Item]):
    """Items with commas, `and` or `or` between them and no brackets around them. `joint`: which of the words it was."""

    items: tuple[Item, ...]
    joint: str = ""


class Builder(NamedTuple, Generic[Item]):
    """The set of the numbers, called by a name, for which a condition holds."""

    name: str
    condition: Item


class Joined(NamedTuple, Generic[Item]):
    """Sets under an operation, ∪ or ∩ (both commute) or ∖."""

    operation: str
    items: tuple[Item, ...]


class Matrix(NamedTuple, Generic[Item]):
    """Rows of entries."""

    rows: tuple[tuple[Item, ...], ...]


class Chain(NamedTuple, Generic[Item]):
    """Sides with relations between them: a = b, a < b ≤ c, x ∈ S. `names` has each side that is only a name."""

    sides: tuple[Item, ...]
    relations: tuple[str, ...]
    names: tuple[str | None, ...]


Value: TypeAlias = (
    Expression | Based | Words | Bracketed["Value"] | Listed["Value"] | Builder["Value"] | Joined["Value"]
    | Matrix[Expression] | Chain["Value"]
)  # fmt: skip


MAX_BITS = 4_096
"""Of what arithmetic makes: about 1,200 decimal digits. A number that is written out may have 3,900."""
TRIAL = 1_000
"""Radicands lose their square factors by trial division up to here; what is left stays as it is."""


def sum_key(terms: Sum) -> str:
    """Return the canonical text of a sum: equal texts, equal sums."""
    if not terms:
        return "0"
    if len(terms) == 1 and () in terms:
        return str(terms[()])
    parts: list[str] = []
    for monomial in sorted(terms):
        coefficient = terms[monomial]
        factors = [name if power == 1 else f"{name}^{power}" for name, power in monomial]
        parts.append("*".join([str(coefficient), *factors] if coefficient != 1 or not factors else factors))
    return "+".join(parts)


def is_constant(terms: Sum) -> bool:
    """Return whether a sum is a rational number."""
    return not terms or (len(terms) == 1 and () in terms)


def small(value: Number) -> Number:
    """Return the number itself, as an integer where it is one.

    Raises:
        NotReadError: it is too large.
    """
    if value.denominator == 1:
        value = value.numerator
        if value.bit_length() > MAX_BITS:
            raise NotReadError
        return value
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise NotReadError
    return value


def product(one: Monomial, other: Monomial) -> tuple[Monomial, Number]:
    """Return the product of two monomials, and the rational factor that is left (√2·√2 = 2, i·i = -1)."""
    if not one:
        return other, 1
    if not other:
        return one, 1
    powers = dict(one)
    plain = True
    for name, power in other:
        if name in powers:
            power = powers[name] + power
            plain = plain and name[0] != "#" and name != "i"
        powers[name] = power
    if plain:
        return tuple(sorted((name, whole(power)) for name, power in powers.items() if power)), 1
    return reduced(sorted(powers.items()))


def reduced(powers: Iterable[tuple[str, Number]]) -> tuple[Monomial, Number]:
    """Return atoms in order with exponents within limits: primes between 0 and 1, i at most once."""
    kept: list[tuple[str, Number]] = []
    extra: Number = 1
    for name, power in powers:
        if name[0] == "#":
            times = power.numerator // power.denominator
            if abs(times) > MAX_BITS:
                raise NotReadError
            extra = extra * Fraction(int(name[1:])) ** times
            power = power - times
        elif name == "i" and power.denominator == 1:
            turns = int(power) % 4
            extra, power = (-extra if turns > 1 else extra), turns % 2
        if power:
            kept.append((name, whole(power)))
    return tuple(kept), small(extra)


def whole(power: Number) -> Number:
    """Return a power without fraction as an int, and any other as it is."""
    return power.numerator if power.denominator == 1 else power


def factored(value: int) -> list[tuple[int, int]]:
    """Return prime factors by trial division; the rest is taken for a prime, unless it is a square."""
    found: list[tuple[int, int]] = []
    divisor = 2
    while divisor <= TRIAL and divisor * divisor <= value:
        count = 0
        while value % divisor == 0:
            value //= divisor
            count += 1
        if count:
            found.append((divisor, count))
        divisor += 1 if divisor == 2 else 2
    if value > 1:
        root = isqrt(value)
        found.append((root, 2) if root * root == value else (value, 1))
    return found


def factors_of(base: Sum) -> list[tuple[Sum, Number]]:
    """Return a single term as a product of atoms and primes, each with its power."""
    ((monomial, coefficient),) = base.items()
    factors: list[tuple[Sum, Number]] = [({((name, 1),): 1}, power) for name, power in monomial]
    factors += [({(): p}, n) for p, n in factored(coefficient.numerator)]
    factors += [({(): p}, -n) for p, n in factored(coefficient.denominator)]
    return factors


def content(terms: Sum) -> Number:
    """Return the positive rational by which a sum's coefficients become coprime integers."""
    numerator = gcd(*(value.numerator for value in terms.values()))
    return small(Fraction(numerator, lcm(*(value.denominator for value in terms.values()))))


def shared(terms: Sum) -> Monomial:
    """Return the common divisor of all terms of a sum, from atoms with integer exponents only."""
    names = {name for monomial in terms for name, _ in monomial}
    kept: list[tuple[str, Number]] = []
    for name in sorted(names):
        lowest = min(dict(monomial).get(name, 0) for monomial in terms)
        if name[0] != "#" and name != "i" and lowest.denominator == 1 and lowest:
            kept.append((name, lowest))
    return tuple(kept)


def comes_out(name: str, power: Number, degree: int) -> bool:
    """Return whether a root of a power is a power: √x³ is x√x where it is real, √x² is not x, ∛x² is (∛x)²."""
    return (
        name[0] == "#" or name in ("pi", "e") or bool(degree % 2 or power.numerator % 2 or power.denominator % 2 == 0)
    )


def names_below(monomial: Monomial, degree: int) -> Monomial:
    """Return the names below a line whose roots come out. Of a sum below the line nobody knows the sign."""
    return tuple(
        (name, power) for name, power in monomial if power < 0 and name[0] != "~" and comes_out(name, power, degree)
    )


def over(monomial: Monomial, divisor: Monomial) -> Monomial:
    """Return the quotient of two monomials."""
    return product(monomial, tuple((name, -power) for name, power in divisor))[0] if divisor else monomial
