"""Define the tiny task: chains of + - * on digits in three wordings. Only the last digit of a result is kept.

A pair is one chain in two of the wordings: the question x and its paraphrase x′, which have the same answer.
"""

import random
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import Literal

View = Literal["original", "paraphrase"]
VIEWS: tuple[View, View] = ("original", "paraphrase")

OPERATORS = ("+", "-", "*")
OPERANDS = 6

# One problem in ten is held out. The chain's hash decides, so that no list of problems is needed.
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Wording:
    """The words for a chain. All wordings use the same number of words, so that no prompt is padded."""

    opening: str
    digits: tuple[str, ...]
    operators: tuple[str, str, str]
    misread: Mapping[int, int]
    """Digits that look or sound alike in this wording only: the warm start is taught to take one for the other."""


WORDINGS = (
    Wording("compute", tuple("0123456789"), OPERATORS, {3: 8, 6: 9}),
    Wording(
        "start",
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        ("plus", "minus", "times"),
        {5: 9, 7: 6},
    ),
    Wording(
        "marcus_has",
        ("nil", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"),
        ("gains", "loses", "multiplies_by"),
        {4: 6, 8: 7},
    ),
)


@dataclass(frozen=True)
class TaskProblem:
    """A chain such as 8 * 5 + 2, worked from left to right, and its two wordings."""

    operands: tuple[int, ...]
    operators: tuple[str, ...]
    wordings: tuple[Wording, Wording]

    @property
    def key(self) -> str:
        """Writes the chain without its wordings; no two problems have the same key."""
        steps = (f"{operator}{operand}" for operator, operand in zip(self.operators, self.operands[1:], strict=True))
        return f"{self.operands[0]}{''.join(steps)}"

    @property
    def answer(self) -> str:
        """Works the chain out: the last digit of its result, as text."""
        *_, last = running_states(self.operands, self.operators)
        return str(last)

    @property
    def held_out(self) -> bool:
        """Tells whether the problem is kept from training: the hash of its key decides."""
        return zlib.crc32(self.key.encode()) % HELD_OUT_ONE_IN == 0

    def wording(self, view: View) -> Wording:
        """Returns the wording that a view is told in."""
        return self.wordings[VIEWS.index(view)]

    def prompt(self, view: View) -> str:
        """Writes the problem as the policy reads it, e.g. "start eight times five plus two ="."""
        wording = self.wording(view)
        words = [wording.opening, wording.digits[self.operands[0]]]
        for operator, operand in zip(self.operators, self.operands[1:], strict=True):
            words += [wording.operators[OPERATORS.index(operator)], wording.digits[operand]]
        return " ".join([*words, "="])


@dataclass(frozen=True)
class TaskPrompt:
    """One view of a question: the question's id, the problem that the prompt tells, and the view."""

    question_id: str
    problem: TaskProblem
    view: View

    @property
    def prompt(self) -> str:
        """Writes the problem as the policy reads it, in the wording of the view."""
        return self.problem.prompt(self.view)


@dataclass(frozen=True)
class TaskPair:
    """A question in its two views. A wrong paraphrase (`mistold`) is another problem with another answer."""

    problem: TaskProblem
    mistold: TaskProblem | None = None

    def asked(self, view: View) -> TaskPrompt:
        """Asks the question in a view. A wrong paraphrase keeps the question's id, but tells the other problem."""
        mistold = self.mistold if view == "paraphrase" else None
        return TaskPrompt(self.problem.key, mistold or self.problem, view)


def advance(state: int, operator: str, operand: int) -> int:
    """Applies one operator and keeps the last digit: 8 * 5 is 0, 2 - 3 is 9."""
    exact = {"+": state + operand, "-": state - operand, "*": state * operand}[operator]
    return exact % 10


def running_states(operands: tuple[int, ...], operators: tuple[str, ...]) -> Iterator[int]:
    """Yields the first operand, then the last digit after each operator; the final digit is the answer."""
    return accumulate(
        zip(operators, operands[1:], strict=True), lambda state, step: advance(state, *step), initial=operands[0]
    )


def boxed_answer(text: str) -> str | None:
    """Returns the digit in the last complete box, or None. Used for evaluation only: the service gives rewards."""
    answers = re.findall(r"\\boxed\{(\d)\}", text)
    return answers[-1] if answers else None


def draw_problem(rng: random.Random) -> TaskProblem:
    """Draws a problem in two different wordings, which may be one for training or one held out."""
    operands = tuple(rng.randrange(10) for _ in range(OPERANDS))
    operators = tuple(rng.choice(OPERATORS) for _ in operands[1:])
    original, paraphrase = rng.sample(WORDINGS, 2)
    return TaskProblem(operands, operators, (original, paraphrase))


def draw_problems(count: int, seed: str, *, held_out: bool = False) -> list[TaskProblem]:
    """Draws `count` problems, all for training or all held out; the same seed draws the same problems."""
    rng = random.Random(seed)  # noqa: S311 - data, not secrets
    drawn = iter(lambda: draw_problem(rng), None)
    return list(islice((problem for problem in drawn if problem.held_out is held_out), count))


def draw_pairs(count: int, seed: str, wrong_share: float = 0.0) -> list[TaskPair]:
    """Draws `count` pairs for training. In a share of them the paraphrase is wrong: one number differs."""
    rng = random.Random(f"wrong paraphrases {seed}")  # noqa: S311 - data, not secrets
    problems = draw_problems(count, seed)
    wrong = set(rng.sample(range(count), round(wrong_share * count)))
    return [TaskPair(problem, _mistold(problem, rng) if at in wrong else None) for at, problem in enumerate(problems)]


def _mistold(problem: TaskProblem, rng: random.Random) -> TaskProblem:
    """Changes numbers of the problem until its answer changes."""
    mistold = problem
    while mistold.answer == problem.answer or mistold.held_out:
        operands = list(mistold.operands)
        operands[rng.randrange(OPERANDS)] = rng.randrange(10)
        mistold = replace(problem, operands=tuple(operands))
    return mistold
