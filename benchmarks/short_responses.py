"""Short responses as a small model of mathematics writes them: some lines of prose, LaTeX, a boxed number at the end.

The row of real responses needs their length, their escapes and how their answers are spread, and no more of a model.
"""

import random
from collections.abc import Callable, Sequence

GROUP = 8
WRONG_SHARE = 0.4
UNBOXED_SHARE = 0.05

_STEPS: Sequence[Callable[[int, int, int], str]] = (
    lambda number, a, b: (
        f"{number}. **Find the price of all {a} boxes.** One box costs \\${b}, so the boxes cost together\n"
        f"   \\[\n   {a} \\times {b} = {a * b}\n   \\]\n"
    ),
    lambda number, a, b: (
        f"{number}. **Count what is left.** Of {a + b} pages she has read {a}; what remains are\n"
        f"   \\[\n   {a + b} - {a} = {b} \\text{{ pages}}\n   \\]\n"
    ),
    lambda number, a, b: (
        f"{number}. **Divide into equal parts.** Each of the {a} friends gets the same, which means\n"
        f"   \\[\n   \\frac{{{a * b}}}{{{a}}} = {b}\n   \\]\n   and nothing is left over.\n"
    ),
    lambda number, a, b: (
        f"{number}. **Let \\(x\\) be the unknown length.** The perimeter \\(2({a} + x) = {2 * (a + b)}\\) gives\n"
        f"   \\[\n   x = \\frac{{{2 * (a + b)}}}{{2}} - {a} = {b}.\n   \\]\n"
    ),
    lambda number, a, b: (
        f"{number}. **Write it as a percentage.** A share of {a} in a hundred, taken of {100 * b}, amounts to\n"
        f"   \\[\n   {100 * b} \\times \\frac{{{a}}}{{100}} = {a * b}\n   \\]\n"
    ),
)


def questions(count: int, seed: int = 0) -> list[list[str]]:
    """The responses of `count` questions, GROUP each; most agree, and equal answers are written alike."""
    rng = random.Random(seed)
    return [_responses(rng) for _ in range(count)]


def _responses(rng: random.Random) -> list[str]:
    right = rng.randint(10, 9999)
    others = [right + rng.choice((-10, -1, 1, 2, 100)) for _ in range(2)]
    return [
        _response(rng, rng.choice(others) if rng.random() < WRONG_SHARE else right, boxed=rng.random() > UNBOXED_SHARE)
        for _ in range(GROUP)
    ]


def _response(rng: random.Random, answer: int, *, boxed: bool) -> str:
    steps = [
        rng.choice(_STEPS)(number, rng.randint(2, 60), rng.randint(2, 90)) for number in range(1, rng.randint(5, 10))
    ]
    opening = "To solve this problem, we break it down into steps and look at what is known at the start of each.\n\n"
    end = f"\\(\\boxed{{{answer}}}\\)" if boxed else f"\\({answer}\\)"
    return f"{opening}{chr(10).join(steps)}\nTherefore, putting the results of all steps together, the answer is {end}."
