"""Processes are killed in the middle of 500 cohorts: all are rewarded, once, and as if nothing had happened."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import redis
from e2e_rule import Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, kill, service, until

WAVES = 10
A_WAVE = 50  # cohorts
WHOLE, PARTED, HELD = 20, 20, 10  # of which: in batches, in parts that share cohorts, held one by one
COUNT = WAVES * A_WAVE
ROLES = ("worker", "api", "redis")
GIVE_UP_S = 80.0  # before the suite does, and with more to say


@dataclass(frozen=True)
class Kill:
    """What was killed, and how many cohorts were settled and how many calls unanswered at that moment."""

    role: str
    settled: int
    unanswered: int


class Client:
    """Sends rollouts in every way there is, and again when an answer does not come or says to come again."""

    def __init__(self, url: str, run: str, chance: random.Random) -> None:
        self._url = url
        self._run = run
        self._chance = chance
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=GIVE_UP_S)
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.got: dict[Rollout, float] = {}
        self.batches: set[str] = set()

    @property
    def unanswered(self) -> int:
        return sum(not task.done() for task in self._tasks)

    def begin(self, call: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(call))

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
        return {"run": self._run, "rollouts": [rollout.wire() for rollout in rollouts]} | more

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
                async with self._http.request(method, self._url + path, **options) as answer:
                    if answer.status not in (429, 503):
                        assert answer.status in (200, 202), await answer.text()
                        return await answer.json()
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                pass
            await asyncio.sleep(self._chance.uniform(0.1, 1.0))


class Waves:
    """500 cohorts in waves; the next begins when the last is half settled, so that something is always under way."""

    def __init__(self, at: Service, client: Client, run: str, seed: int) -> None:
        self._at = at
        self._client = client
        self._run = run
        self._chance = random.Random(seed)
        self.rollouts: list[Rollout] = []  # which know their index
        self.nameless: list[Rollout] = []

    def settled(self) -> int:
        try:
            return self._at.stats(self._run).get("settled", 0)
        except redis.ConnectionError:
            return -1

    async def begin(self, number: int) -> None:
        """Sends a wave."""
        whole = questions(WHOLE, number, name="whole")
        parted = questions(PARTED, number, name="parted")
        held = questions(HELD, number, name="held")
        self.rollouts += whole + parted
        self.nameless += held
        calls = [self._client.batch(whole[first : first + 64]) for first in range(0, len(whole), 64)]
        parts = self._chance.sample(parted, len(parted))
        for first in range(0, len(parts), 10):
            send = self._chance.choice((self._client.part, self._client.submitted))
            calls.append(send(parts[first : first + 10]))
        calls += [self._client.held(rollout) for rollout in held]
        for call in self._chance.sample(calls, len(calls)):
            self._client.begin(call)

    async def half_settled(self, number: int) -> None:
        """Returns when half of a wave is."""
        await until(f"wave {number} settles", lambda: self.settled() >= (number + 0.5) * A_WAVE, GIVE_UP_S)

    async def kill_one(self, role: str, number: int) -> Kill:
        """While a wave is being settled."""
        moment = number * A_WAVE + self._chance.randrange(-20, 30)
        await until("the moment has come", lambda: self.settled() >= moment)
        settled = self.settled()
        pids = await until(f"there is a {role}", lambda: self._at.supervisor.pids(role))
        kill(self._chance.choice(pids))
        return Kill(role, settled, self._client.unanswered)


async def train(at: Service, run: str, roles: Sequence[str], seed: int) -> tuple[Waves, Client, list[Kill]]:
    """All waves; from the second on a role is killed in every third."""
    client = Client(at.url, run, random.Random(seed))
    waves = Waves(at, client, run, seed)
    kills: list[Kill] = []
    async with asyncio.timeout(GIVE_UP_S):
        for number in range(WAVES):
            await waves.begin(number)
            if number % 3 == 1 and roles:
                kills.append(await waves.kill_one(roles[len(kills)], number))
            await waves.half_settled(number)
        await client.finish()
    return waves, client, kills


@pytest.mark.parametrize("seed", [1, 2])
def test_each_is_killed_in_the_middle(run: str, seed: int):
    roles = random.Random(seed).sample(ROLES, len(ROLES))
    with service(workers=2, api_processes=2, claim_idle_s=1.0) as at:
        at.make_run(run, method="co-rewarding-i", group_size=8, cohort_deadline_s=100)
        waves, client, kills = asyncio.run(train(at, run, roles, seed))
        assert [each.role for each in kills] == roles
        for each in kills:
            assert 0 < each.settled < COUNT, f"not in the middle: {each}"
            assert each.unanswered > 0, f"nothing was under way: {each}"
        due = co_rewarding(waves.rollouts, indexed=True) | co_rewarding(waves.nameless, indexed=False)
        assert client.got == {rollout: each.reward or 0.0 for rollout, each in due.items()}
        assert_one_vote_each(at, run, [*waves.rollouts, *waves.nameless], sorted(client.batches))
