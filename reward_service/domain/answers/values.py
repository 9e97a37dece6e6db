"""What a parsed answer is made of: sums of monomials, and the forms that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

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
    """A sum, with what it was marked with where it stood: a unit, a percent sign."""

    terms: Sum
    unit: str = ""
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base. The form is the answer: 52 in base 8 is not 42."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Items between brackets: a tuple, a point, an interval, a set. `opening` and `closing` are one character each."""

    opening: str
    items: tuple["Value", ...]
    closing: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Items with commas, `and` or `or` between them and no brackets around them. `all_hold`: it was an `and`."""

    items: tuple["Value", ...]
    all_hold: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Sets under an operation, ∪ or ∩ (both commute) or ∖."""

    operation: str
    items: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of entries."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Sides with relations between them: a = b, a < b ≤ c, x ∈ S. `name` is the first side, where it is only a name."""

    sides: tuple["Value", ...]
    relations: tuple[str, ...]
    names: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Text within mathematics, as an item of a list may be."""

    text: str


Value = Expression | Based | Bracketed | Listed | Joined | Matrix | Chain | Words
