"""A trainer that never gives up, while containers die: what it was told is kept, so that it can be held to it."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from e2e_rule import Rollout

GIVE_UP_S = 100.0


@dataclass
class Trainer:
    """Sends parts of cohorts in two halves (202, then the ticket), a few at a time, and again when told to.

    Attributes:
        got: the rewards, by rollout.
        cohorts: the ids of all cohorts that rewards came from.
        refusals: the statuses of refused requests, each with its Retry-After.
        broken: connections that broke or were refused.
    """

    url: str
    key: str
    got: dict[Rollout, float] = field(default_factory=dict)
    cohorts: set[str] = field(default_factory=set)
    refusals: list[tuple[int, str | None]] = field(default_factory=list)
    broken: int = 0

    async def send(self, run: str, rollouts: Sequence[Rollout], part: int = 8) -> None:
        """All of them, in a random order."""
        chance = random.Random(0)
        shuffled = chance.sample(rollouts, len(rollouts))
        parts = [shuffled[first : first + part] for first in range(0, len(shuffled), part)]
        at_once = asyncio.Semaphore(32)
        headers = {"authorization": f"Bearer {self.key}"}
        timeout = aiohttp.ClientTimeout(total=20.0)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http, asyncio.timeout(GIVE_UP_S):
            tickets = await asyncio.gather(*(self._submit(http, run, some, at_once) for some in parts))
            await asyncio.gather(*map(self._collect, [http] * len(parts), parts, tickets))

    async def _submit(
        self, http: aiohttp.ClientSession, run: str, rollouts: Sequence[Rollout], at_once: asyncio.Semaphore
    ) -> str:
        body = {"run": run, "complete": False, "rollouts": [rollout.wire() for rollout in rollouts]}
        async with at_once:
            answer = await self._asked(http, "POST", "/v1/rollouts", json=body)
            await asyncio.sleep(0.05)  # the pace of a trainer, so that the kills fall in between
        return answer["ticket"]

    async def _collect(self, http: aiohttp.ClientSession, rollouts: Sequence[Rollout], ticket: str) -> None:
        answer: dict[str, Any] = {}
        while "rewards" not in answer:
            answer = await self._asked(http, "GET", f"/v1/rewards/{ticket}?wait_s=5")
        self.got |= {rollout: reward or 0.0 for rollout, reward in zip(rollouts, answer["rewards"], strict=True)}
        self.cohorts |= {label["cohort"] for label in answer["labels"]}

    async def _asked(self, http: aiohttp.ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:
        while True:
            try:
                async with http.request(method, self.url + path, **options) as answer:
                    if answer.status in (200, 202):
                        return await answer.json()
                    assert answer.status in (429, 503), await answer.text()
                    self.refusals.append((answer.status, answer.headers.get("retry-after")))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                self.broken += 1
            await asyncio.sleep(0.3)
