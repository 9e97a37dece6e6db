"""A look at a run: its settings, state and steps in one command, and no use of it."""

import itertools

import pytest

from reward_service.store.gauges import GaugeStore
from reward_service.store.keys import RUNS, RunKeys
from reward_service.store.run_looks import RunLooks
from tests.contract.conftest import World
from tests.contract.test_traces import SOME, JobSums, settle, summed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kept", [0, 1, 5, 7, 100, 1000])
@pytest.mark.parametrize(("latest", "spread"), [(0, 0), (1, 0), (4, 0), (4, 3), (1, 1), (16, 16), (1000, 16)])
async def test_steps_are_the_latest_and_some_before_them(world: World, kept: int, latest: int, spread: int) -> None:
    if kept:
        await settle(world, sums=summed(*(JobSums(step, 0, SOME, {"4": 1}) for step in range(kept))))
    look = await RunLooks(world.connection).look(world.run, latest, spread)
    assert look is not None
    steps = [point.step for point in look.points]
    last = list(range(max(0, kept - latest), kept))
    before = [step for step in steps if step not in last]
    assert steps == before + last
    assert len(before) == (min(spread, kept - len(last)) if latest else 0)
    if before:
        assert before[0] == 0
        gaps = {other - one for one, other in itertools.pairwise(before)}
        assert not gaps or max(gaps) - min(gaps) <= 1


async def test_a_look_is_no_use_and_a_run_that_is_gone_is_none(world: World) -> None:
    keys, looks = RunKeys(world.run), RunLooks(world.connection)
    await world.connection.execute("PEXPIRE", keys.settings, 50_000)
    used_s = await looks.used(world.run)
    assert (await looks.look(world.run, 1)) is not None
    assert await world.connection.execute("PTTL", keys.settings) <= 50_000
    assert await looks.used(world.run) == used_s
    assert used_s is not None
    assert (await looks.used_since(used_s, 1000))[world.run] == used_s
    assert world.run not in await looks.used_since(used_s + 1.0, 1000)
    await world.connection.execute("DEL", keys.settings)
    assert await looks.look(world.run, 1) is None
    await world.connection.execute("ZREM", RUNS, world.run)
    assert await looks.used(world.run) is None


async def test_the_teacher_is_told_with_the_run(world: World) -> None:
    keys = RunKeys(world.run)
    looks = RunLooks(world.connection)
    look = await looks.look(world.run, 1)
    assert look is not None
    assert (look.teacher.version, look.teacher.announced, look.teacher.lag) == (0, None, 0)
    await world.connection.execute("HSET", keys.teacher, "version", 3, "accepted", 5)
    await world.connection.execute("ZADD", keys.asks, 1, "a", 2, "b")
    await world.connection.execute("ZADD", keys.taken, 1, "c")
    look = await looks.look(world.run, 1)
    assert look is not None
    teacher = look.teacher
    assert (teacher.version, teacher.announced, teacher.lag, teacher.asked, teacher.making) == (3, 5, 2, 2, 1)


async def test_gauges_leave_out_a_run_whose_time_is_none(world: World) -> None:
    gauges, clock = GaugeStore(world.connection), RunKeys(world.run).clock
    await world.connection.execute("HSET", clock, "w", "x", "s", "x")
    assert world.run not in {each.run for each in (await gauges.read()).runs}
    await world.connection.execute("DEL", clock)
    assert world.run in {each.run for each in (await gauges.read()).runs}
