"""Parse numbers: digits, decimals that repeat, mixed numbers, digits in a base."""

from fractions import Fraction

from reward_service.domain.answers.digits import base_of, decimal, integer, repeating
from reward_service.domain.answers.tokens import Cursor, Token
from reward_service.domain.answers.tree import Constant, Node
from reward_service.domain.answers.values import Based, NotReadError


class NumeralReader(Cursor):
    """Reads one number."""

    def digits(self, token: Token) -> Node:
        """Return the number whose first token has been passed.

        Raises:
            NotReadError: it is too long, or its base is none.
        """
        text = token.text
        following = self.kinds[self.at]
        if not text.isdigit():
            if following == "repeating" and "." in text:
                self.at += 1
                return Constant(repeating(text, self.tokens[self.at - 1].text))
            return Constant(decimal(text))
        if following == "_":
            self.at += 1
            return Based(text.lstrip("0") or "0", self._base())
        value = integer(text)
        if following in ("\\frac", "number") and (part := self._mixed(following)) is not None:
            return Constant(value + part)
        return Constant(value)

    def _mixed(self, following: str) -> Fraction | None:
        r"""The fraction that follows a whole number without a sign: 1\frac12 and 1 1/2 are sums, 2\frac x2 is not."""
        at, used = self.at, 0
        if following == "number":
            if not (self.next.spaced and self.kinds[at + 1] == "/" and self.kinds[at + 2] == "number"):
                return None
            above, below = self.next.text, self.tokens[at + 2].text
            if not (above.isdigit() and below.isdigit()):
                return None
            parts, at = [integer(above), integer(below)], at + 3
        else:
            if at > 1 and self.kinds[at - 2] in ("/", "^", "_"):
                return None
            parts, at = list[int](), at + 1
            for _ in range(2):
                argument = self._whole_argument(at, used)
                if argument is None:
                    return None
                part, at, used = argument
                parts.append(part)
        above, below = parts
        if not 0 < above < below:
            return None
        self.at = at
        if used:
            self.tokens[at] = Token("number", self.next.text[used:])
        return Fraction(above, below)

    def _whole_argument(self, at: int, used: int) -> tuple[int, int, int] | None:
        """A command's argument that is a whole number; behind it the next token, and how many digits of it are used."""
        text = self.tokens[at].text
        if self.kinds[at] == "number" and text.isdigit():
            return int(text[used]), *((at, used + 1) if used + 1 < len(text) else (at + 1, 0))
        text = self.tokens[at + 1].text
        if self.kinds[at : at + 3] == ["{", "number", "}"] and text.isdigit():
            return integer(text), at + 3, 0
        return None

    def _base(self) -> int:
        if self.kinds[self.at] == "number":
            return base_of(self.take_integer())
        argument = self._whole_argument(self.at, 0)
        if argument is None:
            raise NotReadError
        base, self.at, _ = argument
        return base_of(base)

    def take_integer(self) -> int:
        """Pass a whole number.

        Raises:
            NotReadError: there is none.
        """
        token = self.next
        if token.kind != "number" or not token.text.isdigit():
            raise NotReadError
        self.at += 1
        return integer(token.text)
