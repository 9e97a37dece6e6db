"""What is told of paraphrase jobs to those who watch: what waits, who works, and what it has come to."""

from collections.abc import Mapping
from dataclasses import dataclass

from reward_service.store import paraphrase_scripts
from reward_service.store.cohorts import as_dict
from reward_service.store.connection import RedisConnection
from reward_service.store.paraphrases import KEYS, by_kind
from reward_service.store.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class ParaphraseGauges:
    """All jobs together, at one moment.

    Attributes:
        paraphrasers: processes that work on them.
        running, paused: jobs.
        waiting, making: questions that nobody has begun, of running jobs; those that a paraphraser has in hand.
        oldest_job_s: age of the running job that was made first, 0 if none runs.
        counts: by kind, then name; of all time, as long as something is counted once in a month.
    """

    paraphrasers: int
    running: int
    paused: int
    waiting: int
    making: int
    oldest_job_s: float
    counts: Mapping[str, Mapping[str, int]]


class ParaphraseGaugeStore:
    """Reads the gauges; it changes nothing."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection
        self._unseen = Stopwatch()

    async def read(self) -> ParaphraseGauges:
        """What stands in Redis now, in one round trip."""
        found = await paraphrase_scripts.watch_paraphrases(self._connection, **KEYS, unseen_ms=self._unseen.lap_ms())
        paraphrasers, running, paused, waiting, making, oldest_ms, counts = found
        return ParaphraseGauges(
            paraphrasers, running, paused, waiting, making, oldest_ms / 1000, by_kind(as_dict(counts))
        )
