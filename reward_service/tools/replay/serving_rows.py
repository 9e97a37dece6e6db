"""Find which rows of the method table the files of a replay can serve, and say what the others lack."""

from collections.abc import Collection, Sequence
from typing import Literal

from co_rewarding_schema.errors import UnknownMethodError
from co_rewarding_schema.methods import METHODS, Method, method_named
from co_rewarding_schema.vocabulary import Voter

from reward_service.tools.replay.errors import ReplayError
from reward_service.tools.replay.recording import Recording

ALL = "all"
"""In the place of a method's name: every row that the files can serve."""

OPTION_OF = {Voter.TEACHER: "--teacher", Voter.PEER: "--peer"}


def named_methods(names: Sequence[str], voters: Collection[Voter]) -> tuple[Method, ...] | Literal["all"]:
    """Return the rows of these names, each once; or `all`, if that is among them.

    Raises:
        ReplayError: there is no such row, or nobody has brought the ballots of its voters.
    """
    if ALL in names:
        return ALL
    methods: list[Method] = []
    for name in dict.fromkeys(names):
        try:
            method = method_named(name)
        except UnknownMethodError as cause:
            raise ReplayError(f"--method: {cause}, or {ALL}") from cause
        for voter in sorted(method.voters - {*voters}):
            options = OPTION_OF[voter]
            raise ReplayError(
                f"--method: ballots of a {voter} elect the labels of {name}; give their rollouts with {options} FILE"
            )
        methods.append(method)
    return tuple(methods)


def served(
    methods: Sequence[Method] | Literal["all"], recording: Recording, voters: Collection[Voter]
) -> tuple[tuple[Method, ...], tuple[str, ...]]:
    """Return the rows that a recording serves and, where all were asked for, what the others lack.

    Raises:
        ReplayError: a row that was asked for by its name lacks something.
    """
    if methods == ALL:
        lacking = {name: _lacking(row, recording, voters) for name, row in METHODS.items()}
        left_out = tuple(f"{name} is left out: {why}" for name, why in lacking.items() if why is not None)
        return tuple(METHODS[name] for name, why in lacking.items() if why is None), left_out
    for row in methods:
        ballots = (ballot for question in recording.questions_Q for ballot in question.ballots_B)
        if row.evidence is not None and any(getattr(ballot, row.evidence) is None for ballot in ballots):
            raise ReplayError(
                f"--method: {row.name} weighs ballots by {row.evidence}, and not every rollout has it; "
                f"--{row.evidence}-field names its field"
            )
    return tuple(methods), ()


def _lacking(row: Method, recording: Recording, voters: Collection[Voter]) -> str | None:
    """Return what a row needs and the files do not hold."""
    ballots = [ballot for question in recording.questions_Q for ballot in question.ballots_B]
    absent = sorted(row.voters - {*voters})
    if absent:
        return f"nobody gave the rollouts of a {absent[0]} ({OPTION_OF[absent[0]]} FILE)"
    if row.evidence is not None and any(getattr(ballot, row.evidence) is None for ballot in ballots):
        return f"not every rollout has its {row.evidence}"
    if row.statistic is not None and all(getattr(ballot, row.statistic) is None for ballot in ballots):
        return f"no rollout has its {row.statistic}"
    if row.needs_both_views and all(len(question.views) < 2 for question in recording.questions_Q):
        return "no question has two views"
    if row.needs_ground_truth and not any(question.truths for question in recording.questions_Q):
        return "no question has a ground truth"
    return None
