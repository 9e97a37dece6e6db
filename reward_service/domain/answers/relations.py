"""Read equations, inequalities and membership as answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.inequalities import Inequalities
from reward_service.domain.answers.intervals import Interval, complement, intersected, spans
from reward_service.domain.answers.naming import names_value
from reward_service.domain.answers.shapes import Form, Mark, Quantity, Shape, Understood, is_known
from reward_service.domain.answers.values import (
    Bracketed,
    Chain,
    Expression,
    Listed,
    NotReadError,
    Sum,
    Value,
    is_constant,
    sum_key,
)

_TURNED: Mapping[str, str] = MappingProxyType({">": "<", "≥": "≤", "<": ">", "≤": "≥"})
ORDER = frozenset(_TURNED)
_NOT_NAMES = frozenset({"e", "i", "pi"})


class RelationMeanings(ABC):
    """The part of an `Understanding` that reads chains."""

    _algebra: Algebra
    lenient: bool

    @abstractmethod
    def understood(self, value: Value) -> Understood:
        """A value's shapes and marks."""

    @abstractmethod
    def quantity(self, terms: Sum) -> Quantity:
        """A sum by its canonical text."""

    @abstractmethod
    def form(self, tag: str, parts: tuple[Shape, ...]) -> Form:
        """Parts under a tag."""

    @abstractmethod
    def parts(self, items: tuple[Value, ...]) -> Understood:
        """Each item in its first meaning."""

    @abstractmethod
    def line_end(self, sign: int) -> Quantity:
        """∞ or -∞."""

    @abstractmethod
    def union(self, intervals: list[Interval]) -> Form:
        """Disjoint intervals in their order."""

    def chain(self, value: Chain[Value]) -> Understood:
        """An equation, a chain of equal things, an inequality, a membership."""
        relations = value.relations
        if "\\approx" in relations:
            return self._approximate(value)
        if relations == ("\\in",) and value.names[0] is not None:
            shapes, marks = self.understood(value.sides[1])
            return shapes, (*marks, ("name", value.names[0]))
        if all(relation == "=" for relation in relations):
            return self._equal(value)
        if all(relation in ORDER for relation in relations):
            return self._ordered(value)
        if relations == ("≠",):
            return self._unequal(value)
        raise NotReadError

    def _unequal(self, value: Chain[Value]) -> Understood:
        """Read x ≠ 3 as the line without 3, and as a form of its own; any other ≠ has only that form."""
        name = value.names[0]
        right = value.sides[1]
        values = right.items if isinstance(right, Listed) else (right,)
        if name is not None and all(map(_is_constant, values)):
            point = spans(self.form("{", tuple(self.understood(each)[0][0] for each in values)), self.line_end)
            if point is not None:
                shape = self.union(complement(point, self.line_end))
                shapes = (shape,) if len(values) > 1 else (shape, self._unlike(value))
                return shapes, (("name", name),)
        unlike = self._unlike(value)
        (difference,) = unlike.parts
        assert isinstance(difference, Quantity)
        solve = Inequalities(self._algebra, self.line_end).solve
        below, above = solve(difference.terms, "<"), solve(difference.terms, ">")
        if below is None or above is None:
            return (unlike,), ()
        beside = sorted([*below[1], *above[1]], key=lambda ends: ends[0].value)  # |x| ≠ 2 is below or above
        return (self.union(beside), unlike), (("name", below[0]),)

    def _unlike(self, value: Chain[Value]) -> Form:
        return self.form("≠", (self._difference(value.sides[0], value.sides[1], signed=False),))

    def named_list(self, items: tuple[Value, ...]) -> Understood | None:
        """Read x = 1, 2 and x = 1, x = 2 as values of x, x = 1, y = 2 as the pair (1, 2), other lists as None."""
        if not items or not isinstance(items[0], Chain):
            return None
        names: list[str | None] = []
        values: list[Value] = []
        for item in items:
            if not isinstance(item, Chain):
                names.append(None)
                values.append(item)
            elif item.relations == ("=",) and item.names[0] is not None:
                names.append(item.names[0])
                values.append(item.sides[1])
            else:
                return None
        if all(name == names[0] for name in names[1:] if name is not None):
            shapes, marks = self.understood(Listed(tuple(values)))
            return shapes, (*marks, ("name", str(names[0])))
        if None in names or len(set(names)) != len(names):
            return None
        ordered = sorted(zip(map(str, names), values, strict=True), key=lambda pair: pair[0])
        parts, marks = self.parts(tuple(value for _, value in ordered))
        return (self.form("()", parts),), (*marks, ("name", f"({','.join(name for name, _ in ordered)})"))

    def _approximate(self, value: Chain[Value]) -> Understood:
        """Read x = 1/3 ≈ 0.33 as 1/3, and x ≈ 0.33 as 0.33."""
        at = value.relations.index("\\approx")
        if not self.lenient:
            raise NotReadError
        if at == 0 and value.names[0] is not None and len(value.sides) == 2:
            return self.chain(Chain(value.sides, ("=",), value.names))
        if at == 0:
            return self.understood(value.sides[0])
        return self.chain(Chain(value.sides[: at + 1], value.relations[:at], value.names[: at + 1]))

    def _equal(self, value: Chain[Value]) -> Understood:
        sides, names = value.sides, value.names
        if len(sides) == 2 and names[0] is None and names[1] is not None:
            sides, names = sides[::-1], names[::-1]
        name, last = names[0], sides[-1]
        if name is None and not _all_constant(sides):
            return self._unnamed(sides)
        if not _agree(
            self,
            tuple(side for side in sides[name is not None :] if not self.lenient or side is last or _is_constant(side)),
        ):
            raise NotReadError
        shapes, marks = self.understood(last)
        if name is None:
            return shapes, marks
        if len(sides) == 2 and isinstance(sides[0], Expression) and isinstance(last, Expression):
            if _is_symbol(last):
                return (self._equation(sides[0], last),), ()
            if not last.unit:
                shapes = (*shapes, self._equation(sides[0], last))
        return shapes, (*marks, ("name", name))

    def _unnamed(self, sides: Sequence[Value]) -> Understood:
        """Read an equation; to a lenient reader a + b = 7 also says what a + b is."""
        if len(sides) > 2 and not (self.lenient and _agree(self, tuple(sides[1:]))):
            raise NotReadError
        left, right = sides[0], sides[-1]
        if isinstance(left, Bracketed) and left.opening == ":" and self.lenient:
            shapes, marks = self.understood(right)
            if not all(map(is_known, shapes)):
                raise NotReadError
            return shapes, (*marks, ("name", self.understood(left)[0][0].key))
        shapes, marks = self._solved(left, right)
        if marks or not self.lenient or not isinstance(left, Expression) or not isinstance(right, Expression):
            return shapes, marks
        if _is_constant(left):
            left, right = right, left
        if not _is_constant(right) or not names_value(self._algebra, left.terms, zero=not right.terms):
            return shapes, marks
        name = sum_key(self._algebra.scale(left.terms, 1 / Fraction(left.terms[max(left.terms)])))
        return (*shapes, *self.understood(right)[0]), (("name", name),)

    def _solved(self, left: Value, right: Value) -> Understood:
        """2x = 10 says what x = 5 says."""
        equation = self._equation(left, right)
        (difference,) = equation.parts
        assert isinstance(difference, Quantity)
        terms = difference.terms
        unknowns = {name for monomial in terms for name, _ in monomial}
        if len(terms) <= 2 and len(unknowns) == 1 and not unknowns & _NOT_NAMES:
            (name,) = unknowns
            if ((name, 1),) in terms and set(terms) <= {((name, 1),), ()} and name[0] not in "~#":
                value = -Fraction(terms.get((), 0)) / terms[((name, 1),)]
                return (self.quantity(self._algebra.number(value)), equation), (("name", name),)
        return (equation,), ()

    def _equation(self, left: Value, right: Value) -> Form:
        return self.form("=", (self._difference(left, right, signed=False),))

    def _difference(self, left: Value, right: Value, *, signed: bool) -> Quantity:
        """Return left - right, scaled: by any number for an equation, by a positive one for an inequality."""
        if not isinstance(left, Expression) or not isinstance(right, Expression) or left.unit or right.unit:
            raise NotReadError
        terms = self._algebra.add(left.terms, right.terms, -1)
        if is_constant(terms):  # 3 < 5 and 1 < 2 are both true, and not one answer
            raise NotReadError
        leading = Fraction(terms[max(terms)])
        return self.quantity(self._algebra.scale(terms, 1 / (abs(leading) if signed else leading)))

    def _ordered(self, value: Chain[Value]) -> Understood:
        parts: list[Shape] = []
        solved: list[tuple[str, list[Interval]] | None] = []
        inequalities = Inequalities(self._algebra, self.line_end)
        for left, relation, right in zip(value.sides, value.relations, value.sides[1:], strict=False):
            if relation in (">", "≥"):
                left, relation, right = right, _TURNED[relation], left
            difference = self._difference(left, right, signed=True)
            parts.append(self.form(relation, (difference,)))
            solved.append(inequalities.solve(difference.terms, relation))
        shape = self.form("relation", tuple(sorted(parts, key=lambda part: part.key)))
        interval = self._interval(value) or self._solution(solved)
        return ((interval[0], shape), (interval[1],)) if interval is not None else ((shape,), ())

    def _solution(self, solved: list[tuple[str, list[Interval]] | None]) -> tuple[Shape, Mark] | None:
        """Return where all inequalities of one unknown hold; None where that is nowhere, or not known."""
        known = [each for each in solved if each is not None]
        if len(known) < len(solved) or len({name for name, _ in known}) != 1:
            return None
        sets = [intervals for _, intervals in known]
        common = sets[0] if len(sets) == 1 else intersected(sets, self.line_end)
        return (self.union(common), ("name", known[0][0])) if common else None

    def _interval(self, value: Chain[Value]) -> tuple[Shape, Mark] | None:
        """Read x > 5 as (5, ∞), 1 ≤ x < 2 as [1, 2); None for what bounds no single name by constants."""
        sides, relations = value.sides, value.relations
        names = value.names
        if len(sides) == 2 and names[0] is None:
            sides, names = sides[::-1], names[::-1]
            relations = tuple(_TURNED[relation] for relation in relations)
        if len(sides) == 2:
            name, bound = names[0], sides[1]
            if name is None or not _is_constant(bound):
                return None
            shape, _ = self.understood(bound)
            if relations[0] in (">", "≥"):
                ends = (shape[0], self.line_end(1))
                tag = "()" if relations[0] == ">" else "[)"
            else:
                ends = (self.line_end(-1), shape[0])
                tag = "()" if relations[0] == "<" else "(]"
            return self.form(tag, ends), ("name", name)
        name = names[1]
        if len(sides) != 3 or name is None or not (_is_constant(sides[0]) and _is_constant(sides[2])):
            return None
        if relations[0] in (">", "≥"):
            sides, relations = sides[::-1], tuple(_TURNED[relation] for relation in reversed(relations))
        if not all(relation in ("<", "≤") for relation in relations):
            return None
        tag = ("[" if relations[0] == "≤" else "(") + ("]" if relations[1] == "≤" else ")")
        ends = (self.understood(sides[0])[0][0], self.understood(sides[2])[0][0])
        return self.form(tag, ends), ("name", name)


def _agree(meanings: RelationMeanings, sides: tuple[Value, ...]) -> bool:
    """Whether all sides of a chain say the same, so that its last one may speak for it."""
    if len(sides) == 1:
        return True
    if not all(isinstance(side, Expression) for side in sides):
        return False
    return len({meanings.understood(side)[0][0].key for side in sides}) == 1


def _is_symbol(value: Expression) -> bool:
    if len(value.terms) != 1:
        return False
    ((monomial, coefficient),) = value.terms.items()
    return coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and not _is_constant(value)


def _all_constant(sides: tuple[Value, ...]) -> bool:
    return all(isinstance(side, Expression) and _is_constant(side) for side in sides)


def _is_constant(value: Value) -> bool:
    """Whether it holds no unknown: numbers, roots of numbers, π, e."""
    return isinstance(value, Expression) and all(
        name[0] == "#" or name in ("pi", "e", "oo", "deg", "usd", "pct")
        for monomial in value.terms
        for name, _ in monomial
    )
