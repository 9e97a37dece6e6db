"""Say of each route which scopes open it, where its run stands, and what it changes. The one table of access."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from reward_service.domain.access import ALL_SCOPES, Scope


class RunAt(Enum):
    """Where a request names its run."""

    NOWHERE = auto()  # the request is about no run
    PATH = auto()
    QUERY = auto()
    QUALIFIED = auto()  # in the name of a cohort or a ticket
    WITHIN = auto()  # in the body, or with what the path names: the route itself lets the caller in
    LIST = auto()  # of several runs: the route leaves out those that are not the caller's
    ALL = auto()  # of every run: only for keys without prefixes


@dataclass(frozen=True, slots=True)
class RouteRule:
    """Who may ask a route. `scopes`: one of them is enough; None: no key is asked for.

    Attributes:
        changes: what a request changes, as audit lines say; None: nothing, or rewards alone.
        metered: whether its bodies count as bytes of the key: those of uploads do not, which have limits of their own.
        streams: whether the answer has no end, and ends with the key.
    """

    scopes: frozenset[Scope] | None
    run: RunAt = RunAt.NOWHERE
    changes: str | None = None
    metered: bool = True
    streams: bool = False


READ, SCORE, TEACH, ADMIN = (frozenset({scope}) for scope in Scope)
OPEN = RouteRule(None)
ANY_KEY = RouteRule(ALL_SCOPES)
"""Of what holds no data of a run."""

RULES: Mapping[str, RouteRule] = MappingProxyType(
    {
        "GET /health": OPEN,
        "GET /ready": OPEN,
        "GET /version": OPEN,
        "GET /docs": ANY_KEY,
        "GET /redoc": ANY_KEY,
        "GET /openapi.json": ANY_KEY,
        "GET /docs/files": ANY_KEY,
        "GET /metrics": RouteRule(READ, RunAt.ALL),
        "PUT /v1/runs/{run}": RouteRule(SCORE | ADMIN, RunAt.PATH, "a run's settings"),
        "GET /v1/runs": RouteRule(READ, RunAt.LIST),
        "GET /v1/runs/{run}": RouteRule(READ | SCORE | TEACH, RunAt.PATH),
        "GET /v1/runs/{run}/quarantine": RouteRule(READ, RunAt.PATH),
        "DELETE /v1/runs/{run}/quarantine/{question_id:path}": RouteRule(ADMIN, RunAt.PATH, "a pair's quarantine"),
        "GET /v1/runs/{run}/questions": RouteRule(READ, RunAt.PATH),
        "GET /v1/runs/{run}/series": RouteRule(READ, RunAt.PATH),
        "GET /v1/runs/{run}/cohorts": RouteRule(READ, RunAt.PATH),
        "GET /v1/runs/{run}/events": RouteRule(READ, RunAt.PATH, streams=True),
        "GET /v1/events": RouteRule(READ, RunAt.LIST, streams=True),
        "GET /v1/cohorts": RouteRule(READ, RunAt.QUERY),
        "GET /v1/cohorts/{cohort}": RouteRule(READ, RunAt.QUALIFIED),
        "POST /v1/rewards": RouteRule(SCORE, RunAt.WITHIN),
        "POST /v1/rollouts": RouteRule(SCORE, RunAt.WITHIN),
        "GET /v1/rewards/{ticket}": RouteRule(SCORE, RunAt.QUALIFIED),
        "POST /get_reward": RouteRule(SCORE, RunAt.WITHIN),
        "POST /v1/remote_rm": RouteRule(SCORE, RunAt.WITHIN),
        "GET /v1/teacher": RouteRule(READ | TEACH, RunAt.QUERY),
        "POST /v1/teacher/updates": RouteRule(TEACH, RunAt.WITHIN, "a teacher's weights"),
        "POST /v1/teacher/prefetch": RouteRule(TEACH, RunAt.WITHIN, "questions for a teacher"),
        "POST /v1/teacher/uploads": RouteRule(TEACH, RunAt.WITHIN, "an upload is begun"),
        "GET /v1/teacher/uploads/{upload}": RouteRule(TEACH, RunAt.WITHIN),
        "DELETE /v1/teacher/uploads/{upload}": RouteRule(TEACH, RunAt.WITHIN, "an upload is removed"),
        "PATCH /v1/teacher/uploads/{upload}/{name}": RouteRule(
            TEACH, RunAt.WITHIN, "a file of an upload", metered=False
        ),
        "POST /v1/paraphrases": RouteRule(SCORE | ADMIN, RunAt.WITHIN),
        "POST /v1/paraphrases/jobs": RouteRule(ADMIN, RunAt.WITHIN, "a job is made"),
        "GET /v1/paraphrases/jobs": RouteRule(READ | ADMIN, RunAt.LIST),
        "GET /v1/paraphrases/jobs/{job}": RouteRule(READ | ADMIN, RunAt.WITHIN),
        "GET /v1/paraphrases/jobs/{job}/results": RouteRule(READ | ADMIN, RunAt.WITHIN),
        "POST /v1/paraphrases/jobs/{job}/pause": RouteRule(ADMIN, RunAt.WITHIN, "a job is paused"),
        "POST /v1/paraphrases/jobs/{job}/resume": RouteRule(ADMIN, RunAt.WITHIN, "a job is resumed"),
        "POST /v1/paraphrases/jobs/{job}/cancel": RouteRule(ADMIN, RunAt.WITHIN, "a job is cancelled"),
        "DELETE /v1/paraphrases/jobs/{job}": RouteRule(ADMIN, RunAt.WITHIN, "a job is removed"),
    }
)
"""By method and path. The service does not start if a route is missing here. HEAD is as GET."""
