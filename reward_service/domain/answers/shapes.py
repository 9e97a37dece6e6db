"""Describe what is known of an answer's meaning, to prove two answers different or say what is unknown."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.values import Sum

LONG = 160
OVERLAPPING = frozenset({"\\cup", "\\cap", "\\setminus", "relation"})
"""Forms that can say the same as a form of another tag: x² < 4 is an interval."""

Mark = tuple[str, str]
"""A kind (`unit`, `name`) and a value: what a reader lets be left out."""


class Quantity(NamedTuple):
    """A sum. `complete`: of two complete sums that are equal the keys are too."""

    key: str
    complete: bool
    terms: Sum
    algebra: Algebra | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Something made of parts: a tuple, a set (whose parts are sorted), a relation. `tag` says what."""

    key: str
    tag: str
    parts: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """Words, digits in a base, or something without a value: what has another key is something else."""

    key: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Mathematics outside the grammar (sums, integrals, cases): only a symbolic judge can say more."""

    key: str


Shape = Quantity | Form | Plain | Unread


Understood = tuple[tuple[Shape, ...], tuple[Mark, ...]]
"""Shapes in order of preference, and marks."""


class Meaning(NamedTuple):
    """One way to understand an answer: equal keys, equal meanings."""

    key: str
    shape: Shape
    closed: bool = False
    """Whether its key says everything: of two closed meanings with different keys nothing is open."""

    @classmethod
    def of(cls, shape: Shape) -> "Meaning":
        """A shape by its key, which is cut to a digest where it is long."""
        key = shape.key
        if len(key) > LONG:
            key = f"{key[:24]}…{blake2b(key.encode(errors='surrogatepass'), digest_size=16).hexdigest()}"
        return cls(key, shape, is_closed(shape))


def is_closed(shape: Shape) -> bool:
    """Whether a shape's key says everything of it."""
    match shape:
        case Quantity():
            return shape.complete
        case Form():
            return shape.tag not in OVERLAPPING and all(map(is_closed, shape.parts))
        case Plain():
            return True
        case Unread():
            return False


def is_known(shape: Shape) -> bool:
    """Return whether a shape holds no unknown: numbers, roots of numbers, π, e, and what is made of them."""
    match shape:
        case Quantity():
            return all(name[0] == "#" or name in ("pi", "e") for monomial in shape.terms for name, _ in monomial)
        case Form():
            return all(map(is_known, shape.parts))
        case _:
            return False


class Reading(NamedTuple):
    """An answer as it is understood.

    `meanings` are in order of preference: where another answer has one of them and no doubt, it is that one, else the
    first (50% is 1/2, unless somebody says 50 and nobody 1/2). `marks` are what may be left out: two answers of one
    meaning whose marks contradict each other (cm and m) are different.
    """

    text: str
    meanings: tuple[Meaning, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether its class is its key whatever the other answers are, if each of them is certain too."""
        return len(self.meanings) == 1 and not self.marks and self.meanings[0].closed
