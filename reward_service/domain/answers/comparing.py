"""Compare answers by their meanings, and form classes that depend only on the set of answers."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import islice, product

from reward_service.domain.answers.numeric import POINTS, differ, sign_at
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
    """The relation of two answers that can be proved without a judge."""

    SAME = auto()
    DIFFERENT = auto()
    OPEN = auto()


def compare(one: Reading, other: Reading) -> Proof:
    """Compare two answers; symmetric. Answers with contradicting marks are different whatever they mean.

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
    """Return whether two answers name different units, or different unknowns."""
    return contradictory(one.marks, other.marks)


def contradictory(one: Collection[Mark], other: Collection[Mark]) -> bool:
    """Return whether marks of one kind have different values."""
    if not one or not other:
        return False
    others = dict(other)
    return any(others.get(kind, value) != value for kind, value in one)


def prove(one: Meaning, other: Meaning) -> Proof:
    """Prove the relation of two meanings with different keys."""
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
    """Return whether a point is in the one set of inequalities and not in the other."""
    return any(
        (inside := _holds(one, point)) is not None and (there := _holds(other, point)) is not None and inside != there
        for point in range(POINTS)
    )


def _holds(relations: Form, point: int) -> bool | None:
    """Return whether all relations hold at a point; None where that is not known."""
    found = True
    for relation in relations.parts:
        difference = relation.parts[0] if isinstance(relation, Form) else relation
        sign = sign_at(difference.terms, difference.algebra, point) if isinstance(difference, Quantity) else 0
        if sign == 0:
            return None
        found = found and sign < 0
    return found


MOST_PAIRS = 4000


@dataclass(frozen=True, eq=False)
class Group:
    """Answers that have equal keys: one meaning, and the marks that tell it from others of that meaning."""

    meaning: Meaning
    marks: tuple[Mark, ...]
    members: tuple[Reading, ...]

    @cached_property
    def name(self) -> str:
        """Return the class's name: equal in every cohort whose answers contradict each other in the same marks."""
        return " ".join([self.meaning.key, *(f"[{kind} {value}]" for kind, value in self.marks)])

    @cached_property
    def text(self) -> str:
        """Return the answer that a judge is shown for the group: the shortest, of those the first in order."""
        return min((reading.text for reading in self.members), key=lambda text: (len(text), text))

    @cached_property
    def said(self) -> frozenset[tuple[Mark, ...]]:
        """Return the different marks of the members."""
        return frozenset(reading.marks for reading in self.members)


def group(readings: Iterable[Reading]) -> list[Group]:
    """Group readings by their keys, sorted by name.

    An answer that can be meant in several ways is meant as one that somebody wrote without doubt, if there is one.
    Marks tell answers apart only where two of a kind contradict each other: 12 is 12 cm unless somebody says 12 m too,
    and then it is neither. So the partition is a function of the set of answers.
    """
    readings = list(readings)
    certain = {reading.meanings[0].key for reading in readings if len(reading.meanings) == 1}
    meant: dict[str, tuple[Meaning, list[Reading]]] = {}
    for reading in readings:
        meaning = reading.meanings[0]
        if len(reading.meanings) > 1:
            meaning = next((one for one in reading.meanings if one.key in certain), meaning)
        meant.setdefault(meaning.key, (meaning, []))[1].append(reading)
    groups: list[Group] = []
    for meaning, members in meant.values():
        if len(members) == 1:  # nobody contradicts it
            groups.append(Group(meaning, (), tuple(members)))
            continue
        values: dict[str, set[str]] = {}
        for reading in members:
            for kind, value in reading.marks:
                values.setdefault(kind, set()).add(value)
        contested = {kind for kind, found in values.items() if len(found) > 1}
        apart: dict[tuple[Mark, ...], list[Reading]] = {}
        for reading in members:
            marks = tuple(sorted(mark for mark in reading.marks if mark[0] in contested))
            apart.setdefault(marks, []).append(reading)
        groups += [Group(meaning, marks, tuple(those)) for marks, those in apart.items()]
    return sorted(groups, key=lambda group: group.name)


def pairs_in_doubt(groups: Sequence[Group]) -> tuple[list[tuple[int, int]], int]:
    """Return pairs of groups that their keys do not tell apart, in order, and how many more there are.

    Each pair once. Two groups whose keys say everything are different; so only pairs with another kind are named, and
    of these no more than MOST_PAIRS: a cohort of thousands of answers beyond the grammar must not stop all others.
    """
    unsure = [place for place, each in enumerate(groups) if not each.meaning.closed]
    if not unsure:
        return [], 0
    among = set(unsure)
    pairs = (
        (min(place, other), max(place, other))
        for place in unsure
        for other in range(len(groups))
        if other not in among or place < other
    )
    count = len(unsure) * (len(unsure) - 1) // 2 + len(unsure) * (len(groups) - len(unsure))
    named = sorted(islice(pairs, MOST_PAIRS))
    return named, count - len(named)


def may_be_equal(one: Group, other: Group) -> bool:
    """Return whether nothing proves two groups different, so that a judge has to decide."""
    if any(contradictory(left, right) for left in one.said for right in other.said):
        return False
    return one.meaning.key != other.meaning.key and prove(one.meaning, other.meaning) is Proof.OPEN


class ClassMerging:
    """Merges groups into classes by the pairs that a judge found to be the same.

    None joins two classes of which any members are proved different, whatever the judge says of others between them.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        """Begin with each group as a class."""
        self._groups = groups
        self._class_at = {place: [place] for place in range(len(groups))}
        self.decided = 0
        """How many pairs were looked at."""

    def steps(self, same: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Merge the classes of these pairs in order, in steps that each compare two groups."""
        for first, second in sorted(same):
            one, other = self._class_at[first], self._class_at[second]
            joins = one is not other
            for left, right in product(one, other) if joins else ():
                joins = may_be_equal(self._groups[left], self._groups[right])
                yield
                if not joins:
                    break
            if joins:
                one += other
                for place in other:
                    self._class_at[place] = one
            self.decided += 1

    def classes(self) -> Mapping[str, str]:
        """Return the class of each answer."""
        class_of: dict[str, str] = {}
        for first, members in {min(members): members for members in self._class_at.values()}.items():
            name = self._groups[first].name
            class_of |= {reading.text: name for place in members for reading in self._groups[place].members}
        return class_of
