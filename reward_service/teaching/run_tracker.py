"""Track the runs that a teacher process serves, and let their averages follow the policy."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.run_settings import RunSettings

from reward_service.store.runs import RunStore
from reward_service.store.teachers import AnnouncedWeights, TeacherPresence, TeacherStore
from reward_service.teaching.averages import Averages
from reward_service.teaching.intake import IntakeError
from reward_service.teaching.safetensors_header import AverageError, WeightsFolderError

log = structlog.get_logger(__name__)

RUNS_FRESH_S = 0.5
UPDATES_EVERY_S = 0.05
TRY_AGAIN_S = 2.0


@dataclass(slots=True)
class TrackedRun:
    """A run that this teacher serves, and the version of its teacher as it may be loaded."""

    run: str
    settings: RunSettings
    version: int = 0
    waits_since_s: float | None = None
    """On the monotonic clock, while its labels wait for newer weights and nothing else."""

    @property
    def weights(self) -> tuple[str | None, int]:
        """Which weights answer for the run: its average of a version, or the model itself, which runs may share."""
        if self.version == 0 or self.settings.frozen_teacher:
            return None, 0
        return self.run, self.version


class RunTracker:
    """The runs of one teacher process. `averages` is None for a model whose weights cannot be swapped."""

    def __init__(
        self, runs: RunStore, teachers: TeacherStore, averages: Averages | None, *, model: str, teacher: str
    ) -> None:
        """`model` is what runs name as their `teacher_model`, `teacher` this process."""
        self._runs = runs
        self._teachers = teachers
        self._averages = averages
        self._model = model
        self._teacher = teacher
        self._served: dict[str, TrackedRun] = {}
        self._looked_at_s = -RUNS_FRESH_S
        self._stated: set[str] = set()
        self._left_alone: set[str] = set()
        self._described: set[str] = set()
        self._description: bytes | None = None

    async def served(self) -> Mapping[str, TrackedRun]:
        """The runs that this process answers for, each with the newest version of its teacher."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= RUNS_FRESH_S:
            self._looked_at_s = now_s
            names = await self._runs.names()
            found = zip(names, await asyncio.gather(*map(self._runs.look, names)), strict=True)
            known = {run: revised.settings for run, revised in found if revised is not None}
            wanted = {run: settings for run, settings in known.items() if self._serves(run, settings)}
            self._served = {run: self._followed(run, settings) for run, settings in wanted.items()}
        served = self._served  # another task may look anew meanwhile
        versions = await asyncio.gather(*map(self._teachers.version, served))
        for followed, version in zip(served.values(), versions, strict=True):
            followed.version = version
        return served

    def serving_folder(self, run: str, version: int) -> Path:
        """The weights of a version of a run's teacher."""
        assert self._averages is not None, "weights that cannot be swapped are never asked for"
        return self._averages.serving_folder(run, version)

    async def follow(self) -> None:
        """Takes the weights that were announced into the averages."""
        for run, followed in dict(await self.served()).items():
            await self._take(run, followed.settings)

    def close(self) -> None:
        """Lets go of the averages."""
        if self._averages is not None:
            self._averages.close()

    async def say(self, busy: int) -> None:
        """This process serves its runs."""
        for run, followed in self._served.items():
            if method_named(followed.settings.method).needs_teacher:
                await self._describe(run)
                waiting_for = None if followed.waits_since_s is None else "weights"
                presence = TeacherPresence(self._model, followed.version, busy, waiting_for)
                await self._teachers.say(run, self._teacher, presence)

    async def leave(self) -> None:
        """It does no longer."""
        for run in self._served:
            await self._teachers.leave(run, self._teacher)

    async def _describe(self, run: str) -> None:
        if self._averages is not None and run not in self._described:
            if self._description is None:
                self._description = await asyncio.to_thread(self._averages.description)
            await self._teachers.describe(run, self._description)
            self._described.add(run)

    def _serves(self, run: str, settings: RunSettings) -> bool:
        if settings.teacher_model not in {None, self._model}:
            return False
        if self._averages is None and method_named(settings.method).needs_teacher and not settings.frozen_teacher:
            if run not in self._left_alone:
                self._left_alone.add(run)
                log.warning(
                    "a run is not served: its teacher follows the policy, and this model's weights are fixed; give it "
                    "alpha_start and alpha_end 1, or another teacher",
                    run=run,
                )
            return False
        return True

    def _followed(self, run: str, settings: RunSettings) -> TrackedRun:
        known = self._served.get(run)
        return known if known is not None and known.settings == settings else TrackedRun(run, settings)

    async def _take(self, run: str, settings: RunSettings) -> None:
        updates = await self._teachers.updates(run)
        if not updates and (run in self._stated or not await self._teachers.version(run)):
            return
        if self._averages is None:
            await self._teachers.advance(run, updates[-1].step if updates else 0, 1.0)
            return
        if not await asyncio.to_thread(self._averages.hold, run):
            return
        if run not in self._stated:
            await self._state(run)
        for weights in updates:
            await self._take_one(run, weights, settings)

    async def _state(self, run: str) -> None:
        """What this process finds in its folder when it begins, which a lost folder may have set back."""
        assert self._averages is not None
        version = await asyncio.to_thread(self._averages.version, run)
        said = await self._teachers.version(run)
        if version < said:
            log.error(
                "the average of a run is older than it was: its folder was lost or changed; it goes on from there",
                run=run,
                version=version,
                was=said,
            )
            await self._teachers.restate(run, version)
        elif version > said:
            await self._teachers.advance(run, version, None)
        self._stated.add(run)

    async def _take_one(self, run: str, weights: AnnouncedWeights, settings: RunSettings) -> None:
        assert self._averages is not None
        began_s = time.monotonic()
        try:
            taken = await asyncio.to_thread(self._averages.take, run, weights, settings)
        except (IntakeError, WeightsFolderError) as error:
            log.error("weights are not taken", run=run, step=weights.step, error=str(error))
            await self._teachers.refuse(run, weights, str(error))
        except AverageError as error:
            log.error("weights cannot be taken now", run=run, step=weights.step, error=str(error))
            return await asyncio.sleep(TRY_AGAIN_S)
        else:
            await self._teachers.advance(run, taken.version, taken.alpha)
            took_s = round(time.monotonic() - began_s, 3)
            log.info("weights are in the average", run=run, version=taken.version, alpha=taken.alpha, seconds=took_s)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._averages.forget_weights, weights)
        return None
