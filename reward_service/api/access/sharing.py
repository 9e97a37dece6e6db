"""Tell the other processes, a few times a second, what this one uses of quotas, and hear what they use."""

from reward_service.api.access.meters import Meters
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

    async def share(self) -> None:
        """Tell and hear once.

        Raises:
            StoreUnavailableError: nothing was heard; the process goes on by what it knows.
        """
        meters, gauges = self._meters.touched()
        if meters:
            charges = [Charge(each.name, each.rate, each.unsaid) for each in meters]
            levels = await self._store.charge(charges)
            for meter, charge, level in zip(meters, charges, levels, strict=True):
                meter.hear(level, charge.taken)
        if gauges:
            others = await self._store.count_held([(each.name, each.here) for each in gauges])
            for gauge, elsewhere in zip(gauges, others, strict=True):
                gauge.elsewhere = elsewhere
