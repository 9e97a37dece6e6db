"""Classes of equal answers: a partition that depends on which answers there are, and on nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from reward_service.domain.answers.comparing import Proof, contradict, prove
from reward_service.domain.answers.shapes import Mark, Meaning, Reading

MOST_PAIRS = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Answers that their keys make one: a meaning, the marks that tell it from others of that meaning."""

    meaning: Meaning
    marks: tuple[Mark, ...]
    members: tuple[Reading, ...]

    @property
    def name(self) -> str:
        """The class's name: equal in every cohort whose answers contradict each other in the same kinds of mark."""
        return " ".join([self.meaning.key, *(f"[{kind} {value}]" for kind, value in self.marks)])

    @property
    def text(self) -> str:
        """The answer that speaks for the group before a judge: the shortest, of those the first by its letters."""
        return min((reading.text for reading in self.members), key=lambda text: (len(text), text))


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


def open_pairs(groups: Sequence[Group]) -> tuple[list[tuple[int, int]], int]:
    """Pairs of groups that may still be equal, in the order of the groups, and how many pairs were not looked at.

    Each pair once. Two groups whose keys say everything are different; so only pairs with another kind are looked at,
    and of these no more than MOST_PAIRS: a cohort of thousands of answers beyond the grammar must not stop all others.
    """
    unsure = [place for place, each in enumerate(groups) if not each.meaning.closed]
    among = set(unsure)
    pairs = (
        (min(place, other), max(place, other))
        for place in unsure
        for other in range(len(groups))
        if other not in among or place < other
    )
    count = len(unsure) * (len(unsure) - 1) // 2 + len(unsure) * (len(groups) - len(unsure))
    looked_at = sorted(islice(pairs, MOST_PAIRS))
    return [(one, other) for one, other in looked_at if _open(groups[one], groups[other])], count - len(looked_at)


def merge(groups: Sequence[Group], same: Iterable[tuple[int, int]]) -> Mapping[str, str]:
    """From each answer to its class, after a judge found some pairs of groups the same.

    Pairs are taken in their order. None joins two classes of which any members are proved different, whatever the
    judge says of others between them.
    """
    classes = [[place] for place in range(len(groups))]
    class_at = {place: classes[place] for place in range(len(groups))}
    for first, second in sorted(same):
        one, other = class_at[first], class_at[second]
        if one is other or not all(_may_join(groups[left], groups[right]) for left in one for right in other):
            continue
        one += other
        for place in other:
            class_at[place] = one
    names = {place: groups[min(members)].name for place, members in class_at.items()}
    return {reading.text: names[place] for place, each in enumerate(groups) for reading in each.members}


def _open(one: Group, other: Group) -> bool:
    return one.meaning.key != other.meaning.key and _may_join(one, other)


def _may_join(one: Group, other: Group) -> bool:
    if any(contradict(left, right) for left in one.members for right in other.members):
        return False
    return one.meaning.key != other.meaning.key and prove(one.meaning, other.meaning) is Proof.OPEN
