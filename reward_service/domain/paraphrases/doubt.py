"""Say how doubtful a pair is, between 0 and 1, by what the checks object to and how well the original is covered.

The tables are counted by `python -m benchmarks.paraphrase_doubt`.
"""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType

PRIOR = 0.2
"""The share of faulty pairs that a doubt assumes: about as many as the published pairs of MATH have."""

WEIGHTS: Mapping[str, float] = MappingProxyType({
    "parsed": 5.50, "copy": 3.00, "language": 0.92, "length": 0.92, "truncated": 2.02, "latex": 1.97, "figure": 2.34,
    "numbers": 5.78, "numerals": 0.37, "swapped": 4.29, "formulas": 3.02, "variables": 4.33, "units": 4.47,
    "bounds": 5.03, "conditions": 4.77, "quantifiers": 4.35, "dropped": 0.00, "negation": -0.05, "asked": 4.63,
    "leak": 4.83, "solved": 0.92, "foreign": 2.65,
})  # fmt: skip
"""What an objection of a check says for a fault: the logarithm of its share of faulty pairs over that of good ones."""

SCORED = frozenset({"dropped"})
"""Checks that object by the score of the coverage, which counts itself."""

SILENCE = -1.19
"""What it says that no check objects."""

LACKING: tuple[tuple[float, float], ...] = (
    (-1.0, -1.26),
    (0.0, -0.27),
    (1.0, 0.58),
    (1.75, 1.28),
    (3.0, 3.40),
    (math.inf, 4.03),
)
"""What the score of the coverage says where no check objects: up to a limit, a logarithm of the same kind."""


def doubt_of(objecting: Collection[str], score: float) -> float:
    """Return the probability of a fault, given the checks that object and the score of the coverage."""
    told = [name for name in objecting if name not in SCORED]
    evidence = sum(WEIGHTS.get(name, 0.0) for name in told) if told else SILENCE
    evidence += next((weight for limit, weight in LACKING if score <= limit), 0.0)
    return 1 / (1 + math.exp(-(math.log(PRIOR / (1 - PRIOR)) + evidence)))
