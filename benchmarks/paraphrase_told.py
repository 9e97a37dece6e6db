"""Make word problems of several sentences by seed, each told in two ways, with conditions, bounds and quantifiers."""

import random
from collections.abc import Callable, Sequence

from benchmarks.paraphrase_pairs import Sample


def told_pairs(count: int, seed: int) -> list[Sample]:
    """Make problems from templates."""
    rng = random.Random(seed)
    return [rng.choice(_TEMPLATES)(rng) for _ in range(count)]


def _numbers(rng: random.Random, count: int) -> list[int]:
    return rng.sample(range(11, 97), count)


def _trucks(rng: random.Random) -> Sample:
    a, b, c = _numbers(rng, 3)
    return Sample(
        f"A farm has {a} red trucks and {b} green tractors. Every truck carries at least {c} sacks of grain. The "
        "tractors are cleaned in the evening, after the work on the fields is done. No sack is carried twice. What is "
        "the smallest number of sacks that the trucks carry together?",
        f"There are {a} red lorries and {b} green tractors on a farm. At least {c} bags of grain are loaded on every "
        "lorry. When the work on the fields is done, the tractors are washed in the evening. No bag is loaded twice. "
        "Find the smallest number of bags that all lorries carry together.",
        str(a * c),
        "stories",
    )


def _code(rng: random.Random) -> Sample:
    a, b, c = sorted(_numbers(rng, 3))
    return Sample(
        f"A code consists of exactly {a} letters and {b} digits. The letters stand in front of the digits. Two "
        f"different codes are similar if they agree in at most {c} places. The machine prints the code on a card and "
        "keeps a copy of it. How many places does a code have?",
        f"Exactly {a} letters and {b} digits make up a password, in which the letters come in front of the digits. "
        f"Two different passwords are called similar when at most {c} of their places agree. A printer puts the "
        "password on a card and a copy of it is kept. How many places are in a password?",
        str(a + b),
        "counting",
    )


def _integers(rng: random.Random) -> Sample:
    a, b, c = _numbers(rng, 3)
    return Sample(
        f"Let $m$ and $n$ be positive integers with $m+n={a * 10}$. The number $m$ is a multiple of {b}. The number "
        f"$n$ is at most {c}. Find the largest possible value of $m$.",
        f"Two positive integers $x$ and $y$ satisfy $x+y={a * 10}$. It is known that $x$ is divisible by {b}. "
        f"Moreover, $y$ is at most {c}. Determine the largest value that $x$ can take.",
        "0",
        "numbers",
    )


def _sequence(rng: random.Random) -> Sample:
    a, b, c = _numbers(rng, 3)
    return Sample(
        f"An increasing sequence begins with {a}. Each term exceeds the term before it by {b}. The sequence is "
        f"written on a board, and every term that is less than {c * 10} is circled. How many terms are circled?",
        f"The first term of an increasing sequence is {a}. Every term is {b} more than the term in front of it. "
        f"Someone writes the sequence on a board and circles every term less than {c * 10}. How many of the terms "
        "are circled?",
        "0",
        "sequences",
    )


def _choir(rng: random.Random) -> Sample:
    a, b, c = _numbers(rng, 3)
    return Sample(
        f"A choir has {a} sopranos and {b} tenors. The conductor chooses exactly {c} singers for a concert. Each "
        "singer wears a blue scarf during the concert and gives it back afterwards. The scarves are washed by the "
        "theater. In how many ways can the singers be chosen?",
        f"There are {a} sopranos and {b} tenors in a chorus. For a concert, exactly {c} singers are chosen by the "
        "conductor. During the concert each singer wears a blue shawl, which is given back afterwards. The theater "
        "washes the shawls. How many choices of singers are possible?",
        rf"\binom{{{a + b}}}{{{c}}}",
        "counting",
    )


def _tank(rng: random.Random) -> Sample:
    a, b, c = _numbers(rng, 3)
    return Sample(
        f"A tank holds {a * 10} liters of water. Through the first pipe {b} liters flow in every minute. Through the "
        f"second pipe at most {c} liters flow out every minute. Both pipes are opened at the same moment, when the "
        "tank is half full. After how many minutes can the tank be full at the earliest?",
        f"{a * 10} liters of water fit in a basin. Every minute {b} liters come in by the first pipe. By the second "
        f"pipe at most {c} liters leave every minute. At a moment when the basin is half full, both pipes are opened "
        "at once. What is the earliest number of minutes after which the basin can be full?",
        "0",
        "flows",
    )


_TEMPLATES: Sequence[Callable[[random.Random], Sample]] = (_trucks, _code, _integers, _sequence, _choir, _tank)
