"""The runs in use: listed page by page, and looked after by workers, however many there are."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.store.connection import Argument, Reply
from reward_service.store.jobs import LATEST_RUNS, OTHER_RUNS
from reward_service.store.keys import GROUP, RUNS, RunKeys
from reward_service.store.runs import PLACES_AT_ONCE, CursorError
from tests.contract.conftest import World

pytestmark = pytest.mark.anyio
MANY = LATEST_RUNS + 2 * OTHER_RUNS + 40


@pytest.fixture
async def many(world: World) -> AsyncIterator[list[str]]:
    """Runs that were used before all others of the server, some of them at one instant; the latest first."""
    names = [f"{world.run}-{n:03}" for n in range(MANY)]
    now_s = time.time()
    used_s = [now_s - 1e5 - n // 7 for n in range(MANY)]
    await asyncio.gather(*(world.runs.put(name, RunSettings()) for name in names))
    for name, at_s in zip(names, used_s, strict=True):
        await world.connection.execute("ZADD", RUNS, at_s, name)
    yield [name for _, name in sorted(zip(used_s, names, strict=True), reverse=True)]
    await world.connection.execute("ZREM", RUNS, *names)
    await world.connection.execute("DEL", RunKeys(world.run).settings)


async def paged(world: World, most: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.runs.page(most, cursor)
        assert len(page.runs) <= most
        found += [each.run for each in page.runs]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("most", [1, 7, 100, 10_000])
async def test_every_run_is_on_one_page(world: World, many: list[str], most: int) -> None:
    found = await paged(world, most)
    assert len(set(found)) == len(found)
    assert [name for name in found if name in set(many)] == many
    assert world.run in found


async def test_a_page_tells_settings_and_state_and_uses_no_run(world: World, many: list[str]) -> None:
    await world.runs.put(many[0], RunSettings(group_size=5))
    await world.connection.execute("ZADD", RUNS, 1.5e9, many[0])
    keys = [RunKeys(name).settings for name in many]
    await asyncio.gather(*(world.connection.execute("PEXPIRE", key, 50_000) for key in keys))
    page = await world.runs.page(1, "1600000000.5~x")
    ((one,), cursor) = page.runs, page.cursor
    assert (one.run, one.settings.group_size, one.state["queued"], cursor) == (many[0], 5, 0, None)
    await paged(world, 100)
    await asyncio.gather(*map(world.runs.look, many))
    assert max(await asyncio.gather(*(world.connection.execute("PTTL", key) for key in keys))) <= 50_000
    assert await world.connection.execute("ZSCORE", RUNS, many[0]) == b"1500000000"


async def test_a_run_that_is_used_meanwhile_hides_no_other(world: World, many: list[str]) -> None:
    first = await world.runs.page(MANY // 2)
    await world.runs.use(many[0])
    await world.runs.use(many[-1])
    rest = await world.runs.page(10_000, first.cursor)
    found = {each.run for each in (*first.runs, *rest.runs)}
    assert set(many) - {many[-1]} <= found


async def test_a_short_page_of_some_runs_costs_few_calls(
    world: World, many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key for few runs asks for one, behind all runs of others: page by page that were calls without an end."""
    calls = 0
    execute = world.connection.execute

    async def counted(*command: Argument) -> Reply:
        nonlocal calls
        calls += command[0] == "ZREVRANGEBYSCORE"
        return await execute(*command)

    monkeypatch.setattr(world.connection, "execute", counted)
    page = await world.runs.page(1, admits=lambda run: run == many[-1])
    assert [each.run for each in page.runs] == [many[-1]]
    assert page.cursor is None
    assert calls <= 1 + await world.connection.execute("ZCARD", RUNS) // PLACES_AT_ONCE


@pytest.mark.parametrize(
    "cursor",
    ["", "~", "1", "x~r", "nan~r", "inf~r", "1~", "1~a b", "٣~r", "1_0~r", "1e9~r", "-1~r", " 1~r", "9" * 5000],
)
async def test_a_cursor_that_no_page_gave_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(CursorError):
        await world.runs.page(3, cursor)


async def test_a_worker_comes_to_every_run_and_asks_about_a_bounded_number_at_a_time(
    world: World, many: list[str]
) -> None:
    worker = world.another_worker()
    latest: set[str] = set()
    seen: set[str] = set()
    for _ in range(4):
        runs = await worker.runs()
        assert len(runs) <= LATEST_RUNS + OTHER_RUNS
        latest = set(runs[:LATEST_RUNS])
        assert world.run in latest
        seen |= set(runs)
    assert set(many) <= seen
    for name in (many[0], many[-1]):
        (group,) = await world.connection.execute("XINFO", "GROUPS", RunKeys(name).jobs)
        assert GROUP.encode() in group


async def test_a_stream_that_was_forgotten_is_read_again(world: World) -> None:
    worker = world.another_worker()
    assert world.run in await worker.runs()
    jobs = RunKeys(world.run).jobs
    await world.connection.execute("DEL", jobs)
    assert await worker.read([world.run], 1, 0.01) == []
    await world.connection.execute("XADD", jobs, "*", "c", "cohort")
    (delivery,) = await worker.read([world.run], 1, 5.0)
    assert (delivery.run, delivery.job.cohort) == (world.run, "cohort")


@pytest.mark.parametrize("key", ["settings", "stats", "standing", "missing"])
async def test_a_run_is_made_and_used_whatever_a_key_of_its_peer_holds(world: World, key: str) -> None:
    broken, peer = f"{world.run}-broken", f"{world.run}-peer"
    await world.runs.put(peer, RunSettings())
    settings = RunSettings(method="peer-majority", peers=(broken, peer))
    await world.connection.execute("SET", getattr(RunKeys(broken), key), "x")
    await world.connection.execute("HSET", RunKeys(peer).missing, world.run, "absent")
    made = await world.runs.put(world.run, settings)
    assert made.settings == settings
    assert await world.runs.use(world.run) == made
    assert await world.connection.execute("HEXISTS", RunKeys(peer).missing, world.run) == 0, "it is waited for again"
    assert await world.connection.execute("HEXISTS", RunKeys(peer).settings, "followed") == 1
    await world.connection.execute("DEL", getattr(RunKeys(broken), key))
