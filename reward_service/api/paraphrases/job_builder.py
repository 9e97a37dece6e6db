"""Put questions into a job in Redis, and wait for the paraphrases of a short request."""

import asyncio
import time
from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

import msgspec
from co_rewarding_schema.paraphrases import Paraphrases
from co_rewarding_schema.problems import ProblemKind

from reward_service.api.http.problems import Problem, away, full
from reward_service.api.paraphrases.bodies import ListQuestions, ReceivedJob
from reward_service.api.paraphrases.models import ParaphrasesForm
from reward_service.api.paraphrases.rendering import outcome_document
from reward_service.api.rewards.waiting_room import WaitingRoom
from reward_service.domain.paraphrases.rewriting import JobState
from reward_service.paraphrasing.pair_files import PairFileError
from reward_service.settings import Settings
from reward_service.store.keys import digest
from reward_service.store.paraphrases import Begun, JobOrder, JobQuestion, JobStanding, ParaphraseJobs

BATCH = 200
FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 0.5
NOBODY = "no paraphraser is running: start one with `co-rewarding paraphraser --model MODEL`, or `serve --paraphraser`"
RETRY_NOBODY_S = 5.0
RETRY_LATER_S = 1.0


def keyed_job(run: str, idempotency_key: str) -> str:
    """The name of the job of a run that came with this key: another team's key of the same letters is another."""
    return f"k{digest(run, idempotency_key, size=10)}"


class ParaphraseIntake:
    """Takes jobs in: when it returns, all of a job is in Redis."""

    def __init__(self, jobs: ParaphraseJobs, room: WaitingRoom, settings: Settings) -> None:
        """`room` says whether this process is stopping."""
        self._jobs = jobs
        self._room = room
        self._settings = settings

    async def accept(self, arrived: ReceivedJob, job: str | None, *, urgent: bool = False) -> str:
        """Makes a job; the same name and content find the one that there is. Without a name it is a new one.

        Raises:
            Problem: 409 for a key that came with other content, 413 for too much, 429 for too many jobs.
        """
        job = job or f"j{uuid4().hex[:20]}"
        questions = arrived.questions
        most = self._settings.max_paraphrase_questions
        if questions.of > most:
            raise Problem(
                ProblemKind.TOO_MANY,
                f"{questions.of} questions in a job that may have {most}: make several, or raise "
                "CO_REWARDING_MAX_PARAPHRASE_QUESTIONS.",
            )
        order = JobOrder(arrived.order.run, arrived.order.recipe(), arrived.source)
        match await self._jobs.begin(job, arrived.fingerprint, order, urgent=urgent):
            case Begun.KNOWN:
                return job
            case Begun.CONFLICT:
                raise Problem(
                    ProblemKind.KEY_REUSED,
                    "this Idempotency-Key came with another body before: make a new key a request.",
                )
            case Begun.FULL:
                raise full(f"{self._settings.max_paraphrase_jobs} jobs are unfinished")
            case Begun.FILLING:
                try:
                    await self._fill(job, arrived)
                except (Problem, PairFileError):
                    await self._jobs.forget(job)  # what is refused takes no room meanwhile
                    raise
        return job

    async def answer(self, form: ParaphrasesForm) -> Paraphrases:
        """Rewrites a few questions while the caller waits. The same again is the same job: nothing is done twice.

        Raises:
            Problem: 503 if nobody is there to do it, 504 if it takes longer than `wait_s`: it goes on all the same.
        """
        await self._check_somebody_is_there()
        fingerprint = digest(form.model_dump_json(exclude={"wait_s"}))
        arrived = ReceivedJob(form, "request", fingerprint, ListQuestions(form.questions))
        job = await self.accept(arrived, f"q{fingerprint}", urgent=True)
        standing = await self._ended(job, min(form.wait_s, self._settings.max_wait_s))
        recipe = standing.order.recipe
        found = [outcome_document(outcome, recipe) async for _, _, outcome in self._jobs.outcomes(job, standing.of)]
        return Paraphrases(paraphrases=found)

    async def _fill(self, job: str, arrived: ReceivedJob) -> None:
        items = iter(arrived.questions)
        first = size = 0
        while batch := await asyncio.to_thread(self._batch, items):
            size += sum(len(msgspec.msgpack.encode(item)) for item in batch)
            if size > self._settings.max_paraphrase_bytes:
                raise Problem(
                    ProblemKind.TOO_LARGE,
                    f"the questions take more than {self._settings.max_paraphrase_bytes} bytes: make several jobs, or "
                    "raise CO_REWARDING_MAX_PARAPHRASE_BYTES.",
                )
            await self._jobs.fill(job, first, batch)
            first += len(batch)
        if not await self._jobs.open(job, first, arrived.questions.columns):
            raise away("the job's questions were not all kept")

    def _batch(self, items: Iterator[JobQuestion]) -> list[JobQuestion]:
        batch = list(islice(items, BATCH))
        longest = self._settings.max_text_chars
        for item in batch:
            if len(item.question.question) > longest:
                told = repr(item.question.question_id[:200])
                raise Problem(ProblemKind.TEXT_TOO_LONG, f"question {told} has more than {longest} characters: cut it.")
        return batch

    async def _ended(self, job: str, within_s: float) -> JobStanding:
        until_s = time.monotonic() + within_s
        look_s = FIRST_LOOK_S
        while True:
            standing = await self._jobs.look(job)
            if standing is None or standing.state is JobState.CANCELLED:
                raise away("what was asked for was cancelled meanwhile")
            if standing.state is JobState.DONE:
                return standing
            if self._room.draining:
                raise away("this process is stopping")
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                await self._check_somebody_is_there()
                raise Problem(
                    ProblemKind.NOT_IN_TIME,
                    f"{standing.done} of {standing.of} questions are done. It goes on: send the same request again, or "
                    "make a job with POST /v1/paraphrases/jobs.",
                    retry_after_s=RETRY_LATER_S,
                )
            await asyncio.sleep(min(look_s, left_s))
            look_s = min(1.5 * look_s, LONGEST_LOOK_S)

    async def _check_somebody_is_there(self) -> None:
        there = await self._jobs.paraphrasers()
        if not there:
            raise away(NOBODY, RETRY_NOBODY_S)
        if all(each.away for each in there):
            raise away(f"the paraphraser's model is away: {there[0].away}", RETRY_NOBODY_S)
