"""Compute the teacher's schedule: how slowly it follows the policy at each step."""

import math
from collections.abc import Iterable

from co_rewarding_schema.errors import DomainError


class InvalidScheduleError(DomainError):
    """The EMA schedule's numbers do not make a schedule."""


def alpha(step: int, total_steps: int, alpha_start: float = 0.99, alpha_end: float = 0.9999) -> float:
    """The weight that the teacher keeps of itself at `step` of `total_steps` (dimensionless, in [0, 1]).

    1 - α(k) goes from 1 - alpha_start to 1 - alpha_end on half a cosine. The paper's eq. 11 ends at 1, its code at
    0.99999; this form meets both of the ends that the paper states. Beyond the last step the schedule stays at its end.

    Raises:
        InvalidScheduleError: a step is negative, there are no steps, or an α is outside [0, 1].
    """
    if step < 0 or total_steps < 1:
        raise InvalidScheduleError(f"step {step} of {total_steps}: steps count from 0, and there is at least one")
    for name, value in (("alpha_start", alpha_start), ("alpha_end", alpha_end)):
        if not 0.0 <= value <= 1.0:
            raise InvalidScheduleError(f"{name} is {value}: it must lie in [0, 1]")
    begins, ends = 1.0 - alpha_start, 1.0 - alpha_end
    progress = min(step, total_steps) / total_steps
    return 1.0 - (ends + 0.5 * (begins - ends) * (1.0 + math.cos(math.pi * progress)))


def composed(alphas: Iterable[float]) -> float:
    """The one α that stands for several updates towards the same weights, as when steps were skipped: their product."""
    return math.prod(alphas)
