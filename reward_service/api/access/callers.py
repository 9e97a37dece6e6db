"""Let a caller into routes and runs, and charge what it sends to its quotas and those of the runs."""

import asyncio
import math
from collections.abc import Mapping, Sequence

from co_rewarding_schema.problems import ProblemKind

from reward_service.api.access.meters import Meters, Stay, Usage
from reward_service.api.access.route_rules import RouteRule, RunAt
from reward_service.api.http.problems import Problem
from reward_service.domain.access import ALL_SCOPES, AccessList, Grant, own_run

MOST_ENTERED = 1000
"""Of so many runs a caller's way is known."""


class RunUsages:
    """The usage of each run that has quotas."""

    def __init__(self, access: AccessList, meters: Meters) -> None:
        """Look up quotas in the list."""
        self._access = access
        self._meters = meters

    @property
    def any(self) -> bool:
        """Whether a run has quotas."""
        return bool(self._access.runs)

    def of(self, run: str) -> Usage | None:
        """Return the usage of a run, with that of its evaluation; None without quotas."""
        run = own_run(run)
        quotas = self._access.quotas_of(run)
        return None if quotas is None else self._meters.of_run(run, quotas)


class Caller:
    """Whoever shows a key, or everybody, where none is asked for. `key` is the key's name.

    `is_bounded` is False for one that may do everything: then nothing of it has to be looked at.
    """

    __slots__ = (
        "_entered", "_refused_bytes", "_refused_rollouts", "_runs", "_streams", "_usage", "ended", "grant",
        "is_bounded", "key", "meters_bytes",
    )  # fmt: skip

    def __init__(self, key: str | None, grant: Grant, usage: Usage, runs: RunUsages) -> None:
        """Begin with nothing under way."""
        self.key = key
        self.grant = grant
        self.meters_bytes = usage.request_bytes is not None
        self.is_bounded = runs.any or grant != Grant(grant.name)
        self.ended = False
        self._usage = usage
        self._runs = runs
        self._entered: dict[str, Usage | None] = {}
        self._refused_bytes = math.inf
        self._refused_rollouts = 0.0
        self._streams: set[asyncio.Task[None]] = set()

    def check_route(self, rule: RouteRule) -> None:
        """Refuse a route that no scope of the key opens, or that tells of runs beyond its prefixes.

        Raises:
            Problem: 403.
        """
        scopes = self.grant.scopes
        if rule.scopes is not None and scopes.isdisjoint(rule.scopes):
            raise Problem(
                ProblemKind.NO_SCOPE,
                f"the key {self.key!r} has the scope{'s' * (len(scopes) > 1)} {_listed(scopes)}, and this needs "
                f"{_listed(rule.scopes, 'or')}: "
                "use another key, or let the operator add the scope in the file of keys.",
            )
        if rule.run is RunAt.ALL and self.grant.prefixes:
            raise self._other_run("this tells of every run")

    def enter(self, run: str) -> None:
        """Refuse a run that is none of the key's.

        Raises:
            Problem: 403.
        """
        if not self.grant.admits(run):
            raise self._other_run(f"this is about run {run[:128]!r}")

    def check_owner(self, folder: str) -> None:
        """Refuse a folder of weights that is named after none of the key's runs.

        Raises:
            Problem: 403.
        """
        if not self.grant.owns(folder):
            what = f"this names the folder {folder[:128]!r} of weights"
            raise self._other_run(what, "publish a folder whose name begins with its run's")

    def charge_head(self, rollouts: int, request_bytes: int) -> None:
        """Take what a head tells of: the bytes, and how many rollouts there are at least.

        Raises:
            Problem: 429 for a quota of the key; nothing was taken, and the body need not be read.
        """
        if request_bytes >= self._refused_bytes:
            self._check_as_refused()
        self._usage.check(rollouts, request_bytes)
        self._usage.take(rollouts, request_bytes)

    def take_bytes(self, request_bytes: int) -> None:
        """Take bytes that no head has announced."""
        self._usage.take(0, request_bytes)

    def begin(self, rollouts: int = 0) -> Stay | None:
        """Count a request among those under way, until the end of the stay that is returned; None: nothing counts.

        Raises:
            Problem: 429; the `rollouts` that were taken with the head are given back.
        """
        if self._usage.held is None and not self._runs.any:
            return None
        try:
            self._usage.check_held()
        except Problem:
            self._usage.take(-rollouts, 0)
            raise
        stay = Stay()
        if self._usage.held is not None:
            stay.enter(self._usage.held)
        return stay

    def check_one(self, run: str, request_bytes: int) -> Usage | None:
        """Return the usage of a run, if it has quotas; refuse a rollout of the run. Nothing is taken.

        Raises:
            Problem: 403 for another's run, 429 for a quota of the run.
        """
        usage = self._usage_of(run)
        if usage is not None:
            usage.check(1, request_bytes)
            usage.check_held()
        return usage

    def charge_one(self, usage: Usage | None, request_bytes: int, stay: Stay | None) -> None:
        """Take a rollout of a run that was checked just now, and whose head is paid; the run holds the request."""
        if usage is not None:
            usage.take(1, request_bytes)
            if usage.held is not None and stay is not None:
                stay.enter(usage.held)

    def charge(self, counts: Mapping[str, int], request_bytes: int, stay: Stay | None) -> None:
        """Take rollouts, so many of each run, the first of which is paid with the head: all or none.

        The runs hold the request until the end of its stay.

        Raises:
            Problem: 403 for another's run, 429 for a quota of the key or of a run; nothing was taken.
        """
        total, of_runs = sum(counts.values()), [(self._usage_of(run), count) for run, count in counts.items()]
        shares = [
            (usage, count, request_bytes * count / total) for usage, count in of_runs if usage is not None and count
        ]
        try:
            self._check_key(total, request_bytes)
            for usage, count, share in shares:
                usage.check(count, share)
                usage.check_held()
        except Problem:
            self._usage.take(-1, 0)
            raise
        self._usage.take(max(0, total - 1), 0)
        for usage, count, share in shares:
            usage.take(count, share)
            if usage.held is not None and stay is not None:
                stay.enter(usage.held)

    def _check_key(self, rollouts: int, request_bytes: int) -> None:
        """Refuse rollouts, the first of which is paid; note how large the request was that was read in vain."""
        meter = self._usage.rollouts
        if meter is None:
            return
        wanted = min(rollouts, meter.rate.burst)  # a larger one needs a bucket that was full before the head
        try:
            self._usage.check(wanted - 1, 0)
        except Problem:
            self._refused_bytes, self._refused_rollouts = request_bytes, wanted
            raise

    def _check_as_refused(self) -> None:
        """Refuse by its head a request that is as large as one that was refused, while that one would be again.

        Raises:
            Problem: 429.
        """
        self._usage.check(self._refused_rollouts, 0)
        self._refused_bytes = math.inf

    def _usage_of(self, run: str) -> Usage | None:
        """Return the usage of a run of the key's; None without quotas.

        Raises:
            Problem: 403.
        """
        entered = self._entered
        if run in entered and ((usage := entered[run]) is None or not usage.forgotten):
            return usage
        self.enter(run)
        if len(entered) >= MOST_ENTERED:
            entered.clear()
        usage = entered[run] = self._runs.of(run)
        return usage

    async def streaming(self, stream: asyncio.Task[None]) -> None:
        """Wait for an answer without an end; it ends with the key."""
        self._streams.add(stream)
        try:
            await stream
        finally:
            self._streams.discard(stream)
            stream.cancel()

    def end(self) -> None:
        """Send away who looks on: the key is none any more, or another grant's."""
        self.ended = True
        for stream in self._streams:
            stream.cancel()

    def _other_run(self, what: str, instead: str = "name such a run (without a name it is 'default')") -> Problem:
        prefixes = _listed(self.grant.prefixes, "or")
        return Problem(
            ProblemKind.OTHER_RUN,
            f"the key {self.key!r} is for runs whose names begin with {prefixes}, and {what}: {instead}, or use "
            "another key.",
        )


def everybody(runs: RunUsages, meters: Meters) -> Caller:
    """Return the caller where no key is asked for."""
    grant = Grant("everybody", ALL_SCOPES)
    return Caller(None, grant, meters.of_key(grant.name, grant.quotas), runs)


def _listed(words: Sequence[str] | frozenset[str], last: str = "and") -> str:
    shown = [repr(str(word)) for word in (words if isinstance(words, tuple) else sorted(words))]
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
