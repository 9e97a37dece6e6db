"""What becomes of votes when a replica loses its connections to the store; a real one, through a proxy that cuts."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from e2e_proxy import Proxy, proxy
from e2e_rule import Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, service, until

RUN = {"method": "co-rewarding-i", "group_size": 8, "cohort_deadline_s": 20}
Scenario = Callable[[Service, Service, Proxy], Coroutine[Any, Any, None]]
PLACED = b"*4\r\n$2\r\nok\r\n"
JOINED = b"*2\r\n$2\r\nok\r\n$0\r\n"


@pytest.fixture(scope="module")
def near() -> Iterator[Service]:
    """A replica that always reaches the store, which it has started."""
    with service(workers=1) as made:
        yield made


@contextlib.asynccontextmanager
async def far_from(near: Service) -> AsyncIterator[tuple[Service, Proxy]]:
    """A second replica, whose every connection to the store goes through a proxy in this very loop."""
    async with proxy(near.supervisor.redis_url) as wires:
        with contextlib.ExitStack() as stack:
            url = wires.url.replace("http://", "redis://")
            far = await asyncio.to_thread(stack.enter_context, service(workers=0, redis_url=url))
            try:
                yield far, wires
            finally:
                wires.parted = False
                await asyncio.to_thread(stack.close)


def play(near: Service, scenario: Scenario) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(60.0), far_from(near) as (far, wires):
            await scenario(near, far, wires)

    asyncio.run(all_of_it())


class Client:
    """Sends single rollouts to replicas, without identity or with, and keeps what they were rewarded."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._http = httpx.AsyncClient(timeout=60.0, limits=httpx.Limits(max_connections=None))
        self.got: dict[Rollout, float] = {}

    async def held(self, rollout: Rollout, at: Service) -> None:
        """OpenRLHF's way; comes again when it is turned away."""
        query = {"query": [rollout.prompt + rollout.response], "prompts": [rollout.prompt]}
        body = query | {"labels": [rollout.label(self._run)]}
        while (answer := await self._http.post(f"{at.url}/get_reward", json=body)).status_code == 503:
            continue
        self.got[rollout] = answer.raise_for_status().json()["rewards"]

    async def part(self, rollouts: Sequence[Rollout], at: Service, *, indexed: bool) -> None:
        """A part of some cohorts."""
        wires = [rollout.wire(indexed=indexed) for rollout in rollouts]
        body = {"run": self._run, "complete": False, "rollouts": wires}
        key = {} if indexed else {"idempotency-key": uuid4().hex}  # it names rollouts that have no index
        answer = await self._http.post(f"{at.url}/v1/rewards", json=body, headers=key)
        assert answer.status_code == 200, answer.text
        self.got |= zip(rollouts, answer.json()["rewards"], strict=True)

    async def close(self) -> None:
        await self._http.aclose()


def due(rollouts: Sequence[Rollout], *, indexed: bool = False) -> dict[Rollout, float]:
    return {rollout: each.reward or 0.0 for rollout, each in co_rewarding(rollouts, indexed=indexed).items()}


def like(rollout: Rollout, rollouts: Sequence[Rollout]) -> list[Rollout]:
    """The rollouts of a group whose texts are equal to the byte."""
    return [each for each in rollouts if (each.view, each.response) == (rollout.view, rollout.response)]


async def has_asked(replica: Service, run: str) -> None:
    """What a replica asks the store for travels in order: once this is answered, so is all that it asked before."""
    async with httpx.AsyncClient(base_url=replica.url, timeout=30.0) as client:
        (await client.get(f"/v1/runs/{run}")).raise_for_status()


def test_a_vote_whose_receipt_is_lost_counts_once(near: Service, run: str):
    rollouts = questions(1, 30)
    alone = next(rollout for rollout in rollouts if rollout.answer is not None and like(rollout, rollouts) == [rollout])
    near.make_run(run, **RUN)

    async def scenario(near: Service, far: Service, wires: Proxy) -> None:
        client = Client(run)
        wires.doomed = PLACED
        waiting = [asyncio.create_task(client.held(alone, far))]
        await until("the receipt is lost", lambda: wires.cuts == 1)
        await has_asked(far, run)
        assert near.waiting(run) == 1
        waiting += [asyncio.create_task(client.held(rollout, near)) for rollout in rollouts if rollout is not alone]
        await asyncio.gather(*waiting)
        assert client.got == due(rollouts)
        await client.close()

    play(near, scenario)
    assert_one_vote_each(near, run, rollouts)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_part_whose_receipt_is_lost_counts_once(near: Service, run: str, indexed: bool):
    rollouts = questions(1, 12)
    near.make_run(run, **RUN)

    async def scenario(near: Service, far: Service, wires: Proxy) -> None:
        client = Client(run)
        wires.doomed = JOINED
        waiting = [asyncio.create_task(client.part(rollouts[:5], far, indexed=indexed))]
        await until("the receipt is lost", lambda: wires.cuts == 1)
        await has_asked(far, run)
        assert near.waiting(run) == 5
        waiting += [asyncio.create_task(client.part(rollouts[5:], near, indexed=indexed))]
        await asyncio.gather(*waiting)
        assert client.got == pytest.approx(due(rollouts, indexed=indexed))
        await client.close()

    play(near, scenario)
    assert_one_vote_each(near, run, rollouts)


@pytest.mark.parametrize("parted", ["for a moment", "until it is taken for dead"])
def test_a_parted_replica_keeps_the_votes_it_holds(near: Service, run: str, parted: str):
    """A request whose replica the store has lost sight of is still held, whoever has been given its place meanwhile."""
    rollouts = questions(1, 13)
    twin, other = next(alike for rollout in rollouts if len(alike := like(rollout, rollouts)) == 2)
    near.make_run(run, **RUN)

    async def scenario(near: Service, far: Service, wires: Proxy) -> None:
        client = Client(run)
        waiting = [asyncio.create_task(client.held(twin, far))]
        await until("one waits", lambda: near.waiting(run) == 1)
        alive = near.holders(run)
        wires.parted = True
        wires.cut(1.0, random.Random(0))
        await until("the store has seen it", lambda: len(near.redis.pubsub_channels("cr:wake:*")) == 1)
        before = near.taken()
        waiting.append(asyncio.create_task(client.held(other, near)))
        await until("the other is taken", lambda: near.taken() == before + 1)
        await has_asked(near, run)
        if parted == "until it is taken for dead":
            await until("the other has a place", lambda: near.holders(run) - alive and not near.holders(run) & alive)
        wires.parted = False
        rest = [rollout for rollout in rollouts if rollout not in (twin, other)]
        waiting += [asyncio.create_task(client.held(rollout, near)) for rollout in rest]
        await asyncio.gather(*waiting)
        assert client.got == due(rollouts)
        await client.close()

    play(near, scenario)
    assert_one_vote_each(near, run, rollouts)


@pytest.mark.parametrize("seed", [14, 15])
def test_cut_from_the_store_again_and_again(near: Service, run: str, seed: int):
    rollouts = questions(16, seed)
    chance = random.Random(seed)
    near.make_run(run, **RUN)

    async def scenario(near: Service, far: Service, wires: Proxy) -> None:
        client = Client(run)

        async def cutting() -> None:
            while True:
                wires.cut(1.0, chance)
                await asyncio.sleep(chance.uniform(0.0, 0.1))

        async def last() -> None:
            await until("it was cut often", lambda: wires.cuts >= 10)
            await client.held(order[-1], far)

        order = chance.sample(rollouts, len(rollouts))
        cutter = asyncio.create_task(cutting())
        await asyncio.gather(*(client.held(rollout, chance.choice((near, far))) for rollout in order[:-1]), last())
        cutter.cancel()
        assert client.got == due(rollouts)
        await client.close()

    play(near, scenario)
    assert_one_vote_each(near, run, rollouts)
