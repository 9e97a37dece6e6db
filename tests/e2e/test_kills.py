"""Processes are killed in the middle of 500 cohorts: all are rewarded, once, and as if nothing had happened."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import redis
from e2e_client import GIVE_UP_S, Client
from e2e_rule import Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, kill, service, until

WAVES = 10
A_WAVE = 50  # cohorts
WHOLE, PARTED, HELD = 20, 20, 10  # of which: in batches, in parts that share cohorts, held one by one
COUNT = WAVES * A_WAVE
ROLES = ("worker", "api", "redis")


@dataclass(frozen=True)
class Kill:
    """What was killed, and how many cohorts were settled and how many calls unanswered at that moment."""

    role: str
    settled: int
    unanswered: int


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

    def _begin_batch(self, rollouts: list[Rollout]) -> None:
        self.rollouts += rollouts
        self._client.begin(self._client.batch(rollouts))

    async def half_settled(self, number: int) -> None:
        """Returns when half of a wave is."""
        await until(f"wave {number} settles", lambda: self.settled() >= (number + 0.5) * A_WAVE, GIVE_UP_S)

    async def kill_one(self, role: str, number: int) -> Kill:
        """While a wave is being settled."""
        moment = number * A_WAVE + self._chance.randrange(-20, 30)
        await until("the moment has come", lambda: self.settled() >= moment)
        if not self._client.unanswered:  # on a slow machine the wave may be over before this process looks again
            self._begin_batch(questions(WHOLE, number, name="more"))
        settled = self.settled()
        pids = await until(f"there is a {role}", lambda: self._at.supervisor.pids(role))
        kill(self._chance.choice(pids))
        return Kill(role, settled, self._client.unanswered)


async def train(at: Service, run: str, roles: Sequence[str], seed: int) -> tuple[Waves, Client, list[Kill]]:
    """All waves; from the second on a role is killed in every third."""
    client = Client([at.url], run, random.Random(seed))
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
