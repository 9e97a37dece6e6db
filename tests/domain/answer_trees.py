"""Random expressions with a value known exactly, and the many ways in which a person may write one of them."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction

from hypothesis import strategies as st

SYMBOLS = "xyabt"
DIGITS = 60
_PLACES = {"x": "1.7320508", "y": "0.9182736", "a": "2.2360679", "b": "1.4142135", "t": "0.5772156"}
_POINTS = [{name: Decimal(place) * factor for name, place in _PLACES.items()} for factor in (1, Decimal("1.37"))]


class NoValueError(Exception):
    """A division by zero, or something next to it."""


@dataclass(frozen=True)
class Tree:
    """A number, a symbol, a root of an integer, or an operation on trees."""

    kind: str
    parts: tuple["Tree", ...] = ()
    number: Fraction = Fraction(0)
    name: str = ""


@st.composite
def trees(draw: st.DrawFn, depth: int = 3, kinds: str = "+-*/^", leaves: str = "nsr") -> Tree:
    """`kinds` says which operations, `leaves` which of numbers (n), symbols (s) and roots (r)."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        leaf = draw(st.sampled_from(leaves))
        if leaf == "s":
            return Tree("symbol", name=draw(st.sampled_from(SYMBOLS)))
        if leaf == "r":
            return Tree("root", number=Fraction(draw(st.integers(2, 30))))
        above, below = draw(st.integers(0, 40)), draw(st.sampled_from([1, 1, 1, 2, 3, 4, 5, 7, 8, 10, 12]))
        return Tree("number", number=Fraction(above, below))
    below = trees(depth - 1, kinds, leaves)
    kind = draw(st.sampled_from(kinds))
    if kind == "^":
        return Tree("^", (draw(below),), Fraction(draw(st.sampled_from([2, 3, -1, -2, 0]))))
    return Tree(kind, (draw(below), draw(below)))


def exact(tree: Tree) -> Fraction:
    """The value of a tree of numbers."""
    match tree.kind:
        case "number":
            return tree.number
        case "^":
            base = exact(tree.parts[0])
            if not base and tree.number <= 0:
                raise NoValueError
            return base ** int(tree.number)
    left, right = map(exact, tree.parts)
    match tree.kind:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if not right:
        raise NoValueError
    return left / right


def values(tree: Tree) -> list[Decimal]:
    """A tree's value at two points, to DIGITS digits less what it loses."""
    with localcontext() as context:
        context.prec = DIGITS
        return [_value(tree, point) for point in _POINTS]


def _value(tree: Tree, point: Mapping[str, Decimal]) -> Decimal:
    match tree.kind:
        case "number":
            return Decimal(tree.number.numerator) / tree.number.denominator
        case "symbol":
            return point[tree.name]
        case "root":
            return Decimal(int(tree.number)).sqrt()
    operands = [_value(part, point) for part in tree.parts]
    if (tree.kind == "/" or (tree.kind == "^" and tree.number <= 0)) and abs(operands[-1]) < Decimal("1e-9"):
        raise NoValueError
    match tree.kind:
        case "^":
            return operands[0] ** int(tree.number)
        case "+":
            return operands[0] + operands[1]
        case "-":
            return operands[0] - operands[1]
        case "*":
            return operands[0] * operands[1]
    return operands[0] / operands[1]


def equal_values(one: Tree, other: Tree) -> bool:
    """Whether two trees have the same value at both points, beyond what rounding explains."""
    return all(
        abs(left - right) <= Decimal("1e-30") * max(abs(left), abs(right), Decimal(1))
        for left, right in zip(values(one), values(other), strict=True)
    )


def rewritten(tree: Tree, rng: random.Random) -> Tree:
    """The same value by another way: distributed, multiplied out, a quotient as a power."""
    parts = tuple(rewritten(part, rng) for part in tree.parts)
    tree = replace(tree, parts=parts)
    if rng.random() < 0.4:
        return tree
    match tree.kind:
        case "*" if parts[0].kind in "+-":
            left, right = parts[0].parts
            return Tree(parts[0].kind, (Tree("*", (left, parts[1])), Tree("*", (right, parts[1]))))
        case "/" if parts[0].kind in "+-":
            left, right = parts[0].parts
            return Tree(parts[0].kind, (Tree("/", (left, parts[1])), Tree("/", (right, parts[1]))))
        case "/":
            return Tree("*", (parts[0], Tree("^", (parts[1],), Fraction(-1))))
        case "^" if tree.number == 2:
            return Tree("*", (parts[0], parts[0]))
        case "^" if tree.number == -1:
            return Tree("/", (Tree("number", number=Fraction(1)), parts[0]))
        case "-":
            return Tree("+", (parts[0], Tree("*", (Tree("number", number=Fraction(-1)), parts[1]))))
        case "number":
            half = tree.number / 2
            return Tree("+", (Tree("number", number=half), Tree("number", number=half)))
        case "root":
            return Tree("/", (Tree("number", number=tree.number), tree))
    return tree


def renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    """The tree with other symbols."""
    return replace(tree, name=names.get(tree.name, ""), parts=tuple(renamed(part, names) for part in tree.parts))


_FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac", r"\frac ")
_LONG_RUN = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_OPENING = re.compile(r"^(?:[A-Za-z](?![A-Za-z])|\\sqrt|\()")
_ENDING = re.compile(r"(?:^|[^\\A-Za-z\d.{}])(?:\d+|[A-Za-z])$|\)$|^\\sqrt\{\d+\}$")


def latex(tree: Tree, rng: random.Random) -> str:
    """One of the many ways to write a tree."""
    text = _written(tree, rng)[0]
    if rng.random() < 0.2:
        text = rng.choice(["${}$", r"\({}\)", r"\boldsymbol{{{}}}", "{}.", " {} ", r"\left({}\right)"]).format(text)
    return text


def _written(tree: Tree, rng: random.Random) -> tuple[str, int]:
    """The text and how tightly it holds together: 0 a sum, 1 a product, 2 a single thing."""
    match tree.kind:
        case "number":
            return _number(tree.number, rng)
        case "symbol":
            return rng.choice([tree.name, tree.name, f"{{{tree.name}}}"]), 2
        case "root":
            return _root(int(tree.number), rng), 2
        case "+" | "-":
            return _sum(tree, rng), 0
        case "*":
            return _product(tree, rng), 1
        case "/":
            return _quotient(tree, rng), 1
    base, exponent = _tight(tree.parts[0], rng), int(tree.number)
    if tree.parts[0].kind != "symbol" and not base.isdigit():
        base = _bracketed(base, rng) if not base.endswith(")") else base
    bare = exponent >= 0 and rng.random() < 0.5
    return f"{base}^{exponent}" if bare else f"{base}^{{{exponent}}}", 1


def _number(value: Fraction, rng: random.Random) -> tuple[str, int]:
    above, below = abs(value.numerator), value.denominator
    sign, level = ("-", 0) if value < 0 else ("", 2)
    if below == 1:
        return sign + rng.choice([str(above), str(above), f"{above}.0", rf"\mathbf{{{above}}}", f"{{{above}}}"]), level
    ways = [rng.choice(_FRACTIONS) + f"{{{above}}}{{{below}}}"]
    if above < 10 and below < 10:
        ways.append(rf"\frac{above}{below}")
    if below in (2, 4, 5, 8, 10):
        decimal = f"{above / below:.{rng.randrange(3, 6)}f}"
        ways.append(decimal.removeprefix("0") if rng.random() < 0.5 else decimal)
    found = rng.choice(ways)
    if above > below and rng.random() < 0.3:  # a mixed number, apart from what it could be multiplied by
        return rf"\left({sign}{above // below}\frac{{{above % below}}}{{{below}}}\right)", 2
    if rng.random() < 0.2:
        return f"{sign}{above}/{below}", 0
    return sign + found, min(level, 1)


def _root(value: int, rng: random.Random) -> str:
    ways = [
        rf"\sqrt{{{value}}}",
        rf"\sqrt{{{value}}}",
        rf"\sqrt {{{value}}}",
        rf"({value}^{{1/2}})",
        rf"({value}^{{0.5}})",
    ]
    return rng.choice(ways)


def _sum(tree: Tree, rng: random.Random) -> str:
    left, right = tree.parts
    first, second = _written(left, rng)[0], _written(right, rng)
    other = _bracketed(second[0], rng) if second[1] == 0 and (tree.kind == "-" or rng.random() < 0.5) else second[0]
    if other.startswith("-"):
        other = _bracketed(other, rng)
    if rng.random() < 0.5:
        return f"{first}{_space(rng)}{tree.kind}{_space(rng)}{other}"
    if first.startswith("-") or (tree.kind == "-" and rng.random() < 0.5):
        first = _bracketed(first, rng)
    return f"{'-' if tree.kind == '-' else ''}{other}{_space(rng)}+{_space(rng)}{first}"


def _product(tree: Tree, rng: random.Random) -> str:
    parts = [_tight(part, rng) for part in tree.parts]
    if rng.random() < 0.5:
        parts.reverse()
    left, right = parts
    joined = left + right
    if _ENDING.search(left) and _OPENING.match(right) and not _LONG_RUN.search(joined) and rng.random() < 0.6:
        return joined
    return left + rng.choice([r" \cdot ", r"\times ", "*", r"\cdot\! "]) + right


def _quotient(tree: Tree, rng: random.Random) -> str:
    if rng.random() < 0.3:
        return f"({_tight(tree.parts[0], rng)}/{_tight(tree.parts[1], rng)})"
    above, below = (_written(part, rng)[0] for part in tree.parts)
    return rng.choice(_FRACTIONS) + f"{{{above}}}{{{below}}}"


def _tight(tree: Tree, rng: random.Random) -> str:
    text, level = _written(tree, rng)
    return text if level == 2 else _bracketed(text, rng)


def _bracketed(text: str, rng: random.Random) -> str:
    return rng.choice(["({})", r"\left({}\right)", r"\left( {} \right)", "({})"]).format(text)


def _space(rng: random.Random) -> str:
    return rng.choice(["", "", " ", r"\;", "  "])
