"""Parse whole answers to trees: lists, sets, intervals, matrices, relations, quantities."""

from reward_service.domain.answers.digits import integer
from reward_service.domain.answers.naming import name_of
from reward_service.domain.answers.relations import ORDER
from reward_service.domain.answers.sums import SumReader
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.tree import Constant, Measure, Node, Tree
from reward_service.domain.answers.units import are_units, multiplier, says_what
from reward_service.domain.answers.values import (
    Based,
    Bracketed,
    Builder,
    Chain,
    Joined,
    Listed,
    Matrix,
    NotReadError,
    Words,
)

_CLOSING = {"(": (")", "]"), "[": (")", "]"), "\\{": ("\\}",), "{": ("}",)}
_RELATIONS = frozenset({"=", "<", ">", "≤", "≥", "≠", "\\approx", "\\in", "\\equiv"})
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
_ENDS = frozenset({",", ")", "]", "\\}", "}", "end"})


class Parser(SumReader):
    """Reads one answer."""

    def __init__(self, tokens: list[Token], *, units: bool = False) -> None:
        """At the first token."""
        super().__init__(tokens, units=units)
        self._related = not _RELATIONS.isdisjoint(self.kinds)

    def answer(self) -> Node:
        """All of it.

        Raises:
            NotReadError: something is left over, or was not understood.
        """
        value = self._list()
        if self.kinds[self.at] != "end":
            raise NotReadError
        return value

    def bracketed(self, opening: str) -> Node:
        """Read the items between brackets, whose opening one has been passed.

        A single item in TeX's {} stands for itself, several are a list, and all others keep their brackets.

        Raises:
            NotReadError: no bracket closes them, or TeX's {} is empty.
        """
        bars, self.bars = self.bars, 0
        name = self.next.text
        if opening == "\\{" and self._builds_set():
            held = self._list()
            self.expect("\\}")
            self.bars = bars
            return Builder(name, held)
        closings = _CLOSING[opening]
        items: list[Node] = []
        if self.kinds[self.at] not in closings:
            items.append(self._item())
            while self.kinds[self.at] in (",", ";"):
                self.at += 1
                items.append(self._item())
        closing = self.kinds[self.at]
        if closing not in closings:
            raise NotReadError
        self.at += 1
        self.bars = bars
        if opening != "{":
            return Bracketed(opening[-1], tuple(items), closing[-1])
        if not items:
            raise NotReadError
        return items[0] if len(items) == 1 else Listed(tuple(items))

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

    def matrix(self) -> Matrix[Node]:
        r"""Read a matrix, whose \begin has been passed.

        Raises:
            NotReadError: the environment is none of a matrix, does not end, or has rows of different lengths.
        """
        name = self.ahead(-1).text
        if name not in _MATRICES:
            raise NotReadError
        if name == "array" and self.take("{"):
            while not self.take("}"):
                if self.next.kind == "end":
                    raise NotReadError
                self.at += 1
        rows: list[tuple[Node, ...]] = []
        while self.next.kind != "\\end":
            row = [self.sum()]
            while self.take("&"):
                row.append(self.sum())
            rows.append(tuple(row))
            if not self.take("\\\\"):
                break
        self.expect("\\end")
        if not rows or len({len(row) for row in rows}) != 1:
            raise NotReadError
        return Matrix(tuple(rows))

    def _list(self) -> Node:
        first = self._item()
        kinds = self.kinds
        if kinds[self.at] not in _JOINTS:
            return first
        items = [first]
        joints: set[str] = set()
        while kinds[self.at] in _JOINTS:
            while kinds[self.at] in _JOINTS:
                joints.add(self.next.text)
                self.at += 1
            if kinds[self.at] == "end":
                break
            items.append(self._item())
        if joints & _LOGICAL and not all(isinstance(item, Chain) for item in items):
            raise NotReadError  # of statements that are only letters
        said = {_SAID_BETWEEN[joint] for joint in joints if joint in _SAID_BETWEEN}
        if len(said) > 1:
            raise NotReadError  # of or beside and nobody knows which is first
        return first if len(items) == 1 else Listed(tuple(items), said.pop() if said else "")

    def _item(self) -> Node:
        """Sides with relations between them, or only one."""
        kinds, at = self.kinds, self.at
        if kinds[at] == "number" and kinds[at + 1] in _ENDS and self.tokens[at].text.isdigit():
            self.at += 1
            return Constant(integer(self.tokens[at].text))
        signs = self.signs
        value = self._chain() if self._related else self._joined()
        if self.signs > signs + 1 and not _is_of_many(value):
            raise NotReadError  # of two ± nobody knows whether they go together
        return value

    def _chain(self) -> Node:
        sides: list[Node] = []
        names: list[str | None] = []
        relations: list[str] = []
        while True:
            name, side = self._side()
            sides.append(side)
            names.append(name)
            if self.kinds[self.at] not in _RELATIONS:
                break
            relations.append(self.kinds[self.at])
            self.at += 1
        return Chain(tuple(sides), tuple(relations), tuple(names)) if relations else sides[0]

    def _side(self) -> tuple[str | None, Node]:
        start = self.at
        name = self._name_ahead()
        if name is None:
            return None, self._joined()
        after, depth = self.at, self.depth
        self.at = start
        try:
            value = self.sum()
        except NotReadError:
            value, self.depth = Words(name), depth
        if self.at != after:
            self.at, value = after, Words(name)
        return name, value

    def _name_ahead(self) -> str | None:
        """The name on this side of a relation, passed; None if this is no name."""
        parts: list[str] = []
        at = self.at
        while at - self.at < _MOST_IN_NAME:
            token = self.tokens[at]
            if token.kind in _RELATIONS:
                break
            if token.kind == "end" and self.kinds[self.at - 1] in ORDER and parts:
                break  # 5 < x
            if token.kind in (";", "end") or (token.kind == "," and "(" not in parts and "{" not in parts):
                return None
            parts.append(f"{{{token.text}}}" if parts[-1:] == ["_"] and token.kind != "{" else token.text)
            at += 1
        else:
            return None
        if len(parts) == 1 and self.kinds[self.at] == "text":
            name: str | None = parts[0].strip().lower()
        else:
            name = name_of("".join(parts))
        if name is not None:
            self.at = at
        return name

    def _joined(self) -> Node:
        value = self._ratio()
        if self.kinds[self.at] not in _SETS:
            return value
        items, operation = [value], ""
        while self.kinds[self.at] in _SETS:
            if operation not in ("", self.kinds[self.at]) or operation == "\\setminus":
                raise NotReadError
            operation = self.kinds[self.at]
            self.at += 1
            items.append(self._ratio())
        return Joined(operation, tuple(items))

    def _ratio(self) -> Node:
        value = self._quantity()
        if self.kinds[self.at] != ":":
            return value
        parts = [value]
        while self.take(":"):
            parts.append(self._quantity())
        return Bracketed(":", tuple(parts), ":")

    def _quantity(self) -> Node:
        """A sum and, behind it, its unit."""
        kind = self.kinds[self.at]
        if kind == "text":
            self.at += 1
            return Words(self.tokens[self.at - 1].text)
        if kind == "\\emptyset":
            self.at += 1
            return Bracketed("{", (), "}")
        value = self.sum()
        if isinstance(value, Based) or not (self.kinds[self.at] == "text" or self.at_unit()):
            return value
        factor = multiplier(self.next.text)
        self.at += bool(factor)
        return Measure(value, factor or 1, self._unit_words())

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


def _is_of_many(value: Node) -> bool:
    """Return whether a value is a list or a set, which may hold several ±."""
    while isinstance(value, Bracketed) and value.opening in "([" and len(value.items) == 1:
        value = value.items[0]
    return isinstance(value, Listed) or (isinstance(value, Bracketed) and value.opening == "{")


def parse(tokens: list[Token], *, units: bool = False) -> Tree:
    """Return the tree of an answer's tokens.

    Raises:
        NotReadError: they say nothing that this grammar knows, or too much.
    """
    parser = Parser(tokens, units=units)
    return Tree(parser.answer(), parser.signs, "\\begin" in parser.kinds)
