"""Compute the values of a tree: sums as normal forms, and the forms that hold them."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, ClassVar, Self

from reward_service.domain.answers.algebra import ONE, Algebra
from reward_service.domain.answers.functions import applied, factorial, logarithm
from reward_service.domain.answers.tree import (
    Addition,
    Applied,
    Call,
    Constant,
    Factorial,
    Limit,
    Marked,
    Measure,
    Name,
    Node,
    Power,
    Product,
    Quotient,
    Root,
    Signed,
    Tree,
)
from reward_service.domain.answers.units import percent_of, unit_key
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
    Sum,
    UndefinedError,
    Value,
    Words,
)

_INFINITE: tuple[Sum, ...] = ({(("oo", 1),): 1}, {(("oo", 1),): -1})
_HALF = Fraction(1, 2)
_PLUS: Mapping[str, int] = MappingProxyType({"+": 1, "-": -1, "\\pm": 1, "\\mp": -1})
_MINUS: Mapping[str, int] = MappingProxyType({"+": 1, "-": -1, "\\pm": -1, "\\mp": 1})
"""What signs are worth in the first of two values, and in the second."""
_LOGARITHMS = frozenset({"log", "ln", "lg"})


class Evaluation:
    """Computes the values of one answer's tree; `sign` says which of the two ± stands for."""

    def __init__(self, algebra: Algebra, sign: int = 1, *, matrices: bool = False) -> None:
        """`algebra` holds the atoms and the budget of the answer; `matrices`: whether the tree may hold some."""
        self._algebra = algebra
        self._worth = _PLUS if sign == 1 else _MINUS
        self._matrices = matrices
        self._infinities = 0

    def value(self, node: Node) -> Value:
        """Return the value of a node.

        Raises:
            NotReadError: it has no normal form, or that is too large.
            UndefinedError: it has no value.
        """
        form = self._FORMS.get(type(node))
        if form is not None:
            return form(self, node)
        if self._matrices and isinstance(node, Addition | Product | Signed):
            return self._of_matrices(node)
        infinities = self._infinities
        terms = self._terms(node)
        self._check_infinite(infinities, terms)
        return Expression(terms)

    def _number(self, node: Node) -> Sum:
        """The terms of a value that must be a sum: not a tuple, not a set."""
        value = self.value(node)
        if not isinstance(value, Expression):
            raise NotReadError
        return value.terms

    def _terms(self, node: Node) -> Sum:
        terms = self._TERMS.get(type(node))
        return terms(self, node) if terms is not None else self._number(node)

    def _check_infinite(self, before: int, terms: Sum) -> None:
        """∞ is an end of the line, no number: ∞ - ∞ is not 0."""
        if self._infinities != before and terms not in _INFINITE:
            raise UndefinedError

    def _constant(self, node: Constant) -> Sum:
        return {(): node.value} if node.value else {}

    def _name(self, node: Name) -> Sum:
        self._infinities += node.name == "oo"
        return {((node.name, 1),): 1}

    def _addition(self, node: Addition) -> Sum:
        infinities = self._infinities
        (_, first), *others = node.terms
        total = self._terms(first)
        for sign, term in others:
            total = self._algebra.add(total, self._terms(term), self._worth[sign])
        self._check_infinite(infinities, total)
        return total

    def _product(self, node: Product) -> Sum:
        infinities = self._infinities
        (_, first), *others = node.factors
        total = self._terms(first)
        for sign, factor in others:
            combine = self._algebra.divide if sign == "/" else self._algebra.multiply
            total = combine(total, self._terms(factor))
        self._check_infinite(infinities, total)
        return total

    def _signed(self, node: Signed) -> Sum:
        return self._algebra.scale(self._terms(node.inside), self._worth[node.sign])

    def _quotient(self, node: Quotient) -> Sum:
        return self._algebra.divide(self._terms(node.above), self._terms(node.below))

    def _root(self, node: Root) -> Sum:
        return self._algebra.power(self._terms(node.inside), _HALF if node.degree == 2 else Fraction(1, node.degree))

    def _power(self, node: Power) -> Sum:
        return self._algebra.raised(self._terms(node.base), self._terms(node.exponent))

    def _factorial(self, node: Factorial) -> Sum:
        return factorial(self._algebra, self._terms(node.inside))

    def _marked(self, node: Marked) -> Sum:
        return self._algebra.multiply(self._algebra.symbol(node.mark), self._terms(node.inside))

    def _applied(self, node: Applied) -> Sum:
        return self._algebra.atom(node.name, *map(self._terms, node.arguments))

    def _call(self, node: Call) -> Sum:
        power = ONE if node.exponent is None else self._terms(node.exponent)
        base = None if node.base is None else self._terms(node.base)
        arguments = [self._terms(argument) for argument in node.arguments]
        if base is not None or node.function in _LOGARITHMS:
            value = logarithm(self._algebra, node.function, arguments, base)
        elif power == {(): -1}:
            return applied(self._algebra, "a" + node.function, *arguments)
        else:
            value = applied(self._algebra, node.function, *arguments)
        return self._algebra.raised(value, power)

    def _measure(self, node: Measure) -> Value:
        terms = self._number(node.inside)
        if node.factor != 1:
            terms = self._algebra.scale(terms, node.factor)
        of = percent_of(node.unit)
        if of:
            return Expression(self._algebra.multiply(terms, self._algebra.symbol("pct")), unit_key(of))
        return Expression(terms, unit_key(node.unit)) if node.unit else Expression(terms)

    def _bracketed(self, node: Bracketed[Node]) -> Value:
        if len(node.items) == 1 and node.opening + node.closing in ("()", "[]"):
            return self.value(node.items[0])
        return Bracketed(node.opening, tuple(map(self.value, node.items)), node.closing)

    def _listed(self, node: Listed[Node]) -> Value:
        return Listed(tuple(map(self.value, node.items)), node.joint)

    def _joined(self, node: Joined[Node]) -> Value:
        return Joined(node.operation, tuple(map(self.value, node.items)))

    def _builder(self, node: Builder[Node]) -> Value:
        return Builder(node.name, self.value(node.condition))

    def _matrix(self, node: Matrix[Node]) -> Value:
        return Matrix(tuple(tuple(Expression(self._number(entry)) for entry in row) for row in node.rows))

    def _chain(self, node: Chain[Node]) -> Value:
        return Chain(tuple(map(self._side, node.sides, node.names)), node.relations, node.names)

    def _side(self, node: Node, name: str | None) -> Value:
        if name is None:
            return self.value(node)
        try:
            return self.value(node)
        except NotReadError:  # a name may be anything
            return Words(name)

    def _itself(self, node: Based | Words) -> Value:
        return node

    def _limit(self, node: Limit) -> Value:
        raise NotReadError

    def _of_matrices(self, node: Addition | Product | Signed) -> Value:
        """Return a sum, or the product with a number, of matrices and of what is none."""
        if isinstance(node, Signed):
            return self._scaled(self.value(node.inside), {(): self._worth[node.sign]})
        if isinstance(node, Addition):
            (_, first), *terms = node.terms
            total = self.value(first)
            for sign, term in terms:
                total = self._added(total, self.value(term), self._worth[sign])
            return total
        (_, first), *factors = node.factors
        total = self.value(first)
        for sign, factor in factors:
            value = self.value(factor)
            if isinstance(value, Matrix):
                total, value = value, total
            by = value.terms if isinstance(value, Expression) else None
            if by is None or (sign == "/" and not isinstance(total, Expression)):
                raise NotReadError
            total = self._scaled(total, self._algebra.power(by, -1) if sign == "/" else by)
        return total

    def _added(self, left: Value, right: Value, sign: int) -> Value:
        if isinstance(left, Matrix) and isinstance(right, Matrix):
            if [len(row) for row in left.rows] != [len(row) for row in right.rows]:
                raise UndefinedError
            return Matrix(
                tuple(
                    tuple(
                        Expression(self._algebra.add(one.terms, other.terms, sign))
                        for one, other in zip(lefts, rights, strict=True)
                    )
                    for lefts, rights in zip(left.rows, right.rows, strict=True)
                )
            )
        if not (isinstance(left, Expression) and isinstance(right, Expression)):
            raise NotReadError
        return Expression(self._algebra.add(left.terms, right.terms, sign))

    def _scaled(self, value: Value, by: Sum) -> Value:
        if isinstance(value, Expression):
            return Expression(self._algebra.multiply(value.terms, by))
        if not isinstance(value, Matrix):
            raise NotReadError
        return Matrix(
            tuple(tuple(Expression(self._algebra.multiply(one.terms, by)) for one in row) for row in value.rows)
        )

    _TERMS: ClassVar[Mapping[type, Callable[[Self, Any], Sum]]] = MappingProxyType({
        Constant: _constant, Name: _name, Addition: _addition, Product: _product, Signed: _signed, Quotient: _quotient,
        Root: _root, Power: _power, Factorial: _factorial, Marked: _marked, Applied: _applied, Call: _call,
    })  # fmt: skip
    _FORMS: ClassVar[Mapping[type, Callable[[Self, Any], Value]]] = MappingProxyType({
        Measure: _measure, Bracketed: _bracketed, Listed: _listed, Joined: _joined, Builder: _builder, Matrix: _matrix,
        Chain: _chain, Based: _itself, Words: _itself, Limit: _limit,
    })  # fmt: skip


def values_of(tree: Tree, algebra: Algebra) -> tuple[Value, ...]:
    """Return the value of a tree, or the two that it has where it holds ±.

    Raises:
        NotReadError: it has no normal form, or that is too large.
        UndefinedError: it has no value.
    """
    value = Evaluation(algebra, matrices=tree.matrices).value(tree.root)
    return (value, Evaluation(algebra, -1, matrices=tree.matrices).value(tree.root)) if tree.signs else (value,)
