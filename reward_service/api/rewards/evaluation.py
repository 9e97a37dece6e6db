"""Keep evaluation apart: its rollouts belong to a run of their own, and no method is chosen for them."""

import msgspec
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import RewardRequest
from co_rewarding_schema.run_settings import evaluated_run, evaluation_run

from reward_service.api.http.problems import Problem
from reward_service.api.rewards.cohort_builder import text_of_truth


def evaluation_of(run: str) -> str:
    """Return the run that holds the evaluation of a run.

    Raises:
        Problem: 422 for a name that cannot be a run's, or is too long to be evaluated.
    """
    try:
        return evaluation_run(run)
    except InvalidRunError as cause:
        raise Problem(ProblemKind.INVALID, f"run: {cause}.") from cause


def in_its_run(request: RewardRequest) -> RewardRequest:
    """Return a request with the run that its rollouts belong to.

    Raises:
        Problem: 422 for the evaluation of a run that can have none, or by a method.
    """
    if not request.evaluate and evaluated_run(request.run) is None:
        return request
    run = evaluation_of(request.run)
    if request.method is not None:
        raise Problem(
            ProblemKind.INVALID,
            f"method: an evaluation of run {evaluated_run(run)!r} is not rewarded by a method of your choice: leave "
            "method out, and send ground_truth with the rollouts that are to be compared with one.",
        )
    return msgspec.structs.replace(request, run=run, evaluate=True)


def is_compared(request: RewardRequest) -> bool:
    """Whether an evaluation needs no other rollouts, because each of its own carries a ground truth."""
    return request.evaluate and all(text_of_truth(rollout.ground_truth) is not None for rollout in request.rollouts)
