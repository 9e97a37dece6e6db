"""Look at runs as those who watch them do: a run is one command, and reading it is no use of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.run_names import DEFAULT_RUN, evaluated_run
from co_rewarding_schema.run_settings import RunSettings
from redis.exceptions import ResponseError

from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.keys import RUN_TTL_MS, RUNS, RunKeys
from reward_service.store.run_scripts import look_at_run
from reward_service.store.traces import SignPoint, points_of

ABSENT = b"absent"
"""What lua/look_at_ballots.lua notes of a peer for which a run does not wait."""

MOST_KNOWN = 256
LOOKED_AT_ONCE = 100
"""Runs that are looked at together; commands of others pass between."""


class UnreadableRunError(CoRewardingError):
    """What is kept of a run means nothing to this release."""


@dataclass(frozen=True, slots=True)
class TeacherLook:
    """Where a run's teacher stands: its average, the newest weights that were announced, and its labels."""

    version: int
    announced: int | None
    asked: int
    making: int

    @property
    def lag(self) -> int:
        """Return the steps between the average and the newest weights."""
        return max(0, (self.announced or 0) - self.version)


@dataclass(frozen=True, slots=True)
class RunLook:
    """A run at a glance.

    `state` says what the run has come to; what waits for peers is told if there is any. `points` are the signs of the
    steps that were looked at, in the order of steps and attempts.
    """

    run: str
    settings: RunSettings
    revision: int
    state: dict[str, int]
    teacher: TeacherLook
    points: Sequence[SignPoint]


class RunLooks:
    """Looks at runs. What waits to be added to the signs of a step is added; nothing else changes."""

    def __init__(self, connection: RedisConnection) -> None:
        """Over an open connection."""
        self._connection = connection
        self._known: dict[tuple[bool, bytes], RunSettings] = {}

    async def look(self, run: str, latest: int, spread: int = 0) -> RunLook | None:
        """Look at a run and its latest steps, and at some before them; None for a run that was not made.

        Those before are `spread` steps in equal distances, the first among them.

        Raises:
            UnreadableRunError: a key holds a value of another kind, or one that a newer release has written.
        """
        try:
            return await self._looked(run, latest, spread)
        except (ResponseError, msgspec.MsgspecError, ValueError) as cause:  # also what nobody can compute with
            raise UnreadableRunError(f"run {run!r} cannot be read by this release: {cause}") from cause

    async def _looked(self, run: str, latest: int, spread: int) -> RunLook | None:
        keys = RunKeys(run)
        revision, text, counted, waiting, teacher, kept = await look_at_run(
            self._connection,
            settings=keys.settings,
            stats=keys.stats,
            deadlines=keys.deadlines,
            waits=keys.waits,
            peer_waits=keys.peer_waits,
            jobs=keys.jobs,
            teacher=keys.teacher,
            asks=keys.asks,
            taken=keys.taken,
            steps=keys.steps,
            series=keys.series,
            waiting_sums=keys.waiting_sums,
            answers=keys.answers,
            latest=latest,
            spread=spread,
            ttl_ms=RUN_TTL_MS,
        )
        settings = self._settings(run, text)
        if settings is None:
            return None
        stats = {name.decode(): int(count) for name, count in as_dict(counted).items()}
        version, announced, asked, making = teacher
        return RunLook(
            run,
            settings,
            int(revision or 0),
            _state(stats, *waiting),
            TeacherLook(int(version or 0), None if announced is None else int(announced), asked, making),
            points_of(as_dict(kept)),
        )

    async def look_at(self, runs: Sequence[str], latest: int, spread: int = 0) -> list[RunLook]:
        """Look at many runs; those that are gone or unreadable are left out."""
        found: list[RunLook | None] = []
        for first in range(0, len(runs), LOOKED_AT_ONCE):
            some = runs[first : first + LOOKED_AT_ONCE]
            found += await asyncio.gather(*(self._readable(run, latest, spread) for run in some))
        return [each for each in found if each is not None]

    async def used_since(self, since_s: float, most: int) -> dict[str, float]:
        """Return the runs that were used since a time of the machines' clocks, the latest first, and when."""
        found = await self._connection.execute(
            "ZREVRANGEBYSCORE", RUNS, "+inf", since_s, "WITHSCORES", "LIMIT", 0, most
        )
        return {run.decode(): float(used_s) for run, used_s in as_dict(found).items()}

    async def used(self, run: str) -> float | None:
        """Return when a run was used last; None for one that nobody uses."""
        used_s = await self._connection.execute("ZSCORE", RUNS, run)
        return None if used_s is None else float(used_s)

    def _settings(self, run: str, text: bytes | None) -> RunSettings | None:
        """As `settings_of`: most runs have settings that another run had, and to check them is most of a look."""
        if text is None:
            return settings_of(run, text)
        name = evaluated_run(run) is not None, text
        settings = self._known.get(name)
        if settings is None and (settings := settings_of(run, text)) is not None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name] = settings
        return settings

    async def absent_peers(self, run: str, settings: RunSettings) -> list[str]:
        """Return the peers for which a run does not wait: they have cast no ballot for a whole deadline of the run.

        Raises:
            UnreadableRunError: a key of a peer holds a value of another kind.
        """
        try:
            standing: list[bytes | None] = await asyncio.gather(
                *(self._connection.execute("HGET", RunKeys(peer).missing, run) for peer in settings.peers)
            )
        except ResponseError as cause:
            raise UnreadableRunError(f"what is kept of the peers of run {run!r} cannot be read: {cause}") from cause
        return [peer for peer, how in zip(settings.peers, standing, strict=True) if how == ABSENT]

    async def _readable(self, run: str, latest: int, spread: int) -> RunLook | None:
        try:
            return await self.look(run, latest, spread)
        except UnreadableRunError:
            return None


def _state(stats: dict[str, int], opened: int, waiting: int, with_peers: int, queued: int) -> dict[str, int]:
    """What a run has come to: cohorts settled, abstained and open, requests without a label yet, and jobs."""
    return {
        "settled": stats.get("settled", 0),
        "abstained": stats.get("abstained", 0),
        "open": opened,
        "waiting_for_teacher": waiting,
        "queued": queued,
    } | ({"waiting_for_peers": with_peers} if with_peers else {})


def settings_of(run: str, text: bytes | None) -> RunSettings | None:
    """Return settings as they were put, as the run or its evaluation has them; None for a run that was not made.

    A setting that is newer than the text has its default. A name that this release does not know is an error: a replica
    that is older than a run would reward it otherwise.
    """
    evaluated = evaluated_run(run)
    if text:
        settings = msgspec.json.decode(text, type=RunSettings)
    elif (evaluated or run) == DEFAULT_RUN:
        settings = RunSettings()
    else:
        return None
    return settings if evaluated is None else settings.for_evaluation()
