"""A client that sends rollouts in every way there is, and sends again whatever was not answered."""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import aiohttp
from e2e_rule import Rollout

GIVE_UP_S = 80.0  # before the suite does, and with more to say
ANSWERS_WITHIN_S = 10.0


async def answers(url: str, name: str, back_s: float, within_s: float = ANSWERS_WITHIN_S) -> float:
    """Seconds from `back_s`, the store's return, until an API process rewards a batch."""
    body = {
        "rollouts": [
            {"question_id": name, "view": view, "response": "\\boxed{4}"} for view in ("original", "paraphrase")
        ]
    }
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2 * within_s)) as http:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.post(f"{url}/v1/rewards", json=body) as answer:
                    if answer.status == 200:
                        return time.monotonic() - back_s
            assert time.monotonic() - back_s < within_s, f"{url} does not answer"
            await asyncio.sleep(0.05)


class Client:
    """Sends rollouts to any of the addresses, and again when an answer does not come or says to come again."""

    def __init__(self, urls: Sequence[str], run: str, chance: random.Random, *, prompted: bool = False) -> None:
        """`prompted`: what a teacher is asked comes with each rollout."""
        self._urls = urls
        self._prompted = prompted
        self._run = run
        self._chance = chance
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=GIVE_UP_S)
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.got: dict[Rollout, float] = {}
        self.batches: set[str] = set()
        self.turned_away = 0  # answers that said to come again
        self.cut_off = 0  # calls whose connection broke

    @property
    def unanswered(self) -> int:
        return sum(not task.done() for task in self._tasks)

    def begin(self, call: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(call))

    def check(self) -> None:
        """Raises what a call has failed with, if one has."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def finish(self) -> None:
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self._http.close()

    async def batch(self, rollouts: Sequence[Rollout]) -> None:
        """Whole cohorts in one request."""
        answer = await self._settled(await self._post("/v1/rewards", self._body(rollouts, complete=True, wait_s=20)))
        self._keep(rollouts, answer)
        self.batches |= {label["cohort"] for label in answer["labels"]}

    async def part(self, rollouts: Sequence[Rollout]) -> None:
        """A part of some cohorts, in one request that waits."""
        answer = await self._post("/v1/rewards", self._body(rollouts, complete=False, wait_s=2))
        self._keep(rollouts, await self._settled(answer))

    async def submitted(self, rollouts: Sequence[Rollout]) -> None:
        """A part of some cohorts, in two halves."""
        answer = await self._post("/v1/rollouts", self._body(rollouts, complete=False))
        self._keep(rollouts, await self._settled(answer))

    async def held(self, rollout: Rollout) -> None:
        """A rollout that cannot say which it is."""
        query = {"query": [rollout.prompt + rollout.response], "prompts": [rollout.prompt]}
        answer = await self._post("/get_reward", query | {"labels": [rollout.label(self._run)]})
        assert not answer["extra_logs"]["abstained"] or rollout.view == "original"
        self.got[rollout] = answer["rewards"]

    def _body(self, rollouts: Sequence[Rollout], **more: object) -> dict[str, object]:
        return {"run": self._run, "rollouts": [rollout.wire(prompted=self._prompted) for rollout in rollouts]} | more

    def _keep(self, rollouts: Sequence[Rollout], answer: dict[str, Any]) -> None:
        self.got |= {rollout: reward or 0.0 for rollout, reward in zip(rollouts, answer["rewards"], strict=True)}

    async def _settled(self, answer: dict[str, Any]) -> dict[str, Any]:
        while "rewards" not in answer:
            answer = await self._asked("GET", f"/v1/rewards/{answer['ticket']}?wait_s=2")
        return answer

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        return await self._asked("POST", path, json=body)

    async def _asked(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        while True:
            try:
                url = self._chance.choice(self._urls) + path
                async with self._http.request(method, url, **options) as answer:
                    if answer.status not in (429, 503):
                        assert answer.status in (200, 202), await answer.text()
                        return await answer.json()
                    self.turned_away += 1
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                self.cut_off += 1
            await asyncio.sleep(self._chance.uniform(0.1, 1.0))
