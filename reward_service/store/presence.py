"""Which workers are there: each says so once in a while."""

import time

from reward_service.store.link import Link

WORKERS = "cr:workers"
WRITE_PROBE = "cr:write-probe"
SEEN_LATELY_S = 10.0


class Presence:
    """The workers seen lately."""

    def __init__(self, link: Link) -> None:
        """Over an open link."""
        self._link = link

    async def say(self, worker: str) -> None:
        """This worker is there."""
        now_s = time.time()
        await self._link.execute("ZADD", WORKERS, now_s, worker)
        await self._link.execute("ZREMRANGEBYSCORE", WORKERS, "-inf", now_s - SEEN_LATELY_S)
        await self._link.execute("EXPIRE", WORKERS, round(SEEN_LATELY_S))

    async def leave(self, worker: str) -> None:
        """This worker stops."""
        await self._link.execute("ZREM", WORKERS, worker)

    async def try_write(self) -> None:
        """Writes a key that means nothing.

        Raises:
            StoreUnavailableError: Redis is away, or takes no writes.
        """
        await self._link.execute("SET", WRITE_PROBE, 1, "PX", 1000)

    async def workers(self) -> int:
        """How many were seen lately."""
        return await self._link.execute("ZCOUNT", WORKERS, time.time() - SEEN_LATELY_S, "+inf")
