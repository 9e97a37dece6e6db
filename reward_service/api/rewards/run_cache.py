"""Runs' settings at hand, and calls of the store that depend on them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reward_service.api.http.problems import Problem, away, full, key_reused, no_such_run
from reward_service.domain.errors import InvalidRunError
from reward_service.domain.runs import check_run_name
from reward_service.store.runs import RunStore
from reward_service.store.submissions import Refusal, Refused, Revised

TRIES = 5
UNSURE_FOR_S = 20.0
ASK_AGAIN_S = 0.1

ASKING_S = 0.5
"""How long an answer about a run's settings is waited for before another caller asks."""

Answer = TypeVar("Answer")


class RunCache:
    """Runs' settings, read once in a while: a change is noticed at the store, which knows the revision."""

    def __init__(self, runs: RunStore, now_s: Callable[[], float], keep_s: float = 2.0) -> None:
        """Over the store of runs and a clock."""
        self._runs = runs
        self._now_s = now_s
        self._keep_s = keep_s
        self._known: dict[str, tuple[float, Revised]] = {}
        self._asked_until_s: dict[str, float] = {}

    async def settings(self, run: str, *, fresh: bool = False) -> Revised:
        """A run's settings.

        Raises:
            Problem: 404 for a run that was not made, 422 for a name that cannot be one.
        """
        known = self._known.get(run)
        if known is not None and not fresh and self._now_s() < known[0]:
            return known[1]
        try:
            found = await self._runs.use(check_run_name(run))
        except InvalidRunError as cause:
            raise Problem(422, "invalid", f"run: {cause}.") from cause
        if found is None:
            self._known.pop(run, None)
            self._asked_until_s.pop(run, None)
            raise no_such_run(run)
        self._known[run] = (self._now_s() + self._keep_s, found)
        return found

    def at_hand(self, run: str) -> Revised | None:
        """A run's settings, if they are known; None for one caller at a time who is to ask for those that are old.

        Old ones do no harm: the store knows the revision.
        """
        known = self._known.get(run)
        if known is None:
            return None
        now_s = self._now_s()
        if now_s >= known[0] and now_s >= self._asked_until_s.get(run, now_s):
            self._asked_until_s[run] = now_s + ASKING_S
            return None
        return known[1]

    async def retrying(self, run: str, call: Callable[[Revised], Awaitable[Answer | Refused]]) -> Answer:
        """Calls the store with a run's settings, again if they have changed meanwhile.

        Raises:
            Problem: the store refuses: 429 when it is full, 409 for ballots that contradict earlier ones.
        """
        stale = 0
        until_s = self._now_s() + UNSURE_FOR_S
        while stale < TRIES:
            answer = await call(await self.settings(run, fresh=stale > 0))
            if not isinstance(answer, Refused):
                return answer
            if answer.why is Refusal.UNSURE and self._now_s() < until_s:
                await asyncio.sleep(ASK_AGAIN_S)
            elif answer.why is Refusal.STALE:
                stale += 1
            else:
                raise refusal_as_problem(run, answer)
        raise Problem(409, "run-changes", f"the settings of run {run!r} keep changing; send the request again.")


def refusal_as_problem(run: str, refused: Refused) -> Problem:
    """What the caller of a run is told of a refusal."""
    match refused.why:
        case Refusal.FULL:
            return full(f"run {run!r} has as much waiting to be settled as the service may hold")
        case Refusal.UNSURE:
            return away("whether the process that held this rollout still lives cannot be told")
        case Refusal.UNTOLD:
            return Problem(
                409,
                "no-prompt",
                f"the teacher is to answer question {refused.about!r} and nobody has said how it is worded: send "
                "`prompt` beside question_id, or announce it with POST /v1/teacher/prefetch.",
            )
        case Refusal.REUSED:
            return key_reused()
        case Refusal.OVERFULL:
            return Problem(
                409,
                "group-full",
                "a group has more rollouts than the run's group_size: number them with `rollout` so that one sent "
                "twice is recognised, send `step`, or set group_size with PUT /v1/runs/{run}.",
            )
        case _:
            return Problem(
                409,
                "ballot-conflict",
                f"ballot {refused.about!r} was cast before with another content: raise "
                "`attempt` when a step is done again, and send `step` so that steps are kept apart.",
            )
