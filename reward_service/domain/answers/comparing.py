"""Same, different, or not known: what the meanings of two answers prove."""

from collections.abc import Collection
from enum import Enum, auto

from reward_service.domain.answers.probing import POINTS, differ, sign_at
from reward_service.domain.answers.shapes import (
    OVERLAPPING,
    Form,
    Mark,
    Meaning,
    Plain,
    Quantity,
    Reading,
    Shape,
    Unread,
)

MOST_PARTS = 4_096
"""Pairs of parts of two sets that are compared: beyond, what their keys leave open stays open."""


class Proof(Enum):
    """What can be proved of two answers without asking anybody."""

    SAME = auto()
    DIFFERENT = auto()
    OPEN = auto()


def compare(one: Reading, other: Reading) -> Proof:
    """Symmetric. Answers with contradicting marks are different whatever they mean.

    An answer with several meanings is taken in another than its first only by one that has no doubt: 50% may be 50
    where somebody wrote 50, but 50% and 0.5% do not meet halfway.
    """
    if contradict(one, other):
        return Proof.DIFFERENT
    pairs = [(one.meanings[0], other.meanings[0])]
    if len(other.meanings) == 1:
        pairs += [(meaning, other.meanings[0]) for meaning in one.meanings[1:]]
    if len(one.meanings) == 1:
        pairs += [(one.meanings[0], meaning) for meaning in other.meanings[1:]]
    proofs = {Proof.SAME if left.key == right.key else prove(left, right) for left, right in pairs}
    for proof in (Proof.SAME, Proof.OPEN):
        if proof in proofs:
            return proof
    return Proof.DIFFERENT


def contradict(one: Reading, other: Reading) -> bool:
    """Whether they name different units, or different unknowns."""
    return contradictory(one.marks, other.marks)


def contradictory(one: Collection[Mark], other: Collection[Mark]) -> bool:
    """Whether marks of one kind have different values."""
    if not one or not other:
        return False
    others = dict(other)
    return any(others.get(kind, value) != value for kind, value in one)


def prove(one: Meaning, other: Meaning) -> Proof:
    """Of two meanings with different keys."""
    if one.closed and other.closed:
        return Proof.DIFFERENT
    return Proof.DIFFERENT if _different(one.shape, other.shape) else Proof.OPEN


def _different(one: Shape, other: Shape) -> bool:
    if one.key == other.key:
        return False
    if isinstance(one, Plain) or isinstance(other, Plain):
        return True
    if isinstance(one, Unread) or isinstance(other, Unread):
        return False
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        if one.complete and other.complete:
            return True
        return differ(one.terms, one.algebra, other.terms, other.algebra)
    if isinstance(one, Form) and isinstance(other, Form):
        return _different_forms(one, other)
    form = one if isinstance(one, Form) else other
    return isinstance(form, Form) and form.tag not in ("\\cup", "\\cap", "\\setminus")


def _different_forms(one: Form, other: Form) -> bool:
    if one.tag != other.tag:
        return not (one.tag in OVERLAPPING or other.tag in OVERLAPPING) or {one.tag, other.tag} == {"relation", "="}
    if one.tag == "relation":
        return _told_apart(one, other)
    if one.tag in OVERLAPPING or len(one.parts) * len(other.parts) > MOST_PARTS:
        return False
    if one.tag in ("{", "bag"):
        # Equal parts may stand in another order where their keys are not complete: a part that differs from all others
        # says that the sets do.
        return any(all(_different(part, against) for against in other.parts) for part in one.parts) or any(
            all(_different(part, against) for against in one.parts) for part in other.parts
        )
    if len(one.parts) != len(other.parts):
        return True
    return any(_different(part, against) for part, against in zip(one.parts, other.parts, strict=True))


def _told_apart(one: Form, other: Form) -> bool:
    """Whether a point is in the one set of inequalities and not in the other."""
    return any(
        (inside := _holds(one, point)) is not None and (there := _holds(other, point)) is not None and inside != there
        for point in range(POINTS)
    )


def _holds(relations: Form, point: int) -> bool | None:
    """Whether all hold at a point; None where that is not known."""
    found = True
    for relation in relations.parts:
        difference = relation.parts[0] if isinstance(relation, Form) else relation
        sign = sign_at(difference.terms, difference.algebra, point) if isinstance(difference, Quantity) else 0
        if sign == 0:
            return None
        found = found and sign < 0
    return found
