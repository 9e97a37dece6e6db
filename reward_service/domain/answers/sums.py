"""Parse sums and products, powers, and the units behind them."""

from reward_service.domain.answers.factors import APPLIED, GREEK, FactorReader
from reward_service.domain.answers.functions import FUNCTIONS
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.tree import (
    Addition,
    Factorial,
    Marked,
    Node,
    Power,
    Product,
    Signed,
)
from reward_service.domain.answers.units import LETTERS, is_thing, is_unit
from reward_service.domain.answers.values import NotReadError

_UNIT_NAMES = frozenset({"\\Omega", "\\mu"})
_STARTS = GREEK | FUNCTIONS | {
    "number", "word", "accented", "(", "{", "[", "\\{", "\\frac", "\\sqrt", "\\pi", "\\infty", "\\binom", "\\lfloor",
    "\\lceil", "\\begin", "\\lim",
}  # fmt: skip
_GOING_ON = _STARTS | {"*", "/", "|"}
_SIGNS = frozenset({"+", "-", "\\pm", "\\mp"})
_BEHIND = frozenset({"^", "*", "!", "%", "\\degree"})
_EXPONENTS = GREEK | {"word", "\\pi", "\\infty", "\\frac"}


class SumReader(FactorReader):
    """Reads sums. `units`: 48 m is a length and no product."""

    def __init__(self, tokens: list[Token], *, units: bool = False) -> None:
        """At the first token."""
        super().__init__(tokens)
        self._units = units
        self.signs = 0

    def sum(self) -> Node:
        """Terms with + and - between them."""
        first = self.product()
        kinds = self.kinds
        if kinds[self.at] not in _SIGNS:
            return first
        terms = [("+", first)]
        while (sign := kinds[self.at]) in _SIGNS:
            self.at += 1
            self.signs += sign[0] == "\\"
            terms.append((sign, self.product()))
        return Addition(tuple(terms))

    def product(self) -> Node:
        """Factors with and without signs between them."""
        kinds = self.kinds
        first = self._signed() if kinds[self.at] in _SIGNS else self.power()
        if kinds[self.at] not in _GOING_ON:
            return first
        factors = [("", first)]
        while (kind := kinds[self.at]) in _GOING_ON:
            if kind in ("*", "/"):
                self.at += 1
                factors.append((kind, self._signed()))
            elif self.goes_on(kind):
                factors.append(("", self.power()))
            else:
                break
        return Product(tuple(factors)) if len(factors) > 1 else first

    def goes_on(self, kind: str) -> bool:
        """Whether a factor follows that is multiplied without a sign."""
        if kind == "|":
            return not self.bars
        if kind == "number":
            if self.tokens[self.at - 1].text in ("x", "X") and self.kinds[self.at - 2] == "number":
                raise NotReadError  # 3 x 4 is a size, or twelve
            return self.kinds[self.at - 1] != "number" or self._behind_exponent()
        if kind == "word" or kind in _UNIT_NAMES:
            return not self.at_unit()
        return kind in _STARTS

    def _behind_exponent(self) -> bool:
        """Whether the next number stands apart behind an exponent: 2^6 3^5 is a product, 2 3 has no one meaning."""
        if self.at < 2 or self.kinds[self.at - 2] != "^":
            return False
        return self.next.spaced and self.kinds[self.at + 1] not in ("/", "number")

    def at_unit(self) -> bool:
        """Whether the next word is a unit of what stands before it."""
        kind = self.kinds[self.at]
        if not (kind == "word" or kind in _UNIT_NAMES) or not self.at:
            return False
        token = self.tokens[self.at]
        if len(token.text) == 1 or kind != "word":
            if not self._units:
                return False
        elif is_unit(token.text) or is_thing(token.text):
            return True
        before = self.kinds[self.at - 1]
        return self._units and (
            (before in ("number", "}", ")", "\\%") and (token.spaced or kind == "\\Omega") and self._names_unit())
            or (before == "\\degree" and token.text in ("C", "F"))
        )

    def _names_unit(self) -> bool:
        token, after = self.next, self.ahead(1)
        if token.kind == "word":
            return token.text in LETTERS or (token.text in "kM" and after.kind == "\\Omega")
        return token.kind == "\\Omega" or (after.kind == "word" and after.text in LETTERS)

    def _signed(self) -> Node:
        kinds = self.kinds
        if kinds[self.at] not in _SIGNS:
            return self.power()
        negative = several = False
        while (sign := kinds[self.at]) in _SIGNS:
            self.at += 1
            negative ^= sign in ("-", "\\mp")
            if sign[0] == "\\":
                several = not several
                self.signs += 1
        value = self.power()
        if several:
            return Signed("\\mp" if negative else "\\pm", value)
        return Signed("-", value) if negative else value

    def power(self) -> Node:
        """Read a factor with what stands behind it: exponents, factorials, percent and degree signs.

        Raises:
            NotReadError: a function's inverse or power is applied, as in f^{-1}(x), or a factorial is double.
        """
        start, depth, kinds = self.at, self.depth, self.kinds
        value = self.primary()
        if kinds[self.at] not in _BEHIND:
            return value
        while (kind := kinds[self.at]) in _BEHIND:
            self.deeper()
            if kind == "*":
                if kinds[self.at + 1] != "*" or self.ahead(1).spaced:
                    break
                self.at += 2
                value = Power(value, self._signed())
                continue
            self.at += 1
            if kind == "^":
                value = Power(value, self.exponent())
                if kinds[self.at] == "(" and self.tokens[start].text in APPLIED:
                    raise NotReadError  # the inverse of a function, or its power
            elif kind == "!":
                if kinds[self.at] == "!":
                    raise NotReadError  # a double factorial is not the factorial of a factorial
                value = Factorial(value)
            else:
                value = Marked("pct" if kind == "%" else "deg", value)
        self.depth = depth
        return value

    def exponent(self) -> Node:
        """Read what stands behind a ^: what is in braces, or one factor with its sign.

        Raises:
            NotReadError: nothing there can be an exponent, or f^{(2)} is a derivative.
        """
        self.deeper()
        value = self._raised(self.kinds[self.at])
        self.depth -= 1
        return value

    def _raised(self, kind: str) -> Node:
        if kind == "{":
            if [self.kinds[self.at + by] for by in (1, 3, 4)] == ["(", ")", "}"]:
                raise NotReadError  # f^{(2)} is a derivative
            self.at += 1
            return self.bracketed("{")
        if kind in ("number", "("):
            return self.power()
        if kind in ("-", "+"):
            self.at += 1
            value = self.power()
            return Signed("-", value) if kind == "-" else value
        if kind in _EXPONENTS:
            return self.primary()
        raise NotReadError
