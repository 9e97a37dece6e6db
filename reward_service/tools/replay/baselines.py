"""Grade answers as others do, for comparison. The service uses none of these graders."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator

from co_rewarding_schema.vocabulary import Conventions

from reward_service.grading.verdicts import Classes, Matches


class StringGrader:
    """Equal texts, equal answers, but for space at either end: what the code of the paper's authors does."""

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """Each answer's stripped text."""
        return Classes({answer: answer.strip() for answer in answers})

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """The answers of the truth's text."""
        return Matches(frozenset(answer for answer in answers if answer.strip() == truth.strip()))


class PairwiseGrader:
    """Classes by a comparison of two answers that need not be an equivalence, clustered greedily.

    Each answer joins the first class whose representative, the answer that founded it, is found equal. So the classes
    depend on the order of the answers: with a~b and b~c but not a~c, the order a, b, c gives {a, b}, {c} and the order
    b, a, c gives {a, b, c}.
    """

    def __init__(self, equal: Callable[[str, str], bool], given_up: Callable[[], int] = lambda: 0) -> None:
        """`equal` is asked (gold, answer); `given_up` says how many comparisons it has given up on so far."""
        self._equal = equal
        self._given_up = given_up

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """Each answer's representative."""
        before = self._given_up()
        class_of: dict[str, str] = {}
        for answer in answers:
            founders = dict.fromkeys(class_of.values())
            class_of[answer] = next((each for each in founders if self._equal(each, answer)), answer)
        return Classes(class_of, self._given_up() - before)

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """The answers that are found equal to the truth."""
        before = self._given_up()
        equal = frozenset(answer for answer in answers if self._equal(truth, answer))
        return Matches(equal, self._given_up() - before)


@contextlib.contextmanager
def math_verify_grader() -> Iterator[PairwiseGrader]:
    r"""math_verify as most of its users call it: parse(\boxed{gold}), parse(\boxed{answer}), verify(gold, answer).

    Naive on purpose, as a baseline. It runs in this process, in its main thread, under the package's own timeouts (5 s
    for each parse and comparison, by SIGALRM). It is not safe against hostile input: a computation inside C code does
    not hear the alarm, and memory has no bound. The classes depend on the order of the answers (see PairwiseGrader).
    What times out is unequal, as the package has it, and counts as undecided. SymPy's cache is emptied first, so that
    nobody profits from who came before; what the parsers learn at their first use stays in the process.
    """
    from math_verify import parse, verify
    from sympy.core.cache import clear_cache

    def equal(gold: str, answer: str) -> bool:
        return verify(parse(f"\\boxed{{{gold}}}"), parse(f"\\boxed{{{answer}}}"))

    clear_cache()
    with warnings_counted("math_verify") as timeouts:
        yield PairwiseGrader(equal, timeouts)


@contextlib.contextmanager
def warnings_counted(logger_name: str) -> Iterator[Callable[[], int]]:
    """Counts the warnings that a logger and those below it give from now on.

    The warnings are not shown meanwhile: those of math_verify quote an answer as it is, control characters too.
    """
    counter = _Warnings()
    logger = logging.getLogger(logger_name)
    propagated = logger.propagate
    logger.addHandler(counter)
    logger.propagate = False
    try:
        yield lambda: counter.count
    finally:
        logger.propagate = propagated
        logger.removeHandler(counter)


class _Warnings(logging.Handler):
    """Counts warnings. The package tells of a timeout in no other way, unless it is made to behave differently."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
