"""Keep evaluation apart: its rollouts belong to a run of their own, and no method is chosen for them."""

import math

import msgspec
from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import RewardRequest, Rollout
from co_rewarding_schema.run_names import evaluated_run, evaluation_run

from reward_service.api.http.problems import Problem
from reward_service.api.rewards.cohort_builder import text_of_truth

_View = tuple[str | None, str | None, str]
"""The question that a rollout names, or the prompt in its place, and the view."""


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
    """Return a request with the run that its rollouts belong to, and with the truth of each that stands beside one.

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
    return msgspec.structs.replace(request, run=run, evaluate=True, rollouts=_with_truths(request.rollouts))


def is_compared(request: RewardRequest) -> bool:
    """Whether an evaluation needs no other rollouts, because each of its own carries a ground truth."""
    return request.evaluate and all(text_of_truth(rollout.ground_truth) is not None for rollout in request.rollouts)


def _with_truths(rollouts: list[Rollout]) -> list[Rollout]:
    """Return the rollouts, where one without a ground truth has that of its question and view.

    Such a rollout of a part would else wait for the votes of a group whose others are compared, and cast none.
    """
    bare = [rollout for rollout in rollouts if text_of_truth(rollout.ground_truth) is None]
    if not bare or len(bare) == len(rollouts):
        return rollouts
    truths: dict[_View, str | float | None] = {}
    # As in the settlement of a batch, the truth of a view is that of its first rollout that has one.
    for rollout in sorted(rollouts, key=lambda each: math.inf if each.rollout is None else each.rollout):
        if text_of_truth(rollout.ground_truth) is not None:
            truths.setdefault(_view_of(rollout), rollout.ground_truth)
    return [
        rollout
        if text_of_truth(rollout.ground_truth) is not None
        else msgspec.structs.replace(rollout, ground_truth=truths.get(_view_of(rollout)))
        for rollout in rollouts
    ]


def _view_of(rollout: Rollout) -> _View:
    return rollout.question_id, rollout.prompt if rollout.question_id is None else None, rollout.view
