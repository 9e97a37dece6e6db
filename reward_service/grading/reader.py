r"""The shape of an answer: lists, brackets, sets, unions of intervals, matrices, relations, made of expressions."""

from dataclasses import dataclass

import sympy
from sympy import Expr

from reward_service.grading.expressions import END, ExpressionReader
from reward_service.grading.notation import UnfitError

RELATIONS = frozenset(["=", "<", ">", "<=", ">="])
_PAIRS = {"(": frozenset([")", "]"]), "[": frozenset([")", "]"]), "\\{": frozenset(["\\}"])}


@dataclass(frozen=True, slots=True)
class Items:
    """A list of readings; `kind` is what holds them together: brackets, commas, union signs or a matrix's shape."""

    kind: str
    items: tuple["Reading", ...]


@dataclass(frozen=True, slots=True)
class RelationChain:
    """Sides with relations between them: a < b = c."""

    relations: tuple[str, ...]
    sides: tuple["Reading", ...]


Reading = Expr | Items | RelationChain


class AnswerReader(ExpressionReader):
    """Reads one answer, once."""

    def answer(self) -> Reading:
        """The whole answer.

        Raises:
            UnfitError: it cannot be read, or in more than one way.
        """
        read = self._listed(END)
        return read[0] if len(read) == 1 else Items(",", tuple(read))

    def _listed(self, *ends: str) -> list[Reading]:
        """Readings with commas between them, and one of `ends`."""
        items = [self._related()]
        separators = set[str]()
        while self._next not in ends:
            separators.add(self._take(",", ";"))
            items.append(self._related())
        if len(separators) > 1:
            raise UnfitError("ambiguous")
        self._at += 1
        return items

    def _related(self) -> Reading:
        sides, relations = [self._united()], list[str]()
        while self._next in RELATIONS:
            relations.append(self._take())
            sides.append(self._united())
        return RelationChain(tuple(relations), tuple(sides)) if relations else sides[0]

    def _united(self) -> Reading:
        parts = [self._side()]
        while self._next == "\\cup":
            self._take()
            parts.append(self._side())
        return Items("\\cup", tuple(parts)) if len(parts) > 1 else parts[0]

    def _side(self) -> Reading:
        if self._next.startswith("\\begin"):
            return self._matrix()
        if self._next in _PAIRS and (self._next != "(" or self._holds_comma()):
            opening = self._take()
            if opening == "\\{" and self._next == "\\}":
                self._take()
                return Items("\\{\\}", ())
            closings = _PAIRS[opening]
            items = self._listed(*closings)
            if opening != "\\{" and len(items) < 2:
                raise UnfitError("ambiguous")
            return Items(opening + self._tokens[self._at - 1], tuple(items))
        after_sign = self._tokens[self._at + 1] if self._next in ("+", "-") else self._next
        if after_sign == "\\infty":
            sign = self._take()
            if sign in ("+", "-"):
                self._take()
            return sympy.S.NegativeInfinity if sign == "-" else sympy.S.Infinity
        return self._sum()

    def _matrix(self) -> Items:
        end = self._take().replace("begin", "end")
        rows: list[list[Reading]] = [[self._sum()]]
        while self._next != end:
            if self._take("&", "\\\\") == "&":
                rows[-1].append(self._sum())
            elif self._next != end:
                rows.append([self._sum()])
        self._take()
        if len({len(row) for row in rows}) != 1:
            raise UnfitError("notation")
        return Items(f"matrix {len(rows)}", tuple(entry for row in rows for entry in row))
