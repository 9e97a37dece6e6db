"""Look at a run again and again, over HTTP; a service that is away changes what is said, not what was seen."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from co_rewarding_client import RewardClient
from co_rewarding_client.errors import NotFound, ServiceUnavailable
from co_rewarding_client.model import TeacherState
from co_rewarding_schema.methods import METHODS

RATE_OVER_S = 60.0
"""Over how long the rate of settled cohorts is taken."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a run.

    Attributes:
        settings: the run as the service tells it, its state included; empty before the first look that succeeded.
        points: the signs of each step, in order.
        cohorts_per_s: cohorts that ended lately, by the second; None until there were two looks.
        trouble: why the last look brought nothing; the rest is of an earlier one.
        trouble_s: for how long.
    """

    run: str
    url: str
    settings: Mapping[str, Any]
    points: Sequence[Mapping[str, Any]] = ()
    teacher: TeacherState | None = None
    cohorts_per_s: float | None = None
    trouble: str | None = None
    trouble_s: float = 0.0


class RunWatcher:
    """Looks at one run of a service."""

    def __init__(self, client: RewardClient, run: str, url: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        """`client` has no patience: a look that fails is made again by whoever looks."""
        self._client = client
        self._clock_s = clock_s
        self._seen = Seen(run, url, {})
        self._ended: deque[tuple[float, int]] = deque()
        self._troubled_s: float | None = None

    def look(self) -> Seen:
        """Return what is seen now; of a service that is away, what was seen last.

        Raises:
            ProblemError: the service refuses, and will go on to refuse.
        """
        try:
            seen = self._look()
        except ServiceUnavailable:
            return self._troubled("the service does not answer")
        except NotFound:
            return self._troubled(f"the service has no such run, or not yet; {self._seen.url} lists its runs")
        self._seen, self._troubled_s = seen, None
        return seen

    def _look(self) -> Seen:
        run = self._seen.run
        settings, points = self._client.run(run), self._client.series(run)
        method = METHODS.get(settings["method"])
        teacher = self._client.teacher(run) if method is not None and method.needs_teacher else None
        return Seen(run, self._seen.url, settings, points, teacher, self._rate(settings["state"]))

    def _rate(self, state: Mapping[str, int]) -> float | None:
        now_s, ended = self._clock_s(), state["settled"] + state["abstained"]
        if self._ended and ended < self._ended[-1][1]:  # the run began anew
            self._ended.clear()
        self._ended.append((now_s, ended))
        while len(self._ended) > 2 and now_s - self._ended[1][0] > RATE_OVER_S:
            self._ended.popleft()
        first_s, first = self._ended[0]
        return (ended - first) / (now_s - first_s) if now_s > first_s else None

    def _troubled(self, why: str) -> Seen:
        now_s = self._clock_s()
        self._troubled_s = now_s if self._troubled_s is None else self._troubled_s
        return replace(self._seen, trouble=why, trouble_s=now_s - self._troubled_s)
