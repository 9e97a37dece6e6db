"""Processes that share quotas: a rate holds for all of them together, and whoever has died holds nothing."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from reward_service.api.access.meters import Meters, Usage
from reward_service.api.access.sharing import QuotaSharing
from reward_service.api.http.problems import Problem
from reward_service.domain.access import Quotas, Rate
from reward_service.errors import StoreUnavailableError
from reward_service.store.quotas import Charge, QuotaStore
from tests.contract.conftest import World
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

BURST = 100
SLOW = Rate(1e-6, BURST)
"""So slow that nothing flows in while a test runs."""


class Process:
    """An API process, as far as quotas go."""

    def __init__(self, world: World, key: str, quotas: Quotas, lately_s: float = 60.0) -> None:
        self.meters = Meters(lambda: 0.0)
        self.usage: Usage = self.meters.of_key(key, quotas)
        self._sharing = QuotaSharing(self.meters, QuotaStore(world.connection, uuid4().hex, lately_s))

    def let_in(self, rollouts: int = 1) -> bool:
        try:
            self.usage.check(rollouts, 0)
        except Problem:
            return False
        self.usage.take(rollouts, 0)
        return True

    def let_in_of(self, tries: int) -> int:
        return sum(self.let_in() for _ in range(tries))

    def hold(self) -> bool:
        try:
            self.usage.check_held()
        except Problem:
            return False
        assert self.usage.held is not None
        self.usage.held.here += 1
        self.usage.held.touched = True
        return True

    async def share(self) -> None:
        await self._sharing.share()

    @property
    def level(self) -> float:
        assert self.usage.rollouts is not None
        return self.usage.rollouts.level


async def test_what_one_process_lets_in_is_gone_for_the_others(world: World) -> None:
    key = uuid4().hex
    one, other = (Process(world, key, Quotas(rollouts=SLOW)) for _ in range(2))
    assert one.let_in(80)
    await one.share()
    assert other.let_in(1)
    await other.share()
    assert not other.let_in(20)
    assert other.let_in(19)
    assert not other.let_in(1)


@pytest.mark.parametrize("processes", [2, 4])
async def test_what_all_let_in_at_once_is_a_debt_that_is_paid_first(world: World, processes: int) -> None:
    """The error of the quota: within one turn, each process may let in as much as the bucket holds; no more after."""
    key = uuid4().hex
    some = [Process(world, key, Quotas(rollouts=SLOW)) for _ in range(processes)]
    assert [each.let_in_of(2 * BURST) for each in some] == [BURST] * processes
    for each in some:
        await each.share()
    assert [each.let_in_of(BURST) for each in some] == [0] * processes
    for each in some:
        await each.share()
    levels = {each.usage.rollouts.level for each in some if each.usage.rollouts is not None}
    assert max(levels) < 1.0 - (processes - 1) * BURST


async def test_a_bucket_fills_again_by_the_servers_time(world: World) -> None:
    process = Process(world, uuid4().hex, Quotas(rollouts=Rate(200.0, 10.0)))
    process.usage.take(30, 0)
    await process.share()
    assert process.usage.rollouts is not None
    assert process.usage.rollouts.level == pytest.approx(-20.0, abs=1.0)

    async def full() -> bool:
        process.usage.rollouts.touched = True  # type: ignore[union-attr]
        await process.share()
        return process.usage.rollouts.level == 10.0  # type: ignore[union-attr]

    await until(full)


async def test_requests_that_other_processes_hold_count_until_they_are_silent(world: World) -> None:
    key, quotas = uuid4().hex, Quotas(held_requests=3)
    one, other = (Process(world, key, quotas, lately_s=0.2) for _ in range(2))
    assert one.hold()
    assert one.hold()
    await one.share()
    assert other.hold()
    await other.share()
    assert not other.hold()

    async def forgotten() -> bool:
        await other.share()
        return other.hold()

    await until(forgotten)


async def test_what_could_not_be_told_is_told_later(world: World) -> None:
    key = uuid4().hex
    one, other = (Process(world, key, Quotas(rollouts=SLOW)) for _ in range(2))
    assert one.let_in(60)
    one.meters.touched()  # a turn whose call failed
    await one.share()
    assert other.let_in(1)
    await other.share()
    assert not other.let_in(60)


class AnswersLost(QuotaStore):
    """Counts a turn, and loses its answer, as often as it is told to."""

    lost = 0

    async def charge(self, turn: int, charges: Sequence[Charge]) -> list[float]:
        levels = await super().charge(turn, charges)
        if self.lost:
            self.lost -= 1
            raise StoreUnavailableError("the answer was lost")
        return levels


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_turn_whose_answer_was_lost_is_counted_once(world: World, lost: int) -> None:
    key, meters = uuid4().hex, Meters(lambda: 0.0)
    usage, store = meters.of_key(key, Quotas(rollouts=SLOW)), AnswersLost(world.connection, uuid4().hex)
    sharing, other = QuotaSharing(meters, store), Process(world, key, Quotas(rollouts=SLOW))
    store.lost = lost
    usage.take(60, 0)
    for taken in range(lost):
        with pytest.raises(StoreUnavailableError):
            await sharing.share()
        usage.take(taken, 0)  # in the meantime: told by a turn of its own
    await sharing.share()
    later = sum(range(lost))
    assert other.let_in(1)
    await other.share()
    assert other.level == pytest.approx(BURST - 60 - later - 1, abs=0.01)
    await sharing.share()
    assert usage.rollouts is not None
    assert usage.rollouts.unsaid == 0.0


async def test_a_turn_of_another_process_is_no_repetition(world: World) -> None:
    key = uuid4().hex
    for number in range(3):
        process = Process(world, key, Quotas(rollouts=SLOW))
        process.usage.take(10, 0)
        await process.share()
        assert process.level == pytest.approx(BURST - 10 * (number + 1), abs=0.01)


@pytest.mark.parametrize(("per_s", "taken"), [(1e-300, 1), (1e-9, 10**12), (1.0, 2**64)])
async def test_a_debt_may_last_for_ever_and_the_quotas_of_others_go_on(world: World, per_s: float, taken: int) -> None:
    """An error would end the process, and another process with it that the key asks next."""
    process = Process(world, uuid4().hex, Quotas(rollouts=Rate(per_s, BURST)))
    process.usage.take(taken, 0)
    await process.share()
    assert process.usage.rollouts is not None
    assert process.usage.rollouts.level == pytest.approx(BURST - taken)
