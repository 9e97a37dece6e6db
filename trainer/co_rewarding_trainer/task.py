"""Define what a task is: problems with one answer each, told in several wordings, and pairs of views drawn from them.

A pair is one problem in two of the wordings: the question x and its paraphrase x′, which have the same answer. Each
task is in a module of its own, and `task_table.TASKS` lists them.
"""

import random
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

View = Literal["original", "paraphrase"]
VIEWS: tuple[View, View] = ("original", "paraphrase")

DIGITS = tuple("0123456789")
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TOLD = "="
"""Ends every prompt."""

# One problem in ten is held out. The hash of its key decides, so that no list of problems is needed.
HELD_OUT_ONE_IN = 10


class WarmStart(StrEnum):
    """The policies that a training may start from: without habits, or with those of each wording, or of one for all."""

    PLAIN = "plain"
    OWN_HABITS = "own-habits"
    SHARED_HABITS = "shared-habits"


@dataclass(frozen=True)
class Mistakes:
    """The mistakes of a worked example.

    Attributes:
        slip_rate: the share of steps whose result is any digit.
        habit: digits that are often read as another digit.
        habit_rate: how often such a digit is misread.
    """

    slip_rate: float = 0.0
    habit: Mapping[int, int] = field(default_factory=dict[int, int])
    habit_rate: float = 0.0

    def read(self, digit: int, rng: random.Random) -> int:
        """Reads a digit of the problem, by the habit."""
        return self.habit[digit] if digit in self.habit and rng.random() < self.habit_rate else digit

    def slip(self, result: int, rng: random.Random, among: range = range(10)) -> int:
        """Writes the result of a step, which may be one of `among` for no reason."""
        return rng.choice(among) if rng.random() < self.slip_rate else result


@dataclass(frozen=True)
class Worked:
    r"""A worked response: the words of its steps, and the number in its box."""

    steps: tuple[str, ...]
    answer: str

    @property
    def text(self) -> str:
        r"""Writes the response, e.g. `* 5 0 + 2 2 \boxed{2}`."""
        return " ".join((*self.steps, f"\\boxed{{{self.answer}}}"))


class Problem(Protocol):
    """A problem, whatever the words that it is told in."""

    @property
    def key(self) -> str:
        """Names the problem; no two problems have the same key."""
        ...

    @property
    def answer(self) -> str:
        """Returns the right answer: a whole number."""
        ...

    def told(self, wording: int) -> str:
        """Tells the problem in one of the task's wordings, by its place among them."""
        ...

    def worked(self, mistakes: Mistakes, rng: random.Random) -> Worked:
        """Works the problem out, step by step; a mistake carries on."""
        ...

    def altered(self, rng: random.Random) -> "Problem":
        """Changes one number of the problem."""
        ...


@dataclass(frozen=True)
class Wording:
    """One of the wordings of a task.

    Attributes:
        taught: how often the warm start tells a problem so, relative to the other wordings.
        habit: the digits that a warm start with habits misreads in the wording.
    """

    name: str
    taught: float
    habit: Mapping[int, int]


@dataclass(frozen=True)
class Teaching:
    """How a warm start is taught.

    Attributes:
        steps: where the teaching ends: before the policy has learnt all of the task.
        schedule_steps: where the learning rate would have come down to a tenth of itself.
    """

    steps: int
    schedule_steps: int = 1200
    examples_per_step: int = 64
    learning_rate: float = 2e-3
    warmup_steps: int = 100


@dataclass(frozen=True)
class Task:
    """A task by its name.

    Attributes:
        words: the words of all prompts and responses, in the order of their tokens; the box is not among them. None:
            the task is told in sentences, and a warm start begins with a language model that can read.
        wordings: two or more.
        draw: draws a problem to train on, or to hold out.
        draw_example: draws a problem for the warm start, among them easier ones.
        max_new_tokens: what the longest right response needs, and some room to go wrong.
        teaching: how a warm start is taught.
    """

    name: str
    words: tuple[str, ...] | None
    wordings: tuple[Wording, ...]
    draw: Callable[[random.Random], Problem]
    draw_example: Callable[[random.Random], Problem]
    max_new_tokens: int
    teaching: Teaching


@dataclass(frozen=True)
class TaskProblem:
    """A problem and its two wordings, one for each view."""

    problem: Problem
    wordings: tuple[int, int]

    @property
    def key(self) -> str:
        """Names the problem without its wordings."""
        return self.problem.key

    @property
    def answer(self) -> str:
        """Returns the right answer, which is that of both views."""
        return self.problem.answer

    @property
    def held_out(self) -> bool:
        """Tells whether the problem is kept from training."""
        return is_held_out(self.problem)

    def prompt(self, view: View) -> str:
        """Writes the problem as the policy reads it, in the wording of the view."""
        return self.problem.told(self.wordings[VIEWS.index(view)])


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


def boxed_answer(text: str) -> str | None:
    """Returns the number in the last complete box, or None. Used for evaluation only: the service gives rewards."""
    answers = re.findall(r"\\boxed\{(-?\d+)\}", text)
    return answers[-1] if answers else None


def is_held_out(problem: Problem) -> bool:
    """Tells whether a problem is kept from training: the hash of its key decides."""
    return zlib.crc32(problem.key.encode()) % HELD_OUT_ONE_IN == 0


def draw_problem(task: Task, rng: random.Random) -> TaskProblem:
    """Draws a problem in two different wordings, which may be one for training or one held out."""
    original, paraphrase = rng.sample(range(len(task.wordings)), 2)
    return TaskProblem(task.draw(rng), (original, paraphrase))


def draw_problems(task: Task, count: int, seed: str, *, held_out: bool = False) -> list[TaskProblem]:
    """Draws `count` different problems, all for training or all held out; the same seed draws the same problems."""
    rng = random.Random(seed)  # noqa: S311 - data, not secrets
    drawn: dict[str, TaskProblem] = {}
    while len(drawn) < count:
        problem = draw_problem(task, rng)
        if problem.held_out is held_out:
            drawn.setdefault(problem.key, problem)
    return list(drawn.values())


def draw_pairs(task: Task, count: int, seed: str, wrong_share: float = 0.0) -> list[TaskPair]:
    """Draws `count` pairs for training. In a share of them the paraphrase is wrong: a number differs."""
    rng = random.Random(f"wrong paraphrases {seed}")  # noqa: S311 - data, not secrets
    problems = draw_problems(task, count, seed)
    wrong = set(rng.sample(range(count), round(wrong_share * count)))
    return [TaskPair(problem, _mistold(problem, rng) if at in wrong else None) for at, problem in enumerate(problems)]


def _mistold(told: TaskProblem, rng: random.Random) -> TaskProblem:
    """Changes numbers of the problem until its answer changes."""
    other = told.problem
    while other.answer == told.answer or is_held_out(other):
        other = other.altered(rng)
    return TaskProblem(other, told.wordings)
