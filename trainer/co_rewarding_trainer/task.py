"""The tiny task: chains of + - * on digits, of which only the last digit is kept, in three wordings.

A model pair is one chain in two of the wordings: the question x and its paraphrase x′, whose answer is the same.
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

# One problem in ten is held out. The chain's own hash decides, so that no list has to be kept or passed on.
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Wording:
    """A way to write a chain. Each spends as many words as the others, so that no prompt is ever padded."""

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
    """A chain such as 8 * 5 + 2, worked from left to right, and the two wordings in which it is told."""

    operands: tuple[int, ...]
    operators: tuple[str, ...]
    wordings: tuple[Wording, Wording]

    @property
    def key(self) -> str:
        """The chain without its wordings: what tells one problem from another."""
        steps = (f"{operator}{operand}" for operator, operand in zip(self.operators, self.operands[1:], strict=True))
        return f"{self.operands[0]}{''.join(steps)}"

    @property
    def answer(self) -> str:
        *_, last = running_states(self.operands, self.operators)
        return str(last)

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.key.encode()) % HELD_OUT_ONE_IN == 0

    def wording(self, view: View) -> Wording:
        return self.wordings[VIEWS.index(view)]

    def prompt(self, view: View) -> str:
        """The problem as the policy reads it, e.g. "start eight times five plus two ="."""
        wording = self.wording(view)
        words = [wording.opening, wording.digits[self.operands[0]]]
        for operator, operand in zip(self.operators, self.operands[1:], strict=True):
            words += [wording.operators[OPERATORS.index(operator)], wording.digits[operand]]
        return " ".join([*words, "="])


@dataclass(frozen=True)
class TaskPrompt:
    """One view of a question as it is asked: what the problem is called, what in fact is told, and in which wording."""

    question_id: str
    problem: TaskProblem
    view: View

    @property
    def prompt(self) -> str:
        return self.problem.prompt(self.view)


@dataclass(frozen=True)
class TaskPair:
    """A question in its two views. A wrong paraphrase tells another problem, whose answer is another one."""

    problem: TaskProblem
    mistold: TaskProblem | None = None

    def asked(self, view: View) -> TaskPrompt:
        mistold = self.mistold if view == "paraphrase" else None
        return TaskPrompt(self.problem.key, mistold or self.problem, view)


def advance(state: int, operator: str, operand: int) -> int:
    """One operator, of which the last digit is kept: 8 * 5 is 0, 2 - 3 is 9."""
    exact = {"+": state + operand, "-": state - operand, "*": state * operand}[operator]
    return exact % 10


def running_states(operands: tuple[int, ...], operators: tuple[str, ...]) -> Iterator[int]:
    """The first operand, then the last digit after each operator; the final one is the answer."""
    return accumulate(
        zip(operators, operands[1:], strict=True), lambda state, step: advance(state, *step), initial=operands[0]
    )


def boxed_answer(text: str) -> str | None:
    """The digit in the last complete box, or None. Only the evaluation asks: rewards are the service's."""
    answers = re.findall(r"\\boxed\{(\d)\}", text)
    return answers[-1] if answers else None


def draw_problem(rng: random.Random) -> TaskProblem:
    operands = tuple(rng.randrange(10) for _ in range(OPERANDS))
    operators = tuple(rng.choice(OPERATORS) for _ in operands[1:])
    original, paraphrase = rng.sample(WORDINGS, 2)
    return TaskProblem(operands, operators, (original, paraphrase))


def draw_problems(count: int, seed: str, *, held_out: bool = False) -> list[TaskProblem]:
    """`count` problems from the training side or from the held-out side; the same seed draws the same problems."""
    rng = random.Random(seed)  # noqa: S311 - data, not secrets
    drawn = iter(lambda: draw_problem(rng), None)
    return list(islice((problem for problem in drawn if problem.held_out is held_out), count))


def draw_pairs(count: int, seed: str, wrong_share: float = 0.0) -> list[TaskPair]:
    """`count` pairs from the training side, of which a share has a wrong paraphrase: another number in it."""
    rng = random.Random(f"wrong paraphrases {seed}")  # noqa: S311 - data, not secrets
    problems = draw_problems(count, seed)
    wrong = set(rng.sample(range(count), round(wrong_share * count)))
    return [TaskPair(problem, _mistold(problem, rng) if at in wrong else None) for at, problem in enumerate(problems)]


def _mistold(problem: TaskProblem, rng: random.Random) -> TaskProblem:
    """The problem with a number changed; with another one too, as long as the answer stays what it was."""
    mistold = problem
    while mistold.answer == problem.answer or mistold.held_out:
        operands = list(mistold.operands)
        operands[rng.randrange(OPERANDS)] = rng.randrange(10)
        mistold = replace(problem, operands=tuple(operands))
    return mistold
