"""A teacher at work over a real store: what it takes, with which weights it answers, and what is left when it stops.

Its model is a fake at the Generator protocol that answers with its one weight, so that an answer tells its weights.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from reward_service.domain.runs import RunSettings
from reward_service.generation.errors import GenerationError, GeneratorUnavailableError
from reward_service.generation.generator import Generated, Prompt, Sampling
from reward_service.store.cohorts import Limits, Revised
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.labels import LabelStore, TeacherDesk, Wanted
from reward_service.store.link import Link
from reward_service.store.records import TeacherLabel, TeacherPrompt
from reward_service.store.runs import RunStore
from reward_service.store.teachers import AnnouncedWeights, TeacherStore
from reward_service.teaching.averages import AverageOptions, Averages
from reward_service.teaching.following import Follower
from reward_service.teaching.teacher import Teacher, TeacherPace
from tests.waiting import until

pytestmark = pytest.mark.anyio
PACE = TeacherPace(beat_s=0.005, renew_s=0.1, switch_s=5.0, retry_s=0.05, tell_s=0.1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    server = EmbeddedValkey(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def write_model(folder: Path, weight: float) -> Path:
    folder.mkdir(parents=True)
    save_file({"w": np.full(3, weight, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@dataclass
class OneWeight:
    """Answers with its weight, while it is allowed to; what it was asked and what it loaded is noted."""

    base: Path
    name: str = "one-weight"
    capacity: int = 4
    weight: float = 1.0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str | None, Sampling]] = field(default_factory=list)
    loaded: list[Path | None] = field(default_factory=list)
    away: int = 0
    at_once: int = 0
    busiest: int = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        self.asked.append((prompt.text, sampling))
        if self.away:
            self.away -= 1
            raise GeneratorUnavailableError("away", 0.01)
        if prompt.text == "too long":
            raise GenerationError("the prompt is too long")
        self.at_once += 1
        self.busiest = max(self.busiest, self.at_once)
        began_with = self.weight
        await self.gate.wait()
        assert self.weight == began_with, "weights were swapped under an answer"
        self.at_once -= 1
        return Generated(tuple(f"\\boxed{{{began_with:g}}}" for _ in range(sampling.n)), sampling.n)

    async def load(self, weights: Path | None) -> None:
        assert not self.at_once, "weights are swapped while something is under way"
        self.loaded.append(weights)
        self.weight = float(load_file((weights or self.base) / "model.safetensors")["w"][0])

    async def close(self) -> None:
        return None


@dataclass
class Classroom:
    """A store, folders, and runs of their own."""

    url: str
    folder: Path
    link: Link
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.runs = RunStore(self.link, self.limits)
        self.labels = LabelStore(self.link, self.limits, "nobody")
        self.teachers = TeacherStore(self.link)
        self.base = write_model(self.folder / "base", 1.0)
        self.model = OneWeight(self.base)
        self.model.gate.set()
        self.at: dict[str, Revised] = {}

    async def make(self, **settings: Any) -> str:
        run = f"r{uuid4().hex[:10]}"
        chosen: dict[str, Any] = {"method": "co-rewarding-ii", "group_size": 2, "alpha_start": 0.0, "alpha_end": 0.0}
        self.at[run] = await self.runs.put(run, RunSettings(**chosen | settings))
        return run

    @contextlib.asynccontextmanager
    async def teaching(
        self, name: str = "teacher", *, model: OneWeight | None = None, fixed: bool = False, lease_s: float = 5.0
    ) -> AsyncIterator[Teacher]:
        """A teacher at work; it is stopped as a signal would."""
        link = Link(self.url)
        model = model or self.model
        averages = None
        if not fixed:
            options = AverageOptions(threads=1, dtype="float32")
            averages = Averages(self.folder / "averages", self.base, self.folder / "weights", options)
        desk = TeacherDesk(link, self.limits, name, lease_s)
        runs, teachers = RunStore(link, self.limits), TeacherStore(link)
        teacher = Teacher(desk, Follower(runs, teachers, averages, model=model.name, teacher=name), model, PACE)
        working = asyncio.create_task(teacher.run(finish_within_s=0.2))
        try:
            yield teacher
        finally:
            teacher.stop()
            await asyncio.wait_for(working, 20)
            await link.close()

    async def publish(self, run: str, step: int, weight: float, **more: Any) -> None:
        path = f"{run}.step-{step}"
        write_model(self.folder / "weights" / path, weight)
        accepted = await self.teachers.accepted(run)
        await self.teachers.announce(run, accepted, 0.0, AnnouncedWeights(step, path, **more))

    async def ask(self, run: str, slot: str = "s", *, need: int | None = 0, rollouts: int = 1, text: str = "?") -> None:
        wanted = Wanted(slot, f"question {slot}", 0, need, rollouts, TeacherPrompt(text=text), told=True)
        batch = uuid4().hex
        await self.labels.submit(run, batch, "f" * 32, b"", self.at[run], 1, [wanted])

    async def label(self, run: str, slot: str = "s", version: int = 0) -> TeacherLabel:
        """The slot's label, of this version or a newer one, as soon as it is there."""

        async def found() -> TeacherLabel | None:
            (label,) = await self.labels.labels(run, [slot])
            return label if label is not None and label.version >= version else None

        label = await until(found)
        assert label is not None
        return label

    async def at_version(self, run: str, version: int) -> None:
        async def reached() -> bool:
            return await self.teachers.version(run) == version

        await until(reached)


@pytest.fixture
async def room(valkey: EmbeddedValkey, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Classroom]:
    link = Link(valkey.url)
    await link.execute("FLUSHALL")
    yield Classroom(valkey.url, tmp_path, link)
    await link.close()


def answers(label: TeacherLabel) -> set[str | None]:
    return {row.answer for row in label.rows_G}


async def test_a_label_is_answered_with_the_run_s_sampling_and_seed(room: Classroom) -> None:
    run = await room.make(teacher_group_size=5, teacher_temperature=0.7, teacher_top_p=0.9, teacher_max_tokens=33)
    async with room.teaching():
        await room.ask(run, text="1 + 0 =")
        label = await room.label(run)
    assert (label.version, label.model, answers(label), len(label.rows_G)) == (0, "one-weight", {"1"}, 5)
    ((text, sampling),) = room.model.asked
    assert text == "1 + 0 ="
    assert sampling == Sampling(n=5, temperature=0.7, top_p=0.9, max_tokens=33, seed=label.seed)


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
