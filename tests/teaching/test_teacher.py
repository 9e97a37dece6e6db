"""A teacher at work over a real store: which labels it takes, how it makes them, and what is left when it stops."""

import asyncio

import pytest

from reward_service.errors import TaskFailedError
from reward_service.generation.generator import Sampling
from reward_service.store.keys import RunKeys
from tests.support.waiting import until
from tests.teaching.classroom import Classroom, OneWeight, answers
from tests.teaching.classroom import anyio_backend as anyio_backend
from tests.teaching.classroom import room as room
from tests.teaching.classroom import valkey as valkey

pytestmark = pytest.mark.anyio


async def test_a_label_is_answered_with_the_run_s_sampling_and_seed(room: Classroom) -> None:
    run = await room.make(teacher_group_size=5, teacher_temperature=0.7, teacher_top_p=0.9, teacher_max_tokens=33)
    async with room.teaching():
        await room.ask(run, text="1 + 0 =")
        label = await room.label(run)
    assert (label.version, label.model, answers(label), len(label.rows_G)) == (0, "one-weight", {"1"}, 5)
    ((text, sampling),) = room.model.asked
    assert text == "1 + 0 ="
    assert sampling == Sampling(n=5, temperature=0.7, top_p=0.9, max_tokens=33, seed=label.seed)


async def test_questions_of_several_runs_are_answered_together_up_to_the_capacity(room: Classroom) -> None:
    runs = [await room.make() for _ in range(3)]
    room.model.gate.clear()

    async def full() -> bool:
        return room.model.at_once == room.model.capacity

    async with room.teaching():
        for run in runs:
            for slot in "abc":
                await room.ask(run, slot)
        await until(full)
        room.model.gate.set()
        for run in runs:
            for slot in "abc":
                assert answers(await room.label(run, slot)) == {"1"}
    assert room.model.busiest == room.model.capacity
    assert len(room.model.asked) == 9
    assert room.model.loaded == [], "runs that began with the same model share its weights"


async def test_what_cannot_be_answered_abstains_and_holds_up_nothing(room: Classroom) -> None:
    run = await room.make()
    async with room.teaching():
        await room.ask(run, "bad", text="too long")
        await room.ask(run, "good")
        assert answers(await room.label(run, "bad")) == {None}
        assert answers(await room.label(run, "good")) == {"1"}


async def test_a_model_that_is_away_is_waited_for(room: Classroom) -> None:
    run = await room.make()
    room.model.away = 3
    async with room.teaching():
        await room.ask(run)
        assert answers(await room.label(run)) == {"1"}
    assert len(room.model.asked) == 4


async def test_what_a_stopped_teacher_had_in_hand_is_another_s_at_once(room: Classroom) -> None:
    run = await room.make()
    room.model.gate.clear()

    async def under_way() -> bool:
        return room.model.at_once == 1

    async with room.teaching("first", lease_s=600.0):
        await room.ask(run)
        await until(under_way)
    second = OneWeight(room.base)
    second.gate.set()
    async with room.teaching("second", model=second, lease_s=600.0):
        assert answers(await room.label(run)) == {"1"}


async def test_two_teachers_share_the_labels_and_one_averages(room: Classroom) -> None:
    run = await room.make()
    other = OneWeight(room.base)
    other.gate.set()
    async with room.teaching("one"), room.teaching("two", model=other):
        await room.publish(run, 1, 6.0)
        await room.at_version(run, 1)
        for number in range(60):
            await room.ask(run, f"s{number}", need=1)
        for number in range(60):
            assert answers(await room.label(run, f"s{number}")) == {"6"}
    asked = len(room.model.asked), len(other.asked)
    assert sum(asked) == 60, "no label was made twice"
    assert min(asked) > 0


async def test_a_run_that_names_another_model_is_left_to_it(room: Classroom) -> None:
    other, ours = await room.make(teacher_model="another"), await room.make(teacher_model="one-weight")
    async with room.teaching():
        await room.ask(other)
        await room.ask(ours)
        assert answers(await room.label(ours)) == {"1"}
        assert await room.labels.labels(other, ["s"]) == [None]


async def test_it_says_what_it_is_and_what_it_waits_for(room: Classroom) -> None:
    run = await room.make()

    async def waits() -> bool:
        teachers = (await room.teachers.standing(run)).teachers
        return bool(teachers) and teachers[0].waiting_for == "weights"

    async with room.teaching():
        await room.ask(run, need=3)
        await until(waits)
        standing = await room.teachers.standing(run)
        assert standing.tensors is not None
    assert (await room.teachers.standing(run)).teachers == ()


@pytest.mark.parametrize(("task", "key"), [("follow", "updates"), ("renew", "teachers")])
async def test_a_background_task_that_fails_ends_the_teacher(room: Classroom, task: str, key: str) -> None:
    run = await room.make()

    async def ended() -> bool:
        return all(each.get_name() != task for each in asyncio.all_tasks())

    async def work() -> None:
        async with room.teaching():
            await room.connection.execute("SET", getattr(RunKeys(run), key), "of another kind")
            await until(ended)

    with pytest.raises(TaskFailedError, match=task):
        await work()
