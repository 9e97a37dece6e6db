"""Parse sums: from tokens to normal forms in one pass."""

from collections.abc import Callable

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.atoms import APPLIED, GREEK, AtomReader
from reward_service.domain.answers.digits import integer
from reward_service.domain.answers.functions import FUNCTIONS, factorial
from reward_service.domain.answers.tokens import Token, sum_of
from reward_service.domain.answers.units import LETTERS, is_thing, is_unit
from reward_service.domain.answers.values import Expression, Matrix, NotReadError, Sum, UndefinedError, Value

_UNIT_NAMES = frozenset({"\\Omega", "\\mu"})
_STARTS = GREEK | FUNCTIONS | {
    "number", "word", "accented", "(", "{", "[", "\\{", "\\frac", "\\sqrt", "\\pi", "\\infty", "\\binom", "\\lfloor",
    "\\lceil", "\\begin",
}  # fmt: skip
_SIGNS = frozenset({"+", "-", "\\pm", "\\mp"})
_INFINITE: tuple[Sum, ...] = ({(("oo", 1),): 1}, {(("oo", 1),): -1})


class TermReader(AtomReader):
    """Reads sums. `sign` says which of the two ± stands for, `units` that 48 m is a length and no product."""

    def __init__(self, tokens: list[Token], algebra: Algebra, sign: int = 1, *, units: bool = False) -> None:
        """At the first token."""
        super().__init__(tokens, algebra)
        self._units = units
        self.signs = 0
        self._sign = sign

    def sum(self) -> Value:
        """Terms with + and - between them."""
        infinities = self.infinities
        self.deeper()
        value = self._term()
        while self.tokens[self.at].kind in _SIGNS:
            sign = self._sign_of(self.tokens[self.at].kind)
            self.at += 1
            value = self._added(value, self._term(), sign)
        self.depth -= 1
        seen = self.infinities != infinities
        # ∞ is an end of the line, no number: ∞ - ∞ is not 0.
        if seen and isinstance(value, Expression) and value.terms not in _INFINITE:
            raise UndefinedError
        return value

    def number(self) -> Sum:
        """A sum that must be one: not a tuple, not a set."""
        return sum_of(self.sum())

    def _added(self, left: Value, right: Value, sign: int) -> Value:
        if isinstance(left, Matrix) and isinstance(right, Matrix):
            return _entrywise(left, right, lambda one, other: self.algebra.add(one, other, sign))
        return Expression(self.algebra.add(sum_of(left), sum_of(right), sign))

    def _sign_of(self, kind: str) -> int:
        if kind in ("\\pm", "\\mp"):
            self.signs += 1
            return self._sign if kind == "\\pm" else -self._sign
        return 1 if kind == "+" else -1

    def _term(self) -> Value:
        value = self._signed()
        while True:
            kind = self.tokens[self.at].kind
            if kind == "*":
                self.at += 1
                value = self._times(value, self._signed())
            elif kind == "/":
                self.at += 1
                value = Expression(self.algebra.divide(sum_of(value), sum_of(self._signed())))
            elif self.goes_on(kind):
                value = self._times(value, self.power())
            else:
                return value

    def goes_on(self, kind: str) -> bool:
        """Whether a factor follows that is multiplied without a sign."""
        if kind == "|":
            return not self.bars
        if kind == "number":
            if self.tokens[self.at - 1].text in ("x", "X") and self.tokens[self.at - 2].kind == "number":
                raise NotReadError  # 3 x 4 is a size, or twelve
            return self.tokens[self.at - 1].kind != "number" or self._behind_exponent()
        if kind == "word" or kind in _UNIT_NAMES:
            return not self.at_unit()
        return kind in _STARTS

    def _behind_exponent(self) -> bool:
        """Whether the next number stands apart behind an exponent: 2^6 3^5 is a product, 2 3 has no one meaning."""
        if self.at < 2 or self.tokens[self.at - 2].kind != "^":
            return False
        return self.next.spaced and self.ahead(1).kind not in ("/", "number")

    def at_unit(self) -> bool:
        """Whether the next word is a unit of what stands before it."""
        token = self.tokens[self.at]
        if not self._units and (token.kind != "word" or len(token.text) == 1):
            return False
        if not self.at or not (token.kind == "word" or token.kind in _UNIT_NAMES):
            return False
        if len(token.text) > 1 and (is_unit(token.text) or is_thing(token.text)):
            return True
        before = self.tokens[self.at - 1].kind
        return self._units and (
            (before in ("number", "}", ")", "\\%") and (token.spaced or token.kind == "\\Omega") and self._names_unit())
            or (before == "\\degree" and token.text in ("C", "F"))
        )

    def _names_unit(self) -> bool:
        token, after = self.next, self.ahead(1)
        if token.kind == "word":
            return token.text in LETTERS or (token.text in "kM" and after.kind == "\\Omega")
        return token.kind == "\\Omega" or (after.kind == "word" and after.text in LETTERS)

    def _times(self, left: Value, right: Value) -> Value:
        if isinstance(left, Matrix) != isinstance(right, Matrix):
            matrix, factor = (left, right) if isinstance(left, Matrix) else (right, left)
            assert isinstance(matrix, Matrix)
            by = sum_of(factor)
            return _entrywise(matrix, matrix, lambda one, _: self.algebra.multiply(one, by))
        return Expression(self.algebra.multiply(sum_of(left), sum_of(right)))

    def _signed(self) -> Value:
        sign = 1
        while self.tokens[self.at].kind in _SIGNS:
            sign *= self._sign_of(self.tokens[self.at].kind)
            self.at += 1
        value = self.power()
        if sign == 1:
            return value
        if isinstance(value, Matrix):
            return _entrywise(value, value, lambda one, _: self.algebra.scale(one, -1))
        return Expression(self.algebra.scale(sum_of(value), -1))

    def power(self) -> Value:
        """Read a factor with what stands behind it: exponents, factorials, percent and degree signs.

        Raises:
            NotReadError: a function's inverse or power is applied, as in f^{-1}(x), or a factorial is double.
        """
        start = self.at
        value = self.primary()
        while True:
            kind = self.tokens[self.at].kind
            if kind == "^":
                self.at += 1
                value = Expression(self.algebra.raised(sum_of(value), self.exponent()))
                if self.tokens[self.at].kind == "(" and self.tokens[start].text in APPLIED:
                    raise NotReadError  # the inverse of a function, or its power
            elif kind == "*" and self.ahead(1).kind == "*" and not self.ahead(1).spaced:
                self.at += 2
                value = Expression(self.algebra.raised(sum_of(value), sum_of(self._signed())))
            elif kind == "!":
                self.at += 1
                if self.tokens[self.at].kind == "!":
                    raise NotReadError  # a double factorial is not the factorial of a factorial
                value = Expression(factorial(self.algebra, sum_of(value)))
            elif kind in ("%", "\\degree"):
                self.at += 1
                mark = self.algebra.symbol("pct" if kind == "%" else "deg")
                value = Expression(self.algebra.multiply(sum_of(value), mark))
            else:
                return value

    def exponent(self) -> Sum:
        """Read what stands behind a ^: what is in braces, or one factor with its sign.

        Raises:
            NotReadError: nothing there can be an exponent, or f^{(2)} is a derivative.
        """
        if [self.ahead(by).kind for by in (0, 1, 3, 4)] == ["{", "(", ")", "}"]:
            raise NotReadError  # f^{(2)} is a derivative
        if self.take("{"):
            return sum_of(self._closed("{", "}"))
        if self.tokens[self.at].kind in ("-", "+"):
            sign = self._sign_of(self.tokens[self.at].kind)
            self.at += 1
            return self.algebra.scale(sum_of(self.power()), sign)
        if (
            self.tokens[self.at].kind in ("number", "word", "(", "\\pi", "\\infty", "\\frac")
            or self.tokens[self.at].kind in GREEK
        ):
            return sum_of(self.power() if self.tokens[self.at].kind in ("number", "(") else self.primary())
        raise NotReadError

    def _closed(self, opening: str, closing: str) -> Value:
        value = self.bracketed(opening)
        assert closing == "}"
        return value

    def group(self) -> Sum:
        """A command's argument: what is in braces, or the next digit or sign, as TeX reads it."""
        if self.take("{"):
            return sum_of(self._closed("{", "}"))
        if self.tokens[self.at].kind == "number" and not self.next.text.isdigit():
            raise NotReadError
        if self.tokens[self.at].kind == "number":
            text = self.next.text
            spaced = self.next.spaced
            if len(text) > 1:
                self.tokens[self.at] = Token("number", text[1:], spaced)
            else:
                self.at += 1
            return self.algebra.number(integer(text[0]))
        if self.tokens[self.at].kind == "word" and len(self.next.text) > 1:
            letter = self.next.text[0]
            self.tokens[self.at] = Token("word", self.next.text[1:])
            return self.algebra.symbol(letter)
        return sum_of(self.primary())


def _entrywise(one: Matrix, other: Matrix, combine: Callable[[Sum, Sum], Sum]) -> Matrix:
    if [len(row) for row in one.rows] != [len(row) for row in other.rows]:
        raise UndefinedError
    return Matrix(
        tuple(
            tuple(Expression(combine(left.terms, right.terms)) for left, right in zip(lefts, rights, strict=True))
            for lefts, rights in zip(one.rows, other.rows, strict=True)
        )
    )
