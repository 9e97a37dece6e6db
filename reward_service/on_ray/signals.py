"""Look at the store for what scaling goes by: the age of the queue, and the labels that wait."""

from dataclasses import dataclass

from reward_service.settings import Settings
from reward_service.store.connecting import connection_to
from reward_service.store.gauges import GaugeStore
from reward_service.store.runs import RunStore

PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What waits, of all runs in use.

    Attributes:
        oldest_job_s: the age of the job that waits longest for a worker.
        labels: labels that no teacher has begun, and those at which one is at work.
    """

    oldest_job_s: float
    labels: int


class SignalReader:
    """Reads signals over a connection of its own."""

    def __init__(self, redis_url: str, settings: Settings) -> None:
        """Connects to nothing yet."""
        connection = connection_to(redis_url, patience_s=PATIENCE_S)
        self._gauges = GaugeStore(connection, RunStore(connection, settings.limits).looks)

    async def read(self) -> Signals:
        """Return what waits now.

        Raises:
            StoreUnavailableError: the store is away.
        """
        runs = (await self._gauges.read()).runs
        teachers = [run.teacher for run in runs if run.teacher is not None]
        return Signals(
            max((run.oldest_job_s for run in runs), default=0.0), sum(each.asked + each.making for each in teachers)
        )
