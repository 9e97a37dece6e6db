"""Check and describe requests of runs that vote for each other. Pure."""

from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import RewardRequest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Voter

from reward_service.api.http.problems import Problem
from reward_service.store.job_records import CastOf


def check_peers(request: RewardRequest, method: Method, settings: RunSettings) -> None:
    """Refuse a request that nobody would ever label.

    Raises:
        Problem: 422 where peers vote, the run names none, and the request brings none of their ballots.
    """
    if not method.needs_peers or settings.peers:
        return
    if not any(rollout.voter is Voter.PEER for rollout in request.rollouts):
        raise no_peers(method, request.run)


def no_peers(method: Method, run: str) -> Problem:
    """Return the refusal of a rollout that peers are to label, of a run that names none."""
    return Problem(
        ProblemKind.NO_PEERS,
        f"under {method.name} other runs elect the labels, and run {run!r} names none: name them in `peers` of "
        f"PUT /v1/runs/{run}, or send their ballots with the batch (voter: peer).",
    )


def cast_of(request: RewardRequest, settings: RunSettings) -> CastOf:
    """Return how a batch holds its groups, should their ballots be kept for peers."""
    if request.complete:
        return CastOf()
    return CastOf(settings.group_size, numbered=all(rollout.rollout is not None for rollout in request.rollouts))
