"""Give parsed values a meaning, with equal keys for equal meanings."""

import re
from fractions import Fraction

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.intervals import Interval, complement, intersected, is_whole_line, spans, united
from reward_service.domain.answers.rational import canonical
from reward_service.domain.answers.relations import ORDER, RelationMeanings
from reward_service.domain.answers.shapes import Form, Mark, Plain, Quantity, Shape, Understood
from reward_service.domain.answers.values import (
    Based,
    Bracketed,
    Builder,
    Chain,
    Expression,
    Joined,
    Listed,
    Matrix,
    NotReadError,
    Number,
    Sum,
    Value,
    Words,
    is_constant,
)
from reward_service.domain.answers.words import words_key

_SETTING_BOUNDS = ORDER | {"=", "≠", "\\in"}
_CAPITAL = re.compile(r"[A-Z]")
_CHOICE = re.compile(r"[A-J]")
_MARKED = frozenset({"deg", "usd", "pct"})
_MARKING = {"deg": "degree", "usd": "dollar"}


class Understanding(RelationMeanings):
    """Gives parsed values their meaning."""

    def __init__(self, algebra: Algebra, conventions: Conventions) -> None:
        """Understand the values of one answer, whose atoms the algebra holds."""
        self._algebra = algebra
        self.lenient = conventions is Conventions.LENIENT

    def answer(self, values: tuple[Value, ...]) -> Understood:
        """Return the meanings of a whole answer: one value, or the two of a ±."""
        value = values[0] if len(values) == 1 else _both(*values)
        return self.understood(value)

    def understood(self, value: Value) -> Understood:
        """Return a value's shapes and marks."""
        match value:
            case Expression():
                return self._expression(value)
            case Listed(items, joint):
                return self._listed(items, joint)
            case Chain():
                return self.chain(value)
            case Builder(name, condition):
                shapes, marks = self.understood(condition)
                if ("name", name) not in marks or spans(shapes[0], self.line_end) is None:
                    raise NotReadError
                return shapes[:1], ()
            case Bracketed("{", items, "}"):
                return self._set(items)
            case Bracketed(":", items, ":"):
                return self._ratio(items)
            case Bracketed(opening, items, closing):
                parts, marks = self.parts(items)
                shapes = [self.form(opening + closing, parts)]
                choices = (
                    opening + closing == "()" and len(parts) > 1 and all(_CHOICE.fullmatch(part.key) for part in parts)
                )
                if self.lenient and (choices or (len(items) > 2 and opening + closing == "[]")):
                    shapes.append(self._collection(parts))
                return tuple(shapes), marks
            case Joined(operation, items):
                parts, marks = self.parts(items)
                merged = self._operated(operation, parts)
                if merged is not None:
                    return (self.union(merged),), marks
                ordered = parts if operation == "\\setminus" else tuple(sorted(parts, key=_by_key))
                return (self.form(operation, ordered),), marks
            case Matrix(rows):
                rows_of = tuple(self.form("row", tuple(self.quantity(entry.terms) for entry in row)) for row in rows)
                return (self.form("matrix", rows_of),), ()
            case Based(digits, base):
                return (Plain(f"base {base}: {digits}"),), ()
            case Words(text):
                return (Plain(words_key(text)),), ()

    def quantity(self, terms: Sum) -> Quantity:
        """Return a sum as a quantity with its canonical text."""
        key, complete = canonical(self._algebra, terms)
        return Quantity(key, complete, terms, self._algebra)

    def form(self, tag: str, parts: tuple[Shape, ...]) -> Form:
        """Return parts under a tag."""
        if tag == "()" and [part.key for part in parts] == ["-1*oo", "oo"]:
            return Form("R", tag, parts)
        return Form(f"{tag}[{','.join(part.key for part in parts)}]", tag, parts)

    def parts(self, items: tuple[Value, ...]) -> tuple[tuple[Shape, ...], tuple[Mark, ...]]:
        """Return each item in its first meaning. A mark of all items (or of one for all) becomes theirs together."""
        shapes: list[Shape] = []
        marks: dict[str, set[str]] = {}
        for item in items:
            found, marked = self._part(item)
            shapes.append(found)
            for kind, mark in marked:
                marks.setdefault(kind, set()).add(mark)
        if any(len(values) > 1 for values in marks.values()):
            raise NotReadError
        return tuple(shapes), tuple((kind, values.pop()) for kind, values in marks.items())

    def _part(self, item: Value) -> tuple[Shape, tuple[Mark, ...]]:
        if isinstance(item, Expression) and self.lenient:
            stripped, unit = _marked(item.terms, "pct")
            if stripped is not None and unit:
                return self.quantity(stripped), (("unit", "percent"),)
        found, marks = self.understood(item)
        return found[0], marks

    def _expression(self, value: Expression) -> Understood:
        terms, unit = value.terms, value.unit
        if not unit and (is_constant(terms) or not any(name in _MARKED for monomial in terms for name, _ in monomial)):
            return (self.quantity(terms),), ()
        for symbol, name in _MARKING.items():
            stripped, found = _marked(terms, symbol)
            if stripped is not None and found:
                terms, unit = stripped, unit or name
        stripped, percent = _marked(terms, "pct")
        if percent and stripped is not None:
            hundredth = self.quantity(self._algebra.scale(stripped, Fraction(1, 100)))
            if self.lenient:
                return (hundredth, self.quantity(stripped)), (*_unit("percent"), *((("of", unit),) if unit else ()))
            return (self.form(f"in {unit}", (hundredth,)) if unit else hundredth,), ()
        terms = self._without_percent(terms)
        if unit == "percent" and self.lenient:
            return (self.quantity(self._algebra.scale(terms, Fraction(1, 100))), self.quantity(terms)), _unit(unit)
        if unit == "percent":
            return (self.quantity(self._algebra.scale(terms, Fraction(1, 100))),), ()
        if unit and not self.lenient:
            return (self.form(f"in {unit}", (self.quantity(terms),)),), ()
        return (self.quantity(terms),), _unit(unit)

    def _without_percent(self, terms: Sum) -> Sum:
        if not any(name == "pct" for monomial in terms for name, _ in monomial):
            return terms
        total: Sum = {}
        for monomial, coefficient in terms.items():
            powers = dict(monomial)
            scale = Fraction(1, 100) ** int(powers.pop("pct", 0))
            total = self._algebra.add(total, {tuple(powers.items()): coefficient * scale})
        return total

    def _operated(self, operation: str, parts: tuple[Shape, ...]) -> list[Interval] | None:
        """Return the union, intersection or difference of sets of numbers; None where an end is not known."""
        if operation == "\\cup":
            return united(parts, self.line_end)
        sets = [spans(part, self.line_end) for part in parts]
        known = [each for each in sets if each is not None]
        if len(known) < len(sets):
            return None
        if operation == "\\setminus":
            known = [known[0], *(complement(each, self.line_end) for each in known[1:])]
        return intersected(known, self.line_end)

    def _listed(self, items: tuple[Value, ...], joint: str) -> Understood:
        named = self.named_list(items)
        if named is not None:
            return named
        parts, marks = self.parts(items)
        if all(isinstance(item, Chain) and _SETTING_BOUNDS.issuperset(item.relations) for item in items):
            points = [isinstance(item, Chain) and item.relations == ("=",) for item in items]
            sets = tuple(self.form("{", (part,)) if at else part for part, at in zip(parts, points, strict=True))
            merged = self._conditions(sets, joint)
            if merged is not None:
                return (self.union(merged),), marks
            if joint == "and":
                return (self.form("\\cap", tuple(sorted(parts, key=_by_key))),), marks
        if joint == "or" and all(_CAPITAL.fullmatch(part.key) for part in parts):
            return (self.form("or", _distinct(parts)),), marks  # A or B is not A and B
        if not self.lenient:
            return (self.form("list", parts),), marks
        if all(_CHOICE.fullmatch(part.key) for part in parts):
            return (self._collection(parts),), marks  # choices have no order
        return (self._collection(parts), self.form("()", parts)), marks

    def _conditions(self, parts: tuple[Shape, ...], joint: str) -> list[Interval] | None:
        """Return where conditions hold: any of them, or all. A comma is what makes sense of them."""
        either = self._operated("\\cup", parts)
        both = self._operated("\\cap", parts)
        if joint == "or" or both is None or either is None:
            return either if joint == "or" else None
        if joint == "and":
            return both or None
        return either if not both else both if is_whole_line(either) else None

    def _set(self, items: tuple[Value, ...]) -> Understood:
        flat: list[Value] = []
        for item in items:
            flat += item.items if isinstance(item, Listed) else [item]
        parts, marks = self.parts(tuple(flat))
        found: list[Shape] = [self.form("{", _distinct(parts))]
        if self.lenient and len(_distinct(parts)) == 1 and isinstance(parts[0], Quantity):
            found.append(parts[0])
        return tuple(found), marks

    def _collection(self, parts: tuple[Shape, ...]) -> Form:
        """Return a list whose order says nothing: a set, unless an item is in it twice."""
        distinct = _distinct(parts)
        return (
            self.form("{", distinct)
            if len(distinct) == len(parts)
            else self.form("bag", tuple(sorted(parts, key=_by_key)))
        )

    def line_end(self, sign: int) -> Quantity:
        """Return ∞ or -∞."""
        return self.quantity({(("oo", 1),): sign})

    def union(self, intervals: list[Interval]) -> Form:
        """Return disjoint intervals in order."""
        if all(low.shape.key == high.shape.key for low, high in intervals):
            return self.form("{", _distinct(tuple(low.shape for low, _ in intervals)))
        forms = [
            self.form("[("[not low.closed] + "])"[not high.closed], (low.shape, high.shape)) for low, high in intervals
        ]
        return forms[0] if len(forms) == 1 else self.form("union", tuple(forms))

    def _ratio(self, items: tuple[Value, ...]) -> Understood:
        parts, marks = self.parts(items)
        shapes: list[Shape] = [self.form(":", parts)]
        numbers: list[Number] = [
            part.terms.get((), 0) for part in parts if isinstance(part, Quantity) and is_constant(part.terms)
        ]
        if self.lenient and len(numbers) == len(parts) == 2 and numbers[1]:
            shapes.append(self.quantity(self._algebra.number(Fraction(numbers[0]) / numbers[1])))
        return tuple(shapes), marks


def _unit(unit: str) -> tuple[Mark, ...]:
    return (("unit", unit),) if unit else ()


def _marked(terms: Sum, symbol: str) -> tuple[Sum | None, bool]:
    """Return a sum without a symbol that each of its terms carries once."""
    if not terms or not all((symbol, 1) in monomial for monomial in terms):
        return None, False
    return {tuple(pair for pair in monomial if pair[0] != symbol): value for monomial, value in terms.items()}, True


def _distinct(parts: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return tuple(sorted({part.key: part for part in parts}.values(), key=_by_key))


def _by_key(shape: Shape) -> str:
    return shape.key


def _both(plus: Value, minus: Value) -> Value:
    """Write the two values of a ± as one list: 1 ± √5 is a list of two."""
    if isinstance(plus, Chain) and isinstance(minus, Chain):
        return Chain((*plus.sides[:-1], _both(plus.sides[-1], minus.sides[-1])), plus.relations, plus.names)
    if isinstance(plus, Bracketed) and isinstance(minus, Bracketed) and plus.opening == "{":
        return Bracketed("{", _merged(plus.items, minus.items), "}")
    if isinstance(plus, Listed) and isinstance(minus, Listed):
        return Listed(_merged(plus.items, minus.items))
    return Listed((plus, minus))


def _merged(plus: tuple[Value, ...], minus: tuple[Value, ...]) -> tuple[Value, ...]:
    merged: list[Value] = []
    for one, other in zip(plus, minus, strict=True):
        merged += [one] if one == other else [one, other]
    return tuple(merged)
