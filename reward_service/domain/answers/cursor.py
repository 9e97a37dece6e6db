"""A place in the tokens of an answer."""

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.values import Expression, NotReadError, Sum, Value

MAX_DEPTH = 48
END = Token("end", "")


class Cursor:
    """Tokens, and the one that comes next."""

    def __init__(self, tokens: list[Token], algebra: Algebra) -> None:
        """At the first token."""
        # The end is a token too, so that whoever looks a few tokens ahead finds one.
        self.tokens: list[Token] = [*tokens, END, END, END, END, END, END, END, END]
        self.algebra = algebra
        self.at: int = 0
        self.depth: int = 0

    @property
    def next(self) -> Token:
        """The token that comes."""
        return self.tokens[self.at]

    def ahead(self, by: int) -> Token:
        """A later token, at most six further."""
        return self.tokens[self.at + by]

    def take(self, kind: str) -> bool:
        """Passes the token if it is of this kind."""
        if self.tokens[self.at].kind == kind:
            self.at += 1
            return True
        return False

    def expect(self, kind: str) -> None:
        """Passes a token that must be there.

        Raises:
            NotReadError: another one is.
        """
        if not self.take(kind):
            raise NotReadError

    def deeper(self) -> None:
        """One level further in.

        Raises:
            NotReadError: that is too deep.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotReadError


def sum_of(value: Value) -> Sum:
    """The sum that a value is.

    Raises:
        NotReadError: it is a tuple, a set, a matrix.
    """
    if not isinstance(value, Expression):
        raise NotReadError
    return value.terms
