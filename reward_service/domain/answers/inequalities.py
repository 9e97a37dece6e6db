"""Solve inequalities in one unknown: linear, quadratic, and with an absolute value."""

import math
from fractions import Fraction

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.intervals import End, Interval, LineEnd, intersected, whole_line
from reward_service.domain.answers.numeric import real_value
from reward_service.domain.answers.rational import canonical
from reward_service.domain.answers.shapes import Quantity
from reward_service.domain.answers.values import NotReadError, Number, Sum

_CONSTANTS = frozenset({"pi", "e"})
_NO_UNKNOWNS = frozenset({"i", "oo", "deg", "usd", "pct"})
_TURNED = {"<": ">", "≤": "≥", ">": "<", "≥": "≤"}


class Inequalities:
    """Solves inequalities of one answer, whose atoms the algebra holds."""

    def __init__(self, algebra: Algebra, line_end: LineEnd) -> None:
        """`line_end` is the shape of ∞ and of -∞."""
        self._algebra = algebra
        self._line_end = line_end

    def solve(self, terms: Sum, relation: str) -> tuple[str, list[Interval]] | None:
        """Return the unknown, and where a sum is below zero, or above it: `relation` is <, <=, > or >=."""
        constant = {monomial: value for monomial, value in terms.items() if _is_constant(monomial)}
        rest = {monomial: value for monomial, value in terms.items() if monomial not in constant}
        if len(rest) == 1:
            ((monomial, factor),) = rest.items()
            if len(monomial) != 1:
                return None
            ((name, power),) = monomial
            bound = self._algebra.scale(constant, -1 / Fraction(factor))
            side = relation if factor > 0 else _TURNED[relation]
            if name in _NO_UNKNOWNS:
                return None
            if power == 1 and name[0] != "~":
                return name, self._beyond(bound, side)
            if power == 1 and self._algebra.atoms[name].function == "abs":
                return self._within(self._algebra.atoms[name].arguments[0], bound, side)
        return self._quadratic(rest, constant.get((), 0), relation) if len(constant) == (() in constant) else None

    def _beyond(self, bound: Sum, relation: str) -> list[Interval]:
        end = self._end(bound, relation in ("≤", "≥"))
        if end is None:
            raise NotReadError
        if relation in ("<", "≤"):
            return [(End(-math.inf, self._line_end(-1), False), end)]
        return [(end, End(math.inf, self._line_end(1), False))]

    def _within(self, inside: Sum, bound: Sum, relation: str) -> tuple[str, list[Interval]] | None:
        """|inside| below a bound, or above it."""
        size = real_value(bound)
        if size is None or not (size > 1e-6 or not bound):
            return None
        above = self.solve(self._algebra.add(inside, bound, -1), relation)
        below = self.solve(self._algebra.add(inside, bound), _TURNED[relation])
        if above is None or below is None:
            return None
        if relation in ("<", "≤"):
            common = intersected([above[1], below[1]], self._line_end)
            return None if common is None else (above[0], common)
        outer = sorted([*above[1], *below[1]], key=lambda ends: ends[0].value)
        return (above[0], outer) if bound or relation == ">" else None

    def _quadratic(self, rest: Sum, last: Number, relation: str) -> tuple[str, list[Interval]] | None:
        names = {name for monomial in rest for name, _ in monomial}
        if len(names) != 1 or len(rest) > 2:
            return None
        (name,) = names
        if name[0] in "~#" or name == "i" or ((name, 2),) not in rest or set(rest) - {((name, 2),), ((name, 1),)}:
            return None
        first, middle = Fraction(rest[(name, 2),]), Fraction(rest.get(((name, 1),), 0))
        inside = middle * middle - 4 * first * last
        if inside <= 0:
            return None
        root = self._algebra.power({(): inside}, Fraction(1, 2))
        centre = self._algebra.number(-middle / (2 * first))
        half = self._algebra.scale(root, 1 / (2 * abs(first)))
        closed = relation in ("≤", "≥")
        low, high = (self._end(self._algebra.add(centre, half, sign), closed) for sign in (-1, 1))
        if low is None or high is None or low.value >= high.value:
            return None
        if (relation in ("<", "≤")) == (first > 0):
            return name, [(low, high)]
        line = whole_line(self._line_end)[0]
        return name, [(line[0], low), (high, line[1])]

    def _end(self, terms: Sum, closed: bool) -> End | None:
        if any(name == "oo" for monomial in terms for name, _ in monomial):
            return None
        value = real_value(terms)
        if value is None:
            return None
        return End(value, Quantity(*canonical(self._algebra, terms), terms, self._algebra), closed)


def _is_constant(monomial: tuple[tuple[str, Number], ...]) -> bool:
    return all(name[0] == "#" or name in _CONSTANTS for name, _ in monomial)
