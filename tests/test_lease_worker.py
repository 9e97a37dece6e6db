"""A worker over a queue in memory: what it renews, when it stops, and what it does while Redis is away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest

from reward_service.errors import StoreUnavailableError
from reward_service.lease_worker import LeasePace, LeaseWorker
from reward_service.store.leases import LeaseQueue, Taken
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
PACE = LeasePace(beat_s=0.01, renew_s=0.01)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Number(msgspec.Struct, frozen=True):
    claim: int


class Numbers(LeaseQueue[int, str]):
    """What waits, what its one holder says that it has, and what was kept."""

    def __init__(self, of: int) -> None:
        self.waiting = list(range(of))
        self.kept: dict[int, str] = {}
        self.renewed: list[set[int]] = []
        self.left: list[int] | None = None
        self.away = False
        self.asking: asyncio.Future[None] | None = None

    async def take(self, most: int) -> Taken[Number]:
        self._look()
        if self.asking is not None:
            await self.asking
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return Taken([Number(claim) for claim in taken], 0)

    async def keep(self, claim: int, result: str) -> None:
        self._look()
        self.kept[claim] = result

    async def give_back(self, claims: Collection[int]) -> None:
        self._look()
        self.waiting = [*claims, *self.waiting]
        if self.asking is not None and not self.asking.done():
            self.asking.set_result(None)

    async def leave(self, claims: Collection[int]) -> None:
        self.left = sorted(claims)

    def _look(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")


class Speller(LeaseWorker[int, Number, str]):
    """Spells numbers while its gate is open; one that fails is given back."""

    def __init__(self, queue: Numbers, room: int = 2) -> None:
        super().__init__("numbers", queue, PACE)
        self.queue = queue
        self.at_most = room
        self.gate = asyncio.Event()
        self.failing: asyncio.Event | None = None
        self.tried: Counter[int] = Counter()
        self.unwanted: set[int] = set()

    @property
    def _room(self) -> int:
        return self.at_most - len(self._in_hand)

    async def _serve(self) -> bool:
        return await self._take(partial(self.queue.take, self._room), self._spell) > 0

    async def _spell(self, item: Number) -> str:
        self.tried[item.claim] += 1
        if self.failing is not None:
            await self.failing.wait()
            raise ValueError("not now")
        await self.gate.wait()
        return f"number {item.claim}"

    async def _failed(self, item: Number, error: Exception) -> None:
        self.failing = None

    async def _renew(self, claims: Collection[int]) -> Collection[int]:
        self.queue.renewed.append(set(claims))
        return self.unwanted & set(claims)


@asynccontextmanager
async def at_work(speller: Speller, finish_within_s: float = 0.05) -> AsyncIterator[Speller]:
    task = asyncio.create_task(speller.run(finish_within_s))
    try:
        yield speller
    finally:
        speller.stop()
        await asyncio.wait_for(task, 10)


async def _is(value: object) -> object:
    return value


async def test_what_is_given_back_and_taken_again_at_once_is_in_hand_and_renewed() -> None:
    """Its second task begins before the first has told that it is done."""
    queue = Numbers(1)
    speller = Speller(queue)
    speller.failing = asyncio.Event()
    async with at_work(speller):
        await until(lambda: _is(speller.tried[0] == 1))
        queue.asking = asyncio.get_running_loop().create_future()
        await asyncio.sleep(0.05)
        speller.failing.set()
        await until(lambda: _is(speller.tried[0] == 2))
        seen = len(queue.renewed)
        await until(lambda: _is(len(queue.renewed) > seen + 3))
        assert queue.renewed[seen + 1 :] == [{0}] * len(queue.renewed[seen + 1 :])
        speller.gate.set()
        await until(lambda: _is(queue.kept == {0: "number 0"}))
    assert (speller.tried, queue.left) == (Counter({0: 2}), [])


async def test_a_stop_is_heard_with_full_hands_and_what_is_not_finished_is_left() -> None:
    queue = Numbers(3)
    speller = Speller(queue)
    async with at_work(speller):
        await until(lambda: _is(len(speller.tried) == 2))
    assert (queue.left, queue.waiting, queue.kept) == ([0, 1], [2], {})


async def test_what_was_made_is_kept_when_redis_is_there_again() -> None:
    queue = Numbers(2)
    speller = Speller(queue)
    async with at_work(speller, finish_within_s=10.0):
        await until(lambda: _is(len(speller.tried) == 2))
        queue.away = True
        speller.gate.set()
        await asyncio.sleep(0.05)
        queue.away = False
        await until(lambda: _is(len(queue.kept) == 2))
    assert set(speller.tried.values()) == {1}


async def test_what_nobody_wants_any_more_is_dropped() -> None:
    queue = Numbers(3)
    speller = Speller(queue)
    speller.unwanted = {0, 1}
    async with at_work(speller):
        await until(lambda: _is(speller.tried[2] == 1))
        speller.gate.set()
        await until(lambda: _is(queue.kept == {2: "number 2"}))


async def test_no_renewal_falls_between_a_take_and_its_answer() -> None:
    queue = Numbers(40)
    speller = Speller(queue)
    speller.gate.set()
    held: set[int] = set()
    take = queue.take

    async def slow(most: int) -> Taken[Number]:
        renewals = len(queue.renewed)
        taken = await take(most)
        await asyncio.sleep(0.015)
        assert len(queue.renewed) == renewals
        held.update(each.claim for each in taken.items)
        return taken

    queue.take = slow  # type: ignore[method-assign]
    async with at_work(speller):
        await until(lambda: _is(len(queue.kept) == 40))
    assert held == set(range(40))
