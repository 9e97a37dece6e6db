"""Say how doubtful a pair is, between 0 and 1, by what the checks object to and how well the original is covered.

The tables are counted by `python -m benchmarks.paraphrase_doubt`.
"""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType

PRIOR = 0.2
"""The share of faulty pairs that a doubt assumes: about as many as the published pairs of MATH have."""

WEIGHTS: Mapping[str, float] = MappingProxyType({
    "parsed": 5.5, "copy": 3.0, "language": 1.2, "length": 1.2, "truncated": 1.2, "latex": 2.0, "figure": 2.3,
    "numbers": 3.3, "numerals": 2.9, "swapped": 3.4, "formulas": 3.3, "variables": 4.3, "units": 3.8, "bounds": 4.1,
    "conditions": 3.1, "quantifiers": 4.7, "dropped": 0.6, "negation": 0.0, "asked": 4.9, "leak": 5.1, "solved": 1.2,
    "foreign": 2.2,
})  # fmt: skip
"""What an objection of a check says for a fault: the logarithm of its share of faulty pairs over that of good ones."""

SILENCE = -1.6
"""What it says that no check objects."""

LACKING: tuple[tuple[float, float], ...] = (
    (5.0, -0.5),
    (10.0, 0.3),
    (15.0, 0.5),
    (20.0, 2.0),
    (30.0, 2.0),
    (math.inf, 2.8),
)
"""What the score of the coverage says where no check objects: up to a limit, a logarithm of the same kind."""


def doubt_of(objecting: Collection[str], score: float) -> float:
    """Return the probability of a fault, given the checks that object and the score of the coverage."""
    evidence = sum(WEIGHTS.get(name, 0.0) for name in objecting)
    if not objecting:
        evidence = SILENCE
    evidence += next((weight for limit, weight in LACKING if score <= limit), 0.0)
    return 1 / (1 + math.exp(-(math.log(PRIOR / (1 - PRIOR)) + evidence)))
