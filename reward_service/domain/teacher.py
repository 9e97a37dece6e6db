"""Define the teacher's rules: which version may label which step, the size of an update, the seeds of draws."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from co_rewarding_schema.errors import DomainError
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View

MAX_STEPS_AT_ONCE = 100_000
"""Steps that one update may stand for; more is taken for a mistake."""

SEED_BITS = 31
"""What every backend takes for a seed."""


class InvalidScheduleError(DomainError):
    """The EMA schedule's numbers do not make a schedule."""


class OldStepError(DomainError):
    """An update of the teacher that comes after a later one."""


@dataclass(frozen=True, slots=True)
class Update:
    """New policy weights on their way into the average: the teacher of version `step` keeps `alpha` of itself."""

    step: int
    alpha: float


def needed_version(step: int | None, settings: RunSettings) -> int | None:
    """The oldest version of the teacher that may label rollouts of `step`; None: the newest that was announced.

    A label of version v serves step k while k - v ≤ max_teacher_lag (steps), so with a lag of 0 the teacher has taken
    the weights of step k before it answers for it (arXiv 2508.00410, algorithm 1). A teacher that never moves needs no
    update, and a rollout without a step cannot say which one it needs.
    """
    if settings.frozen_teacher:
        return 0
    return None if step is None else max(0, step - settings.max_teacher_lag)


def update_to(step: int, accepted: int | None, settings: RunSettings) -> Update:
    """Return the update that the weights of `step` come to after those of step `accepted`.

    `accepted` is None where the teacher is still the model that it began with. Steps between the two were skipped;
    their α are composed with the α of `step`.

    Raises:
        OldStepError: the step lies before the accepted one.
        InvalidScheduleError: it lies too far ahead to be meant.
    """
    if accepted is not None and step < accepted:
        raise OldStepError(f"step {step} is older than step {accepted}, whose weights the teacher has been given")
    begins = min(step, (accepted or 0) + 1)
    if step - begins >= MAX_STEPS_AT_ONCE:
        raise InvalidScheduleError(f"step {step} lies more than {MAX_STEPS_AT_ONCE} steps after {accepted or 0}")
    schedule = (settings.total_steps, settings.alpha_start, settings.alpha_end)
    return Update(step, composed(alpha(each, *schedule) for each in range(begins, step + 1)))


def draw_seed(run: str, version: int, question_id: str, view: View) -> int:
    """What the teacher's responses are drawn from: the same for the same label, different for any two."""
    named = repr((run, version, question_id, view.value)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "little") >> (64 - SEED_BITS)


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
