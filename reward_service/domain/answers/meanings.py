"""Give parsed values and answers in words a meaning, with equal keys for equal meanings."""

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.numeric import Interval, all_but, united
from reward_service.domain.answers.rational import canonical
from reward_service.domain.answers.relations import ORDER, RelationMeanings
from reward_service.domain.answers.shapes import Form, Mark, Plain, Quantity, Shape
from reward_service.domain.answers.values import (
    Based,
    Bracketed,
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

_SIGNS = re.compile(r"(?:[\s;:\"'`$~]|[!?]\s*$|(?<!\d)[.,]|[.,](?!\d))+")
_COMMAND = re.compile(r"\\(?:text[a-z]*|mathrm|mathbf|mbox|emph)(?![A-Za-z])\s*|\\(?=[ ,;:!%$&#])|[{}]")
_LONG_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_TEXT = re.compile(r"\\(?:text|mbox|textbf|textit|mathrm|textrm)\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}")
_ARTICLE = re.compile(r"^(?:the|an|a) (?=\S{2})")
SHORT_WORDS = frozenset({
    "no", "yes", "odd", "red", "one", "two", "six", "ten", "all", "any", "not", "top", "up", "out", "old", "new",
    "low", "big", "far", "few", "hot", "cut", "day", "sun", "mon", "tue", "wed", "thu", "fri", "sat",
})  # fmt: skip
"""Words of two or three small letters that are not products."""


_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {"all real numbers": "R", "all reals": "R", "real numbers": "R", "set of all real numbers": "R", "infinity": "oo"}
    | dict.fromkeys(("no solution", "no solutions", "no real solution", "no real solutions", "empty set"), "{[]")
)


def words_key(text: str) -> str:
    """Return the key of a text: its words in small letters, single letters as they are."""
    plain = _SIGNS.sub(" ", _COMMAND.sub(" ", text)).strip()
    words = [word if len(word) == 1 else word.lower() for word in plain.split()]
    said = _ARTICLE.sub("", " ".join(words))
    return _SYMBOLS.get(said) or "words: " + said


def is_words(text: str) -> bool:
    """Return whether an answer is nothing but words."""
    letters = text.replace(" ", "").replace("-", "").replace("'", "").replace(".", "")
    if not letters.isascii() or not letters.isalpha():
        return False
    if " " in text.strip() or "-" in text:
        return bool(_WORD.search(text))
    return len(letters) > 3 or (len(letters) > 1 and not letters.islower()) or letters in SHORT_WORDS


def is_prose(text: str) -> bool:
    """Return whether an answer that is not read as mathematics holds sentences rather than formulas."""
    bare = _TEXT.sub(lambda found: f" {found[1]} ", _ENVIRONMENT.sub(" ", text))
    return _LONG_WORD.search(bare) is not None or len(_WORD.findall(bare)) > 1


Understood = tuple[tuple[Shape, ...], tuple[Mark, ...]]
"""Shapes in order of preference, and marks."""

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
            case Listed(items, all_hold):
                return self._listed(items, all_hold)
            case Chain():
                return self.chain(value)
            case Bracketed("{", items, "}"):
                return self._set(items)
            case Bracketed(":", items, ":"):
                return self._ratio(items)
            case Bracketed(opening, items, closing):
                parts, marks = self.parts(items)
                shapes = [self.form(opening + closing, parts)]
                if self.lenient and len(items) > 2 and opening + closing == "[]":
                    shapes.append(self._collection(parts))
                return tuple(shapes), marks
            case Joined(operation, items):
                parts, marks = self.parts(items)
                merged = united(parts) if operation == "\\cup" else None
                if operation == "\\setminus" and parts[0].key == "R" and isinstance(parts[1], Form):
                    merged = all_but(parts[1].parts, self.line_end) if parts[1].tag == "{" else None
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
        if not unit and not any(name in _MARKED for monomial in terms for name, _ in monomial):
            return (self.quantity(terms),), ()
        for symbol, name in _MARKING.items():
            stripped, found = _marked(terms, symbol)
            if stripped is not None and found:
                terms, unit = stripped, unit or name
        stripped, percent = _marked(terms, "pct")
        if percent and stripped is not None:
            hundredth = self.quantity(self._algebra.scale(stripped, Fraction(1, 100)))
            if self.lenient:
                return (hundredth, self.quantity(stripped)), _unit("percent")
            return (hundredth,), _unit(unit)
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

    def _listed(self, items: tuple[Value, ...], all_hold: bool) -> Understood:
        named = self.named_list(items)
        if named is not None:
            return named
        parts, marks = self.parts(items)
        if all(isinstance(item, Chain) and item.relations[0] in ORDER for item in items):
            if all_hold:
                return (self.form("\\cap", tuple(sorted(parts, key=_by_key))),), marks
            merged = united(parts)
            if merged is not None:
                return (self.union(merged),), marks
        if not self.lenient:
            return (self.form("list", parts),), marks
        return (self._collection(parts), self.form("()", parts)), marks

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
