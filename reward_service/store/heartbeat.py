"""Keep the heartbeats of workers, and count living workers."""

from reward_service.store import run_scripts
from reward_service.store.connection import RedisConnection
from reward_service.store.scripts import Stopwatch

WORKERS = "cr:workers"
WORKERS_CLOCK = "cr:clock:{cr:workers}"
"""The time by which workers are seen: beside them in a cluster."""

WORKERS_LOST = "cr:lost:{cr:workers}"
"""How many were seen no more without having left."""

WRITE_PROBE = "cr:write-probe"
SEEN_LATELY_S = 10.0


class Heartbeats:
    """The workers seen lately."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection
        self._unseen = Stopwatch()

    async def say(self, worker: str) -> None:
        """This worker is there."""
        await run_scripts.say_worker(
            self._connection,
            workers=WORKERS,
            lost=WORKERS_LOST,
            clock=WORKERS_CLOCK,
            worker=worker,
            lately_ms=round(SEEN_LATELY_S * 1000),
        )

    async def leave(self, worker: str) -> None:
        """This worker stops."""
        await self._connection.execute("ZREM", WORKERS, worker)

    async def try_write(self) -> None:
        """Writes a key that means nothing.

        Raises:
            StoreUnavailableError: Redis is away, or takes no writes.
        """
        await self._connection.execute("SET", WRITE_PROBE, 1, "PX", 1000)

    async def workers(self) -> int:
        """How many were seen lately."""
        return await run_scripts.count_workers(
            self._connection,
            workers=WORKERS,
            clock=WORKERS_CLOCK,
            lately_ms=round(SEEN_LATELY_S * 1000),
            unseen_ms=self._unseen.lap_ms(),
        )

    async def lost(self) -> int:
        """How many were seen no more without having left; noted by those that live."""
        return int(await self._connection.execute("GET", WORKERS_LOST) or 0)
