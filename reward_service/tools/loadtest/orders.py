"""Pass the load test's settings from the command to the process of Locust."""

import msgspec

from reward_service.tools.loadtest.arrivals import Traffic

ORDER = "CO_REWARDING_LOADTEST_ORDER"


class LoadOrder(msgspec.Struct, frozen=True):
    """One load test.

    Attributes:
        url: the service.
        run: the run that everything is sent to.
        first_cohort: the number of the first cohort, so that no two tests send the same.
        most_rollouts: no more than these are sent.
        records: the file that the records go to.
    """

    url: str
    run: str
    traffic: Traffic
    first_cohort: int
    most_rollouts: int
    records: str
    api_key: str | None = None
