"""Share among processes what is used of quotas: token buckets, and how many requests are held."""

from collections.abc import Sequence
from typing import NamedTuple

from reward_service.domain.access import Rate
from reward_service.store import quota_scripts
from reward_service.store.connection import Argument, RedisConnection

SLOT = "{cr:quotas}"
"""All keys here are in one slot of a cluster: a script takes them together."""

CLOCK = f"cr:clock:{SLOT}"
LATELY_S = 3.0
"""For how long a process that says nothing more is taken to hold what it held."""


class Charge(NamedTuple):
    """What a process has taken from a bucket since it last said so."""

    bucket: str
    rate: Rate
    taken: float


class QuotaStore:
    """The buckets and gauges that processes share."""

    def __init__(self, connection: RedisConnection, process: str, lately_s: float = LATELY_S) -> None:
        """`process` is a name that no other process has; without news of one for `lately_s`, it holds nothing."""
        self._lately_ms = round(lately_s * 1000)
        self._connection = connection
        self._process = process

    async def charge(self, turn: int, charges: Sequence[Charge]) -> list[float]:
        """Take from buckets; return the level of each, less what this and other processes have taken so far.

        `turn` counts this process's calls, from 1. A turn that is repeated with the same charges is counted once.

        Raises:
            StoreUnavailableError: whether the turn was counted is not known: repeat it before another.
        """
        in_order: list[Argument] = []
        for each in charges:
            in_order += [each.rate.per_s, each.rate.burst, each.taken]
        levels = await quota_scripts.charge_quotas(
            self._connection,
            clock=CLOCK,
            told=f"cr:quota-turn:{SLOT}:{self._process}",
            turn=turn,
            buckets=[f"cr:quota:{SLOT}:{each.bucket}" for each in charges],
            charges=in_order,
        )
        return [float(level) for level in levels]

    async def count_held(self, held: Sequence[tuple[str, int]]) -> list[int]:
        """Note how many requests this process holds of each gauge; return how many the others hold."""
        return await quota_scripts.count_held(
            self._connection,
            clock=CLOCK,
            gauges=[f"cr:held:{SLOT}:{gauge}" for gauge, _ in held],
            process=self._process,
            lately_ms=self._lately_ms,
            held=[count for _, count in held],
        )
