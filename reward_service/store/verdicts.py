"""Keep verdicts on pairs of answers in Redis, so that a pair is judged once for all workers and runs."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, TypeVar

from reward_service.store.connection import RedisConnection

KEPT_S = 30 * 24 * 3600
"""A verdict nobody renews is forgotten after 30 days."""

V = TypeVar("V", bound=StrEnum)


def verdict_name(digest: str) -> str:
    """Where the verdict with that digest is kept: a string, one key a command, so that a cluster needs no hash tag."""
    return f"cr:verdict:{digest}"


class RedisVerdicts(Generic[V]):
    """A VerdictStore. It learns from its maker which verdicts there are: the store knows nothing of grading."""

    def __init__(self, connection: RedisConnection, verdicts: type[V], kept_s: int = KEPT_S) -> None:
        """Over an open connection; `kept_s` is how long a verdict is kept (s)."""
        self._connection = connection
        self._by_value = {member.value.encode(): member for member in verdicts}
        self._kept_s = kept_s

    async def get_many(self, keys: Sequence[str]) -> list[V | None]:
        """The verdict of each key, None where there is none that is understood; in one round trip.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        replies = await asyncio.gather(*(self._connection.execute("GET", verdict_name(key)) for key in keys))
        return [self._by_value.get(reply) for reply in replies]

    async def put(self, key: str, verdict: V) -> None:
        """Keeps a verdict for `kept_s` seconds.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        await self._connection.execute("SET", verdict_name(key), verdict.value, "EX", self._kept_s)
