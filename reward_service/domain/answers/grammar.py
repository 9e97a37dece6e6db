"""Read tokens by the grammar: an answer, an answer with a qualifier or a name, a number with its unit."""

from itertools import pairwise

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.clauses import named, parted
from reward_service.domain.answers.evaluating import values_of
from reward_service.domain.answers.meanings import Understanding
from reward_service.domain.answers.parser import parse
from reward_service.domain.answers.shapes import Understood, is_known
from reward_service.domain.answers.tokens import Token
from reward_service.domain.answers.units import LETTERS
from reward_service.domain.answers.values import NotReadError, UndefinedError


def read_tokens(tokens: list[Token], conventions: Conventions) -> Understood:
    """Read an answer, or what is left of it without a qualifier or a notation that names it.

    Raises:
        NotReadError: nothing in it is an answer.
        UndefinedError: it has no value.
    """
    lenient = conventions is Conventions.LENIENT
    kinds = {token[0] for token in tokens}
    clause = parted(tokens) if lenient and not kinds.isdisjoint(_QUALIFYING) else None
    try:
        if clause is not None:
            shapes, marks = parsed(clause.tokens, conventions)
            return shapes, (*marks, ("where", clause.setting)) if clause.setting else marks
        shapes, marks = parsed(tokens, conventions)
    except NotReadError:
        called = named(tokens) if lenient and "=" in kinds else None
        if called is None:
            measured = _measured(tokens, conventions)
            if measured is None:
                raise
            return measured
        name, value = called
        shapes, marks = parsed(value, conventions)
        if not is_known(shapes[0]):
            raise
        return shapes, (*marks, ("name", name))
    measured = _measured(tokens, conventions)
    if measured is None:
        return shapes, marks
    kinds = {kind for kind, _ in measured[1]}
    return (*shapes, *measured[0]), (*(mark for mark in marks if mark[0] not in kinds), *measured[1])


def _measured(tokens: list[Token], conventions: Conventions) -> Understood | None:
    """Read letters behind a number as its unit: 48 m, 9.8 m/s^2; None where none can be one."""
    if _UNITS.isdisjoint([token.text for token in tokens]) or not any(
        token.text in _UNITS
        and before.kind in _BEFORE_UNITS
        and (token.spaced or before.kind == "\\degree" or token.kind == "\\Omega")
        for before, token in pairwise(tokens)
    ):
        return None
    try:
        shapes, marks = parsed(tokens, conventions, units=True)
    except (NotReadError, UndefinedError):
        return None
    measures = any(kind == "unit" for kind, _ in marks) or shapes[0].key.startswith("in ")
    return (shapes, marks) if measures and is_known(shapes[0]) else None


_QUALIFYING = frozenset({"text", "\\forall", "\\in", "<", ">", "≤", "≥", "≠"})
_BEFORE_UNITS = frozenset({"number", "}", ")", "\\degree"})
_UNITS = LETTERS | {"k", "M", "\\Omega", "\\mu"}


def parsed(tokens: list[Token], conventions: Conventions, *, units: bool = False) -> Understood:
    """Read tokens as one answer; `units`: letters behind numbers are units, and products else.

    Raises:
        NotReadError: they are none.
        UndefinedError: it has no value.
    """
    algebra = Algebra()
    return Understanding(algebra, conventions).answer(values_of(parse(tokens, units=units), algebra))
