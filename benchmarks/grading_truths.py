"""Make ground truths like those of MATH, DAPO and physics, and read those of MATH where the shared data is at hand."""

import random
from collections.abc import Callable, Mapping, Sequence
from math import gcd
from pathlib import Path

import pyarrow.parquet as pq

MATH_PAIRS = "math_pairs.parquet"

UNITS = ("cm", "m", "kg", "s", "m/s", "m/s^2", "N", "J", "W", "Hz", "km")
NAMES = ("x", "v_0", "x_1", "F", "a_2", "T")

Make = Callable[[random.Random], str]


def made_truths(count: int, seed: int) -> dict[str, list[str]]:
    """About so many ground truths of each of the three sorts, without repetition; the same for the same seed."""
    return {name: _distinct(makes, count, random.Random(f"{seed} {name}")) for name, makes in SORTS.items()}


def math_truths(folder: Path) -> list[str]:
    """The different ground truths of MATH's training questions; none if the data is not there."""
    file = folder / MATH_PAIRS
    if not file.exists():
        return []
    return sorted(set(pq.read_table(file, columns=["ground_truth"])["ground_truth"].to_pylist()))


def _distinct(makes: Sequence[Make], count: int, rng: random.Random) -> list[str]:
    return list(dict.fromkeys(makes[number % len(makes)](rng) for number in range(count)))


def _integer(rng: random.Random) -> str:
    return str(rng.choice((-1, 1, 1, 1)) * rng.randint(2, 10 ** rng.randint(1, 6)))


def _positive(rng: random.Random) -> str:
    return str(rng.randint(2, 10 ** rng.randint(1, 7)))


def _fraction(rng: random.Random) -> str:
    while True:
        above, below = rng.randint(1, 60), rng.randint(2, 60)
        if above != below and gcd(above, below) == 1:
            return rng.choice(("", "", "-")) + rf"\frac{{{above}}}{{{below}}}"


def _terminating(rng: random.Random) -> str:
    return rf"\frac{{{2 * rng.randint(0, 40) + 1}}}{{{rng.choice((2, 4, 8))}}}"


def _decimal(rng: random.Random) -> str:
    return f"{rng.randint(1, 99)}.{rng.randint(1, 9)}{rng.choice(('', '5', '25'))}"


def _radical(rng: random.Random) -> str:
    return rf"{rng.randint(2, 30)}\sqrt{{{rng.choice((2, 3, 5, 6, 7, 10, 11, 13))}}}"


def _root(rng: random.Random) -> str:
    return rf"\sqrt{{{rng.choice((2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19))}}}"


def _radical_sum(rng: random.Random) -> str:
    return f"{rng.randint(1, 40)}{rng.choice('+-')}{_radical(rng)}"


def _multiple_of_pi(rng: random.Random) -> str:
    return rf"{rng.randint(2, 90)}\pi"


def _polynomial(rng: random.Random) -> str:
    a, b, c = (rng.randint(2, 20) for _ in range(3))
    return f"{a}x^2{rng.choice('+-')}{b}x{rng.choice('+-')}{c}"


def _pair(rng: random.Random) -> str:
    one, other = rng.sample(range(-20, 40), 2)
    return f"({one},{other})"


def _interval(rng: random.Random) -> str:
    low, high = sorted(rng.sample(range(-20, 40), 2))
    return rng.choice((f"[{low},{high})", f"({low},{high}]", rf"(-\infty,{high}]", rf"[{low},\infty)"))


def _set(rng: random.Random) -> str:
    return r"\{" + ",".join(map(str, sorted(rng.sample(range(-20, 40), 3)))) + r"\}"


def _matrix(rng: random.Random) -> str:
    a, b, c, d = (rng.randint(-9, 9) for _ in range(4))
    return rf"\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}"


def _degrees(rng: random.Random) -> str:
    return rf"{rng.randint(1, 179)}^\circ"


def _percent(rng: random.Random) -> str:
    return rf"{rng.randint(2, 99)}\%"


def _money(rng: random.Random) -> str:
    return rf"\${rng.randint(2, 900)}"


def _based(rng: random.Random) -> str:
    base = rng.randint(3, 8)
    return "".join(str(rng.randint(1, base - 1)) for _ in range(4)) + f"_{base}"


def _letter(rng: random.Random) -> str:
    return rng.choice("ABCDE")


def _word(rng: random.Random) -> str:
    return rf"\text{{{rng.choice(('East', 'even', 'Monday', 'ellipse', 'odd', 'circle', 'Tuesday', 'West'))}}}"


def _measured(rng: random.Random) -> str:
    return rf"{rng.choice((_positive, _decimal))(rng)}\text{{ {rng.choice(UNITS)}}}"


def _scientific(rng: random.Random) -> str:
    return rf"{rng.randint(1, 9)}.{rng.randint(1, 9)}\times 10^{{{rng.randint(3, 9)}}}"


def _named(rng: random.Random) -> str:
    return f"{rng.choice(NAMES)}={rng.randint(2, 99)}"


def _formula(rng: random.Random) -> str:
    return rng.choice((rf"\frac{{1}}{{{rng.randint(2, 9)}}}", str(rng.randint(2, 9)))) + rng.choice(
        ("mv^2", "gt^2", "kx^2", "m_1v_0^2", "ma^3")
    )


SORTS: Mapping[str, Sequence[Make]] = {
    "MATH-like": (
        _integer, _fraction, _terminating, _decimal, _radical, _root, _radical_sum, _multiple_of_pi, _polynomial, _pair,
        _interval, _set, _matrix, _degrees, _percent, _money, _based, _letter, _word,
    ),
    "DAPO-like": (_positive, _integer),
    "physics-like": (_measured, _scientific, _named, _formula, _decimal, _multiple_of_pi, _degrees),
}  # fmt: skip
