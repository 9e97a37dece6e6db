r"""Define the task `chains`: two to six steps of + - * on digits, of which only the last digit is kept.

The four wordings tell 8 * 5 + 2 as `compute 8 * 5 + 2 =`, `start eight times five plus two =`,
`find 2 more_than 5 groups_of 8 =` (the last step first) and `tom_has eight times_over five gets two =`. The response
writes operator, operand and result of each step: `* 5 0 + 2 2 \boxed{2}`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import NamedTuple

from co_rewarding_trainer.task import DIGITS, NUMBER_WORDS, TOLD, Mistakes, Task, Teaching, Wording, Worked

OPERATORS = ("+", "-", "*")
STEPS = range(2, 7)
EXAMPLE_STEPS = range(1, 7)
TIMES_SHARE = 0.5
ROOM = 3


@dataclass(frozen=True)
class ChainWording(Wording):
    """The words for a chain. A backwards wording tells the last step first, and the first digit last."""

    opening: str
    digits: tuple[str, ...]
    operators: tuple[str, str, str]
    backwards: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """Lists the words of the wording."""
        return (self.opening, *self.digits, *self.operators)


WORDINGS = (
    ChainWording("symbols", 3.0, {3: 8, 6: 9}, "compute", DIGITS, OPERATORS),
    ChainWording("words", 2.0, {5: 9, 7: 6}, "start", NUMBER_WORDS, ("plus", "minus", "times")),
    ChainWording("nested", 1.0, {4: 6, 8: 7}, "find", DIGITS, ("more_than", "less_than", "groups_of"), backwards=True),
    ChainWording("story", 0.5, {2: 5, 9: 4}, "tom_has", NUMBER_WORDS, ("gets", "loses", "times_over")),
)


class Step(NamedTuple):
    """One step of a chain: an operator, and the digit that it takes."""

    operator: str
    operand: int


@dataclass(frozen=True)
class Chain:
    """A chain such as 8 * 5 + 2, worked from left to right."""

    first: int
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """Writes the chain in symbols."""
        return f"{self.first}{''.join(f'{operator}{operand}' for operator, operand in self.steps)}"

    @property
    def answer(self) -> str:
        """Works the chain out: the last digit of its result, as text."""
        *_, last = self.states()
        return str(last)

    def states(self) -> Iterator[int]:
        """Yields the first digit, then the last digit after each step; the final digit is the answer."""
        return accumulate(self.steps, advance, initial=self.first)

    def told(self, wording: int) -> str:
        """Tells the chain, e.g. "start eight times five plus two ="."""
        words = WORDINGS[wording]
        steps = [
            (words.operators[OPERATORS.index(operator)], words.digits[operand]) for operator, operand in self.steps
        ]
        first = words.digits[self.first]
        if words.backwards:
            told = [*chain.from_iterable((operand, operator) for operator, operand in reversed(steps)), first]
        else:
            told = [first, *chain.from_iterable(steps)]
        return " ".join([words.opening, *told, TOLD])

    def worked(self, mistakes: Mistakes, rng: random.Random) -> Worked:
        """Works the chain out: three words for each step."""
        state = mistakes.read(self.first, rng)
        written: list[str] = []
        for operator, operand in self.steps:
            read = Step(operator, mistakes.read(operand, rng))
            state = mistakes.slip(advance(state, read), rng)
            written += [operator, str(read.operand), str(state)]
        return Worked(tuple(written), str(state))

    def altered(self, rng: random.Random) -> "Chain":
        """Changes one digit of the chain."""
        at = rng.randrange(len(self.steps) + 1)
        if at == 0:
            return replace(self, first=rng.randrange(10))
        steps = list(self.steps)
        steps[at - 1] = steps[at - 1]._replace(operand=rng.randrange(1, 10))
        return replace(self, steps=tuple(steps))


def advance(state: int, step: Step) -> int:
    """Applies one step and keeps the last digit: 8 * 5 is 0, 2 - 3 is 9."""
    exact = {"+": state + step.operand, "-": state - step.operand, "*": state * step.operand}[step.operator]
    return exact % 10


def draw_chain(rng: random.Random, lengths: range) -> Chain:
    """Draws a chain of one of the lengths, in steps."""
    return Chain(rng.randrange(10), tuple(_draw_step(rng) for _ in range(rng.choice(lengths))))


def _draw_step(rng: random.Random) -> Step:
    operator = "*" if rng.random() < TIMES_SHARE else rng.choice("+-")
    return Step(operator, rng.randrange(1, 10))


CHAINS = Task(
    name="chains",
    words=tuple(dict.fromkeys((TOLD, *DIGITS, *OPERATORS, *chain.from_iterable(each.words for each in WORDINGS)))),
    wordings=WORDINGS,
    draw=lambda rng: draw_chain(rng, STEPS),
    draw_example=lambda rng: draw_chain(rng, EXAMPLE_STEPS),
    max_new_tokens=3 * STEPS[-1] + 3 + ROOM,
    teaching=Teaching(steps=640),
)
