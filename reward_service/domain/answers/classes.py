"""Classes of equal answers: a partition that depends on which answers there are, and on nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

from reward_service.domain.answers.comparing import Proof, contradictory, prove
from reward_service.domain.answers.shapes import Mark, Meaning, Reading

MOST_PAIRS = 4000


@dataclass(frozen=True, eq=False)
class Group:
    """Answers that their keys make one: a meaning, the marks that tell it from others of that meaning."""

    meaning: Meaning
    marks: tuple[Mark, ...]
    members: tuple[Reading, ...]

    @cached_property
    def name(self) -> str:
        """The class's name: equal in every cohort whose answers contradict each other in the same kinds of mark."""
        return " ".join([self.meaning.key, *(f"[{kind} {value}]" for kind, value in self.marks)])

    @cached_property
    def text(self) -> str:
        """The answer that speaks for the group before a judge: the shortest, of those the first by its letters."""
        return min((reading.text for reading in self.members), key=lambda text: (len(text), text))

    @cached_property
    def said(self) -> frozenset[tuple[Mark, ...]]:
        """The different marks of its members, which are few however many members there are."""
        return frozenset(reading.marks for reading in self.members)


def group(readings: Iterable[Reading]) -> list[Group]:
    """Readings by their keys, sorted by name.

    An answer that can be meant in several ways is meant as one that somebody wrote without doubt, if there is one.
    Marks tell answers apart only where two of a kind contradict each other: 12 is 12 cm unless somebody says 12 m too,
    and then it is neither. So the partition is a function of the set of answers.
    """
    readings = list(readings)
    certain = {reading.meanings[0].key for reading in readings if len(reading.meanings) == 1}
    meant: dict[str, tuple[Meaning, list[Reading]]] = {}
    for reading in readings:
        meaning = next((one for one in reading.meanings if one.key in certain), reading.meanings[0])
        meant.setdefault(meaning.key, (meaning, []))[1].append(reading)
    groups: list[Group] = []
    for meaning, members in meant.values():
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
    """Pairs of groups that their keys do not tell apart, in the order of the groups, and how many more there are.

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
    """Whether nothing proves two groups different: a judge is to say."""
    if any(contradictory(left, right) for left in one.said for right in other.said):
        return False
    return one.meaning.key != other.meaning.key and prove(one.meaning, other.meaning) is Proof.OPEN


class ClassMerging:
    """Classes made of groups, after a judge found some pairs of them the same.

    None joins two classes of which any members are proved different, whatever the judge says of others between them.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        """Each group is a class."""
        self._groups = groups
        self._class_at = {place: [place] for place in range(len(groups))}
        self.decided = 0
        """How many pairs were looked at."""

    def steps(self, same: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Joins the classes of these pairs in their order, in steps that each compare two groups."""
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
        """From each answer to its class."""
        class_of: dict[str, str] = {}
        for first, members in {min(members): members for members in self._class_at.values()}.items():
            name = self._groups[first].name
            class_of |= {reading.text: name for place in members for reading in self._groups[place].members}
        return class_of
