"""Read pairs to plant faults on: those of the shared data, else made ones."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared" / "data"
MATH = "math_pairs.parquet"


@dataclass(frozen=True, slots=True)
class Sample:
    """A question with its paraphrase and answer; `kind` is what it is about."""

    question: str
    paraphrase: str
    answer: str
    kind: str


def shared_pairs(file: Path) -> list[Sample]:
    """The pairs of a parquet file of the shared data."""
    from pyarrow.parquet import read_table

    rows = read_table(file).to_pylist()
    return [Sample(row["question"], row["paraphrase"], row["ground_truth"], row.get("type") or "") for row in rows]


def made_pairs(count: int, seed: int) -> list[Sample]:
    """Word problems from templates, each told in two ways."""
    rng = random.Random(seed)
    return [rng.choice(_TEMPLATES)(rng) for _ in range(count)]


def _rectangle(rng: random.Random) -> Sample:
    a, b = rng.sample(range(12, 95), 2)
    return Sample(
        f"A rectangle has a length of {a} cm and a width of {b} cm. What is the area of the rectangle, in square cm?",
        f"The sides of a rectangular card measure {a} cm and {b} cm. Find the area of the card in square centimeters.",
        str(a * b),
        "geometry",
    )


def _journey(rng: random.Random) -> Sample:
    speed, hours = rng.randrange(21, 90), rng.randrange(3, 12)
    return Sample(
        f"A train travels at a speed of {speed} miles per hour for {hours} hours. How many miles does it travel?",
        f"For {hours} hours a bus keeps a constant speed of {speed} miles per hour. Determine how many miles it goes.",
        str(speed * hours),
        "journeys",
    )


def _roots(rng: random.Random) -> Sample:
    b, c = rng.randrange(13, 60), rng.randrange(14, 99)
    return Sample(
        f"What is the sum of the roots of the equation $x^2 - {b}x + {c} = 0$, if they are not equal?",
        f"The quadratic equation $y^2 - {b}y + {c} = 0$ has two solutions that are not equal. Find their sum.",
        str(b),
        "algebra",
    )


def _committee(rng: random.Random) -> Sample:
    people, chosen = rng.randrange(14, 40), rng.randrange(4, 9)
    return Sample(
        f"A club of {people} people elects a board of {chosen}. Two of them do not want to serve. How many boards "
        "are possible?",
        f"From the {people} members of a team, {chosen} are picked for a match, but two members cannot play and are "
        "not picked. In how many ways can this be done?",
        rf"\binom{{{people - 2}}}{{{chosen}}}",
        "counting",
    )


def _remainder(rng: random.Random) -> Sample:
    number, divisor = rng.randrange(1200, 9900), rng.randrange(13, 47)
    return Sample(
        f"What is the remainder when ${number}$ is divided by ${divisor}$?",
        f"If you divide ${number}$ by ${divisor}$, what remainder do you get?",
        str(number % divisor),
        "numbers",
    )


def _largest(rng: random.Random) -> Sample:
    bound, factor = rng.randrange(210, 990), rng.choice((12, 14, 18, 21, 27))
    return Sample(
        f"What is the largest multiple of {factor} that is less than {bound} and not divisible by 5?",
        f"Among the numbers below {bound} that are multiples of {factor}, find the largest not divisible by 5.",
        str(max(n for n in range(factor, bound, factor) if n % 5)),
        "numbers",
    )


_TEMPLATES: Sequence[Callable[[random.Random], Sample]] = (
    _rectangle, _journey, _roots, _committee, _remainder, _largest,
)  # fmt: skip
