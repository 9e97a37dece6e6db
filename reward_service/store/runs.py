"""Keep runs in Redis: their settings, and which are in use."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.run_names import RUN_NAME_PATTERN, check_own_run
from co_rewarding_schema.run_settings import RunSettings

from reward_service.store import run_scripts
from reward_service.store.connection import RedisConnection, as_dict
from reward_service.store.keys import RUN_RETENTION_S, RUN_TTL_MS, RUNS, SEPARATOR, RunKeys
from reward_service.store.run_looks import RunLook, RunLooks, settings_of
from reward_service.store.server_replies import WrongTypeError
from reward_service.store.submissions import Revised, StoreLimits

RUNS_CURSOR_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,20})?" + SEPARATOR + RUN_NAME_PATTERN.removeprefix("^")
"""Seconds since the epoch, without an exponent, whose + would be a space in a URL."""

PLACES_AT_ONCE = 1000
"""So many runs are looked through at once for those that are admitted: a short page may be behind many of others."""


class CursorError(CoRewardingError):
    """A cursor that no page gave."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some of the runs in use, the latest used first; `cursor` continues behind them, None where they are the last."""

    runs: list[RunLook]
    cursor: str | None


class RunStore:
    """Settings by run."""

    def __init__(self, connection: RedisConnection, limits: StoreLimits, looks: RunLooks | None = None) -> None:
        """Over an open connection. `looks` looks at the runs, over the same connection if none is given."""
        self._connection = connection
        self._limits = limits
        self.looks = looks or RunLooks(connection)

    async def put(self, run: str, settings: RunSettings) -> Revised:
        """Make a run, or change one: its evaluation changes with it. The same settings again change nothing.

        Raises:
            InvalidRunError: the run is another's evaluation.
        """
        check_own_run(run)
        text = msgspec.json.encode(settings)
        revision = await run_scripts.put_run(
            self._connection, settings=RunKeys(run).settings, text=text, ttl_ms=RUN_TTL_MS
        )
        await self._list(run)
        await self._follow(run, settings)
        # A trainer that starts makes its run: it waits for each of its peers, whoever was absent before.
        with contextlib.suppress(WrongTypeError):  # of a peer that is not served
            await asyncio.gather(
                *(self._connection.execute("HDEL", RunKeys(peer).missing, run) for peer in settings.peers)
            )
        return Revised(settings, revision.decode())

    async def use(self, run: str) -> Revised | None:
        """A run's settings, for use: workers learn that it has work. None for a run that was not made."""
        revision, text = await run_scripts.touch(self._connection, settings=RunKeys(run).settings, ttl_ms=RUN_TTL_MS)
        settings = settings_of(run, text)
        if settings is None:
            return None
        await self._list(run)
        await self._follow(run, settings)
        return Revised(settings, revision.decode())

    async def look(self, run: str) -> Revised | None:
        """A run's settings, for those who only serve it: it is not in use for that. None for a run that is gone."""
        revision, text = await self._connection.execute("HMGET", RunKeys(run).settings, "revision", "settings")
        settings = settings_of(run, text)
        return None if settings is None else Revised(settings, revision.decode() if text else "0")

    def may_queue(self, look: RunLook) -> bool:
        """Return whether a run has room for another job."""
        return look.state["queued"] < self._limits.jobs

    async def names(self) -> list[str]:
        """The runs in use, the latest first."""
        return [name.decode() for name in await self._connection.execute("ZREVRANGE", RUNS, 0, -1)]

    async def page(self, most: int, cursor: str | None = None, admits: Callable[[str], bool] | None = None) -> RunPage:
        """At most `most` of the runs in use, from a page's cursor on. None of them is in use for that.

        Runs that `admits` does not admit are left out. A run that is used between two pages moves to the front, behind
        which the next page goes on.

        Raises:
            CursorError: the cursor is not one that a page gave.
        """
        places = await self._places(most + 1, cursor, admits)
        names = [name for _, name in places[:most]]
        found = await self.looks.look_at(names, 0)
        last = "{1}{0}{2}".format(SEPARATOR, *places[most - 1]) if len(places) > most else None
        return RunPage(found, last)

    async def _places(
        self, most: int, cursor: str | None, admits: Callable[[str], bool] | None
    ) -> list[tuple[str, str]]:
        """Runs by falling (time of last use, name), those behind the cursor."""
        used, name = ("+inf", "") if cursor is None else _place(cursor)
        found: list[tuple[str, str]] = []
        asked, at_once = 0, most if admits is None else max(most, PLACES_AT_ONCE)
        while True:
            answer = await self._connection.execute(
                "ZREVRANGEBYSCORE", RUNS, used, "-inf", "WITHSCORES", "LIMIT", asked, at_once
            )
            places = [(repr(float(score)), run.decode()) for run, score in as_dict(answer).items()]
            # Runs of the cursor's own time are there again, those that its page has shown among them.
            behind = [each for each in places if cursor is None or float(each[0]) < float(used) or each[1] < name]
            found += [each for each in behind if admits is None or admits(each[1])]
            asked += at_once
            if len(found) >= most or len(places) < at_once:
                return found[:most]

    async def _follow(self, run: str, settings: RunSettings) -> None:
        """Notes that the ballots of a run's peers are wanted, and its own: runs that name others are mostly named."""
        if settings.peers:
            await self._want(run)
            for peer in settings.peers:
                with contextlib.suppress(WrongTypeError):  # of a peer that is not served
                    await self._want(peer)

    async def _want(self, run: str) -> None:
        keys, ttl_ms = RunKeys(run), round(self._limits.retention_s * 1000)
        await run_scripts.follow(
            self._connection, settings=keys.settings, stats=keys.stats, standing=keys.standing, ttl_ms=ttl_ms
        )

    async def _list(self, run: str) -> None:
        now_s = time.time()
        await self._connection.execute("ZADD", RUNS, now_s, run)
        await self._connection.execute("ZREMRANGEBYSCORE", RUNS, "-inf", now_s - RUN_RETENTION_S)
        await self._connection.execute("EXPIRE", RUNS, round(RUN_RETENTION_S))


def waiting_in(look: RunLook) -> int:
    """Return how many cohorts and batches of a run wait, for rollouts, a teacher or peers."""
    state = look.state
    return state["open"] + state["waiting_for_teacher"] + state.get("waiting_for_peers", 0)


def _place(cursor: str) -> tuple[str, str]:
    used, separator, run = cursor.partition(SEPARATOR)
    if separator and re.fullmatch(RUNS_CURSOR_PATTERN, cursor):
        return used, run
    raise CursorError("the cursor is none that a page gave: ask without one for the first page")
