"""A rewriter without a model: its texts come from a script, and are checked as those of any model."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import review
from reward_service.domain.paraphrases.rewriting import Candidate, Fallback, Fate, Outcome, Question, RewritingRecipe
from reward_service.lease_worker import LeasePace
from reward_service.paraphrasing.paraphraser import Paraphraser
from reward_service.paraphrasing.rewriter import GivenTexts
from reward_service.store.connecting import connection_to
from reward_service.store.paraphrases import ParaphraseJobs, ParaphraseLimits
from reward_service.store.question_queue import QuestionQueue
from tests.support.waiting import until


def in_other_words(question: Question) -> str:
    """Accepted by the checks, for questions of the form "A box has 3 apples. How many apples are in N boxes?"."""
    return question.question.replace("A box has", "There are, in each box,").replace(
        "How many apples are in", "What number of apples do you find in"
    )


def apples(boxes: int) -> str:
    return f"A box has 3 apples. How many apples are in {boxes} boxes?"


@dataclass
class ScriptedRewriter:
    """`script` gives the text of a question, and may raise; a question with a gate waits for it first."""

    script: Callable[[Question], str] = in_other_words
    capacity: int = 4
    name: str = "scripted"
    asked: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def rewrite(self, question: Question, recipe: RewritingRecipe, given: GivenTexts | None = None) -> Outcome:
        self.asked[question.question_id] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            if question.question_id in self.gates:
                await self.gates[question.question_id].wait()
            return self._outcome(question, recipe)
        finally:
            self.under_way -= 1

    def _outcome(self, question: Question, recipe: RewritingRecipe) -> Outcome:
        text = self.script(question)
        found = review(pair_of(question.question, text, question.ground_truth), recipe.policy)
        candidate = Candidate(recipe.prompts[0], text, found, accepted=found.accepted)
        if found.accepted:
            return Outcome(question.question_id, Fate.REWRITTEN, text, (candidate,))
        if recipe.fallback is Fallback.SAME_AGAIN:
            return Outcome(question.question_id, Fate.PASSED_THROUGH, question.question, (candidate,))
        return Outcome(question.question_id, Fate.LEFT_OUT, None, (candidate,))


@contextlib.contextmanager
def paraphrasing(url: str, rewriter: ScriptedRewriter, lease_s: float = 10.0) -> Iterator[ScriptedRewriter]:
    """A paraphraser with this rewriter, in a thread of its own, on the Redis of a service."""
    started: list[tuple[asyncio.AbstractEventLoop, Paraphraser]] = []
    ready = threading.Event()

    async def work() -> None:
        connection = connection_to(url)
        pace = LeasePace(beat_s=0.01, renew_s=0.1)
        paraphraser = Paraphraser(QuestionQueue(connection, "scripted", lease_s), rewriter, pace)
        started.append((asyncio.get_running_loop(), paraphraser))
        working = asyncio.create_task(paraphraser.run(finish_within_s=0.5))
        jobs = ParaphraseJobs(connection, ParaphraseLimits())
        await until(jobs.paraphrasers)
        ready.set()
        await working
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    ready.wait()
    loop, paraphraser = started[0]
    try:
        yield rewriter
    finally:
        loop.call_soon_threadsafe(paraphraser.stop)
        thread.join()
