"""A trainer that never gives up, while containers die: what it was told is kept, so that it can be held to it."""

import asyncio
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from e2e_rule import Rollout, questions

GIVE_UP_S = 100.0


A_WAVE = 12  # questions


@dataclass
class Trainer:
    """Sends cohorts wave by wave, each in parts and in two halves (202, then the ticket), and again when told to.

    Attributes:
        sent: all rollouts of the waves that were begun.
        got: the rewards, by rollout.
        cohorts: the ids of all cohorts that rewards came from.
        refusals: the statuses of refused requests, each with its Retry-After.
        broken: connections that broke or were refused.
        waves: how many are rewarded.
    """

    url: str
    key: str
    run: str
    sent: list[Rollout] = field(default_factory=list)
    got: dict[Rollout, float] = field(default_factory=dict)
    cohorts: set[str] = field(default_factory=set)
    refusals: list[tuple[int, str | None]] = field(default_factory=list)
    broken: int = 0
    waves: int = 0

    async def send_until(self, stop: threading.Event) -> None:
        """Begins the next wave when the last is rewarded, until it is told to stop."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20.0)) as http:
            while not stop.is_set():
                wave = questions(A_WAVE, self.waves, name=self.run)
                self.sent += wave
                async with asyncio.timeout(GIVE_UP_S):
                    await self._send(http, wave)
                self.waves += 1

    async def _send(self, http: aiohttp.ClientSession, wave: Sequence[Rollout], part: int = 8) -> None:
        shuffled = random.Random(self.waves).sample(wave, len(wave))
        parts = [shuffled[first : first + part] for first in range(0, len(shuffled), part)]
        tickets = await asyncio.gather(*(self._submit(http, some) for some in parts))
        await asyncio.gather(*map(self._collect, [http] * len(parts), parts, tickets))

    async def _submit(self, http: aiohttp.ClientSession, rollouts: Sequence[Rollout]) -> str:
        body = {"run": self.run, "complete": False, "rollouts": [rollout.wire() for rollout in rollouts]}
        return (await self._asked(http, "POST", "/v1/rollouts", json=body))["ticket"]

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
