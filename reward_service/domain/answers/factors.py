"""Parse factors: numbers, names, brackets, roots, functions."""

import re
from abc import ABC, abstractmethod

from reward_service.domain.answers.digits import decimal
from reward_service.domain.answers.functions import FUNCTIONS
from reward_service.domain.answers.numerals import NumeralReader
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.tree import (
    Applied,
    Call,
    Constant,
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
from reward_service.domain.answers.values import Bracketed, Matrix, NotReadError

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
_MOST_DEGREE = 64


def index_text(tokens: list[Token]) -> str:
    r"""Return the one spelling of an index: x_1, x_{1}; x_{\max}, x_{\text{max}}."""
    text = "".join(token.text.strip().lstrip("\\") for token in tokens if token.kind not in "{}")
    return text if text.isalnum() else f"{{{text}}}"  # x_{a+z} is not x_a + z


class FactorReader(NumeralReader, ABC):
    """Reads one factor. What a factor may hold is read by those who inherit from it."""

    bars = 0
    """How many | are open."""

    @abstractmethod
    def bracketed(self, opening: str) -> Node:
        """What stands between brackets, whose opening one has been passed."""

    @abstractmethod
    def matrix(self) -> Matrix[Node]:
        r"""A matrix, whose \begin has been passed."""

    @abstractmethod
    def sum(self) -> Node:
        """Terms with + and - between them."""

    @abstractmethod
    def product(self) -> Node:
        """Factors with their signs."""

    @abstractmethod
    def power(self) -> Node:
        """A factor with its exponents."""

    @abstractmethod
    def exponent(self) -> Node:
        """What stands behind a ^."""

    @abstractmethod
    def goes_on(self, kind: str) -> bool:
        """Whether a factor follows that is multiplied without a sign."""

    def primary(self) -> Node:
        """A factor without its exponents."""
        token = self.tokens[self.at]
        self.at += 1
        kind = token.kind
        if kind == "number":
            return self.digits(token)
        if kind == "word":
            return self._letters(token)
        self.deeper()
        if kind in ("(", "[", "\\{", "{"):
            value = self.bracketed(kind)
        elif kind == "\\frac":
            value = Quotient(self.group(), self.group())
        elif kind == "\\sqrt":
            value = self._root()
        elif kind in FUNCTIONS:
            value = self._function(kind)
        else:
            value = self._rarely(token)
        self.depth -= 1
        return value

    def _rarely(self, token: Token) -> Node:
        kind = token.kind
        if kind == "\\pi":
            return Name("pi")
        if kind in GREEK:
            return self._named(kind)
        if kind == "\\infty":
            return Name("oo")
        if kind == "\\$":
            return Marked("usd", self.power())
        if kind == "accented":
            return self._named(token.text)
        if kind == "|":
            self.bars += 1
            inside = self.sum()
            self.expect("|")
            self.bars -= 1
            return Call("abs", (inside,))
        if kind in ("\\lfloor", "\\lceil"):
            inside = self.sum()
            self.expect("\\rfloor" if kind == "\\lfloor" else "\\rceil")
            return Call(kind[2:], (inside,))
        if kind == "\\binom":
            return Call("binom", (self.group(), self.group()))
        if kind == "\\begin":
            return self.matrix()
        if kind == "\\lim":
            return self._limit()
        if kind in _GROUPED:
            return self.group()
        raise NotReadError

    def _letters(self, token: Token) -> Node:
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
        self.tokens[self.at - 1] = Token("word", last)
        factor = self._named(last)
        if self.take("^"):  # the last of several letters takes the exponent alone: xy² is x·y²
            factor = Power(factor, self.exponent())
        return Product((*(("", Name(letter)) for letter in first), ("", factor)))

    def _named(self, name: str) -> Node:
        while self.take("'"):
            name += "'"
        if self.take("_"):
            name += "_" + self._subscript()
        if self.kinds[self.at] == "(" and name.rstrip("'") in APPLIED:
            self.at += 1
            return Applied(name, self._items("("))
        return Name(name.lstrip("\\"))

    def _subscript(self) -> str:
        if not self.take("{"):
            token = self.next
            if token.kind in ("\\begin", "\\end"):
                raise NotReadError
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

    def _root(self) -> Root:
        degree = 2
        if self.take("["):
            degree = self.take_integer()
            self.expect("]")
        if not 1 < degree <= _MOST_DEGREE:
            raise NotReadError
        if self.kinds[self.at] == "number":  # \sqrt12 is √12 to whoever writes it, though TeX reads √1·2
            self.at += 1
            return Root(Constant(decimal(self.tokens[self.at - 1].text)), degree)
        return Root(self.group(), degree)

    def _function(self, kind: str) -> Call:
        exponent: Node | None = None
        base: Node | None = None
        while (sign := self.kinds[self.at]) in ("^", "_"):
            self.at += 1
            if sign == "^":
                exponent = self.exponent()
            else:
                base = self.group()
        opening = self.kinds[self.at]
        if opening in ("(", "[", "{"):
            self.at += 1
            return Call(kind[1:], self._items(opening), True, exponent, base)
        return Call(kind[1:], (self._argument(),), False, exponent, base)

    def _argument(self) -> Node:
        """What a function without brackets is applied to: all the factors that follow without a sign."""
        negative = self.take("-")
        factors = [self.power()]
        while self.goes_on(kind := self.kinds[self.at]) and kind not in FUNCTIONS and kind not in ("(", "["):
            factors.append(self.power())
        value = factors[0] if len(factors) == 1 else Product(tuple(("", factor) for factor in factors))
        return Signed("-", value) if negative else value

    def _items(self, opening: str) -> tuple[Node, ...]:
        inside = self.bracketed(opening)
        return inside.items if isinstance(inside, Bracketed) else (inside,)

    def _limit(self) -> Limit:
        self.expect("_")
        self.expect("{")
        name = self.next
        if not (name.kind in GREEK or (name.kind == "word" and len(name.text) == 1)):
            raise NotReadError
        self.at += 1
        self.expect("\\to")
        point = self.sum()
        self.expect("}")
        return Limit(name.kind[1:] if name.kind in GREEK else name.text, point, self.product())

    def group(self) -> Node:
        """Read a command's argument: what is in braces, or the next digit or sign, as TeX reads it.

        Raises:
            NotReadError: a decimal stands there without braces, or nothing does.
        """
        if self.take("{"):
            return self.bracketed("{")
        token = self.next
        if token.kind == "number":
            if not token.text.isdigit():
                raise NotReadError
            self._shorten(token)
            return Constant(int(token.text[0]))
        if token.kind == "word" and len(token.text) > 1:
            self._shorten(token)
            return Name(token.text[0])
        return self.primary()

    def _shorten(self, token: Token) -> None:
        """Pass the first character of a token."""
        if len(token.text) > 1:
            self.tokens[self.at] = Token(token.kind, token.text[1:], token.spaced)
        else:
            self.at += 1
