"""Tell the other processes, a few times a second, what this one uses of quotas, and hear what they use."""

from reward_service.api.access.meters import Meter, Meters
from reward_service.store.quotas import Charge, QuotaStore

SHARED_EVERY_S = 0.25


class QuotaSharing:
    """Keeps this process's meters in step with those of the others.

    No request waits for that: between two turns a process goes by the level that it heard last, less what it has let
    through itself. So N processes may let through up to N times what a bucket holds before they hear of each other;
    what is too much is then a debt of the bucket, which is paid before anything else comes through. Over a longer time
    the rate holds for all processes together.
    """

    def __init__(self, meters: Meters, store: QuotaStore) -> None:
        """Share these meters over the store."""
        self._meters = meters
        self._store = store
        self._turn = 0
        self._unheard: list[tuple[Meter, Charge]] = []

    async def share(self) -> None:
        """Tell and hear once. A turn whose answer was lost is repeated first: it may have been counted.

        Raises:
            StoreUnavailableError: nothing was heard; the process goes on by what it knows.
        """
        await self._hear()
        meters, gauges = self._meters.touched()
        if meters:
            self._turn += 1
            self._unheard = [(each, Charge(each.name, each.rate, each.unsaid)) for each in meters]
            await self._hear()
        if gauges:
            others = await self._store.count_held([(each.name, each.here) for each in gauges])
            for gauge, elsewhere in zip(gauges, others, strict=True):
                gauge.elsewhere = elsewhere

    async def _hear(self) -> None:
        if not self._unheard:
            return
        levels = await self._store.charge(self._turn, [charge for _, charge in self._unheard])
        for (meter, charge), level in zip(self._unheard, levels, strict=True):
            meter.hear(level, charge.taken)
        self._unheard = []
