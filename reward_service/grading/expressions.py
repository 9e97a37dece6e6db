r"""Build sympy expressions from tokens, and refuse a text with two meanings.

math-verify's grammar is made to find an answer in a text, and guesses: 2(3) is 5 to it, 1202_3 is 1202, 30^\circ is 30,
A is a. Here every reading is the only one, and the time is linear.
"""

import sympy
from sympy import Expr

from reward_service.grading.functions import OF_ANGLES, applied, rooted
from reward_service.grading.limits import limit
from reward_service.grading.notation import DEGREE, ELSEWHERE, FUNCTIONS, LETTERS, UnfitError

_CALLED = frozenset("fghFGHPQTSVu")  # letters that are functions when a bracket follows
_BEGINNING = frozenset(["(", "\\pi", "\\frac", "\\sqrt", "\\binom", "\\lfloor", "\\lceil"])
END = ""


class ExpressionReader:
    """Reads sums, products, powers and functions. Nothing but numbers is evaluated while reading."""

    def __init__(self, tokens: list[str]) -> None:
        """`tokens` as notation.tokens made them; UnfitError if they hold what is read elsewhere."""
        if not ELSEWHERE.isdisjoint(tokens):
            raise UnfitError("elsewhere")
        self._tokens = [*tokens, END]
        self._at = 0
        self._bars = 0
        self._chained = 1
        self._angles = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self, *wanted: str) -> str:
        word = self._next
        if wanted and word not in wanted:
            raise UnfitError("notation")
        self._at += 1
        return word

    def _until(self, end: str) -> Expr:
        bars, self._bars = self._bars, self._bars if end == "|" else 0
        value = self._sum()
        self._take(end)
        self._bars = bars
        return value

    def _sum(self) -> Expr:
        total = self._signed()
        while self._next in ("+", "-"):
            total = sympy.Add(total, self._signed())
        return total

    def _signed(self) -> Expr:
        sign = self._take() if self._next in ("+", "-") else "+"
        term = self._term()
        return -term if sign == "-" else term

    def _term(self) -> Expr:
        product = self._chain()
        while self._next in ("*", "/"):
            sign = self._take()
            negative = self._next == "-"
            if negative:
                self._take()
            start = self._at
            factor = self._chain()
            if sign == "/" and self._chained > 1:
                raise UnfitError("ambiguous")  # 1/2x
            if self._at == start:
                raise UnfitError("notation")
            factor = -factor if negative else factor
            product = product / factor if sign == "/" else product * factor
        return product

    def _chain(self) -> Expr:
        r"""Factors side by side. A number stands first or not at all: 3 4, x2 and \frac{1}{2}3 have no one meaning."""
        mixed = self._mixed()
        product = mixed if mixed is not None else self._power()
        count = 1
        while self._begins_factor():
            if self._next[0].isdigit() or self._next[0] == ".":
                raise UnfitError("ambiguous")
            product = product * self._power()
            count += 1
        self._chained = count
        return product

    def _mixed(self) -> Expr | None:
        r"""2\frac{1}{2} is two and a half; an improper or other fraction after an integer has no one meaning."""
        whole, after = self._tokens[self._at], self._tokens[self._at + 1 : self._at + 2]
        if not whole.isdigit() or after != ["\\frac"]:
            return None
        self._take()
        start = self._at
        fraction = self._atom()
        if self._next in ("^", "!"):
            raise UnfitError("ambiguous")
        inside = [word for word in self._tokens[start + 1 : self._at] if word not in "{}"]
        if any(word[0].isdigit() for word in inside) and all(word.isdigit() for word in inside):
            if not 0 < fraction < 1:
                raise UnfitError("ambiguous")
            return sympy.Integer(whole) + fraction
        return sympy.Integer(whole) * fraction

    def _begins_factor(self) -> bool:
        word = self._next
        if word == "|":
            return self._bars == 0
        return bool(word) and (
            word[0].isalnum() or word[0] == "." or word in _BEGINNING or word in FUNCTIONS or word in LETTERS
        )

    def _power(self) -> Expr:
        base = self._postfixed()
        if self._next != "^":
            return base
        self._take()
        exponent = self._argument()
        if self._next in ("^", "!"):
            raise UnfitError("ambiguous")
        if isinstance(exponent, sympy.Rational) and exponent.q > 1 and exponent.q % 2 and not bool(base.is_positive):
            raise UnfitError("ambiguous")  # (-8)^{1/3}: the principal root or the real one?
        return sympy.Pow(base, exponent)

    def _postfixed(self) -> Expr:
        value = self._atom()
        if self._next == "!":
            self._take()
            value = sympy.factorial(value, evaluate=bool(value.is_Integer and value.is_nonnegative))
        if self._next == DEGREE:
            if not self._angles:
                raise UnfitError("notation")  # 90° is not π/2: only sin 90° is sin π/2
            self._take()
            value = value * sympy.pi / 180
        if self._next == "_":
            raise UnfitError("notation")  # 1202_3
        return value

    def _atom(self) -> Expr:
        word = self._take()
        if not word:
            raise UnfitError("notation")
        if word[0].isdigit() or word[0] == ".":
            return sympy.Rational(word)
        if word in ("(", "{"):
            return self._until({"(": ")", "{": "}"}[word])
        if word == "|":
            self._bars += 1
            inner = self._until("|")
            self._bars -= 1
            return sympy.Abs(inner)
        if word in ("\\lfloor", "\\lceil"):
            shape = sympy.floor if word == "\\lfloor" else sympy.ceiling
            # Left as it is: sympy would evaluate it here, to as many digits as it has.
            return shape(self._until(word.replace("\\l", "\\r")), evaluate=False)
        if word == "\\frac":
            above, below = self._argument(digit=True), self._argument(digit=True)
            return above / below
        if word == "\\binom":
            return sympy.binomial(self._argument(digit=True), self._argument(digit=True), evaluate=False)
        if word == "\\sqrt":
            return self._root()
        if word in FUNCTIONS:
            return self._function(word)
        if word == "\\pi":
            return sympy.pi
        if word == "\\lim":
            return self._limit()
        if word in LETTERS or word.isalpha():
            return self._letter(word)
        raise UnfitError("notation")

    def _limit(self) -> Expr:
        for sign in ("_", "{"):
            self._take(sign)
        symbol = self._letter(self._take())
        self._take("\\to")
        negative = self._next == "-" and self._tokens[self._at + 1] == "\\infty"
        if negative:
            self._take()
        if self._next == "\\infty":
            self._take()
            point = sympy.S.NegativeInfinity if negative else sympy.S.Infinity
        else:
            point = self._sum()
        self._take("}")
        body = self._term()
        if self._next in ("+", "-"):
            raise UnfitError("ambiguous")  # where does what is under the limit end?
        return limit(body, symbol, point)

    def _letter(self, word: str) -> Expr:
        name = word
        if self._next == "_":
            self._take()
            name += "_" + self._index()
        elif word == "e":
            return sympy.E
        elif word == "i":
            return sympy.I
        if self._next == "(":
            # x(x+1) is a product, f(x) and y(0) are not.
            alone = self._tokens[self._at + 2 : self._at + 3] == [")"]
            if alone or word in _CALLED or word in LETTERS or self._holds_comma():
                raise UnfitError("ambiguous")
        # A z may be complex: |z|^2 is not z^2.
        return sympy.Symbol(name) if word in ("z", "w") else sympy.Symbol(name, real=True)

    def _index(self) -> str:
        if self._next != "{":
            return self._take_simple()
        self._take()
        parts: list[str] = []
        while self._next != "}":
            parts.append(self._take_simple())
        self._take()
        return ",".join(parts)

    def _take_simple(self) -> str:
        if not (self._next.isalnum() or self._next in LETTERS):
            raise UnfitError("notation")
        return self._take()

    def _holds_comma(self) -> bool:
        """Whether the bracket that opens here has a comma at its own level."""
        depth = 0
        for word in self._tokens[self._at :]:
            if word in ("(", "[", "{", "\\{"):
                depth += 1
            elif word in (")", "]", "}", "\\}"):
                depth -= 1
                if depth == 0:
                    return False
            elif word in (",", ";") and depth == 1:
                return True
        return False

    def _root(self) -> Expr:
        degree: Expr = sympy.Integer(2)
        if self._next == "[":
            self._take()
            degree = self._until("]")
        inner = self._argument(digit=True)
        return rooted(inner, degree)

    def _function(self, name: str) -> Expr:
        base: Expr | None = None
        exponent: Expr | None = None
        while self._next in ("_", "^"):
            if self._take() == "_" and name == "\\log" and base is None:
                base = self._argument(digit=True)
            elif self._tokens[self._at - 1] == "^" and exponent is None:
                exponent = self._argument()
            else:
                raise UnfitError("notation")
        if exponent is not None and not exponent.is_positive:
            raise UnfitError("ambiguous")  # \sin^{-1}: a reciprocal or an inverse?
        angles = name in OF_ANGLES
        self._angles += angles
        operand = self._operand()
        self._angles -= angles
        value = applied(name, operand, base)
        return value if exponent is None else sympy.Pow(value, exponent)

    def _operand(self) -> Expr:
        """What a function is applied to: a bracket, or the factors that follow up to another function."""
        if self._next in ("(", "{"):
            inner = self._postfixed()
            if self._next == "^":
                raise UnfitError("ambiguous")  # \sin(x)^2
            return inner
        product: Expr | None = None
        while product is None or (self._begins_factor() and self._next not in FUNCTIONS):
            # \sin 2x is clear, \ln 2\sqrt{3} is not.
            if self._next in FUNCTIONS or (product is not None and not (self._next.isalpha() or self._plain_letter())):
                raise UnfitError("ambiguous")
            factor = self._power()
            product = factor if product is None else product * factor
        behind = self._tokens[self._at + 1 : self._at + 2]
        if self._next == "/" or (self._next == "*" and FUNCTIONS.isdisjoint(behind)):
            raise UnfitError("ambiguous")  # \sin x/2, \ln 2\cdot 3
        return product

    def _plain_letter(self) -> bool:
        return self._next == "\\pi" or self._next in LETTERS

    def _argument(self, *, digit: bool = False) -> Expr:
        r"""A group in braces or a single word; where `digit`, a number of several digits is more than one: \frac12."""
        if self._next == "{":
            self._take()
            return self._until("}")
        word = self._next
        if digit and word.isdigit() and len(word) > 1:
            self._tokens[self._at : self._at + 1] = [word[0], word[1:]]
        if not (word.isalnum() or word == "\\pi" or word in LETTERS) or (digit and not word.isalnum()):
            raise UnfitError("notation")
        return self._atom()
