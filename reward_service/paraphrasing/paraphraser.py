"""Run a paraphraser process: take the questions of jobs, have them rewritten, and keep the outcomes."""

import asyncio
import socket
import time
from collections.abc import Collection, Iterator
from functools import partial
from uuid import uuid4

import structlog

from reward_service.domain.paraphrases.rewriting import Fate, Outcome, RewritingRecipe, text_key
from reward_service.errors import StoreUnavailableError
from reward_service.generation.generator import GeneratorUnavailableError
from reward_service.lease_worker import LeasePace, LeaseWorker
from reward_service.paraphrasing.model_rewriter import open_rewriter
from reward_service.paraphrasing.rewriter import Rewriter, reasons_of
from reward_service.processes import main_of, run_alone
from reward_service.settings import Settings
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED, ParaphraserPresence
from reward_service.store.question_queue import CountedOutcome, QuestionClaim, QuestionQueue, TakenQuestion
from reward_service.store.server_checks import wait_for_store

log = structlog.get_logger(__name__)


class Paraphraser(LeaseWorker[QuestionClaim, TakenQuestion, CountedOutcome]):
    """Rewrites whatever jobs ask for, as many questions at once as the rewriter can use, until told to stop."""

    def __init__(self, queue: QuestionQueue, rewriter: Rewriter, pace: LeasePace | None = None) -> None:
        """Over a queue of its own and a model."""
        self._pace = pace or LeasePace()
        super().__init__("questions", queue, self._pace)
        self._queue = queue
        self._rewriter = rewriter
        self._away: str | None = None
        self._ask_again_at_s = 0.0

    @property
    def _room(self) -> int:
        """While its model is away, one question finds out whether it is there again."""
        most = self._rewriter.capacity if self._away is None else min(1, self._rewriter.capacity)
        return most - len(self._in_hand)

    async def _serve(self) -> bool:
        if time.monotonic() < self._ask_again_at_s:
            return False
        return await self._take(partial(self._queue.take, self._room), self._rewrite) > 0

    async def _rewrite(self, taken: TakenQuestion) -> CountedOutcome:
        given = _JobTexts(self._queue, taken.job, self._pace.beat_s)
        outcome = await self._rewriter.rewrite(taken.item.question, taken.order.recipe, given)
        self._away = None
        return _counted(outcome, taken)

    async def _failed(self, item: TakenQuestion, error: Exception) -> CountedOutcome | None:
        """A question that breaks the rewriter has failed: with the same recipe it would again."""
        if isinstance(error, GeneratorUnavailableError):
            self._note_away(error)
            return None
        question_id = item.item.question.question_id
        log.error("a question failed", job=item.job, question_id=question_id, exc_info=error)
        self._away = None
        told = f"{type(error).__name__}: {error}"[:500]
        return _counted(Outcome(question_id, Fate.FAILED, None, error=told), item)

    def _note_away(self, error: GeneratorUnavailableError) -> None:
        if self._away is None:
            log.warning("the model is away; its questions are asked again", error=str(error))
        self._away = str(error)
        self._ask_again_at_s = max(self._ask_again_at_s, time.monotonic() + error.retry_after_s)

    async def _renew(self, claims: Collection[QuestionClaim]) -> Collection[QuestionClaim]:
        return await self._queue.renew(claims, ParaphraserPresence(self._rewriter.name, len(claims), self._away))


class _JobTexts:
    """The second views of one job: see GivenTexts."""

    def __init__(self, queue: QuestionQueue, job: str, beat_s: float) -> None:
        self._queue = queue
        self._job = job
        self._beat_s = beat_s

    async def claim(self, text: str, question: str) -> bool:
        while True:  # what was drawn is paid for, so a Redis that is away is waited for
            try:
                return await self._queue.claim_text(self._job, text_key(text), text_key(question))
            except StoreUnavailableError:
                await asyncio.sleep(self._beat_s)


def _counted(outcome: Outcome, taken: TakenQuestion) -> CountedOutcome:
    return CountedOutcome(outcome, list(counts_of(outcome, taken.order.recipe)))


def counts_of(outcome: Outcome, recipe: RewritingRecipe) -> Iterator[str]:
    """What an outcome adds one to, each as often as it is named."""
    yield f"{FATE}:{outcome.fate.value}"
    for candidate in outcome.candidates:
        yield f"{DRAWN}:{candidate.prompt}"
        if candidate.accepted:
            yield f"{ACCEPTED}:{candidate.prompt}"
        yield from (f"{REJECTED}:{name}" for name, _ in reasons_of(candidate, recipe))


async def work(settings: Settings) -> None:
    """Rewrites until asked to stop; what is in hand is finished, or left to other paraphrasers.

    Raises:
        SettingsError: the model cannot be used as it is given.
        UnusableStoreError: the Redis at hand could lose accepted work.
    """
    assert settings.redis_url is not None, "a paraphraser is told where the store is"
    assert settings.paraphraser is not None, "a paraphraser is told its model"
    key = settings.paraphraser_api_key
    opening = open_rewriter(
        settings.paraphraser,
        backend=settings.paraphraser_backend,
        capacity=settings.paraphraser_capacity,
        api_key=None if key is None else key.get_secret_value(),
        answers=True,  # any recipe may ask for them
        embeddings=settings.paraphraser_embeddings,
        more=settings.paraphraser_engine,
    )
    connection = settings.store_connection()
    await wait_for_store(settings.redis_url)
    name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    lease_s = settings.paraphraser_lease_s
    async with opening as rewriter:
        queue = QuestionQueue(connection, name, lease_s)
        paraphraser = Paraphraser(queue, rewriter, LeasePace(renew_s=min(2.0, lease_s / 4)))
        log.info("paraphraser ready", paraphraser=name, model=rewriter.name, capacity=rewriter.capacity)
        try:
            await paraphraser.serve(settings.shutdown_s)
        finally:
            await connection.close()


def run_paraphraser(settings: Settings) -> None:
    """Works with these settings until a signal comes.

    Raises:
        CoRewardingError: it cannot begin; the message says what to change.
    """
    run_alone("paraphraser", work, settings)


if __name__ == "__main__":
    main_of("paraphraser", work)
