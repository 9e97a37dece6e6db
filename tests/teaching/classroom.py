"""A teacher at work over a real store, with runs to teach.

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
from co_rewarding_schema.run_settings import RunSettings
from safetensors.numpy import load_file

from reward_service.generation.generator import Generated, GenerationError, GeneratorUnavailableError, Prompt, Sampling
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.label_queue import LabelQueue
from reward_service.store.label_records import TeacherLabel, TeacherPrompt
from reward_service.store.labels import LabelStore, WantedLabel
from reward_service.store.runs import RunStore
from reward_service.store.submissions import Revised, StoreLimits
from reward_service.store.teachers import AnnouncedWeights, TeacherStore
from reward_service.teaching.averages import AverageOptions, Averages
from reward_service.teaching.run_tracker import RunTracker
from reward_service.teaching.teacher import Teacher, TeacherPace
from tests.support.waiting import until
from tests.support.weight_folders import write_model

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


def write_weight(folder: Path, weight: float) -> Path:
    """The folder of a model that has this one weight."""
    return write_model(folder, {"w": np.full(3, weight, np.float32)}, config={})


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
    connection: RedisConnection
    limits: StoreLimits = field(default_factory=StoreLimits)

    def __post_init__(self) -> None:
        self.runs = RunStore(self.connection, self.limits)
        self.labels = LabelStore(self.connection, self.limits, "nobody")
        self.teachers = TeacherStore(self.connection)
        self.base = write_weight(self.folder / "base", 1.0)
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
        connection = connection_to(self.url)
        model = model or self.model
        averages = None
        if not fixed:
            options = AverageOptions(threads=1, dtype="float32")
            averages = Averages(self.folder / "averages", self.base, self.folder / "weights", options)
        queue = LabelQueue(connection, self.limits, name, lease_s)
        runs, teachers = RunStore(connection, self.limits), TeacherStore(connection)
        teacher = Teacher(queue, RunTracker(runs, teachers, averages, model=model.name, teacher=name), model, PACE)
        working = asyncio.create_task(teacher.run(finish_within_s=0.2))
        try:
            yield teacher
        finally:
            teacher.stop()
            await asyncio.wait_for(working, 20)
            await connection.close()

    async def publish(self, run: str, step: int, weight: float, **more: Any) -> None:
        path = f"{run}.step-{step}"
        write_weight(self.folder / "weights" / path, weight)
        accepted = await self.teachers.accepted(run)
        await self.teachers.announce(run, accepted, 0.0, AnnouncedWeights(step, path, **more))

    async def ask(self, run: str, slot: str = "s", *, need: int | None = 0, rollouts: int = 1, text: str = "?") -> None:
        wanted = WantedLabel(slot, f"question {slot}", 0, need, rollouts, TeacherPrompt(text=text), told=True)
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
    connection = connection_to(valkey.url)
    await connection.execute("FLUSHALL")
    yield Classroom(valkey.url, tmp_path, connection)
    await connection.close()


def answers(label: TeacherLabel) -> set[str | None]:
    return {row.answer for row in label.rows_G}
