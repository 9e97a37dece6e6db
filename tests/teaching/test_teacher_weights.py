"""With which weights a teacher answers: of which version and which run, and what becomes of weights that do not fit."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from reward_service.store.teachers import AnnouncedWeights
from tests.support.waiting import until
from tests.teaching.classroom import Classroom, answers
from tests.teaching.classroom import anyio_backend as anyio_backend
from tests.teaching.classroom import room as room
from tests.teaching.classroom import valkey as valkey

pytestmark = pytest.mark.anyio


async def test_new_weights_answer_as_alpha_says(room: Classroom) -> None:
    replaced = await room.make()
    frozen = await room.make(alpha_start=1.0, alpha_end=1.0)
    halved = await room.make(alpha_start=0.5, alpha_end=0.5)
    async with room.teaching():
        for run in (replaced, frozen, halved):
            await room.publish(run, 1, 3.0)
            await room.ask(run, need=1)
        assert answers(await room.label(replaced)) == {"3"}
        assert answers(await room.label(halved)) == {"2"}
        label = await room.label(frozen)
    assert (answers(label), label.version) == ({"1"}, 1)


async def test_a_label_waits_for_the_version_it_needs_and_says_which_it_was(room: Classroom) -> None:
    run = await room.make()
    async with room.teaching():
        await room.ask(run, "early", need=0)
        assert (await room.label(run, "early")).version == 0
        await room.ask(run, "later", need=2)
        await room.publish(run, 1, 5.0)
        await room.at_version(run, 1)
        assert await room.labels.labels(run, ["later"]) == [None]
        await room.publish(run, 2, 7.0)
        label = await room.label(run, "later")
    assert (label.version, answers(label)) == (2, {"7"})


async def test_what_is_under_way_is_finished_before_weights_are_swapped(room: Classroom) -> None:
    run = await room.make()
    room.model.gate.clear()

    async def under_way() -> bool:
        return room.model.at_once == 2

    async with room.teaching():
        await room.ask(run, "a")
        await room.ask(run, "b")
        await until(under_way)
        await room.publish(run, 1, 9.0)
        await room.at_version(run, 1)
        await room.ask(run, "c", need=1)
        room.model.gate.set()
        old, new = await room.label(run, "a"), await room.label(run, "c")
    assert (old.version, answers(old)) == (0, {"1"})
    assert (new.version, answers(new)) == (1, {"9"})


async def test_runs_with_weights_of_their_own_take_turns(room: Classroom) -> None:
    one, other = await room.make(), await room.make()
    async with room.teaching():
        for run, weight in ((one, 2.0), (other, 4.0)):
            await room.publish(run, 1, weight)
        for slot in "abcdef":
            await room.ask(one, slot, need=1)
            await room.ask(other, slot, need=1, rollouts=8)
        for slot in "abcdef":
            assert answers(await room.label(one, slot)) == {"2"}
            assert answers(await room.label(other, slot)) == {"4"}
    assert len(room.model.loaded) <= 3, "a swap for every question would cost more than the answers"


async def test_the_average_goes_on_where_it_stood(room: Classroom) -> None:
    run = await room.make(alpha_start=0.5, alpha_end=0.5)
    async with room.teaching():
        await room.publish(run, 1, 3.0)
        await room.at_version(run, 1)
    async with room.teaching("again"):
        await room.ask(run, need=1)
        assert answers(await room.label(run)) == {"2"}
        await room.publish(run, 2, 4.0)
        await room.ask(run, "t", need=2)
        assert answers(await room.label(run, "t")) == {"3"}


async def test_weights_that_do_not_fit_change_nothing_and_the_next_stand_for_them(room: Classroom) -> None:
    run = await room.make(alpha_start=0.5, alpha_end=0.5)

    async def refused() -> str | None:
        return (await room.teachers.standing(run)).refused

    async with room.teaching():
        folder = room.folder / "weights" / "bad"
        folder.mkdir(parents=True)
        save_file({"w": np.zeros(4, np.float32)}, folder / "model.safetensors")
        await room.teachers.announce(run, None, 0.5, AnnouncedWeights(1, "bad"))
        assert "misshapen" in (await until(refused) or "")
        await room.publish(run, 2, 5.0)
        await room.ask(run, need=2)
        label = await room.label(run)
    assert (label.version, answers(label)) == (2, {"4"}), "α of both steps, 0.25, kept of 1 and moved to 5"


async def test_weights_that_are_not_what_was_announced_are_refused(room: Classroom) -> None:
    run = await room.make()

    async def refused() -> str | None:
        return (await room.teachers.standing(run)).refused

    async with room.teaching():
        await room.publish(run, 1, 5.0, sha256="0" * 64)
        assert "checksum" in (await until(refused) or "")
        assert await room.teachers.version(run) == 0


async def test_a_model_with_fixed_weights_serves_only_runs_whose_teacher_stays(room: Classroom) -> None:
    moving, frozen = await room.make(), await room.make(alpha_start=1.0, alpha_end=1.0)
    async with room.teaching(fixed=True):
        await room.ask(moving)
        await room.ask(frozen)
        assert answers(await room.label(frozen)) == {"1"}
        assert await room.labels.labels(moving, ["s"]) == [None]
