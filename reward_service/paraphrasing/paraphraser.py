"""A paraphraser: takes the questions of jobs, has them rewritten, and keeps what became of them."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from reward_service.background import Background
from reward_service.domain.paraphrases.rewriting import Fate, Outcome, RewritingRecipe, text_key
from reward_service.errors import StoreUnavailableError
from reward_service.generation.generator import GeneratorUnavailableError
from reward_service.paraphrasing.rewriter import Rewriter, reasons_of
from reward_service.store.paraphrase_desk import Claim, ParaphraseDesk, TakenQuestion
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED, ParaphraserPresence

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ParaphraserPace:
    """How a paraphraser divides its time, in seconds.

    Attributes:
        beat_s: how often it looks for work when it has none.
        renew_s: how often it says that it is there and at work; a fraction of its lease.
    """

    beat_s: float = 0.05
    renew_s: float = 2.0


class Paraphraser:
    """Rewrites whatever jobs ask for, as many questions at once as the rewriter can use, until told to stop."""

    def __init__(self, desk: ParaphraseDesk, rewriter: Rewriter, pace: ParaphraserPace | None = None) -> None:
        """Over a desk of its own and a model."""
        self._desk = desk
        self._rewriter = rewriter
        self._pace = pace or ParaphraserPace()
        self._stopping = asyncio.Event()
        self._in_hand: dict[Claim, asyncio.Task[None]] = {}
        self._away: str | None = None
        self._ask_again_at_s = 0.0
        self._background = Background()

    def stop(self) -> None:
        """Take no more; finish what is in hand, and end."""
        self._stopping.set()

    async def run(self, finish_within_s: float = 30.0) -> None:
        """Works until stopped; a Redis or a model that is away is waited for.

        Raises:
            TaskFailedError: a background task has failed. Questions in hand are left to other paraphrasers.
        """
        async with self._background as background:
            background.keep("renew", self._renew, every_s=self._pace.renew_s)
            await background.beside(self._work(finish_within_s))

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
        if time.monotonic() < self._ask_again_at_s:
            return False
        room = self._rewriter.capacity - len(self._in_hand)
        if self._away is not None:
            room = min(room, 1 - len(self._in_hand))  # one question finds out whether the model is there again
        if room <= 0:
            await self._one_done()
            return True
        taken = await self._desk.take(room)
        if taken.left:
            log.info("took over questions", questions=taken.left)
        for each in taken.questions:
            task = self._background.start("rewrites", self._rewrite_safely(each))
            self._in_hand[each.claim] = task
            task.add_done_callback(partial(self._done, each.claim))
        return bool(taken.questions)

    def _done(self, claim: Claim, task: asyncio.Task[None]) -> None:
        if self._in_hand.get(claim) is task:  # what was given back may be in hand again already
            del self._in_hand[claim]

    async def _one_done(self) -> None:
        """Waits for room, but no longer than a beat: it may be told to stop."""
        await asyncio.wait(self._in_hand.values(), timeout=self._pace.beat_s, return_when=asyncio.FIRST_COMPLETED)

    async def _rewrite_safely(self, taken: TakenQuestion) -> None:
        """The boundary of a question: one that cannot be rewritten costs no other anything."""
        question = taken.item.question
        try:
            given = _JobTexts(self._desk, taken.job, self._pace.beat_s)
            outcome = await self._rewriter.rewrite(question, taken.order.recipe, given)
        except GeneratorUnavailableError as error:
            self._note_away(error)
            await self._give_back(taken.claim)
            return
        except Exception as error:  # the same question and recipe would fail again
            log.exception("a question failed", job=taken.job, question_id=question.question_id)
            told = f"{type(error).__name__}: {error}"[:500]
            outcome = Outcome(question.question_id, Fate.FAILED, None, error=told)
        self._away = None
        await self._keep(taken.claim, outcome, list(counts_of(outcome, taken.order.recipe)))

    def _note_away(self, error: GeneratorUnavailableError) -> None:
        if self._away is None:
            log.warning("the model is away; its questions are asked again", error=str(error))
        self._away = str(error)
        self._ask_again_at_s = max(self._ask_again_at_s, time.monotonic() + error.retry_after_s)

    async def _keep(self, claim: Claim, outcome: Outcome, counted: Sequence[str]) -> None:
        """An outcome that was paid for is kept, however long Redis is away."""
        while True:
            try:
                await self._desk.keep(claim, outcome, counted)
            except StoreUnavailableError:
                await asyncio.sleep(self._pace.beat_s)
            else:
                return

    async def _give_back(self, claim: Claim) -> None:
        with contextlib.suppress(StoreUnavailableError):  # the next renewal says that it is not in hand
            await self._desk.give_back([claim])

    async def _renew(self) -> None:
        presence = ParaphraserPresence(self._rewriter.name, len(self._in_hand), self._away)
        unwanted = set(await self._desk.renew(presence))
        for claim, task in list(self._in_hand.items()):
            if claim[0] in unwanted:
                task.cancel()
                self._desk.drop(claim)

    async def _finish(self, within_s: float) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=within_s)
        left = list(self._in_hand.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(StoreUnavailableError):
            await self._desk.leave()

    async def _idle(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


class _JobTexts:
    """The second views of one job: see GivenTexts."""

    def __init__(self, desk: ParaphraseDesk, job: str, beat_s: float) -> None:
        self._desk = desk
        self._job = job
        self._beat_s = beat_s

    async def claim(self, text: str, question: str) -> bool:
        while True:  # what was drawn is paid for, so a Redis that is away is waited for
            try:
                return await self._desk.claim_text(self._job, text_key(text), text_key(question))
            except StoreUnavailableError:
                await asyncio.sleep(self._beat_s)


def counts_of(outcome: Outcome, recipe: RewritingRecipe) -> Iterator[str]:
    """What an outcome adds one to, each as often as it is named."""
    yield f"{FATE}:{outcome.fate.value}"
    for candidate in outcome.candidates:
        yield f"{DRAWN}:{candidate.prompt}"
        if candidate.accepted:
            yield f"{ACCEPTED}:{candidate.prompt}"
        yield from (f"{REJECTED}:{name}" for name, _ in reasons_of(candidate, recipe))
