"""The paraphrase jobs of a server and those who work on them, and questions with their outcomes."""

from dataclasses import dataclass

from reward_service.domain.paraphrases.pairs import Evidence
from reward_service.domain.paraphrases.policy import AcceptancePolicy, Objection, Review
from reward_service.domain.paraphrases.reading import Span
from reward_service.domain.paraphrases.rewriting import Candidate, Fallback, Fate, Outcome, Question, RewritingRecipe
from reward_service.store.connection import RedisConnection
from reward_service.store.paraphrases import (
    Begun,
    JobOrder,
    JobQuestion,
    JobStanding,
    ParaphraseJobs,
    ParaphraserPresence,
)
from reward_service.store.question_queue import CountedOutcome, QuestionQueue, TakenQuestion

RECIPE = RewritingRecipe(
    prompts=("reword", "paper"), candidates=2, fallback=Fallback.SAME_AGAIN, policy=AcceptancePolicy(frozenset("a"))
)
ORDER = JobOrder("math", RECIPE, "upload")
PRINT = "f" * 32
LEASE_S = 30.0
COUNTED = ("fate:rewritten", "rejected:numbers", "drawn:reword", "drawn:paper", "accepted:paper")
HERE = ParaphraserPresence("model", 0)


@dataclass
class Office:
    """The jobs of a server, empty at first."""

    connection: RedisConnection
    jobs: ParaphraseJobs

    def queue(self, name: str = "one", lease_s: float = LEASE_S) -> QuestionQueue:
        return QuestionQueue(self.connection, name, lease_s)

    async def opened(self, job: str, of: int, *, urgent: bool = False, order: JobOrder = ORDER) -> None:
        assert await self.jobs.begin(job, PRINT, order, urgent=urgent) is Begun.FILLING
        await self.jobs.fill(job, 0, [item(index) for index in range(of)])
        assert await self.jobs.open(job, of, {"level": "string"})

    async def standing(self, job: str) -> JobStanding:
        found = await self.jobs.look(job)
        assert found is not None
        return found

    async def kept(self, job: str, of: int) -> list[tuple[int, JobQuestion, Outcome]]:
        return [each async for each in self.jobs.outcomes(job, of)]


def item(index: int) -> JobQuestion:
    return JobQuestion(Question(f"q/{index}", f"What is {index} + 1?", str(index + 1)), {"level": "Level 1"})


def outcome(index: int, text: str = "In other words") -> Outcome:
    objection = Objection("numbers", Evidence("3 is new", (Span(0, 1),)))
    candidates = (
        Candidate("reword", "3?", Review(False, (objection,))),
        Candidate("paper", text, Review(True, ()), same_answer=0.75, accepted=True),
    )
    return Outcome(f"q/{index}", Fate.REWRITTEN, text, candidates)


def counted(index: int, text: str = "In other words") -> CountedOutcome:
    return CountedOutcome(outcome(index, text), COUNTED)


def claims(questions: list[TakenQuestion]) -> list[tuple[str, int]]:
    return [each.claim for each in questions]
