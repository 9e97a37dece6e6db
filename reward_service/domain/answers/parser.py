"""Parse whole answers: lists, sets, intervals, matrices, relations, quantities."""

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.naming import name_of
from reward_service.domain.answers.relations import ORDER
from reward_service.domain.answers.terms import TermReader
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.units import are_units, multiplier, percent_of, says_what, unit_key
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
    Value,
    Words,
)

_CLOSING = {"(": (")", "]"), "[": (")", "]"), "\\{": ("\\}",), "{": ("}",)}
_RELATIONS = frozenset({"=", "<", ">", "<=", ">=", "!=", "~", "\\in", "\\equiv"})
_JOINTS = frozenset({",", ";", "\\lor", "\\land"})
_SAID_BETWEEN = {
    "and": "and", "\\land": "and", "\\wedge": "and", "or": "or", "\\lor": "or", "\\vee": "or",
}  # fmt: skip
_LOGICAL = frozenset({"\\lor", "\\vee", "\\land", "\\wedge"})
_SETS = frozenset({"\\cup", "\\cap", "\\setminus"})
_MATRICES = frozenset({
    "pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array",
})  # fmt: skip
_UNIT_TOKENS = frozenset({"text", "word", "^", "{", "}", "/", "*", "number", "\\degree", "\\Omega", "\\mu"})
_UNIT_COMMANDS = {"\\Omega": "ohm", "\\mu": "µ", "*": "*"}
_MOST_IN_NAME = 12


class Parser(TermReader):
    """Reads one answer."""

    def __init__(self, tokens: list[Token], algebra: Algebra, sign: int = 1, *, units: bool = False) -> None:
        """At the first token."""
        super().__init__(tokens, algebra, sign, units=units)
        self._related = any(token.kind in _RELATIONS for token in tokens)

    def answer(self) -> Value:
        """All of it.

        Raises:
            NotReadError: something is left over, or was not understood.
            UndefinedError: it has no value.
        """
        value = self._list()
        if self.next.kind != "end":
            raise NotReadError
        return value

    def bracketed(self, opening: str) -> Value:
        """Read the items between brackets, whose opening one has been passed.

        A single item in (), [] or TeX's {} stands for itself, several in TeX's {} are a list, and all others keep their
        brackets.

        Raises:
            NotReadError: no bracket closes them, or TeX's {} is empty.
        """
        self.deeper()
        bars, self.bars = self.bars, 0
        name = self.next.text
        if opening == "\\{" and self._builds_set():
            held = self._list()
            self.expect("\\}")
            self.depth -= 1
            self.bars = bars
            return Builder(name, held)
        closings = _CLOSING[opening]
        items: list[Value] = []
        if self.next.kind not in closings:
            items.append(self._item())
            while self.take(",") or self.take(";"):
                items.append(self._item())
        if self.next.kind not in closings:
            raise NotReadError
        closing = self.next.kind
        self.at += 1
        self.depth -= 1
        self.bars = bars
        if len(items) == 1 and opening in "({[" and opening + closing in ("()", "[]", "{}"):
            return items[0]
        if opening == "{":
            if not items:
                raise NotReadError
            return Listed(tuple(items))
        return Bracketed(opening[-1], tuple(items), closing[-1])

    def _builds_set(self) -> bool:
        r"""Pass what stands before the condition of a set, where there is one: x |, x \in \mathbb R :."""
        if self.next.kind != "word" or len(self.next.text) > 1:
            return False
        behind = [self.ahead(by) for by in (1, 2, 3)]
        if behind[0].kind in (":", "|"):
            self.at += 2
            return True
        if behind[0].kind == "\\in" and behind[1].text == "R" and behind[2].kind in (":", "|"):
            self.at += 4
            return True
        return False

    def matrix(self) -> Matrix:
        r"""Read a matrix, whose \begin has been passed.

        Raises:
            NotReadError: the environment is none of a matrix, does not end, or has rows of different lengths.
        """
        self.expect("{")
        name = self.next.text
        self.at += 1
        if name not in _MATRICES:
            raise NotReadError
        self.expect("}")
        if name == "array" and self.take("{"):
            while not self.take("}"):
                if self.next.kind == "end":
                    raise NotReadError
                self.at += 1
        rows: list[tuple[Expression, ...]] = []
        while self.next.kind != "\\end":
            row = [Expression(self.number())]
            while self.take("&"):
                row.append(Expression(self.number()))
            rows.append(tuple(row))
            if not self.take("\\\\"):
                break
        for kind in ("\\end", "{"):
            self.expect(kind)
        self.at += 1
        self.expect("}")
        if not rows or len({len(row) for row in rows}) != 1:
            raise NotReadError
        return Matrix(tuple(rows))

    def _list(self) -> Value:
        items = [self._item()]
        joints: set[str] = set()
        while self.tokens[self.at].kind in _JOINTS:
            while self.tokens[self.at].kind in _JOINTS:
                joints.add(self.next.text)
                self.at += 1
            if self.tokens[self.at].kind == "end":
                break
            items.append(self._item())
        if joints & _LOGICAL and not all(isinstance(item, Chain) for item in items):
            raise NotReadError  # of statements that are only letters
        said = {_SAID_BETWEEN[joint] for joint in joints if joint in _SAID_BETWEEN}
        if len(said) > 1:
            raise NotReadError  # of and beside or nobody knows which is first
        return items[0] if len(items) == 1 else Listed(tuple(items), said.pop() if said else "")

    def _item(self) -> Value:
        """Sides with relations between them, or only one."""
        sides: list[Value] = []
        names: list[str | None] = []
        relations: list[str] = []
        signs = self.signs
        while True:
            name, side = self._side()
            sides.append(side)
            names.append(name)
            if self.tokens[self.at].kind not in _RELATIONS:
                break
            relations.append(self.tokens[self.at].kind)
            self.at += 1
        value = Chain(tuple(sides), tuple(relations), tuple(names)) if relations else sides[0]
        of_many = isinstance(value, Listed) or (isinstance(value, Bracketed) and value.opening == "{")
        if self.signs > signs + 1 and not of_many:
            raise NotReadError  # of two ± nobody knows whether they go together
        return value

    def _side(self) -> tuple[str | None, Value]:
        start = self.at
        name = self._name_ahead() if self._related else None
        if name is not None:
            after, depth = self.at, self.depth
            self.at = start
            try:
                value = self.sum()
            except NotReadError:
                value, self.depth = Words(name), depth
            if self.at != after:
                self.at, value = after, Words(name)
            return name, value
        value = self._joined()
        return None, value

    def _name_ahead(self) -> str | None:
        """The name on this side of a relation, passed; None if this is no name."""
        parts: list[str] = []
        at = self.at
        while at - self.at < _MOST_IN_NAME:
            token = self.tokens[at]
            if token.kind in _RELATIONS:
                break
            if token.kind == "end" and self.tokens[self.at - 1].kind in ORDER and parts:
                break  # 5 < x
            if token.kind in (";", "end") or (token.kind == "," and "(" not in parts and "{" not in parts):
                return None
            parts.append(f"{{{token.text}}}" if parts[-1:] == ["_"] and token.kind != "{" else token.text)
            at += 1
        else:
            return None
        if len(parts) == 1 and self.tokens[self.at].kind == "text":
            name: str | None = parts[0].strip().lower()
        else:
            joined = "".join(parts)
            name = name_of(joined)
        if name is not None:
            self.at = at
        return name

    def _joined(self) -> Value:
        value = self._ratio()
        items, operation = [value], ""
        while self.tokens[self.at].kind in _SETS:
            if operation not in ("", self.tokens[self.at].kind) or (operation == "\\setminus"):
                raise NotReadError
            operation = self.tokens[self.at].kind
            self.at += 1
            items.append(self._ratio())
        return Joined(operation, tuple(items)) if operation else value

    def _ratio(self) -> Value:
        value = self._quantity()
        if self.tokens[self.at].kind != ":":
            return value
        parts = [value]
        while self.take(":"):
            parts.append(self._quantity())
        return Bracketed(":", tuple(parts), ":")

    def _quantity(self) -> Value:
        """A sum and, behind it, its unit."""
        token = self.next
        if token.kind == "text":
            self.at += 1
            return Words(token.text)
        if token.kind == "\\emptyset":
            self.at += 1
            return Bracketed("{", (), "}")
        value = self.sum()
        if isinstance(value, Based) or not (self.tokens[self.at].kind == "text" or self.at_unit()):
            return value
        if not isinstance(value, Expression):
            raise NotReadError
        factor = multiplier(self.next.text)
        if factor:
            self.at += 1
            value = Expression(self.algebra.scale(value.terms, factor))
        words = self._unit_words()
        of = percent_of(words)
        if of:
            return Expression(self.algebra.multiply(value.terms, self.algebra.symbol("pct")), unit_key(of))
        return Expression(value.terms, unit_key(words)) if words else value

    def _unit_words(self) -> str:
        """What is counted or measured, with its exponents.

        Raises:
            NotReadError: these words say more than what is counted: 5 or more, 2 thirds, 5 ft 3 in.
        """
        parts: list[str] = []
        while self.next.kind in _UNIT_TOKENS or (self.next.kind == "-" and self.ahead(-1).kind in ("^", "{")):
            token, before = self.next, self.ahead(-1)
            if (
                token.kind == "number"
                and before.kind not in ("^", "{", "-")
                and (before.kind != "word" or token.spaced)
            ):
                raise NotReadError
            parts.append(_UNIT_COMMANDS.get(token.kind, token.text))
            self.at += 1
        words = " ".join(parts).replace("µ ", "u")
        if not says_what(words) or (self._units and not are_units(words)):
            raise NotReadError
        return words


def parse(tokens: list[Token], algebra: Algebra, *, units: bool = False) -> tuple[Value, ...]:
    """What the tokens say: one value, or two where they hold ±.

    Raises:
        NotReadError: they say nothing that this grammar knows, or too much.
        UndefinedError: what they say has no value.
    """
    first = Parser([*tokens], algebra, units=units)
    value = first.answer()
    if not first.signs:
        return (value,)
    return value, Parser([*tokens], algebra, -1, units=units).answer()
