"""Say what a key may do: which routes by scopes, which runs by prefixes, and how much by quotas. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from co_rewarding_schema.run_names import evaluated_run


class Scope(StrEnum):
    """What a key opens. No scope holds another: a key names each of its own."""

    READ = "read"
    SCORE = "score"
    TEACH = "teach"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `per_s` flow in each second, up to `burst`.

    The level may fall below 0: a request that is larger than the burst is let in when the bucket is full, and those
    that come after wait until what it took has flowed in again. So the mean rate holds for requests of every size.
    """

    per_s: float
    burst: float

    def refilled(self, level: float, passed_s: float) -> float:
        """Return the level after some seconds; a clock that goes back takes nothing."""
        if passed_s > 0.0:
            level += self.per_s * passed_s
        return min(self.burst, level)

    def wait_s(self, level: float, wanted: float) -> float:
        """Return after how many seconds a request of this size is let in; 0: now."""
        return max(0.0, (min(wanted, self.burst) - level) / self.per_s)


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much a key, or a run, may use; None where nothing but the service's own limits bounds it.

    Attributes:
        rollouts: rollouts that are accepted.
        request_bytes: bytes of the bodies of requests.
        held_requests: requests that are under way at once.
        open_cohorts: cohorts that wait for ballots; of a run only, since a cohort belongs to a run and to no key.
    """

    rollouts: Rate | None = None
    request_bytes: Rate | None = None
    held_requests: int | None = None
    open_cohorts: int | None = None

    def __str__(self) -> str:
        """For a person."""
        rates = (("rollouts", self.rollouts), ("bytes", self.request_bytes))
        told = [f"{rate.per_s:.15g} {what}/s, {rate.burst:.15g} at once" for what, rate in rates if rate is not None]
        counts = (("requests held", self.held_requests), ("open cohorts", self.open_cohorts))
        return ", ".join(told + [f"{count} {what}" for what, count in counts if count is not None]) or "no quotas"


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a key may do. `name` is shown in logs; without prefixes the grant is for every run."""

    name: str
    scopes: frozenset[Scope] = ALL_SCOPES
    prefixes: tuple[str, ...] = ()
    quotas: Quotas = field(default_factory=Quotas)

    def admits(self, run: str) -> bool:
        """Return whether the run is among the grant's; the evaluation of a run belongs to that run."""
        return not self.prefixes or own_run(run).startswith(self.prefixes)

    def owns(self, folder: str) -> bool:
        """Return whether weights in a folder of this name are of the grant's runs: a folder is named after its run."""
        return not self.prefixes or folder.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class RunQuotas:
    """The quotas of each run whose name begins with the prefix."""

    prefix: str
    quotas: Quotas


@dataclass(frozen=True, slots=True)
class AccessList:
    """All grants, by the SHA-256 of their keys, and the quotas of runs. Without a grant the service asks for no key."""

    grants: Mapping[bytes, Grant] = field(default_factory=dict[bytes, Grant])
    runs: tuple[RunQuotas, ...] = ()

    def quotas_of(self, run: str) -> Quotas | None:
        """Return the quotas of a run: those of the longest prefix that its name begins with."""
        name = own_run(run)
        fitting = [each for each in self.runs if name.startswith(each.prefix)]
        return max(fitting, key=lambda each: len(each.prefix)).quotas if fitting else None


def own_run(run: str) -> str:
    """Return the run that a run belongs to: of an evaluation, the one that is evaluated."""
    return evaluated_run(run) or run


def digest_of(key: bytes) -> bytes:
    """Return what a key is known by: whoever tries keys learns nothing from the time that a look-up takes."""
    return hashlib.sha256(key).digest()
