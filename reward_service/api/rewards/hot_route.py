"""Describe a hot route: how metrics name it, what it takes, and who answers it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from reward_service.api.access.route_rules import RULES, RouteRule
from reward_service.api.http.json_reader import Data
from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.api.http.requests import GONE, ClientGoneError, Exchange
from reward_service.api.rewards.held_singles import Answerer
from reward_service.api.rewards.openrlhf import SingleRollout, openrlhf_answer

Handler = Callable[[Exchange], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route as metrics name it, the one method that it takes, and its handler, which returns the status it sent.

    `single` reads a body that may be one rollout, for a route by which most are. `hold_s` is the longest that the route
    holds a request; None: until the request is settled.
    """

    name: str
    method: str
    handle: Handler
    single: Callable[[Data], SingleRollout | None] | None = None
    answer: Answerer = openrlhf_answer
    hold_s: float | None = None
    rule: RouteRule = field(init=False)

    def __post_init__(self) -> None:
        """Look up who may ask it."""
        object.__setattr__(self, "rule", RULES[f"{self.method} {self.name}"])


def admit(exchange: Exchange, counts: Mapping[str, int]) -> None:
    """Take rollouts, so many of each run, from the quotas of the caller and of the runs.

    Raises:
        Problem: 403 for another's run, 429 for a quota.
    """
    exchange.caller.charge(counts, exchange.size_bytes, exchange.stay)


async def send_problem(exchange: Exchange, problem: Problem) -> int:
    """Send a refusal, and return the status that is counted."""
    try:
        await exchange.send(problem.status, problem.body(), problem.headers, MEDIA_TYPE.encode())
    except ClientGoneError:
        return GONE
    return problem.status
