r"""Define the task `word-problems`: sums of two or three steps, told in sentences; for a language model with a base.

The four wordings tell 8 + 5 - 2 as

    Tom has 8 apples. Then Tom gets 5 more. Then Tom gives away 2. How many apples does Tom have?
    At first there are eight apples in the basket of Tom. Five are put in. Two are taken out. How many are in it?
    How many apples are left for Tom in the end? Before that, 2 were lost. Before that, 5 were found. Before all of it
        there were 8.
    Count the apples of Tom: eight at home, and five more from a friend, less two that were bad, what is the count?

each with ` Answer:` behind. The response writes a sum for each step: `8+5=13 13-2=11 \boxed{11}`.
"""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from co_rewarding_trainer.task import NUMBER_WORDS, Mistakes, Task, Teaching, Wording, Worked

STEPS = range(2, 4)
EXAMPLE_STEPS = range(1, 4)
FIRSTS = range(3, 21)
OPERANDS = range(2, 10)
FACTORS = range(2, 4)
MOST = 60
"""No result on the way is above it, and none below zero."""

NEAR = 3
"""How far a slip may be from the right result."""

NAMES = ("Tom", "Anna", "Ben", "Maria", "Sam", "Lucy")
THINGS = ("apples", "coins", "books", "pens", "eggs", "stamps")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
    "twenty",
)
WORDS = (*NUMBER_WORDS, *TEENS)
FIGURES = tuple(str(number) for number in range(len(WORDS)))


@dataclass(frozen=True)
class StoryWording(Wording):
    """The sentences for a story; `{name}`, `{thing}` and, of a step, `{number}` stand for what it tells.

    Attributes:
        steps: the sentence of each operator.
        numbers: how each number is written.
        backwards: the last step is told first, and the first number last.
    """

    opening: str
    steps: dict[str, str]
    closing: str
    numbers: tuple[str, ...]
    backwards: bool = False


WORDINGS = (
    StoryWording(
        "in order",
        3.0,
        {3: 8, 6: 9},
        "{name} has {number} {thing}.",
        {
            "+": "Then {name} gets {number} more.",
            "-": "Then {name} gives away {number}.",
            "*": "Then {name} has {number} times as many.",
        },
        "How many {thing} does {name} have?",
        FIGURES,
    ),
    StoryWording(
        "basket",
        2.0,
        {5: 9, 7: 6},
        "At first there are {number} {thing} in the basket of {name}.",
        {
            "+": "{number} are put in.",
            "-": "{number} are taken out.",
            "*": "The basket is filled to {number} times its count.",
        },
        "How many are in it?",
        WORDS,
    ),
    StoryWording(
        "backwards",
        1.0,
        {4: 6, 8: 7},
        "Before all of it there were {number}.",
        {
            "+": "Before that, {number} were found.",
            "-": "Before that, {number} were lost.",
            "*": "Before that, the number grew to {number} times what it was.",
        },
        "How many {thing} are left for {name} in the end?",
        FIGURES,
        backwards=True,
    ),
    StoryWording(
        "count",
        0.5,
        {2: 5, 9: 4},
        "Count the {thing} of {name}: {number} at home,",
        {
            "+": "and {number} more from a friend,",
            "-": "less {number} that were bad,",
            "*": "and that {number} times over,",
        },
        "what is the count?",
        WORDS,
    ),
)


@dataclass(frozen=True)
class Sum:
    """One step of a story: an operator, and the number that it takes."""

    operator: str
    operand: int

    def of(self, state: int) -> int:
        """Works the step out."""
        return {"+": state + self.operand, "-": state - self.operand, "*": state * self.operand}[self.operator]

    @property
    def operands(self) -> range:
        """Lists the numbers that the operator may take."""
        return FACTORS if self.operator == "*" else OPERANDS


@dataclass(frozen=True)
class Story:
    """A story such as 8 + 5 - 2, worked from left to right. Its key decides who has what."""

    first: int
    steps: tuple[Sum, ...]

    @property
    def key(self) -> str:
        """Writes the story in symbols."""
        return f"{self.first}{''.join(f'{step.operator}{step.operand}' for step in self.steps)}"

    @property
    def answer(self) -> str:
        """Works the story out, as text."""
        *_, last = self.states()
        return str(last)

    def states(self) -> Iterator[int]:
        """Yields the first number, then the result of each step."""
        return accumulate(self.steps, lambda state, step: step.of(state), initial=self.first)

    def told(self, wording: int) -> str:
        """Tells the story, with ` Answer:` behind."""
        words, at = WORDINGS[wording], zlib.crc32(self.key.encode())
        cast = {"name": NAMES[at % len(NAMES)], "thing": THINGS[at // len(NAMES) % len(THINGS)]}
        opening = words.opening.format(number=words.numbers[self.first], **cast)
        steps = [
            _sentence(words.steps[step.operator].format(number=words.numbers[step.operand], **cast))
            for step in (reversed(self.steps) if words.backwards else self.steps)
        ]
        closing = words.closing.format(**cast)
        told = [closing, *steps, opening] if words.backwards else [opening, *steps, closing]
        return " ".join([*told, "Answer:"])

    def worked(self, mistakes: Mistakes, rng: random.Random) -> Worked:
        """Works the story out: a sum for each step. A slip is near the right result."""
        state = mistakes.read(self.first, rng)
        written: list[str] = []
        for step in self.steps:
            read = replace(step, operand=mistakes.read(step.operand, rng))
            right = read.of(state)
            result = mistakes.slip(right, rng, range(right - NEAR, right + NEAR + 1))
            written.append(f"{state}{read.operator}{read.operand}={result}")
            state = result
        return Worked(tuple(written), str(state))

    def altered(self, rng: random.Random) -> "Story":
        """Changes one number of the story, so that it can still be told."""
        at = rng.randrange(len(self.steps) + 1)
        if at == 0:
            numbers = [replace(self, first=number) for number in FIRSTS]
        else:
            before, step, behind = self.steps[: at - 1], self.steps[at - 1], self.steps[at:]
            numbers = [
                replace(self, steps=(*before, replace(step, operand=number), *behind)) for number in step.operands
            ]
        return rng.choice([story for story in numbers if story.can_be_told])

    @property
    def can_be_told(self) -> bool:
        """Tells whether every result is between 0 and `MOST`."""
        return all(0 <= state <= MOST for state in self.states())


def draw_story(rng: random.Random, lengths: range) -> Story:
    """Draws a story of one of the lengths, in steps."""
    while True:
        story = Story(rng.choice(FIRSTS), tuple(_draw_step(rng) for _ in range(rng.choice(lengths))))
        if story.can_be_told:
            return story


def _draw_step(rng: random.Random) -> Sum:
    operator = rng.choice("+-*")
    return Sum(operator, rng.choice(FACTORS if operator == "*" else OPERANDS))


def _sentence(text: str) -> str:
    """Begins a sentence with a capital; a part of one stays as it is."""
    return text[0].upper() + text[1:] if text.endswith(".") else text


WORD_PROBLEMS = Task(
    name="word-problems",
    words=None,
    wordings=WORDINGS,
    draw=lambda rng: draw_story(rng, STEPS),
    draw_example=lambda rng: draw_story(rng, EXAMPLE_STEPS),
    max_new_tokens=48,
    teaching=Teaching(steps=100, schedule_steps=300, examples_per_step=16, learning_rate=1e-4, warmup_steps=15),
)
