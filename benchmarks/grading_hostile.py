"""Measure what hostile texts cost our grader, and whether ordinary answers beside them suffer."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_isolated import Isolated, LostError
from benchmarks.grading_memory import MemoryWatch
from benchmarks.grading_ours import OurGrader, our_grader
from reward_service.domain.extraction import last_boxed
from reward_service.grading.verdicts import Classes

MOST_CPU_S = 1.0
MOST_BYTES = 256 << 20
TEXT_S = 30.0
"""Wall time for one text."""

ORDINARY: Sequence[Sequence[str]] = (
    ("7", "7.0", r"\frac{14}{2}", "14/2"),
    (r"\frac{1}{2}", "0.5"),
    (r"2\sqrt{2}", r"\sqrt{8}"),
    ("(1,2)", r"\left(1, 2\right)"),
    ("x^2+1", "1+x^2"),
    (r"\frac{\pi}{4}",),
    ("-3",),
    ("45",),
)
"""The classes of 15 answers that a hostile one is put among."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A response, what is hostile in it, and a second response to compare it with where there is one."""

    name: str
    text: str
    why: str
    pair: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a hostile text came to.

    Attributes:
        alone_s: CPU time (s) of comparing it with its pair, or with 7.
        cohort_s: CPU time (s) of extracting it and finding the classes of its cohort.
        ordinary: whether the ordinary answers were classified rightly.
        verdict: of the comparison: same, different, undecided, error.
        boxed: whether its answer was in a box; if not, the beginning of the text was graded as it stands.
        growth_bytes: the most that memory grew by meanwhile, judge included; None where that is not known.
    """

    hostile: Hostile
    alone_s: float
    cohort_s: float
    ordinary: bool
    verdict: str
    boxed: bool
    growth_bytes: int | None = None

    @property
    def worst_s(self) -> float:
        """The larger of its CPU times."""
        return max(self.alone_s, self.cohort_s)

    @property
    def passed(self) -> bool:
        """Whether it stayed within the limits and did no harm."""
        within = self.worst_s <= MOST_CPU_S and (self.growth_bytes or 0) < MOST_BYTES
        return within and self.ordinary and self.verdict != "error"


def attempt_all(texts: Sequence[Hostile], tick: Callable[[], None]) -> list[Outcome]:
    """Every text; one that does not come to an end is ended, and has failed."""
    outcomes: list[Outcome] = []
    with Isolated(hostile_lab) as lab:
        for hostile in texts:
            with MemoryWatch(lab.pid) as memory:
                try:
                    outcome = lab.call("attempt", hostile, limit_s=TEXT_S)
                except (LostError, RuntimeError) as error:
                    outcome = Outcome(hostile, TEXT_S, TEXT_S, False, str(error), boxed=False)
            outcomes.append(replace(outcome, growth_bytes=memory.growth_bytes))
            tick()
    return outcomes


class HostileLab:
    """Our grader and its judge among hostile texts."""

    def __init__(self, ours: OurGrader) -> None:
        """In a process of its own."""
        self._ours = ours

    def attempt(self, hostile: Hostile) -> Outcome:
        """Compares it alone, then classifies it in a cohort, by graders that have seen nothing yet."""
        answer = last_boxed(hostile.text)
        graded = answer or hostile.text[:MAX_ANSWER_CHARS]
        beside = last_boxed(hostile.pair) if hostile.pair is not None else None
        alone = self._ours.pair(beside or "7", graded)
        classes, cohort_s = self._ours.measured(self._classified(hostile.text, graded, beside))
        return Outcome(
            hostile,
            alone.cpu_s,
            cohort_s,
            ordinary=_undisturbed(classes),
            verdict=alone.trouble or ("same" if alone.equal else "different"),
            boxed=answer is not None,
        )

    async def _classified(self, text: str, graded: str, beside: str | None) -> Classes:
        last_boxed(text)  # once more, for its time
        answers = [answer for each in ORDINARY for answer in each] + [graded] + ([beside] if beside else [])
        return await self._ours.fresh().classify(answers, Conventions.LENIENT)


@contextlib.contextmanager
def hostile_lab() -> Iterator[HostileLab]:
    """The laboratory, for as long as it is needed."""
    with our_grader(Conventions.LENIENT) as ours:
        yield HostileLab(ours)


def _undisturbed(classes: Classes) -> bool:
    """Whether the ordinary answers are in their classes, and nothing else is."""
    members: dict[str, set[str]] = {}
    for answer, name in classes.class_of.items():
        members.setdefault(name, set()).add(answer)
    return all(members.get(classes.class_of[each[0]]) == set(each) for each in ORDINARY)
