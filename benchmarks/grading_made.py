"""Make pairs of answers and hostile texts, so that the benchmark needs no data from elsewhere.

Each pair is labelled by construction: the second answer is the first in other words, or one small thing is changed.
"""

import random
from collections.abc import Callable, Sequence
from math import gcd

from benchmarks.grading_hostile import Hostile
from benchmarks.grading_pairs import Pair

DRAWS = 3
SEED = 20_508

Made = tuple[str, str]


def made_pairs(seed: int = SEED) -> list[Pair]:
    """A few pairs of every kind; the same for the same seed."""
    rng = random.Random(seed)
    pairs: list[Pair] = []
    for equal, kinds in ((True, EQUAL), (False, DIFFERENT)):
        for make in kinds:
            pairs += [Pair(*make(rng), equal, make.__name__.strip("_")) for _ in range(DRAWS)]
    return pairs


def made_cohorts(count: int, size: int, seed: int = SEED) -> list[tuple[str, ...]]:
    """Cohorts of `size` answers: both sides of pairs that were made, in some order."""
    rng = random.Random(seed)
    cohorts: list[tuple[str, ...]] = []
    for _ in range(count):
        pairs = rng.sample(made_pairs(rng.randrange(1 << 30)), size // 2)
        answers = [answer for pair in pairs for answer in (pair.gold, pair.answer)]
        rng.shuffle(answers)
        cohorts.append(tuple(answers))
    return cohorts


def made_hostile() -> list[Hostile]:
    """Responses that no grader should spend time on."""
    texts = [
        ("tower", r"\boxed{8^{8^{8^{8}}}}", "a power tower"),
        ("factorial", r"\boxed{(12!)!}", "a factorial of a factorial"),
        ("power", r"\boxed{3^{987654321}}", "a number of half a billion digits"),
        ("roots", r"\boxed{" + r"\sqrt{3+" * 400 + "3" + "}" * 401, "400 nested roots"),
        ("expansion", r"\boxed{(a+b+c+d)^{60}}", "an expansion"),
        ("digits", r"\boxed{" + "7" * 4000 + "}", "4,000 digits"),
        ("commas", r"\boxed{" + "1," * 2000 + "1}", "a list of 2,001"),
        ("brackets", r"\boxed{" + "(" * 1500 + "x" + ")" * 1500 + "}", "1,500 brackets"),
        ("series", r"\boxed{\sum_{n=1}^{99999999} \frac{1}{n^3}}", "a long sum"),
    ]
    return [Hostile(name, text, why) for name, text, why in texts]


def _fraction(rng: random.Random) -> tuple[int, int]:
    while True:
        above, below = rng.randint(1, 40), rng.randint(2, 40)
        if above != below and gcd(above, below) == 1:
            return above, below


def _square_free(rng: random.Random) -> int:
    return rng.choice((2, 3, 5, 6, 7, 10, 11, 13))


def _two(rng: random.Random, low: int = 2, high: int = 30) -> tuple[int, int]:
    first, second = sorted(rng.sample(range(low, high), 2))
    return first, second


def _slash(rng: random.Random) -> Made:
    a, b = _fraction(rng)
    return rf"\frac{{{a}}}{{{b}}}", f"{a}/{b}"


def _unreduced(rng: random.Random) -> Made:
    (a, b), k = _fraction(rng), rng.randint(2, 9)
    return rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{k * a}}}{{{k * b}}}"


def _sign_below(rng: random.Random) -> Made:
    a, b = _fraction(rng)
    return rf"-\frac{{{a}}}{{{b}}}", rf"\frac{{{a}}}{{-{b}}}"


def _decimal(rng: random.Random) -> Made:
    a = rng.randrange(1, 400, 2)
    return rf"\frac{{{a}}}{{8}}", f"{a / 8}"


def _thousands(rng: random.Random) -> Made:
    a = rng.randint(1_000, 9_999_999)
    return str(a), f"{a:,}"


def _root_factor(rng: random.Random) -> Made:
    k, r = rng.randint(2, 9), _square_free(rng)
    return rf"{k}\sqrt{{{r}}}", rf"\sqrt{{{k * k * r}}}"


def _rationalised(rng: random.Random) -> Made:
    a, r = rng.randint(2, 9), _square_free(rng)
    return rf"\frac{{1}}{{\sqrt{{{r}}}+{a + 4}}}", rf"\frac{{{a + 4}-\sqrt{{{r}}}}}{{{(a + 4) ** 2 - r}}}"


def _commuted(rng: random.Random) -> Made:
    (a, b), r = _two(rng), _square_free(rng)
    return rf"{a}+{b}\sqrt{{{r}}}", rf"{b}\sqrt{r} + {a}" if r < 10 else rf"{b}\sqrt{{{r}}} + {a}"


def _expanded(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"(x+{a})(x-{b})", f"x^2-{b - a}x-{a * b}"


def _multiple_of_pi(rng: random.Random) -> Made:
    a, b = _fraction(rng)
    return rf"\frac{{{a}\pi}}{{{b}}}", rf"\frac{{{a}}}{{{b}}} \cdot \pi"


def _mixed(rng: random.Random) -> Made:
    (a, b), k = _fraction(rng), rng.randint(2, 9)
    a %= b  # not 0: the fraction is reduced
    return rf"{k}\frac{{{a}}}{{{b}}}", rf"\frac{{{k * b + a}}}{{{b}}}"


def _sized_brackets(rng: random.Random) -> Made:
    (a, b), r = _two(rng), _square_free(rng)
    return rf"({a},\sqrt{{{r}}}+{b})", rf"\left( {a}, {b}+\sqrt{{{r}}} \right)"


def _set_order(rng: random.Random) -> Made:
    a, b = _two(rng)
    return rf"\{{{a},-{b}\}}", rf"\left\{{-{b},\,{a}\right\}}"


def _matrix(rng: random.Random) -> Made:
    a, b = _two(rng)
    left = rf"\begin{{pmatrix}}{a}&0\\0&{b}\end{{pmatrix}}"
    return left, left.replace("pmatrix", "bmatrix").replace("&", " & ")


def _power_of_root(rng: random.Random) -> Made:
    r = _square_free(rng)
    return rf"{r}\sqrt{{{r}}}", rf"{r}^{{3/2}}"


def _logarithm(rng: random.Random) -> Made:
    a, b = _two(rng, 2, 12)
    return rf"\ln {a}+\ln {b}", rf"\ln({a * b})"


def _dressed(rng: random.Random) -> Made:
    a = rng.randint(2, 999)
    return str(a), rng.choice((r"$ {} $", r"\text{{{}}}", r"\({}\)", "{}.", r"\mathbf{{{}}}")).format(a)


def _half_open(rng: random.Random) -> Made:
    a, b = _two(rng)
    return rf"(-\infty,{a})\cup[{b},\infty)", rf"[{b}, \infty) \cup (-\infty, {a})"


def _off_by_one(rng: random.Random) -> Made:
    a = rng.randint(100, 99_999_999)
    return str(a), str(a + 1)


def _sign(rng: random.Random) -> Made:
    (a, b), r = _two(rng), _square_free(rng)
    return rf"{a}+{b}\sqrt{{{r}}}", rf"{a}-{b}\sqrt{{{r}}}"


def _reciprocal(rng: random.Random) -> Made:
    a, b = _fraction(rng)
    return rf"\frac{{{a}}}{{{b}}}", rf"\frac{{{b}}}{{{a}}}"


def _swapped(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"({a},{b})", f"({b},{a})"


def _ends(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"[{a},{b})", f"({a},{b}]"


def _rounded(rng: random.Random) -> Made:
    a = rng.randrange(1, 60)
    return rf"\frac{{{7 * a + 1}}}{{7}}", f"{(7 * a + 1) / 7:.6f}"


def _inner_sign(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"(x+{a})(x-{b})", f"x^2+{b - a}x-{a * b}"


def _exponent(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"{a}x^{{{b}}}", f"{a}x^{{{b + 1}}}"


def _dropped(rng: random.Random) -> Made:
    a, b = _two(rng)
    return rf"\{{{a},{b},{b + 3}\}}", rf"\{{{a},{b}\}}"


def _transposed(rng: random.Random) -> Made:
    a, b = _two(rng)
    return rf"\begin{{pmatrix}}1&{a}\\{b}&1\end{{pmatrix}}", rf"\begin{{pmatrix}}1&{b}\\{a}&1\end{{pmatrix}}"


def _other_letter(rng: random.Random) -> Made:
    a, b = _two(rng)
    return f"{a}x+{b}y", f"{b}x+{a}y"


EQUAL: Sequence[Callable[[random.Random], Made]] = (
    _slash, _unreduced, _sign_below, _decimal, _thousands, _root_factor, _rationalised, _commuted, _expanded,
    _multiple_of_pi, _mixed, _sized_brackets, _set_order, _matrix, _power_of_root, _logarithm, _dressed, _half_open,
)  # fmt: skip
DIFFERENT: Sequence[Callable[[random.Random], Made]] = (
    _off_by_one, _sign, _reciprocal, _swapped, _ends, _rounded, _inner_sign, _exponent, _dropped, _transposed,
    _other_letter,
)  # fmt: skip
