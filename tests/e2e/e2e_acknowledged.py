"""Traffic that notes all that was acknowledged, and afterwards asks which of it is still there."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from e2e_rule import GROUP, VIEWS, Rollout, co_rewarding, questions

CALLS_PER_S = 12.0
DOORS = ("batch", "ticket", "singles", "run")
SETTLES_WITHIN_S = 30.0
GIVES_UP_S = 60.0

Rewarded = Counter[tuple[str, str | None, float]]
"""Ballots with their rewards: view, answer, reward."""


@dataclass(frozen=True)
class Acknowledged:
    """What was acknowledged by which door, when, and what was said."""

    door: str
    name: str
    at_s: float
    rollouts: tuple[Rollout, ...] = ()
    rewarded: tuple[tuple[str, str | None, float], ...] = ()


class Acknowledging:
    """Calls by every door at times drawn from a seed. A call that fails was not acknowledged, and is not repeated."""

    def __init__(self, url: str, run: str, seed: int) -> None:
        self._url = url
        self._run = run
        self._chance = random.Random(seed)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=GIVES_UP_S)
        )
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: list[BaseException] = []
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[str] = []  # what answers of 503 said

    async def flow(self) -> None:
        """Calls for ever; cancel to stop."""
        settings = {"method": "co-rewarding-i", "group_size": GROUP, "cohort_deadline_s": 600}
        assert await self._asked("PUT", f"/v1/runs/{self._run}", json=settings) is not None
        while True:
            await asyncio.sleep(self._chance.expovariate(CALLS_PER_S))
            door = self._chance.choice(DOORS)
            number = next(self._numbers)
            rollouts = questions(1, number, name=f"{door}-")
            for call in self._calls(door, number, rollouts):
                task = asyncio.create_task(call)
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)

    def _calls(self, door: str, number: int, rollouts: Sequence[Rollout]) -> list[Coroutine[Any, Any, None]]:
        match door:
            case "batch":
                return [self._batch(rollouts)]
            case "ticket":
                return [self._ticket(rollouts)]
            case "singles":
                return [self._single(rollout) for rollout in rollouts]
            case _:
                return [self._make_run(f"{self._run}-{number}")]

    async def finish(self, within_s: float) -> None:
        """Waits for what is under way; what is not answered by then is not acknowledged."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within_s)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.check()

    async def close(self) -> None:
        await self._http.close()

    def check(self) -> None:
        """Raises what a call has failed with, if one has."""
        if self._failed:
            raise self._failed[0]

    async def answered_since(self, since_s: float) -> float:
        """Returns when a call that was made since is acknowledged: seconds from then."""
        while not (later := [each for each in self.acknowledged if each.at_s > since_s]):
            await asyncio.sleep(0.02)
            self.check()
        return later[0].at_s - since_s

    async def _batch(self, rollouts: Sequence[Rollout]) -> None:
        answer = await self._asked("POST", "/v1/rewards", json=self._body(rollouts, wait_s=20))
        if answer is not None and "rewards" in answer:
            names = {label["cohort"] for label in answer["labels"]}
            assert len(names) == 1
            self._note("batch", names.pop(), rollouts, answer["rewards"])

    async def _ticket(self, rollouts: Sequence[Rollout]) -> None:
        answer = await self._asked("POST", "/v1/rollouts", json=self._body(rollouts))
        if answer is not None:
            self._note("ticket", answer["ticket"], rollouts, [])

    async def _single(self, rollout: Rollout) -> None:
        query = {"query": [rollout.prompt + rollout.response], "prompts": [rollout.prompt]}
        body = query | {"labels": [rollout.label(self._run)]}
        # Come again until there is an answer, or the others of the question wait for ever.
        answer = None
        for pause_s in itertools.chain([0.0], itertools.repeat(0.2)):
            await asyncio.sleep(pause_s)
            answer = await self._asked("POST", "/get_reward", json=body)
            if answer is not None:
                break
        assert answer is not None
        self._note("singles", rollout.question_id, [rollout], [answer["rewards"]])

    async def _make_run(self, run: str) -> None:
        if await self._asked("PUT", f"/v1/runs/{run}", json={"method": "majority-voting"}) is not None:
            self._note("run", run, (), ())

    def _body(self, rollouts: Sequence[Rollout], **more: object) -> dict[str, object]:
        return {"run": self._run, "rollouts": [rollout.wire() for rollout in rollouts], "complete": True} | more

    def _note(self, door: str, name: str, rollouts: Sequence[Rollout], rewards: Sequence[float | None]) -> None:
        rewarded = tuple(
            (rollout.view, rollout.answer, reward or 0.0) for rollout, reward in zip(rollouts, rewards, strict=False)
        )
        self.acknowledged.append(Acknowledged(door, name, time.monotonic(), tuple(rollouts), rewarded))

    async def _asked(self, method: str, path: str, **options: Any) -> dict[str, Any] | None:
        """The answer, None where it says to come again or where the connection breaks."""
        try:
            async with self._http.request(method, self._url + path, **options) as answer:
                if answer.status == 503:
                    assert int(answer.headers["retry-after"]) >= 1
                    self.refused.append((await answer.json())["detail"])
                    return None
                assert answer.status in (200, 201, 202), await answer.text()
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def lost(self) -> list[Acknowledged]:
        """What was acknowledged and is not there any more; nothing is sent that could bring it back."""
        there = [await self._is_there(each) for each in self.acknowledged]
        return [each for each, is_there in zip(self.acknowledged, there, strict=True) if not is_there]

    async def _is_there(self, each: Acknowledged) -> bool:
        match each.door:
            case "batch":
                return await self._found(f"/v1/cohorts/{each.name}", each)
            case "run":
                return await self._read(f"/v1/runs/{each.name}") is not None
            case "singles":
                found = await self._read(f"/v1/cohorts?run={self._run}&question_id={each.name}")
                names = [] if found is None else [cohort["cohort"] for cohort in found["cohorts"]]
                return any([await self._found(f"/v1/cohorts/{name}", each) for name in names])
            case _:
                return await self._settles(each)

    async def _settles(self, each: Acknowledged) -> bool:
        due = co_rewarding(each.rollouts, indexed=True)
        deadline_s = time.monotonic() + SETTLES_WITHIN_S
        while time.monotonic() < deadline_s:
            answer = await self._read(f"/v1/rewards/{each.name}?wait_s=5")
            if answer is None:
                return False
            if "rewards" in answer:
                assert answer["rewards"] == [due[rollout].reward for rollout in each.rollouts]
                return True
        return False

    async def _found(self, path: str, each: Acknowledged) -> bool:
        """Whether the cohort is there with these ballots, and with no other rewards."""
        cohort = await self._read(path)
        if cohort is None or cohort["state"] != "settled":
            return False
        kept: Rewarded = Counter(
            (ballot["view"], ballot["answer"], ballot["reward"] or 0.0) for ballot in cohort["ballots"]
        )
        return not Counter(each.rewarded) - kept

    async def _read(self, path: str) -> dict[str, Any] | None:
        """What is there; None if nothing is."""
        async with self._http.get(self._url + path) as answer:
            if answer.status == 404:
                return None
            assert answer.status in (200, 202), await answer.text()
            return await answer.json()

    def assert_right(self) -> None:
        """Every reward that was told is the one that was due."""
        indexed = [each for each in self.acknowledged if each.door == "batch"]
        for each in indexed:
            due = co_rewarding(each.rollouts, indexed=True)
            assert [reward for *_, reward in each.rewarded] == [due[rollout].reward or 0.0 for rollout in each.rollouts]
        for question in {each.name for each in self.acknowledged if each.door == "singles"}:
            number = int(question.removeprefix("singles-").partition("/")[0])
            due = co_rewarding(questions(1, number, VIEWS, name="singles-"), indexed=False)
            told = [each for each in self.acknowledged if each.name == question]
            assert all(each.rewarded[0][2] == (due[each.rollouts[0]].reward or 0.0) for each in told)
