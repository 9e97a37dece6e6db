"""The teacher's labels in Redis: asked for once, made by one teacher at a time, and everyone goes on who waited."""

import asyncio

import msgspec
import pytest

from reward_service.store.keys import RunKeys
from reward_service.store.label_queue import Demand, LabelQueue
from reward_service.store.label_records import TeacherLabel, TeacherPrompt
from reward_service.store.labels import Coming, LabelStore, WantedLabel
from reward_service.store.records import BallotRow
from reward_service.store.submissions import Refusal, Refused, StoredBatch
from reward_service.store.teachers import AnnouncedWeights, TeacherPresence, TeacherStore
from tests.contract.conftest import World
from tests.support.waiting import until

pytestmark = pytest.mark.anyio
PRINT = "f" * 32
LEASE_S = 30.0


def wanted(slot: str = "s", *, need: int | None = 0, rollouts: int = 1, text: str | None = "1 + 1 =") -> WantedLabel:
    prompt = None if text is None else TeacherPrompt(text=text)
    return WantedLabel(slot, f"question of {slot}", 0, need, rollouts, prompt, told=True)


def label(version: int = 0, answer: str = "2") -> TeacherLabel:
    return TeacherLabel(version, 7, "model", [BallotRow(0, 1, index, answer) for index in range(2)])


def labels(world: World) -> LabelStore:
    return LabelStore(world.connection, world.limits, world.channel)


def queue(world: World, name: str = "teacher", lease_s: float = LEASE_S) -> LabelQueue:
    return LabelQueue(world.connection, world.limits, name, lease_s)


async def submit(world: World, batch: str, *some: WantedLabel, payload: bytes = b"payload") -> StoredBatch | Refused:
    return await labels(world).submit(world.run, batch, PRINT, payload, world.at, 1, some)


async def jobs(world: World) -> list[tuple[str | None, bool]]:
    found = await world.jobs.read([world.run], 100, 0.01)
    return [(delivery.job.batch, delivery.job.overdue) for delivery in found]


async def test_a_batch_waits_for_its_label_and_goes_on_with_it(world: World) -> None:
    assert await submit(world, "b", wanted()) == StoredBatch(PRINT, None, 1)
    assert await jobs(world) == []
    assert (await world.state())["waiting_for_teacher"] == 1
    (asked,) = (await queue(world).take(world.run, 0, 10)).items
    assert (asked.slot, asked.question_id, asked.prompt.text) == ("s", "question of s", "1 + 1 =")
    assert await queue(world).keep((world.run, "s"), label()) == 1
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    assert (delivery.job.batch, delivery.job.payload, delivery.channel) == ("b", b"payload", world.channel)
    assert await world.jobs.labels(world.run, ["s", "other"]) == [label(), None]
    assert (await world.state())["waiting_for_teacher"] == 0


async def test_a_batch_whose_labels_are_there_is_queued_at_once(world: World) -> None:
    await submit(world, "first", wanted())
    await queue(world).take(world.run, 0, 10)
    await queue(world).keep((world.run, "s"), label())
    await submit(world, "second", wanted(text=None))
    assert await jobs(world) == [("first", False), ("second", False)]
    assert (await queue(world).take(world.run, 0, 10)).items == []


async def test_a_label_is_asked_for_once_however_many_wait(world: World) -> None:
    await asyncio.gather(*(submit(world, f"b{n}", wanted()) for n in range(8)))
    (asked,) = (await queue(world).take(world.run, 0, 10)).items
    assert asked.rollouts == 8
    assert await queue(world).keep((world.run, "s"), label()) == 8
    assert sorted(await jobs(world)) == [(f"b{n}", False) for n in range(8)]


async def test_a_batch_waits_for_all_of_its_labels(world: World) -> None:
    await submit(world, "b", wanted("s"), wanted("t"))
    await queue(world).take(world.run, 0, 10)
    await queue(world).keep((world.run, "s"), label())
    assert await queue(world).keep((world.run, "s"), label()) == 0, "a label that comes twice counts once"
    assert await jobs(world) == []
    await queue(world).keep((world.run, "t"), label())
    assert await jobs(world) == [("b", False)]


async def test_a_batch_that_comes_again_waits_once_and_wakes_both(world: World) -> None:
    await submit(world, "b", wanted())
    _, channel = world.another_replica()
    again = await LabelStore(world.connection, world.limits, channel).submit(
        world.run, "b", PRINT, b"payload", world.at, 1, [wanted()]
    )
    assert again == StoredBatch(PRINT, None, 1)
    (asked,) = (await queue(world).take(world.run, 0, 10)).items
    assert asked.rollouts == 1
    await queue(world).keep((world.run, "s"), label())
    (delivery,) = await world.jobs.read([world.run], 10, 0.01)
    assert set(delivery.channel.split("\n")) == {world.channel, channel}


async def test_most_wanted_first(world: World) -> None:
    await submit(world, "few", wanted("few", rollouts=2))
    await submit(world, "many", wanted("many", rollouts=8))
    await labels(world).prefetch(world.run, 0, [Coming("none", "q", 0, TeacherPrompt(text="x"))])
    assert await queue(world).demand(world.run, 0) == Demand(8, 0)
    taken = [(await queue(world).take(world.run, 0, 1)).items[0].slot for _ in range(3)]
    assert taken == ["many", "few", "none"]


async def test_a_version_labels_no_step_that_needs_a_newer_one(world: World) -> None:
    await submit(world, "b", wanted(need=3))
    assert await queue(world).demand(world.run, 2) == Demand(None, 1)
    assert (await queue(world).take(world.run, 2, 10)).items == []
    await queue(world).keep((world.run, "s"), label(2))
    assert await jobs(world) == [], "an older version's label does not serve it"
    assert len((await queue(world).take(world.run, 3, 10)).items) == 1
    await queue(world).keep((world.run, "s"), label(3))
    assert await jobs(world) == [("b", False)]


async def test_a_label_of_a_newer_version_takes_the_place_of_an_older_one(world: World) -> None:
    await submit(world, "b", wanted(need=1))
    await queue(world).keep((world.run, "s"), label(2, "new"))
    await queue(world).keep((world.run, "s"), label(1, "old"))
    await queue(world).keep((world.run, "s"), label(2, "another"))
    assert await world.jobs.labels(world.run, ["s"]) == [label(2, "new")], "the first of its version stands"


async def test_a_label_in_the_making_is_asked_for_again_where_a_newer_one_is_needed(world: World) -> None:
    await submit(world, "now", wanted(need=0))
    await queue(world).take(world.run, 0, 10)
    await submit(world, "next", wanted(need=1))
    assert (await queue(world).take(world.run, 1, 10)).items == [], "it is in the making"
    await queue(world).keep((world.run, "s"), label(0))
    assert await jobs(world) == [("now", False)]
    (asked,) = (await queue(world).take(world.run, 1, 10)).items
    assert asked.rollouts == 1


async def test_without_a_step_the_newest_announced_version_is_needed(world: World) -> None:
    teachers = TeacherStore(world.connection)
    assert await teachers.announce(world.run, None, 0.5, AnnouncedWeights(4, "w")) == 0.5
    await submit(world, "b", wanted(need=None))
    assert await queue(world).demand(world.run, 3) == Demand(None, 1)
    assert len((await queue(world).take(world.run, 4, 10)).items) == 1


async def test_what_a_dead_teacher_had_taken_is_taken_by_another(world: World) -> None:
    await submit(world, "b", wanted())
    dead, living = queue(world, "dead", lease_s=0.02), queue(world, "living")
    assert len((await dead.take(world.run, 0, 10)).items) == 1

    async def took_over() -> int:
        taken = await living.take(world.run, 0, 10)
        assert taken.left == len(taken.items)
        return taken.left

    assert await until(took_over) == 1
    assert await dead.renew([(world.run, "s")]) == [(world.run, "s")], "it is told that it has lost it"
    assert await living.renew([(world.run, "s")]) == []
    await dead.keep((world.run, "s"), label(0, "from the dead"))
    await living.keep((world.run, "s"), label(0, "late"))
    assert await jobs(world) == [("b", False)]
    assert await world.jobs.labels(world.run, ["s"]) == [label(0, "from the dead")]


async def test_a_teacher_at_work_keeps_what_it_has(world: World) -> None:
    await submit(world, "b", wanted())
    one = queue(world, "one", lease_s=0.2)
    await one.take(world.run, 0, 10)
    for _ in range(10):
        assert await queue(world, "one").renew([(world.run, "s")]) == []
        assert (await queue(world, "two").take(world.run, 0, 10)).items == []


async def test_what_is_given_back_is_taken_by_another_at_once(world: World) -> None:
    await submit(world, "b", wanted(rollouts=3))
    await queue(world, "one").take(world.run, 0, 10)
    await queue(world, "two").give_back([(world.run, "s")])
    assert (await queue(world, "two").take(world.run, 0, 10)).items == [], "it was not its own to give"
    await queue(world, "one").give_back([(world.run, "s")])
    (asked,) = (await queue(world, "two").take(world.run, 0, 10)).items
    assert asked.rollouts == 3


async def test_a_question_whose_text_nobody_knows_is_refused_or_waited_for(world: World) -> None:
    untold = await submit(world, "b", wanted(text=None))
    assert isinstance(untold, Refused)
    assert (untold.why, untold.about) == (Refusal.UNTOLD, "question of s")
    other_view = WantedLabel("s", "question of s", 0, 0, 1, None, told=False)
    await submit(world, "b", other_view)
    assert await queue(world).demand(world.run, 0) == Demand(None, 0)
    await submit(world, "text", wanted(rollouts=0))
    assert len((await queue(world).take(world.run, 0, 10)).items) == 1
    assert await jobs(world) == [("text", False)], "a request that wants no label waits for none"


async def test_a_prefetched_label_is_there_when_rollouts_come(world: World) -> None:
    await labels(world).prefetch(world.run, 0, [Coming("s", "q", 0, TeacherPrompt(question="1 + 1?"))])
    (asked,) = (await queue(world).take(world.run, 0, 10)).items
    assert (asked.prompt.question, asked.rollouts) == ("1 + 1?", 0)
    await queue(world).keep((world.run, "s"), label())
    await labels(world).prefetch(world.run, 0, [Coming("s", "q", 0, TeacherPrompt(question="1 + 1?"))])
    assert (await queue(world).take(world.run, 0, 10)).items == []
    await submit(world, "b", wanted(text=None))
    assert await jobs(world) == [("b", False)]


async def test_a_batch_goes_on_at_its_deadline_without_its_label(world: World) -> None:
    await world.make(group_size=2, cohort_deadline_s=0.05)
    await submit(world, "b", wanted("s"), wanted("t"))
    await queue(world).keep((world.run, "s"), label())

    async def released() -> list[tuple[str | None, bool]]:
        await world.jobs.expire(world.run)
        return await jobs(world)

    assert await until(released) == [("b", True)]
    await queue(world).keep((world.run, "t"), label())
    assert await jobs(world) == [], "its label comes too late for it"


async def test_settings_that_have_changed_and_a_full_queue_refuse(world: World) -> None:
    stale = world.at
    await world.make(group_size=4)
    answer = await labels(world).submit(world.run, "b", PRINT, b"", stale, 1, [wanted()])
    assert answer == Refused(Refusal.STALE)
    for n in range(world.limits.open_cohorts):
        await submit(world, f"b{n}", wanted())
    assert await submit(world, "more", wanted()) == Refused(Refusal.FULL)
    assert await submit(world, "b0", wanted()) == StoredBatch(PRINT, None, 1)


async def test_weights_are_announced_once_a_step_and_in_order(world: World) -> None:
    teachers = TeacherStore(world.connection)
    assert await teachers.accepted(world.run) is None
    first, second = AnnouncedWeights(1, "one"), AnnouncedWeights(2, "two", "ab")
    assert await teachers.announce(world.run, None, 0.1, first) == 0.1
    assert await teachers.announce(world.run, None, 0.9, first) == 0.1, "the same step again is the same update"
    assert await teachers.announce(world.run, None, 0.9, second) is None, "others came in between"
    assert await teachers.announce(world.run, 1, 0.2, second) == 0.2
    assert await teachers.updates(world.run) == [first, second]
    await teachers.advance(world.run, 1, 0.1)
    assert await teachers.updates(world.run) == [second]
    await teachers.refuse(world.run, second, "too small")
    standing = await teachers.standing(world.run)
    assert (standing.accepted, standing.version, standing.alpha) == (2, 1, 0.1)
    assert standing.refused == "step 2: too small"
    await teachers.advance(world.run, 3, 0.3)
    await teachers.advance(world.run, 2, 0.2)
    assert await teachers.version(world.run) == 3
    assert (await teachers.standing(world.run)).refused is None


async def test_teachers_that_are_there_are_seen(world: World) -> None:
    teachers = TeacherStore(world.connection)
    there = TeacherPresence("model", 3, 2, None)
    await teachers.say(world.run, "one", there)
    await world.connection.execute("HSET", RunKeys(world.run).teachers, "gone", b"0 " + msgspec.json.encode(there))
    assert (await teachers.standing(world.run)).teachers == (there,)
    await teachers.say(world.run, "one", there)
    assert await world.connection.execute("HKEYS", RunKeys(world.run).teachers) == [b"one"]
    await teachers.leave(world.run, "one")
    assert (await teachers.standing(world.run)).teachers == ()


async def test_batches_of_many_labels_are_given_up_some_at_a_time(world: World) -> None:
    """A thousand labels are a few milliseconds in which the store answers nobody else."""
    await world.make(cohort_deadline_s=0.001)
    for n in range(4):
        assert isinstance(await submit(world, f"b{n}", *(wanted(f"{n}.{slot}") for slot in range(2500))), StoredBatch)
    at_a_time = [await until(lambda: world.jobs.expire(world.run)) for _ in range(2)]
    assert at_a_time == [2, 2]
    assert sorted(await jobs(world)) == [(f"b{n}", True) for n in range(4)]
