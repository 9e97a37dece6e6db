"""Keep the settings of runs at hand, and try calls of the store again that depend on them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from co_rewarding_schema.errors import InvalidRunError, UnknownMethodError
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_names import check_run_name, evaluated_run

from reward_service.api.access.meters import over_quota
from reward_service.api.http.problems import Problem, away, full, key_reused, no_such_run
from reward_service.errors import StoreUnavailableError
from reward_service.store.runs import RunStore, waiting_in
from reward_service.store.submissions import Refusal, Refused, Revised

TRIES = 5
UNSURE_FOR_S = 20.0
ASK_AGAIN_S = 0.1

AGAIN_S = 1.0
"""When one is to come again whose run has too many open cohorts."""

ASKING_S = 0.5
"""How long an answer about a run's settings is waited for before another caller asks."""


class RunCache:
    """Runs' settings, read once in a while: a change is noticed at the store, which knows the revision."""

    def __init__(
        self,
        runs: RunStore,
        now_s: Callable[[], float],
        quota_of: Callable[[str], int | None] = lambda _: None,
        keep_s: float = 2.0,
    ) -> None:
        """Over the store of runs and a clock. `quota_of` says how many cohorts of a run may be open, if one says so."""
        self._quota_of = quota_of
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
            raise Problem(ProblemKind.INVALID, f"run: {cause}.") from cause
        if found is None:
            self._known.pop(run, None)
            self._asked_until_s.pop(run, None)
            raise no_such_run(evaluated_run(run) or run)
        if (quota := self._quota_of(run)) is not None:
            found = replace(found, most_open=quota)
        self._known[run] = (self._now_s() + self._keep_s, found)
        return found

    async def full(self, run: str) -> Problem:
        """Return what the caller of a run is told whose store refuses to take more."""
        quota = self._quota_of(run)
        look = None if quota is None else await self._runs.looks.look(run, 0)
        if quota is not None and look is not None and self._runs.may_queue(look):
            return over_quota(f"run {run!r}", "open_cohorts", quota, waiting_in(look), AGAIN_S)
        return full(f"run {run!r} has as much waiting to be settled as the service may hold")

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

    def tries(self, run: str) -> "Tries":
        """Return the tries of one call of the store."""
        return Tries(self, run, self._now_s)


class Tries:
    """One call of the store that depends on a run's settings: made again if these have changed meanwhile."""

    def __init__(self, runs: RunCache, run: str, now_s: Callable[[], float]) -> None:
        """Begin with the settings at hand."""
        self._runs = runs
        self._run = run
        self._now_s = now_s
        self._until_s = now_s() + UNSURE_FOR_S
        self._stale = 0
        self._revision: str | None = None

    async def settings(self) -> Revised:
        """Return the run's settings for the next try, read anew if they were old at the last.

        Raises:
            Problem: 404 for a run that was not made, 422 for a name that cannot be one.
        """
        revised = await self._runs.settings(self._run, fresh=self._stale > 0)
        self._revision = revised.revision
        return revised

    async def changed(self) -> bool:
        """Return whether the settings of the last try are old by now: what they refuse may be accepted.

        Raises:
            Problem: as `settings`.
        """
        if self._revision is None:  # they could not be read
            return False
        self._stale += 1
        if self._stale >= TRIES:
            return False
        try:
            now = await self._runs.settings(self._run, fresh=True)
        except StoreUnavailableError:  # the refusal stands: it needs no store
            return False
        return now.revision != self._revision

    async def refused(self, refused: Refused, rollout: str = "a rollout") -> None:
        """Return when the call is to be tried again; `rollout` names the one that a refusal is about.

        Raises:
            Problem: the refusal stands: 429 when the store is full, 409 for ballots that contradict earlier ones.
        """
        if refused.why is Refusal.UNSURE and self._now_s() < self._until_s:
            await asyncio.sleep(ASK_AGAIN_S)
            return
        if refused.why is Refusal.FULL:
            raise await self._runs.full(self._run)
        if refused.why is not Refusal.STALE:
            raise refusal_as_problem(self._run, refused, rollout)
        self._stale += 1
        if self._stale == TRIES:
            detail = f"the settings of run {self._run!r} keep changing; send the request again."
            raise Problem(ProblemKind.RUN_CHANGES, detail)


def usable_method(name: str) -> Method:
    """The method of that name.

    Raises:
        Problem: 422 for a name that is not in the table.
    """
    try:
        return method_named(name)
    except UnknownMethodError as cause:
        raise Problem(ProblemKind.UNKNOWN_METHOD, f"method: {cause}.") from cause


def refusal_as_problem(run: str, refused: Refused, rollout: str) -> Problem:
    """Return what the caller of a run is told of a refusal."""
    match refused.why:
        case Refusal.UNSURE:
            return away("whether the process that held this rollout still lives cannot be told")
        case Refusal.UNTOLD:
            return Problem(
                ProblemKind.NO_PROMPT,
                f"the teacher is to answer question {refused.about!r} and nobody has said how it is worded: send "
                "`prompt` beside question_id, or announce it with POST /v1/teacher/prefetch.",
            )
        case Refusal.REUSED:
            return key_reused()
        case Refusal.OVERFULL:
            evaluated = evaluated_run(run)
            setting = "group_size" if evaluated is None else "evaluation_group_size"
            return Problem(
                ProblemKind.GROUP_FULL,
                f"{rollout} is one more than its group has by the group_size of run {run!r}: number the rollouts of a "
                "group with `rollout`, so that one sent twice is recognised, send `step` so that steps are kept apart, "
                f"or set {setting} with PUT /v1/runs/{evaluated or run}.",
            )
        case _:
            return Problem(
                ProblemKind.BALLOT_CONFLICT,
                f"{rollout} was sent before with another answer: raise `attempt` when a step is done again, and send "
                "`step` so that steps are kept apart.",
            )
