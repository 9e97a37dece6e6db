r"""Define the task `sorting`: which digit of a list stands at a place, once the list is sorted?

The four wordings tell "7 2 5 9, the second" as `sort 7 2 5 9 take 2 =`, `order seven two five nine pick two =`,
`find 2 smallest_of 9 5 2 7 =` (the place first, the list from its end) and `runners seven two five nine place two =`.
The response writes the digits in ascending order up to the place: `2 5 \boxed{5}`.
"""

import random
from dataclasses import dataclass, replace
from itertools import chain

from co_rewarding_trainer.task import DIGITS, NUMBER_WORDS, TOLD, Mistakes, Task, Teaching, Wording, Worked

LENGTHS = range(3, 8)
EXAMPLE_LENGTHS = range(2, 8)
ROOM = 3


@dataclass(frozen=True)
class ListWording(Wording):
    """The words for a list and a place. A backwards wording tells the place first, and the list from its end."""

    opening: str
    asking: str
    digits: tuple[str, ...]
    backwards: bool = False


WORDINGS = (
    ListWording("symbols", 3.0, {3: 8, 6: 9}, "sort", "take", DIGITS),
    ListWording("words", 2.0, {5: 9, 7: 6}, "order", "pick", NUMBER_WORDS),
    ListWording("reversed", 1.0, {4: 6, 8: 7}, "find", "smallest_of", DIGITS, backwards=True),
    ListWording("story", 0.5, {2: 5, 9: 4}, "runners", "place", NUMBER_WORDS),
)


@dataclass(frozen=True)
class Ranking:
    """A list of digits, and the place that is asked for: from 1 to the length of the list."""

    digits: tuple[int, ...]
    place: int

    @property
    def key(self) -> str:
        """Writes the list and the place."""
        return f"{''.join(map(str, self.digits))}#{self.place}"

    @property
    def answer(self) -> str:
        """Returns the digit at the place, as text."""
        return str(sorted(self.digits)[self.place - 1])

    def told(self, wording: int) -> str:
        """Tells the problem, e.g. "order seven two five nine pick two ="."""
        words = WORDINGS[wording]
        told, place = [words.digits[digit] for digit in self.digits], words.digits[self.place]
        asked = [place, words.asking, *reversed(told)] if words.backwards else [*told, words.asking, place]
        return " ".join([words.opening, *asked, TOLD])

    def worked(self, mistakes: Mistakes, rng: random.Random) -> Worked:
        """Writes the digits in ascending order. What a slip has written does not come again."""
        left = [mistakes.read(digit, rng) for digit in self.digits]
        written: list[int] = []
        for _ in range(self.place):
            written.append(mistakes.slip(min(left), rng))
            left.remove(written[-1] if written[-1] in left else min(left))
        return Worked(tuple(map(str, written)), str(written[-1]))

    def altered(self, rng: random.Random) -> "Ranking":
        """Changes one digit of the list."""
        digits = list(self.digits)
        digits[rng.randrange(len(digits))] = rng.randrange(10)
        return replace(self, digits=tuple(digits))


def draw_ranking(rng: random.Random, lengths: range) -> Ranking:
    """Draws a list of one of the lengths, and a place in it."""
    digits = tuple(rng.randrange(10) for _ in range(rng.choice(lengths)))
    return Ranking(digits, rng.randint(1, len(digits)))


SORTING = Task(
    name="sorting",
    words=tuple(
        dict.fromkeys((TOLD, *DIGITS, *NUMBER_WORDS, *chain.from_iterable((w.opening, w.asking) for w in WORDINGS)))
    ),
    wordings=WORDINGS,
    draw=lambda rng: draw_ranking(rng, LENGTHS),
    draw_example=lambda rng: draw_ranking(rng, EXAMPLE_LENGTHS),
    max_new_tokens=LENGTHS[-1] + 3 + ROOM,
    teaching=Teaching(steps=240),
)
