"""Let a caller into routes and runs, and charge what it sends to its quotas and those of the runs."""

import asyncio
from collections.abc import Mapping, Sequence

from co_rewarding_schema.problems import ProblemKind

from reward_service.api.access.meters import Meters, Stay, Usage
from reward_service.api.access.route_rules import RouteRule, RunAt
from reward_service.api.http.problems import Problem
from reward_service.domain.access import ALL_SCOPES, AccessList, Grant, own_run


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

    __slots__ = ("_runs", "_streams", "_usage", "ended", "grant", "is_bounded", "key")

    def __init__(self, key: str | None, grant: Grant, usage: Usage, runs: RunUsages) -> None:
        """Begin with nothing under way."""
        self.key = key
        self.grant = grant
        self.is_bounded = runs.any or grant != Grant(grant.name)
        self.ended = False
        self._usage = usage
        self._runs = runs
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
                f"the key {self.key!r} has the scope {_listed(scopes)}, and this needs {_listed(rule.scopes, 'or')}: "
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

    def check_head(self, rollouts: int, request_bytes: int) -> None:
        """Refuse a request by what its head says; take its bytes. `rollouts`: how many there are at least.

        Raises:
            Problem: 429.
        """
        self._usage.check(rollouts, request_bytes)
        self._usage.take(0, request_bytes)

    def take_bytes(self, request_bytes: int) -> None:
        """Take bytes that no head has announced."""
        self._usage.take(0, request_bytes)

    def begin(self) -> Stay:
        """Count a request among those under way, until the end of the stay that is returned.

        Raises:
            Problem: 429.
        """
        self._usage.check_held()
        stay = Stay()
        if self._usage.held is not None:
            stay.enter(self._usage.held)
        return stay

    def check(self, counts: Mapping[str, int], request_bytes: int) -> None:
        """Refuse rollouts, so many of each run: all or none. Nothing is taken.

        Raises:
            Problem: 403 for another's run, 429 for a quota of the key or of a run.
        """
        for run in counts:
            self.enter(run)
        total = sum(counts.values()) or 1
        self._usage.check(sum(counts.values()), 0)
        for run, count in counts.items():
            usage = self._runs.of(run)
            if usage is not None:
                usage.check(count, request_bytes * count / total)
                usage.check_held()

    def charge(self, stay: Stay | None, counts: Mapping[str, int], request_bytes: int) -> None:
        """Take what was checked just now; the request is held for these runs until the end of its stay."""
        total = sum(counts.values()) or 1
        self._usage.take(sum(counts.values()), 0)
        for run, count in counts.items():
            usage = self._runs.of(run)
            if usage is not None:
                usage.take(count, request_bytes * count / total)
                if usage.held is not None and stay is not None:
                    stay.enter(usage.held)

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

    def _other_run(self, what: str) -> Problem:
        prefixes = _listed(self.grant.prefixes, "or")
        return Problem(
            ProblemKind.OTHER_RUN,
            f"the key {self.key!r} is for runs whose names begin with {prefixes}, and {what}: name such a run (without "
            "a name it is 'default'), or use another key.",
        )


def everybody(runs: RunUsages, meters: Meters) -> Caller:
    """Return the caller where no key is asked for."""
    grant = Grant("everybody", ALL_SCOPES)
    return Caller(None, grant, meters.of_key(grant.name, grant.quotas), runs)


def _listed(words: Sequence[str] | frozenset[str], last: str = "and") -> str:
    shown = [repr(str(word)) for word in (words if isinstance(words, tuple) else sorted(words))]
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
