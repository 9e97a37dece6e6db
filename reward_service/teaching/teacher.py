"""A teacher: takes the labels that are asked for, answers with the weights of one version, and keeps the labels."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import Voter

from reward_service.background import Background
from reward_service.domain.extraction import extractor
from reward_service.domain.runs import RunSettings
from reward_service.domain.teacher import draw_seed
from reward_service.errors import StoreUnavailableError
from reward_service.generation.generator import GenerationError, Generator, GeneratorUnavailableError
from reward_service.store.labels import Demand, LabelRequest, TeacherDesk
from reward_service.store.records import VIEWS, VOTERS, BallotRow, TeacherLabel
from reward_service.teaching.prompting import prompt_of, sampling_of
from reward_service.teaching.run_tracker import UPDATES_EVERY_S, RunTracker, TrackedRun

log = structlog.get_logger(__name__)

TEACHER = VOTERS.index(Voter.TEACHER)


@dataclass(frozen=True, slots=True)
class TeacherPace:
    """How a teacher divides its time, in seconds.

    Attributes:
        beat_s: how often it looks for work when it has none.
        renew_s: how often it says that it is still at work on what it has taken.
        switch_s: how long the weights of one run are served before a run for which more rollouts wait gets its turn.
        retry_s: how long it pauses where its model is away.
        tell_s: after how long it says in its log that it waits for weights.
    """

    beat_s: float = 0.05
    renew_s: float = 2.0
    switch_s: float = 10.0
    retry_s: float = 1.0
    tell_s: float = 10.0


class Teacher:
    """Labels whatever is asked for, until told to stop.

    The weights change only while nothing is generated, so every ballot of a label is of the version that it names.
    """

    def __init__(
        self, desk: TeacherDesk, follower: RunTracker, generator: Generator, pace: TeacherPace | None = None
    ) -> None:
        """Over a desk of its own and a model."""
        self._desk = desk
        self._follower = follower
        self._generator = generator
        self._pace = pace or TeacherPace()
        self._stopping = asyncio.Event()
        self._in_hand: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._loaded: tuple[str | None, int] = (None, 0)
        self._loaded_at_s = 0.0
        self._background = Background()

    def stop(self) -> None:
        """Take no more; finish what is in hand, and end."""
        self._stopping.set()

    async def run(self, finish_within_s: float = 30.0) -> None:
        """Works until stopped; a Redis or a model that is away is waited for.

        Raises:
            TaskFailedError: a background task has failed. Labels in hand are left to other teachers.
        """
        try:
            async with self._background as background:
                background.keep("follow", self._follower.follow, every_s=UPDATES_EVERY_S)
                background.keep("renew", self._renew, every_s=self._pace.renew_s)
                await background.beside(self._work(finish_within_s))
        finally:
            self._follower.close()

    async def _work(self, finish_within_s: float) -> None:
        while not self._stopping.is_set():
            try:
                busy = await self._serve()
            except StoreUnavailableError as error:
                log.warning("Redis is away; waiting for it", error=str(error))
                busy = False
            if not busy:
                await self._idle(self._pace.beat_s)
        await self._finish(finish_within_s)

    async def _serve(self) -> bool:
        """Takes what there is to take; whether there was anything to do."""
        room = self._generator.capacity - len(self._in_hand)
        if room <= 0:
            await asyncio.wait(self._in_hand.values(), return_when=asyncio.FIRST_COMPLETED)
            return True
        served = await self._follower.served()
        waiting = await self._waiting(served)
        weights = self._choose(served, waiting)
        if weights is None:
            return False
        if weights != self._loaded:
            await self._swap(weights)
            return True
        taken = 0
        for run in sorted(waiting, key=lambda run: -waiting[run]):
            if served[run].weights == self._loaded and taken < room:
                taken += await self._take(run, served[run], room - taken)
        return taken > 0

    async def _waiting(self, served: Mapping[str, TrackedRun]) -> dict[str, int]:
        """The runs that it could label for now, and how many rollouts wait for the most wanted label of each."""
        waiting: dict[str, int] = {}
        for run, followed in served.items():
            demand = await self._desk.demand(run, followed.version)
            if demand.most is not None:
                waiting[run] = demand.most
            self._note_wait(run, followed, demand)
        return waiting

    def _choose(self, served: Mapping[str, TrackedRun], waiting: Mapping[str, int]) -> tuple[str | None, int] | None:
        """The weights to serve now: those that most rollouts wait for, but not in turns of less than `switch_s`."""
        if not waiting:
            return None
        here = [run for run in waiting if served[run].weights == self._loaded]
        if here and time.monotonic() - self._loaded_at_s < self._pace.switch_s:
            return self._loaded
        return served[max(waiting, key=lambda run: (waiting[run], run in here, run))].weights

    async def _swap(self, weights: tuple[str | None, int]) -> None:
        """What is in hand is finished with the weights that it was begun with."""
        if self._in_hand:
            await asyncio.gather(*self._in_hand.values())
        run, version = weights
        folder = None if run is None else self._follower.serving_folder(run, version)
        try:
            await self._generator.load(folder)
        except (CoRewardingError, OSError) as error:  # the model is away, or the folder has made room for a newer one
            log.warning("weights could not be loaded; trying again", run=run, version=version, error=str(error))
            await self._idle(self._pace.retry_s)
            return
        self._loaded, self._loaded_at_s = weights, time.monotonic()
        log.info("the teacher answers with new weights", run=run, version=version)

    async def _take(self, run: str, followed: TrackedRun, room: int) -> int:
        taken = await self._desk.take(run, followed.version, room)
        if taken.left:
            log.info("took over labels", run=run, labels=taken.left)
        for asked in taken.asked:
            name = (run, asked.slot)
            task = self._background.start("labels", self._label_safely(asked, followed.version, followed.settings))
            self._in_hand[name] = task
            task.add_done_callback(lambda _, name=name: self._in_hand.pop(name, None))
        return len(taken.asked)

    async def _label_safely(self, asked: LabelRequest, version: int, settings: RunSettings) -> None:
        """The boundary of a label: one that cannot be made costs no other anything."""
        try:
            label = await self._label(asked, version, settings)
        except GeneratorUnavailableError as error:
            log.warning("the model is away; the label is asked for again", run=asked.run, error=str(error))
            await self._idle(error.retry_after_s)
            await self._give_back(asked)
        except Exception:
            log.exception("a label failed", run=asked.run, question_id=asked.question_id)
            await self._idle(self._pace.retry_s)
            await self._give_back(asked)
        else:
            await self._keep(asked, label)

    async def _label(self, asked: LabelRequest, version: int, settings: RunSettings) -> TeacherLabel:
        view = VIEWS[asked.view]
        seed = draw_seed(asked.run, version, asked.question_id, view)
        sampling = sampling_of(settings, seed)
        try:
            generated = await self._generator.generate(prompt_of(asked.prompt), sampling)
            texts_G: tuple[str, ...] = generated.texts_n
        except GenerationError as error:  # it never will be answered: its rollouts abstain, and it is said why
            log.error("the teacher cannot answer", run=asked.run, question_id=asked.question_id, error=str(error))
            texts_G = ("",) * sampling.n
        answer_of = extractor(settings.answer_formats, settings.end_tokens)
        rows_G = [BallotRow(asked.view, TEACHER, index, answer_of(text)) for index, text in enumerate(texts_G)]
        return TeacherLabel(version, seed, self._generator.name, rows_G)

    async def _keep(self, asked: LabelRequest, label: TeacherLabel) -> None:
        """A label that was paid for is kept, however long Redis is away."""
        while True:
            try:
                await self._desk.keep(asked.run, asked.slot, label)
            except StoreUnavailableError:
                await asyncio.sleep(self._pace.beat_s)
            else:
                return

    async def _give_back(self, asked: LabelRequest) -> None:
        with contextlib.suppress(StoreUnavailableError):  # its lease ends
            await self._desk.give_back(asked.run, [asked.slot])

    async def _renew(self) -> None:
        slots_of: dict[str, list[str]] = {}
        for run, slot in self._in_hand:
            slots_of.setdefault(run, []).append(slot)
        for run, slots in slots_of.items():
            await self._desk.renew(run, slots)
        await self._follower.say(len(self._in_hand))

    async def _finish(self, within_s: float) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=within_s)
        with contextlib.suppress(StoreUnavailableError):
            left = list(self._in_hand.items())
            for _, task in left:
                task.cancel()
            await asyncio.gather(*(task for _, task in left), return_exceptions=True)
            for (run, slot), _ in left:
                await self._desk.give_back(run, [slot])
            await self._follower.leave()

    def _note_wait(self, run: str, followed: TrackedRun, demand: Demand) -> None:
        """Whether new weights are all that a run's labels wait for, and since when; said once they wait for long."""
        now_s = time.monotonic()
        if demand.most is not None or not demand.too_new:
            followed.waits_since_s = None
        elif followed.waits_since_s is None:
            followed.waits_since_s = now_s
        elif now_s - followed.waits_since_s > self._pace.tell_s:
            followed.waits_since_s = now_s
            log.warning(
                "labels wait for new weights, and for nothing else: publish them sooner, or allow max_teacher_lag",
                run=run,
                labels=demand.too_new,
                version=followed.version,
            )

    async def _idle(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
