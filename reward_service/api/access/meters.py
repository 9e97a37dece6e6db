"""Measure what keys and runs use, in this process; the other processes' use is heard of in between (`shared`)."""

from collections.abc import Callable

from co_rewarding_schema.problems import ProblemKind

from reward_service.api.http.problems import Problem
from reward_service.domain.access import Quotas, Rate

MOST_IDLE_RUNS = 10_000
"""Above so many runs those are forgotten that use nothing."""

HELD_AGAIN_S = 1.0
"""When one is to come again that was refused since too many of its requests are held."""


class Meter:
    """A token bucket as this process knows it. `unsaid` was taken here and told to nobody yet."""

    __slots__ = ("_at_s", "_now_s", "level", "name", "rate", "touched", "unsaid")

    def __init__(self, name: str, rate: Rate, now_s: Callable[[], float]) -> None:
        """Begin full."""
        self.name = name
        self.rate = rate
        self.level = rate.burst
        self.unsaid = 0.0
        self.touched = False
        self._now_s = now_s
        self._at_s = now_s()

    def wait_s(self, wanted: float) -> float:
        """Return after how many seconds so much may be taken; 0: now."""
        now_s = self._now_s()
        level = self.level = self.rate.refilled(self.level, now_s - self._at_s)
        self._at_s = now_s
        self.touched = True
        return 0.0 if level >= wanted else self.rate.wait_s(level, wanted)

    @property
    def full(self) -> bool:
        """Whether all that was taken has flowed in again."""
        return self.rate.refilled(self.level, self._now_s() - self._at_s) >= self.rate.burst

    def take(self, amount: float) -> None:
        """Take so much, whether or not it is there."""
        self.level -= amount
        self.unsaid += amount
        self.touched = True

    def hear(self, level: float, said: float) -> None:
        """Take over the level that all processes share, in which `said` of this one's use is counted."""
        self.unsaid -= said
        self.level = level - self.unsaid
        self._at_s = self._now_s()


class Gauge:
    """Requests under way at once: here, and in the other processes when they last said so."""

    __slots__ = ("elsewhere", "here", "limit", "name", "touched")

    def __init__(self, name: str, limit: int) -> None:
        """Begin with none."""
        self.name = name
        self.limit = limit
        self.here = 0
        self.elsewhere = 0
        self.touched = False


class Stay:
    """A request while it is under way: the gauges that it counts in."""

    __slots__ = ("_ended", "_gauges")

    def __init__(self) -> None:
        """Begin in none."""
        self._ended = False
        self._gauges: list[Gauge] = []

    def enter(self, gauge: Gauge) -> None:
        """Count in a gauge until the end; after the end count no more: a client may leave while its body is read."""
        if self._ended:
            return
        gauge.here += 1
        gauge.touched = True
        self._gauges.append(gauge)

    def end(self) -> None:
        """Count no longer; once more does nothing."""
        self._ended = True
        while self._gauges:
            gauge = self._gauges.pop()
            gauge.here -= 1
            gauge.touched = True


class Usage:
    """What a key or a run uses of its quotas. `of` names it for people; `forgotten`, another has taken its place."""

    __slots__ = ("forgotten", "held", "of", "quotas", "request_bytes", "rollouts")

    def __init__(
        self, of: str, quotas: Quotas, rollouts: Meter | None, request_bytes: Meter | None, held: Gauge | None
    ) -> None:
        """Begin with what was used before."""
        self.of = of
        self.quotas = quotas
        self.rollouts = rollouts
        self.request_bytes = request_bytes
        self.held = held
        self.forgotten = False

    @property
    def idle(self) -> bool:
        """Whether nothing is held, and all that was taken has flowed in again and is known to the others."""
        meters = [each for each in (self.rollouts, self.request_bytes) if each is not None]
        held = self.held is not None and (self.held.here or self.held.touched)
        return not held and all(not each.unsaid and each.full for each in meters)

    def check(self, rollouts: float, request_bytes: float) -> None:
        """Refuse so much if it is not there; nothing is taken.

        Raises:
            Problem: 429, with the quota.
        """
        meter = self.rollouts
        if meter is not None and rollouts > 0 and (wait_s := meter.wait_s(rollouts)) > 0.0:
            raise _over_rate(self.of, "rollouts_per_s", meter, wait_s)
        meter = self.request_bytes
        if meter is not None and request_bytes and (wait_s := meter.wait_s(request_bytes)) > 0.0:
            raise _over_rate(self.of, "bytes_per_s", meter, wait_s)

    def take(self, rollouts: int, request_bytes: float) -> None:
        """Take so much."""
        if self.rollouts is not None and rollouts:
            self.rollouts.take(rollouts)
        if self.request_bytes is not None and request_bytes:
            self.request_bytes.take(request_bytes)

    def check_held(self) -> None:
        """Refuse one more request if too many are under way.

        Raises:
            Problem: 429, with the quota.
        """
        held = self.held
        if held is not None and held.here + held.elsewhere >= held.limit:
            held.touched = True
            raise over_quota(self.of, "held_requests", held.limit, held.here + held.elsewhere, HELD_AGAIN_S)


class Meters:
    """The usages of this process, by names that other processes give to the same."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Begin without any."""
        self._now_s = now_s
        self._keys: dict[str, Usage] = {}
        self._runs: dict[str, Usage] = {}

    def of_key(self, name: str, quotas: Quotas) -> Usage:
        """Return the usage of the key of that name: another key of the name, later, goes on with it."""
        return self._usage(self._keys, "key", name, quotas)

    def of_run(self, run: str, quotas: Quotas) -> Usage:
        """Return the usage of a run, by whatever keys."""
        return self._usage(self._runs, "run", run, quotas)

    def touched(self) -> tuple[list[Meter], list[Gauge]]:
        """Return what was used or asked since this was last called or said, and what is held."""
        meters: list[Meter] = []
        gauges: list[Gauge] = []
        for usage in (*self._keys.values(), *self._runs.values()):
            meters += [
                each
                for each in (usage.rollouts, usage.request_bytes)
                if each is not None and (each.touched or each.unsaid)
            ]
            held = usage.held
            gauges += [held] if held is not None and (held.touched or held.here) else []
        for each in (*meters, *gauges):
            each.touched = False
        if len(self._runs) > MOST_IDLE_RUNS:
            for run, usage in [each for each in self._runs.items() if each[1].idle]:
                usage.forgotten = True
                del self._runs[run]
        return meters, gauges

    def _usage(self, known: dict[str, Usage], kind: str, name: str, quotas: Quotas) -> Usage:
        before = known.get(name)
        if before is not None and before.quotas == quotas:
            return before
        full, nothing = f"{kind}:{name}", (None, None, None)
        rollouts, request_bytes, held = (before.rollouts, before.request_bytes, before.held) if before else nothing
        if before is not None:
            before.forgotten = True
        usage = known[name] = Usage(
            f"{kind} {name!r}",
            quotas,
            self._meter(f"rollouts:{full}", quotas.rollouts, rollouts),
            self._meter(f"bytes:{full}", quotas.request_bytes, request_bytes),
            _gauge(f"held:{full}", quotas.held_requests, held),
        )
        return usage

    def _meter(self, name: str, rate: Rate | None, before: Meter | None) -> Meter | None:
        if rate is None:
            return None
        if before is None:
            return Meter(name, rate, self._now_s)
        before.level += rate.burst - before.rate.burst  # what was taken by the old rate stays taken
        before.rate = rate
        return before


def _gauge(name: str, limit: int | None, before: Gauge | None) -> Gauge | None:
    if limit is None:
        return None
    gauge = before or Gauge(name, limit)
    gauge.limit = limit
    return gauge


def over_quota(of: str, quota: str, limit: float, used: float, wait_s: float, burst: float | None = None) -> Problem:
    """Return the refusal of what is over a quota."""
    shown: dict[str, str | float] = {"name": quota, "of": of, "limit": limit, "used": round(used, 3)}
    at_once = ""
    if burst is not None:
        shown["burst"] = burst
        at_once = f", {burst:.15g} at once"
    return Problem(
        ProblemKind.OVER_QUOTA,
        f"{of} has used up its quota {quota} of {limit:.15g}{at_once} (used now: {used:.1f}); try again after the time "
        "in Retry-After, or let the operator raise the quota in the file of keys.",
        retry_after_s=round(wait_s, 3),
        quota=shown,
    )


def _over_rate(of: str, quota: str, meter: Meter, wait_s: float) -> Problem:
    rate = meter.rate
    return over_quota(of, quota, rate.per_s, rate.burst - meter.level, wait_s, rate.burst)
