"""Runs are watched by one reader each, however many look, and by none when nobody does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.api.events.watching import Watchers
from reward_service.api.http.problems import Problem
from reward_service.background import Background
from reward_service.domain.signs import SignSums
from reward_service.store.gauges import GaugeStore
from reward_service.store.keys import RunKeys
from reward_service.store.run_looks import RunLooks
from reward_service.workers.counting import JobSums
from tests.contract.conftest import World
from tests.contract.test_traces import settle, summed
from tests.support.events import Event, parsed
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


class Counted(RunLooks):
    """Counts the looks at runs."""

    looked = 0

    async def look(self, run: str, latest: int, spread: int = 0) -> Any:
        self.looked += 1
        return await super().look(run, latest, spread)


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    async with Background() as made:
        yield made


class Viewer:
    """What one viewer has been told."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.events: list[Event] = []
        self.written = b""
        self._reading = asyncio.create_task(self._read(stream))

    async def _read(self, stream: AsyncIterator[bytes]) -> None:
        async with contextlib.aclosing(stream):  # type: ignore[type-var]
            async for piece in stream:
                self.written += piece
                self.events = parsed(self.written)

    def told(self, name: str) -> list[Any]:
        return self.data(self.events, name)

    @staticmethod
    def data(events: Sequence[Event], name: str) -> list[Any]:
        return [each for event in events if event.name == name for each in event.data]

    @property
    def ended(self) -> bool:
        return self._reading.done()

    async def leave(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading


def step(number: int, rollouts: int = 16, attempt: int = 0) -> JobSums:
    return JobSums(number, attempt, SignSums(groups=2, rollouts=rollouts, answered=rollouts), {"4": rollouts})


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def holds(condition: Any) -> None:
    async def look() -> bool:
        return condition()

    await until(look)


async def test_fifty_viewers_have_one_reader(world: World, background: Background) -> None:
    looks = Counted(world.connection)
    watchers = Watchers(looks, background)
    await settle(world, sums=summed(step(1), step(2)))
    viewers = [Viewer(watchers.told_of(world.run, None)) for _ in range(50)]
    await holds(lambda: all(viewer.told("run") for viewer in viewers))
    assert looks.looked < 5
    await settle(world, sums=summed(step(3)))
    await holds(lambda: all(len(viewer.told("steps")) == 3 for viewer in viewers))
    assert looks.looked < 10
    first = viewers[0]
    assert [each["step"] for each in first.told("steps")] == [1, 2, 3]
    assert first.told("run")[-1]["signs"]["step"] == 3
    assert first.told("run")[-1]["state"]["settled"] == 2
    assert first.told("trouble") == [{"detail": None}]
    for viewer in viewers:
        await viewer.leave()


async def test_a_reader_ends_when_nobody_has_looked_for_a_while(world: World, background: Background) -> None:
    looks = Counted(world.connection)
    watchers = Watchers(looks, background, linger_s=0.05)
    viewer = Viewer(watchers.told_of(world.run, None))
    await holds(lambda: viewer.told("run"))
    assert f"watch {world.run}" in tasks()
    await viewer.leave()
    await holds(lambda: f"watch {world.run}" not in tasks())


async def test_the_list_tells_of_all_runs_and_then_of_those_that_change(world: World, background: Background) -> None:
    watchers = Watchers(RunLooks(world.connection), background)
    viewer = Viewer(watchers.told_of_runs(None))

    def rows() -> list[Any]:
        return [row for row in viewer.told("runs") if row["run"] == world.run]

    await holds(rows)
    assert [(row["signs"], row["rollouts_per_s"], row["concerns"]) for row in rows()] == [(None, None, [])]
    await settle(world, sums=summed(*(step(number) for number in range(100))))
    await holds(lambda: len(rows()) == 2)
    row = rows()[-1]
    assert row["rollouts_per_s"] > 0
    steps = row["recent"]["step"]
    assert len(steps) == 20
    assert (steps[0], steps[-12:]) == (0, list(range(88, 100)))
    await viewer.leave()


async def test_the_events_of_a_run_that_is_gone_end(world: World, background: Background) -> None:
    watchers = Watchers(RunLooks(world.connection), background)
    viewer = Viewer(watchers.told_of(world.run, None))
    await holds(lambda: viewer.told("run"))
    await world.connection.execute("DEL", f"cr:{{{world.run}}}:settings")
    await holds(lambda: viewer.ended)


async def made_anew(world: World) -> None:
    """The store loses the run, and somebody makes another under its name."""
    await world.connection.everywhere("FLUSHALL")
    await world.runs.put(world.run, RunSettings())
    await settle(world, sums=summed(step(1, rollouts=4)))


def since_fresh(viewer: Viewer) -> list[Event]:
    at = max(at for at, event in enumerate(viewer.events) if event.name == "fresh")
    return viewer.events[at:]


async def test_a_run_that_was_made_anew_is_told_anew(world: World, background: Background) -> None:
    watchers = Watchers(RunLooks(world.connection), background)
    for _ in range(2):
        await settle(world, sums=summed(*(step(number) for number in range(30))))
    viewer, late = Viewer(watchers.told_of(world.run, None)), None
    await holds(lambda: len(viewer.told("steps")) == 30)
    await made_anew(world)
    late = Viewer(watchers.told_of(world.run, viewer.events[-1].id))
    for each in (viewer, late):
        await holds(lambda each=each: [event.name for event in each.events].count("fresh") >= 1)
        await holds(lambda each=each: [signs["step"] for signs in Viewer.data(since_fresh(each), "steps")] == [1])
        await each.leave()


async def test_a_run_that_is_gone_leaves_the_list(world: World, background: Background) -> None:
    watchers = Watchers(RunLooks(world.connection), background)
    await world.runs.put("another", RunSettings())
    viewer = Viewer(watchers.told_of_runs(None))
    await holds(lambda: {row["run"] for row in viewer.told("runs")} >= {world.run, "another"})
    await made_anew(world)
    await holds(lambda: {row["run"] for row in Viewer.data(since_fresh(viewer), "runs")} == {world.run})
    await viewer.leave()


FAULTS: dict[str, Callable[[RunKeys], tuple[str, ...]]] = {
    "counts of another kind": lambda keys: ("SET", keys.stats, "x"),
    "counts that are none": lambda keys: ("HSET", keys.stats, "settled", "x"),
    "a setting of a newer release": lambda keys: ("HSET", keys.settings, "settings", '{"method": "of-tomorrow"}'),
    "sums that wait, of another kind": lambda keys: ("SET", keys.waiting_sums, "x"),
    "a series of another kind": lambda keys: ("SET", keys.series, "x"),
    "sums of a step that are none": lambda keys: ("HSET", keys.series, "1:0", "x"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_run_that_cannot_be_read_troubles_its_viewers_alone(
    world: World, background: Background, fault: str
) -> None:
    keys, other = RunKeys(world.run), f"{world.run}-other"
    await world.runs.put(other, RunSettings())
    await settle(world, sums=summed(step(1)))
    await world.connection.execute("ZADD", keys.steps, 1, "1:0")
    await world.connection.execute(*FAULTS[fault](keys))
    watchers = Watchers(RunLooks(world.connection), background)
    own, others = Viewer(watchers.told_of(world.run, None)), Viewer(watchers.told_of_runs(None))
    await holds(lambda: own.told("trouble"))
    assert world.run in own.told("trouble")[0]["detail"]
    await holds(lambda: others.told("trouble"))
    assert others.told("trouble") == [{"detail": None}]
    told = {row["run"] for row in others.told("runs")}
    assert other in told
    assert world.run not in told
    shown = [each.run for each in (await GaugeStore(world.connection, world.runs.looks).read()).runs]
    assert (other in shown, world.run in shown) == (True, False)
    assert background.failure is None
    await world.connection.execute("DEL", keys.stats, keys.settings, keys.waiting_sums, keys.series, keys.steps)
    for viewer in (own, others):
        await viewer.leave()


async def test_a_peer_whose_key_is_of_another_kind_troubles_those_who_look_at_its_run(
    world: World, background: Background
) -> None:
    peer = f"{world.run}-peer"
    await world.make(method="peer-majority", peers=(peer,))
    await world.connection.execute("SET", RunKeys(peer).missing, "x")
    watchers = Watchers(RunLooks(world.connection), background)
    own, others = Viewer(watchers.told_of(world.run, None)), Viewer(watchers.told_of_runs(None))
    await holds(lambda: own.told("trouble"))
    assert "peers" in own.told("trouble")[0]["detail"]
    await holds(lambda: world.run in {row["run"] for row in others.told("runs")})
    assert world.run not in {each.run for each in (await GaugeStore(world.connection, world.runs.looks).read()).runs}
    assert background.failure is None
    await world.connection.execute("DEL", RunKeys(peer).missing)
    await holds(lambda: own.told("run"))
    for viewer in (own, others):
        await viewer.leave()


async def test_of_viewers_that_are_let_in_at_once_no_more_are_told_than_may_look(
    world: World, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reward_service.api.events.watching.MOST_VIEWERS", 2)
    watchers = Watchers(RunLooks(world.connection), background)
    for _ in range(4):  # none of them looks yet
        watchers.admit()
    told = (watchers.told_of(world.run, None), watchers.told_of_runs(None))
    viewers = [Viewer(stream) for stream in (*told, watchers.told_of(world.run, None), watchers.told_of_runs(None))]
    await holds(lambda: viewers[0].told("run") and viewers[1].told("runs"))
    assert [viewer.ended for viewer in viewers] == [False, False, True, True]
    assert [viewer.written for viewer in viewers[2:]] == [b"", b""]
    for viewer in viewers[:2]:
        await viewer.leave()


async def test_nobody_is_let_in_who_is_one_too_many_or_late(
    world: World, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reward_service.api.events.watching.MOST_VIEWERS", 2)
    watchers = Watchers(RunLooks(world.connection), background)
    viewers = [Viewer(watchers.told_of(world.run, None)) for _ in range(2)]
    await holds(lambda: all(viewer.told("run") for viewer in viewers))
    with pytest.raises(Problem) as refused:
        watchers.admit()
    assert refused.value.status == 503
    await viewers[0].leave()
    watchers.admit()
    watchers.close()
    await holds(lambda: viewers[1].ended)
    with pytest.raises(Problem):
        watchers.admit()
