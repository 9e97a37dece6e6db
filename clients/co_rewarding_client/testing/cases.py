"""List the cases that an adapter is proved by: how a step is cut into calls, and what happens meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Order(StrEnum):
    """In which order a trainer hands over what it has sampled."""

    GROUPED = "grouped"
    """Question by question, the original's group before the paraphrase's."""
    VIEWS = "views"
    """The originals of all questions, then the paraphrases."""
    RANDOM = "random"


class Wire(StrEnum):
    """What happens to requests between the adapter and the service."""

    PLAIN = "plain"
    TWICE = "twice"
    """Each request reaches the service twice, at the same time."""
    CUT = "cut"
    """Every third connection breaks: before the request reached the service or after it, in turn."""
    AWAY = "away"
    """No connection can be made for `AWAY_S` seconds."""


AWAY_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. The defaults are a step of eight questions, handed over in order by one process, 64 calls at a time.

    `in_flight` bounds the calls of a process at one time. `published` is False where the method needs a teacher and
    weights are never published. `refused` says that no rewards can be right.
    """

    name: str
    about: str
    order: Order = Order.GROUPED
    in_flight: int = 64
    ranks: int = 1
    questions: int = 8
    wire: Wire = Wire.PLAIN
    redone: bool = False
    evaluation: bool = False
    padded: bool = False
    lone_questions: int = 0
    published: bool = True
    deadline_s: float = 600.0

    @property
    def refused(self) -> bool:
        """Whether the only right end is an error."""
        return not self.published


def _orders() -> tuple[Case, ...]:
    return tuple(
        Case(
            name=f"{order}-{in_flight}",
            about=f"calls in the order {order}, {in_flight} at a time",
            order=order,
            in_flight=in_flight,
        )
        for order in Order
        for in_flight in (1, 6, 64)
    )


_CASES = (
    *_orders(),
    Case(name="ranks-2", about="groups split over two processes", ranks=2, questions=3),
    Case(name="ranks-4", about="groups split over four processes", ranks=4, questions=3),
    Case(name="twice", about="every request reaches the service twice", wire=Wire.TWICE),
    Case(name="cut", about="a third of the connections break", wire=Wire.CUT),
    Case(name="away", about=f"the service is away for {AWAY_S:g} s", wire=Wire.AWAY),
    Case(name="redone", about="the trainer is started again, and does a step again with other responses", redone=True),
    Case(name="evaluation", about="an evaluation of the same questions in the middle of a step", evaluation=True),
    Case(name="padded", about="copies of rollouts, as trainers add them to fill a batch", padded=True),
    Case(name="view-missing", about="one question comes in one view alone", lone_questions=1, deadline_s=30.0),
    Case(name="all-abstained", about="each question comes in one view alone", lone_questions=8, deadline_s=5.0),
    Case(
        name="unpublished",
        about="the teacher must answer, and no weights are ever published",
        published=False,
    ),
)

CASES: Mapping[str, Case] = MappingProxyType({case.name: case for case in _CASES})
