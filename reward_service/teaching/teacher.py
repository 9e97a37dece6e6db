"""Make labels: take those asked for, answer with the weights of one version, and keep the labels."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Voter

from reward_service.domain.extraction import extractor
from reward_service.domain.teacher import draw_seed
from reward_service.generation.generator import (
    GenerationError,
    Generator,
    GeneratorUnavailableError,
    Message,
    Prompt,
    Sampling,
    question_prompt,
)
from reward_service.lease_worker import LeasePace, LeaseWorker
from reward_service.store.label_queue import Demand, LabelClaim, LabelQueue, LabelRequest
from reward_service.store.label_records import TeacherLabel, TeacherPrompt
from reward_service.store.records import VIEWS, VOTERS, BallotRow
from reward_service.teaching.run_tracker import UPDATES_EVERY_S, RunTracker, TrackedRun

log = structlog.get_logger(__name__)

TEACHER = VOTERS.index(Voter.TEACHER)


@dataclass(frozen=True, slots=True)
class TeacherPace(LeasePace):
    """How a teacher divides its time, in seconds.

    Attributes:
        switch_s: how long the weights of one run are served before a run for which more rollouts wait gets its turn.
        retry_s: how long it pauses where its model is away.
        tell_s: after how long it says in its log that it waits for weights.
    """

    switch_s: float = 10.0
    retry_s: float = 1.0
    tell_s: float = 10.0


class Teacher(LeaseWorker[LabelClaim, LabelRequest, TeacherLabel]):
    """Labels whatever is asked for, until told to stop.

    The weights change only while nothing is generated, so every ballot of a label is of the version that it names.
    """

    def __init__(
        self, queue: LabelQueue, follower: RunTracker, generator: Generator, pace: TeacherPace | None = None
    ) -> None:
        """Over a queue of its own and a model."""
        self._pace = pace or TeacherPace()
        super().__init__("labels", queue, self._pace)
        self._queue = queue
        self._follower = follower
        self._generator = generator
        self._loaded: tuple[str | None, int] = (None, 0)
        self._loaded_at_s = 0.0

    async def run(self, finish_within_s: float = 30.0) -> None:
        """Works until stopped; a Redis or a model that is away is waited for.

        Raises:
            TaskFailedError: a background task has failed. Labels in hand are left to other teachers.
        """
        self._background.keep("follow", self._follower.follow, every_s=UPDATES_EVERY_S)
        try:
            await super().run(finish_within_s)
        finally:
            self._follower.close()

    @property
    def _room(self) -> int:
        return self._generator.capacity - len(self._in_hand)

    async def _serve(self) -> bool:
        """Takes what there is to take; whether there was anything to do."""
        room = self._room
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
                taken += await self._take_from(run, served[run], room - taken)
        return taken > 0

    async def _waiting(self, served: Mapping[str, TrackedRun]) -> dict[str, int]:
        """The runs that it could label for now, and how many rollouts wait for the most wanted label of each."""
        waiting: dict[str, int] = {}
        for run, followed in served.items():
            demand = await self._queue.demand(run, followed.version)
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

    async def _take_from(self, run: str, followed: TrackedRun, room: int) -> int:
        take = partial(self._queue.take, run, followed.version, room)
        return await self._take(take, partial(self.label, followed.version, followed.settings))

    async def _failed(self, item: LabelRequest, error: Exception) -> None:
        """The label is asked for again."""
        if isinstance(error, GeneratorUnavailableError):
            log.warning("the model is away; the label is asked for again", run=item.run, error=str(error))
            await self._idle(error.retry_after_s)
        else:
            log.error("a label failed", run=item.run, question_id=item.question_id, exc_info=error)
            await self._idle(self._pace.retry_s)

    async def _renew(self, claims: Collection[LabelClaim]) -> Collection[LabelClaim]:
        """A label that it has lost is finished all the same: whichever comes first is kept."""
        await self._queue.renew(claims)
        await self._follower.say(len(claims))
        return ()

    async def _leave(self, claims: Collection[LabelClaim]) -> None:
        await super()._leave(claims)
        await self._follower.leave()

    async def label(self, version: int, settings: RunSettings, asked: LabelRequest) -> TeacherLabel:
        """Make a label with the weights of this version, which are loaded."""
        view = VIEWS[asked.view]
        seed = draw_seed(asked.run, version, asked.question_id, view)
        sampling = sampling_of(settings, seed)
        try:
            generated = await self._generator.generate(prompt_of(asked.prompt), sampling)
            texts_G: tuple[str, ...] = generated.texts_n
        except GenerationError as error:  # it never will be answered: its rollouts abstain, and it is said why
            log.error("the teacher cannot answer", run=asked.run, question_id=asked.question_id, error=str(error))
            texts_G = ("",) * sampling.n
        answer_of = extractor(settings.answer_formats, settings.end_tokens, settings.thinking)
        rows_G = [BallotRow(asked.view, TEACHER, index, answer_of(text)) for index, text in enumerate(texts_G)]
        return TeacherLabel(version, seed, self._generator.name, rows_G)

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


def prompt_of(asked: TeacherPrompt) -> Prompt:
    """The prompt: text and messages as they were sent, a bare question behind the paper's system prompt."""
    if asked.text is not None:
        return Prompt(text=asked.text)
    if asked.messages:
        return Prompt(messages=tuple(Message(role, content) for role, content in asked.messages))
    return question_prompt(asked.question or "")


def sampling_of(settings: RunSettings, seed: int) -> Sampling:
    """How a run's teacher draws its G̃ ballots of one view."""
    return Sampling(
        n=settings.teacher_ballots,
        temperature=settings.teacher_temperature,
        top_p=settings.teacher_top_p,
        max_tokens=settings.teacher_max_tokens,
        seed=seed,
    )
