"""Say how doubtful a pair is, between 0 and 1, by what the checks object to and how well the original is covered.

The tables are counted by `python -m benchmarks.paraphrase_doubt`.
"""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType

PRIOR = 0.2
"""The share of faulty pairs that a doubt assumes: about as many as the published pairs of MATH have."""

WEIGHTS: Mapping[str, float] = MappingProxyType({
    "parsed": 5.5, "copy": 3.0, "language": 0.9, "length": 0.9, "truncated": 2.0, "latex": 2.0, "figure": 2.3,
    "numbers": 4.7, "numerals": 0.4, "swapped": 4.3, "formulas": 3.0, "variables": 4.3, "units": 4.5, "bounds": 5.0,
    "conditions": 4.8, "quantifiers": 4.4, "dropped": 0.0, "negation": 0.0, "asked": 4.6, "leak": 4.8, "solved": 0.9,
    "foreign": 2.4,
})  # fmt: skip
"""What an objection of a check says for a fault: the logarithm of its share of faulty pairs over that of good ones."""

SCORED = frozenset({"dropped"})
"""Checks that object by the score of the coverage, which counts itself."""

SILENCE = -1.2
"""What it says that no check objects."""

LACKING: tuple[tuple[float, float], ...] = (
    (-1.0, -1.3),
    (0.0, 0.0),
    (1.0, 0.2),
    (2.0, 1.0),
    (4.0, 3.3),
    (math.inf, 3.8),
)
"""What the score of the coverage says where no check objects: up to a limit, a logarithm of the same kind."""


def doubt_of(objecting: Collection[str], score: float) -> float:
    """Return the probability of a fault, given the checks that object and the score of the coverage."""
    told = [name for name in objecting if name not in SCORED]
    evidence = sum(WEIGHTS.get(name, 0.0) for name in told) if told else SILENCE
    evidence += next((weight for limit, weight in LACKING if score <= limit), 0.0)
    return 1 / (1 + math.exp(-(math.log(PRIOR / (1 - PRIOR)) + evidence)))
