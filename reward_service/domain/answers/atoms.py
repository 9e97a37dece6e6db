"""Parse the parts of sums: numbers, symbols, brackets, roots, functions."""

import re
from abc import ABC, abstractmethod
from fractions import Fraction

from reward_service.domain.answers.algebra import ONE
from reward_service.domain.answers.digits import base_of, decimal, integer, repeating
from reward_service.domain.answers.functions import FUNCTIONS, applied, logarithm
from reward_service.domain.answers.tokens import Cursor, Token, sum_of
from reward_service.domain.answers.values import Based, Bracketed, Expression, Matrix, NotReadError, Sum, Value

GREEK = frozenset({
    "\\alpha", "\\beta", "\\gamma", "\\delta", "\\epsilon", "\\zeta", "\\eta", "\\theta", "\\iota", "\\kappa",
    "\\lambda", "\\mu", "\\nu", "\\xi", "\\rho", "\\sigma", "\\tau", "\\upsilon", "\\phi", "\\chi", "\\psi",
    "\\omega", "\\Gamma", "\\Delta", "\\Theta", "\\Lambda", "\\Sigma", "\\Phi", "\\Psi", "\\Omega", "\\Pi", "\\ell",
    "\\triangle", "\\angle", "\\hbar", "\\Xi",
})  # fmt: skip
APPLIED = frozenset({
    *"fghABCDFGHKLMNOPQRSTUVWXYZ",
    "\\zeta", "\\phi", "\\Gamma", "\\sigma", "\\tau", "\\psi", "\\Phi", "\\chi", "\\Lambda",
})  # fmt: skip
"""Names that are functions where brackets follow: f(2) is not 2f, and neither is ζ(2)."""
_SEVERAL_NAMES = re.compile(r"[a-z][A-Z]{1,2}")
"""What is no word: kT, nRT."""
_GROUPED = frozenset({"\\mathbf", "\\mathit", "\\boldsymbol", "\\boxed", "\\text", "\\overline", "\\operatorname"})


def index_text(tokens: list[Token]) -> str:
    r"""Return the one spelling of an index: x_1, x_{1}; x_{\max}, x_{\text{max}}."""
    text = "".join(token.text.strip().lstrip("\\") for token in tokens if token.kind not in "{}")
    return text if text.isalnum() else f"{{{text}}}"  # x_{a+z} is not x_a + z


class AtomReader(Cursor, ABC):
    """Reads one factor. What a factor may hold is read by those who inherit from it."""

    bars = 0
    """How many | are open."""
    infinities = 0
    """How many ∞ were read."""

    @abstractmethod
    def bracketed(self, opening: str) -> Value:
        """What stands between brackets, whose opening one has been passed."""

    @abstractmethod
    def matrix(self) -> Matrix:
        r"""A matrix, whose \begin has been passed."""

    @abstractmethod
    def number(self) -> Sum:
        """A sum that must be one: not a tuple, not a set."""

    @abstractmethod
    def power(self) -> Value:
        """A factor with its exponents."""

    @abstractmethod
    def exponent(self) -> Sum:
        """What stands behind a ^."""

    @abstractmethod
    def group(self) -> Sum:
        """A command's argument: what is in braces, or the next digit or sign, as TeX reads it."""

    @abstractmethod
    def goes_on(self, kind: str) -> bool:
        """Whether a factor follows that is multiplied without a sign."""

    def primary(self) -> Value:
        """A factor without its exponents."""
        token = self.tokens[self.at]
        self.at += 1
        kind = token.kind
        if kind == "number":
            return self._digits(token)
        if kind == "word":
            return self._letters(token)
        if kind in ("(", "[", "\\{", "{"):
            return self.bracketed(kind)
        if kind == "\\frac":
            above = self.group()
            return Expression(self.algebra.divide(above, self.group()))
        if kind == "\\sqrt":
            return Expression(self._root())
        if kind in FUNCTIONS:
            return Expression(self._function(kind))
        return self._rarely(token)

    def _rarely(self, token: Token) -> Value:
        kind = token.kind
        if kind == "\\pi":
            return Expression(self.algebra.symbol("pi"))
        if kind in GREEK:
            return self._named(kind)
        if kind == "\\infty":
            self.infinities += 1
            return Expression(self.algebra.symbol("oo"))
        if kind == "\\$":
            return Expression(self.algebra.multiply(self.algebra.symbol("usd"), sum_of(self.power())))
        if kind == "accented":
            return self._named(token.text)
        if kind == "|":
            self.bars += 1
            inside = self.number()
            self.expect("|")
            self.bars -= 1
            return Expression(applied(self.algebra, "abs", inside))
        if kind in ("\\lfloor", "\\lceil"):
            inside = self.number()
            self.expect("\\rfloor" if kind == "\\lfloor" else "\\rceil")
            return Expression(applied(self.algebra, kind[2:], inside))
        if kind == "\\binom":
            above = self.group()
            return Expression(applied(self.algebra, "binom", above, self.group()))
        if kind == "\\begin":
            return self.matrix()
        if kind in _GROUPED:
            return Expression(self.group())
        raise NotReadError

    def _digits(self, token: Token) -> Value:
        text = token.text
        if self.tokens[self.at].kind == "_" and text.isdigit():
            self.at += 1
            base = self._index()
            return Based(text.lstrip("0") or "0", base_of(base))
        if self.tokens[self.at].kind == "repeating" and "." in text:
            self.at += 1
            return Expression(self.algebra.number(repeating(text, self.tokens[self.at - 1].text)))
        value = integer(text) if text.isdigit() else decimal(text)
        if text.isdigit() and (part := self._mixed()) is not None:
            value = value + part
        return Expression(self.algebra.number(value))

    def _mixed(self) -> Fraction | None:
        r"""The fraction that follows a whole number without a sign: 1\frac12 and 1 1/2 are sums, 2\frac x2 is not."""
        start = self.at
        if self.tokens[self.at].kind == "\\frac" and (
            self.at < 2 or self.tokens[self.at - 2].kind not in ("/", "^", "_")
        ):
            kinds = [self.ahead(by).kind for by in range(1, 7)]
            braced = kinds[:6] == ["{", "number", "}", "{", "number", "}"]
            bare = kinds[0] == "number" or kinds[:4] == ["{", "number", "}", "number"]
            if not (braced or bare):
                return None
            saved = [*self.tokens]
            self.at += 1
            above, below = self.group().get((), 0), self.group().get((), 0)
            if above.denominator == below.denominator == 1 and 0 < above < below:
                return Fraction(above.numerator, below.numerator)
            self.tokens, self.at = saved, start
            return None
        if self.tokens[self.at].kind == "number" and self.next.spaced and self.ahead(1).kind == "/":
            above, below = self.next.text, self.ahead(2)
            if above.isdigit() and below.kind == "number" and below.text.isdigit() and int(above) < int(below.text):
                self.at += 3
                return Fraction(int(above), int(below.text))
        return None

    def _index(self) -> Sum:
        return self.group() if self.next.kind == "{" else self.algebra.number(self._take_integer())

    def _take_integer(self) -> int:
        token = self.next
        if token.kind != "number" or not token.text.isdigit():
            raise NotReadError
        self.at += 1
        return integer(token.text)

    def _letters(self, token: Token) -> Value:
        text = token.text
        if len(text) == 1:
            return self._named(text)
        if text.isupper():
            if len(text) > 2 and self.next.kind == "number":
                raise NotReadError  # ISBN 0-306
            return self._named(text)
        if len(text) > 3 or not (text.islower() or _SEVERAL_NAMES.fullmatch(text) or self.next.kind in ("_", "^")):
            raise NotReadError
        *first, last = text
        product: Sum = ONE
        for letter in first:
            product = self.algebra.multiply(product, self.algebra.symbol(letter))
        self.tokens[self.at - 1] = Token("word", last)
        return Expression(self.algebra.multiply(product, sum_of(self._power_of(self._named(last)))))

    def _power_of(self, value: Value) -> Value:
        """The last of several letters takes the exponent alone: xy² is x·y²."""
        if self.take("^"):
            return Expression(self.algebra.raised(sum_of(value), self.exponent()))
        return value

    def _named(self, name: str) -> Value:
        while self.take("'"):
            name += "'"
        if self.take("_"):
            name += "_" + self._subscript()
        if name.rstrip("'") in APPLIED and self.tokens[self.at].kind == "(":
            self.at += 1
            inside = self.bracketed("(")
            items = inside.items if isinstance(inside, Bracketed) else (inside,)
            return Expression(self.algebra.atom(name, *map(sum_of, items)))
        return Expression(self.algebra.symbol(name.lstrip("\\")))

    def _subscript(self) -> str:
        if not self.take("{"):
            token = self.next
            self.at += 1
            if token.kind == "word" and len(token.text) == 2 and token.text[0].isupper():
                self.at -= 1  # k_BT is k_B times T
                self.tokens[self.at] = Token("word", token.text[1])
                return token.text[0]
            return index_text([token])
        inside: list[Token] = []
        depth = 1
        while depth:
            token = self.next
            if token.kind == "end":
                raise NotReadError
            depth += (token.kind == "{") - (token.kind == "}")
            inside.append(token)
            self.at += 1
        return index_text(inside)

    def _root(self) -> Sum:
        degree = 2
        if self.take("["):
            degree = self._take_integer()
            self.expect("]")
        if not 1 < degree <= 64:
            raise NotReadError
        if self.next.kind == "number":  # \sqrt12 is √12 to whoever writes it, though TeX reads √1·2
            inside = self.algebra.number(decimal(self.next.text))
            self.at += 1
        else:
            inside = self.group()
        return self.algebra.power(inside, Fraction(1, degree))

    def _function(self, kind: str) -> Sum:
        name = kind[1:]
        power: Sum = ONE
        base: Sum | None = None
        while self.next.kind in ("^", "_"):
            if self.take("^"):
                power = self.exponent()
            else:
                self.at += 1
                base = self.group()
        arguments = self._arguments()
        if name in ("log", "ln", "lg") or base is not None:
            value = logarithm(self.algebra, name, arguments, base)
        else:
            if power == {(): -1}:
                name, power = "a" + name, ONE
            value = applied(self.algebra, name, *arguments)
        return self.algebra.raised(value, power)

    def _arguments(self) -> list[Sum]:
        """In brackets, or all the factors that follow without a sign."""
        if self.next.kind in ("(", "[", "{"):
            self.at += 1
            inside = self.bracketed(self.tokens[self.at - 1].kind)
            items = inside.items if isinstance(inside, Bracketed) else (inside,)
            return [sum_of(item) for item in items]
        sign = -1 if self.take("-") else 1
        value = sum_of(self.power())
        while self.goes_on(self.next.kind) and self.next.kind not in FUNCTIONS and self.next.kind not in ("(", "["):
            value = self.algebra.multiply(value, sum_of(self.power()))
        return [self.algebra.scale(value, sign)]
