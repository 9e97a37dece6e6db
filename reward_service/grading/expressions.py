r"""Build sympy's expressions from the tree of an answer, and refuse what has two meanings.

math-verify's grammar is made to find an answer in a text, and guesses: 2(3) is 5 to it, 1202_3 is 1202, 30^\circ is 30,
A is a. The grammar of the keys takes one reading of 1/2x as well. Here only what has no second one is built.
"""

import sympy
from sympy import Expr

from reward_service.domain.answers.tree import (
    Addition,
    Applied,
    Call,
    Constant,
    Factorial,
    Limit,
    Marked,
    Name,
    Node,
    Power,
    Product,
    Quotient,
    Root,
    Signed,
)
from reward_service.domain.answers.values import Bracketed, Number, Words
from reward_service.grading.bounds import UnfitError
from reward_service.grading.functions import FUNCTIONS, OF_ANGLES, applied, rooted
from reward_service.grading.limits import limit

_CALLED = frozenset("u")
"""Letters that are functions when a bracket follows, beside those that the grammar knows as such."""
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}
_NO_SYMBOLS = frozenset({"oo", "angle", "triangle"})
_COMPLEX = frozenset("zw")
"""|z|^2 is not z^2."""


def infinity(node: Node) -> Expr | None:
    """Return ∞ or -∞; None for another node."""
    match node:
        case Name("oo"):
            return sympy.S.Infinity
        case Signed("-", Name("oo")):
            return sympy.S.NegativeInfinity
        case _:
            return None


class ExpressionBuilder:
    """Builds sums, products, powers and functions. Nothing but numbers is evaluated meanwhile."""

    def __init__(self) -> None:
        """Outside all functions of angles."""
        self._angles = 0

    def built(self, node: Node) -> Expr:
        """Return the expression of a node.

        Raises:
            UnfitError: it has more than one meaning, or none as a number.
        """
        match node:
            case Constant(value):
                return _rational(value)
            case Name(name):
                return _symbol(name)
            case Addition(terms):
                return self._addition(terms)
            case Product(factors):
                return self._product(factors)
            case Signed("-", inside):
                return -self.built(inside)
            case Quotient(above, below):
                return self.built(above) / self.built(below)
            case Root(inside, degree):
                return rooted(self.built(inside), sympy.Integer(degree))
            case Power(base, exponent):
                return self._power(base, exponent)
            case Factorial(inside):
                return self._factorial(inside)
            case Marked("deg", inside):
                return self._degrees(inside)
            case Call():
                return self._call(node)
            case Limit(name, point, body):
                end = infinity(point)
                return limit(self.built(body), _symbol(name), self.built(point) if end is None else end)
            case Bracketed("(", (inside,), ")"):
                return self.built(inside)
            case Bracketed("[", (_,), "]") | Applied():
                raise UnfitError("ambiguous")
            case Words():
                raise UnfitError("prose")
            case _:
                raise UnfitError("notation")

    def _addition(self, terms: tuple[tuple[str, Node], ...]) -> Expr:
        total: Expr = sympy.Integer(0)
        for place, (sign, term) in enumerate(terms):
            if sign not in ("+", "-"):
                raise UnfitError("notation")
            if place and _ends_in_limit(terms[place - 1][1]):
                raise UnfitError("ambiguous")  # where does what is under the limit end?
            value = self.built(term)
            total = sympy.Add(total, value if sign == "+" else -value)
        return total

    def _product(self, factors: tuple[tuple[str, Node], ...]) -> Expr:
        total: Expr = sympy.Integer(1)
        for place, (sign, factor) in enumerate(factors):
            if place and _is_doubtful(*factors[place - 1], sign, factor):
                raise UnfitError("ambiguous")
            value = self.built(factor)
            total = total / value if sign == "/" else total * value
        return total

    def _power(self, base: Node, exponent: Node) -> Expr:
        if isinstance(base, Power | Product) or _is_function(base):
            raise UnfitError("ambiguous")  # \sin(x)^2
        under, over = self.built(base), self.built(exponent)
        if isinstance(over, sympy.Rational) and over.q > 1 and over.q % 2 and not bool(under.is_positive):
            raise UnfitError("ambiguous")  # (-8)^{1/3}: the principal root or the real one?
        return sympy.Pow(under, over)

    def _factorial(self, inside: Node) -> Expr:
        if isinstance(inside, Power | Product) or _is_function(inside):
            raise UnfitError("ambiguous")
        value = self.built(inside)
        return sympy.factorial(value, evaluate=bool(value.is_Integer and value.is_nonnegative))

    def _degrees(self, inside: Node) -> Expr:
        if not self._angles or isinstance(inside, Product) or _is_function(inside):
            raise UnfitError("notation")  # 90° is not π/2: only sin 90° is sin π/2
        return self.built(inside) * sympy.pi / 180

    def _call(self, node: Call) -> Expr:
        name = node.function
        if name == "binom":
            above, below = map(self.built, node.arguments)
            return sympy.binomial(above, below, evaluate=False)
        if len(node.arguments) != 1 or (node.base is not None and name != "log"):
            raise UnfitError("notation")
        (argument,) = node.arguments
        if name == "abs":
            return sympy.Abs(self.built(argument))
        if name in ("floor", "ceil"):
            shape = sympy.floor if name == "floor" else sympy.ceiling
            # Left as it is: sympy would evaluate it here, to as many digits as it has.
            return shape(self.built(argument), evaluate=False)
        if name not in FUNCTIONS:
            raise UnfitError("notation")
        if not node.bracketed and not _is_clear_argument(argument):
            raise UnfitError("ambiguous")
        base = None if node.base is None else self.built(node.base)
        exponent = None if node.exponent is None else self.built(node.exponent)
        if exponent is not None and not exponent.is_positive:
            raise UnfitError("ambiguous")  # \sin^{-1}: a reciprocal or an inverse?
        self._angles += name in OF_ANGLES
        operand = self.built(argument)
        self._angles -= name in OF_ANGLES
        value = applied(name, operand, base)
        return value if exponent is None else sympy.Pow(value, exponent)


def _rational(value: Number) -> Expr:
    return sympy.Rational(value.numerator, value.denominator)


def _symbol(name: str) -> Expr:
    if name in _NO_SYMBOLS or "'" in name or "." in name:
        raise UnfitError("notation")
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    return sympy.Symbol(name) if name in _COMPLEX else sympy.Symbol(name, real=True)


def _is_function(node: Node) -> bool:
    return isinstance(node, Call) and node.function in FUNCTIONS


def _is_clear_argument(argument: Node) -> bool:
    r"""Return whether it is clear where the operand of a function ends: \sin 2x is, \ln 2\sqrt{3} and \sin\ln x not."""
    factors = [factor for _, factor in argument.factors] if isinstance(argument, Product) else [argument]
    first, *others = factors
    return not _is_function(first) and all(
        isinstance(factor.base if isinstance(factor, Power) else factor, Name | Product) for factor in others
    )


def _is_doubtful(sign_before: str, before: Node, sign: str, factor: Node) -> bool:
    """Return whether nobody knows how a factor belongs to the one before it."""
    while isinstance(before, Signed | Product):
        before = before.inside if isinstance(before, Signed) else before.factors[-1][1]
    if isinstance(before, Limit):
        return True
    if _is_function(before) and isinstance(before, Call) and not before.bracketed:
        # \sin x/2, \ln 2\cdot 3, \sin x(x+1); but \sin x\cos x is clear
        return sign == "/" or not _is_function(factor)
    if sign == "/":
        return isinstance(factor, Product)  # 1/xy
    if sign == "*":
        return False
    if sign_before == "/":
        return True  # 1/2x
    leading = factor.base if isinstance(factor, Power) else factor
    leading = leading.inside if isinstance(leading, Factorial | Marked) else leading
    if isinstance(leading, Constant):
        return True  # x2, \frac{1}{2}3
    if isinstance(factor, Quotient):
        return (
            isinstance(before, Constant) and isinstance(factor.above, Constant) and isinstance(factor.below, Constant)
        )
    if isinstance(leading, Bracketed) and isinstance(before, Name) and before.name not in _CONSTANTS:
        # x(x+1) is a product, y(0) is none, and neither is \mu(x)
        alone = len(leading.items) == 1 and isinstance(leading.items[0], Constant | Name)
        return alone or before.name in _CALLED or len(before.name.partition("_")[0]) > 1
    return False


def _ends_in_limit(node: Node) -> bool:
    if isinstance(node, Signed):
        return _ends_in_limit(node.inside)
    return isinstance(node, Limit) or (isinstance(node, Product) and _ends_in_limit(node.factors[-1][1]))
