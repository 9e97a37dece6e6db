"""List the graders that are compared: ours, and those that others use. A new grader is a new row.

Those of others are asked as their users ask them. What is not installed is left out.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType

from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_ours import our_grader
from benchmarks.grading_results import Judged, Voted
from reward_service.tools.replay.baselines import math_verify_grader, warnings_counted

Equal = Callable[[str, str], bool]


class Peer:
    """A grader of somebody else: a function of two answers."""

    def __init__(self, equal: Equal, given_up: Callable[[], int]) -> None:
        """`given_up` counts the comparisons that it ended for their time, which it says in its log only."""
        self._equal = equal
        self._given_up = given_up

    def pair(self, gold: str, answer: str) -> Judged:
        """Its verdict, and the CPU time it took. An error is a verdict too: users get no other."""
        before, began_s = self._given_up(), time.process_time()
        try:
            equal, trouble = bool(self._equal(gold, answer)), ""
        except Exception:
            equal, trouble = False, "error"
        cpu_s = time.process_time() - began_s
        return Judged(equal, cpu_s, "timeout" if self._given_up() > before else trouble)

    def vote(self, answers: Sequence[str]) -> Voted:
        """Classes by comparing each answer with those before it, one of each class, until one is equal."""
        began_s = time.process_time()
        founders: list[int] = []
        classes: list[int] = []
        for place, answer in enumerate(answers):
            joined = next((each for each in founders if self._equal(answers[each], answer)), None)
            if joined is None:
                founders.append(place)
            classes.append(place if joined is None else joined)
        cpu_s = time.process_time() - began_s
        return Voted(tuple(classes), cpu_s, cpu_s)


class Strings(Peer):
    """Equal texts, equal answers."""

    def vote(self, answers: Sequence[str]) -> Voted:
        """As anybody counts texts."""
        began_s = time.process_time()
        founder_at: dict[str, int] = {}
        classes = tuple(founder_at.setdefault(answer.strip(), place) for place, answer in enumerate(answers))
        cpu_s = time.process_time() - began_s
        return Voted(classes, cpu_s, cpu_s)


class Parsed(Peer):
    """math-verify in careful hands: each text is parsed once, equal texts are equal, and parses are compared."""

    def vote(self, answers: Sequence[str]) -> Voted:
        """The same clustering over distinct texts."""
        from math_verify import parse, verify

        began_s = time.process_time()
        parses = {answer: parse(f"\\boxed{{{answer}}}") for answer in dict.fromkeys(answers)}
        founder_of: dict[str, str] = {}
        for answer, parsed in parses.items():
            founders = dict.fromkeys(founder_of.values())
            founder_of[answer] = next((each for each in founders if verify(parses[each], parsed)), answer)
        classes = tuple(answers.index(founder_of[answer]) for answer in answers)
        cpu_s = time.process_time() - began_s
        return Voted(classes, cpu_s, cpu_s)


@dataclass(frozen=True, slots=True)
class Row:
    """How to open a grader, what has to be installed for it, and what it is."""

    open: Callable[[], AbstractContextManager[object]]
    what: str
    needs: str | None = None

    @property
    def missing(self) -> bool:
        """Whether it cannot be opened here."""
        return self.needs is not None and find_spec(self.needs) is None


@contextlib.contextmanager
def _strings() -> Iterator[Peer]:
    yield Strings(lambda gold, answer: gold.strip() == answer.strip(), lambda: 0)


@contextlib.contextmanager
def _math_verify(*, reverse: bool = False, careful: bool = False) -> Iterator[Peer]:
    """Its users give it the text in a box, and the gold answer first."""
    from math_verify import parse, verify

    def equal(gold: str, answer: str) -> bool:
        first, second = parse(f"\\boxed{{{gold}}}"), parse(f"\\boxed{{{answer}}}")
        return verify(second, first) if reverse else verify(first, second)

    with warnings_counted("math_verify") as timeouts, math_verify_grader():
        equal("1/2", r"\frac{\sqrt{4}}{4}")  # what its parser builds at its first use is not measured
        yield (Parsed if careful else Peer)(equal, timeouts)


@contextlib.contextmanager
def _mathruler() -> Iterator[Peer]:
    from mathruler.grader import grade_answer  # pyright: ignore[reportMissingImports]

    grade_answer(r"\frac{1}{2}", "0.5")
    yield Peer(lambda gold, answer: grade_answer(answer, gold), lambda: 0)


@contextlib.contextmanager
def _hendrycks() -> Iterator[Peer]:
    from mathruler.math_normalize import normalize_answer  # pyright: ignore[reportMissingImports]

    yield Peer(lambda gold, answer: normalize_answer(gold) == normalize_answer(answer), lambda: 0)


@contextlib.contextmanager
def _ai4math() -> Iterator[Peer]:
    from ai4math.verify import verify  # pyright: ignore[reportMissingImports]

    verify(r"\frac{1}{2}", "0.5")
    yield Peer(lambda gold, answer: bool(verify(gold, answer)), lambda: 0)


LENIENT, STRICT = "ours, lenient", "ours, strict"
FORWARD, BACKWARD, EITHER, BOTH = (f"math-verify {how}" for how in ("gold→answer", "answer→gold", "either", "both"))
STRINGS, CAREFUL = "string equality", "math-verify, parsed once"

CONTESTANTS: Mapping[str, Row] = MappingProxyType(
    {
        LENIENT: Row(partial(our_grader, Conventions.LENIENT), "SymbolicGrader.match with its judge"),
        STRICT: Row(partial(our_grader, Conventions.STRICT), "the same under strict conventions"),
        STRINGS: Row(_strings, "the stripped texts are equal"),
        FORWARD: Row(_math_verify, "verify(parse(gold), parse(answer))", "math_verify"),
        BACKWARD: Row(partial(_math_verify, reverse=True), "verify(parse(answer), parse(gold))", "math_verify"),
        "mathruler": Row(_mathruler, "the grader of PRM800K, as packaged", "mathruler"),
        "hendrycks": Row(_hendrycks, "MATH's own normalisation, as mathruler packages it", "mathruler"),
        "ai4math": Row(_ai4math, "ai4math.verify", "ai4math"),
    }
)

VOTERS: Mapping[str, Row] = MappingProxyType(
    {
        LENIENT: CONTESTANTS[LENIENT],
        STRINGS: CONTESTANTS[STRINGS],
        "math-verify, pairwise": CONTESTANTS[FORWARD],
        CAREFUL: Row(partial(_math_verify, careful=True), "each distinct text parsed once", "math_verify"),
    }
)
