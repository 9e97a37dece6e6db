"""Runs in Redis: their settings, and which are in use."""

import time
from dataclasses import asdict
from typing import Any

import msgspec

from reward_service.domain.runs import DEFAULT_RUN, RunSettings
from reward_service.store.cohorts import Limits, Revised, as_dict
from reward_service.store.keys import RUNS, RunKeys
from reward_service.store.link import Link
from reward_service.store.scripts import Script

RUN_RETENTION_S = 30 * 24 * 3600.0
"""A run that nobody has used for so long is forgotten."""


class RunStore:
    """Settings by run."""

    def __init__(self, link: Link, limits: Limits) -> None:
        """Over an open link."""
        self._link = link
        self._limits = limits
        self._put = Script("put_run")
        self._touch = Script("touch")

    async def put(self, run: str, settings: RunSettings) -> Revised:
        """Makes a run, or changes one. The same settings again change nothing."""
        text = msgspec.json.encode(asdict(settings))
        revision = await self._put(self._link, [RunKeys(run).settings], text, round(RUN_RETENTION_S * 1000))
        await self._list(run)
        return Revised(settings, revision.decode())

    async def use(self, run: str) -> Revised | None:
        """A run's settings, for use: workers learn that it has work. None for a run that was not made."""
        revision, text = await self._touch(self._link, [RunKeys(run).settings], round(RUN_RETENTION_S * 1000))
        if text:
            settings = _settings(text)
        elif run == DEFAULT_RUN:
            settings = RunSettings()
        else:
            return None
        await self._list(run)
        return Revised(settings, revision.decode())

    async def look(self, run: str) -> RunSettings | None:
        """A run's settings, for those who only serve it: it is not in use for that. None for a run that is gone."""
        text = await self._link.execute("HGET", RunKeys(run).settings, "settings")
        if text:
            return _settings(text)
        return RunSettings() if run == DEFAULT_RUN else None

    async def names(self) -> list[str]:
        """The runs in use, the latest first."""
        return [name.decode() for name in await self._link.execute("ZREVRANGE", RUNS, 0, -1)]

    async def state(self, run: str) -> dict[str, int]:
        """What a run has come to: cohorts settled, abstained and open, requests without a label yet, and jobs."""
        keys = RunKeys(run)
        stats = {name.decode(): int(n) for name, n in as_dict(await self._link.execute("HGETALL", keys.stats)).items()}
        return {
            "settled": stats.get("settled", 0),
            "abstained": stats.get("abstained", 0),
            "open": await self._link.execute("ZCARD", keys.deadlines),
            "waiting_for_teacher": await self._link.execute("ZCARD", keys.waits),
            "queued": await self._link.execute("XLEN", keys.jobs),
        }

    async def _list(self, run: str) -> None:
        now_s = time.time()
        await self._link.execute("ZADD", RUNS, now_s, run)
        await self._link.execute("ZREMRANGEBYSCORE", RUNS, "-inf", now_s - RUN_RETENTION_S)
        await self._link.execute("EXPIRE", RUNS, round(RUN_RETENTION_S))


def _settings(text: bytes) -> RunSettings:
    """Settings as they were put. What they do not name, for they are older than it, has its default.

    A name that this release does not know is an error: a replica that is older than a run would reward it otherwise.
    """
    stored: dict[str, Any] = msgspec.json.decode(text)
    if "answer_formats" in stored:
        stored["answer_formats"] = tuple(stored["answer_formats"])  # JSON has lists only
    return RunSettings(**stored)
