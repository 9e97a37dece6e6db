"""Claims of paraphrase jobs under whatever happens, in whatever order: checked against a model of a few lines."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reward_service.domain.paraphrases.rewriting import (
    JOB_TRANSITIONS,
    UNFINISHED,
    Fate,
    JobEvent,
    JobState,
    Outcome,
    Question,
    RewritingRecipe,
)
from reward_service.store.connecting import connection_to
from reward_service.store.embedded import EmbeddedValkey
from reward_service.store.paraphrases import (
    PREFIX,
    JobOrder,
    JobQuestion,
    ParaphraseJobs,
    ParaphraseLimits,
    ParaphraserPresence,
)
from reward_service.store.question_queue import CountedOutcome, QuestionClaim, QuestionQueue

WORKERS = ("one", "two", "three")
JOBS = ("a", "b", "c")
LEASE_S = 1000.0
HERE = ParaphraserPresence("model", 0)
"""No lease ends by itself here: who dies is said."""


class Claims(RuleBasedStateMachine):
    """Three paraphrasers and three jobs. `held` is who has which question; `done`, whose outcome was kept first."""

    server: EmbeddedValkey

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.connection = connection_to(self.server.url)
        self.do(self.connection.execute("FLUSHALL"))
        self.jobs = ParaphraseJobs(self.connection, ParaphraseLimits())
        self.queues = {name: QuestionQueue(self.connection, name, LEASE_S) for name in WORKERS}
        self.hands: dict[str, set[QuestionClaim]] = {name: set() for name in WORKERS}
        self.of: dict[str, int] = {}
        self.states: dict[str, JobState] = {}
        self.held: dict[QuestionClaim, str] = {}
        self.done: dict[QuestionClaim, str] = {}
        self.had: set[QuestionClaim] = set()

    def do(self, call):
        return self.loop.run_until_complete(call)

    def teardown(self) -> None:
        self.do(self.connection.close())
        self.loop.close()

    def free(self) -> set[QuestionClaim]:
        every = {(job, index) for job, of in self.of.items() for index in range(of)}
        running = {claim for claim in every if self.states[claim[0]] is JobState.RUNNING}
        return running - self.held.keys() - self.done.keys()

    def forget_claims(self, job: str) -> None:
        self.held = {claim: worker for claim, worker in self.held.items() if claim[0] != job}

    @precondition(lambda self: len(self.of) < len(JOBS))
    @rule(of=st.integers(1, 6), urgent=st.booleans())
    def a_job_comes_in(self, of: int, urgent: bool) -> None:
        job = JOBS[len(self.of)]
        self.do(self.jobs.begin(job, "print", JobOrder("run", RewritingRecipe(), "here"), urgent=urgent))
        self.do(self.jobs.fill(job, 0, [JobQuestion(Question(str(index), "?")) for index in range(of)]))
        assert self.do(self.jobs.open(job, of, {}))
        self.of[job], self.states[job] = of, JobState.RUNNING

    @rule(worker=st.sampled_from(WORKERS), most=st.integers(1, 5))
    def takes(self, worker: str, most: int) -> None:
        free = self.free()
        taken = {each.claim for each in self.do(self.queues[worker].take(most)).items}
        assert taken <= free, "what others hold, what is done, and what is not running is given to nobody"
        assert len(taken) == min(most, len(free)) or len({job for job, _ in free}) > 1, "nothing waits for nothing"
        assert taken or not free
        self.held |= dict.fromkeys(taken, worker)
        self.hands[worker] |= taken
        self.had |= taken

    @precondition(lambda self: self.had)
    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def keeps(self, worker: str, data: st.DataObject) -> None:
        """Whatever anybody had at any time: what it has lost meanwhile, or what nobody wants any more, too."""
        claim = data.draw(st.sampled_from(sorted(self.had)))
        wanted = claim not in self.done and self.states[claim[0]] in UNFINISHED
        outcome = Outcome(str(claim[1]), Fate.REWRITTEN, worker)
        assert self.do(self.queues[worker].keep(claim, CountedOutcome(outcome, ["fate:rewritten"]))) is wanted
        self.hands[worker].discard(claim)
        if wanted:
            self.done[claim] = worker
            self.held.pop(claim, None)
            job = claim[0]
            if sum(each[0] == job for each in self.done) == self.of[job]:
                self.states[job] = JobState.DONE

    @rule(worker=st.sampled_from(WORKERS))
    def gives_back(self, worker: str) -> None:
        mine = [claim for claim, holder in self.held.items() if holder == worker]
        self.do(self.queues[worker].give_back([*mine, ("a", 0)]))
        self.hands[worker] -= {*mine, ("a", 0)}
        for claim in mine:
            del self.held[claim]

    @rule(worker=st.sampled_from(WORKERS))
    def renews(self, worker: str) -> None:
        self.do(self.queues[worker].renew(list(self.hands[worker]), HERE))

    @rule(worker=st.sampled_from(WORKERS))
    def dies(self, worker: str) -> None:
        """Its lease ends, and another of its name begins with nothing in hand."""
        self.do(self.connection.execute("ZADD", f"{PREFIX}workers", 1, worker))
        self.hands[worker] = set()
        self.renews(next(name for name in WORKERS if name != worker))
        self.renews(worker)
        self.held = {claim: holder for claim, holder in self.held.items() if holder != worker}

    @precondition(lambda self: self.of)
    @rule(event=st.sampled_from([JobEvent.PAUSE, JobEvent.RESUME, JobEvent.RESUME, JobEvent.CANCEL]), data=st.data())
    def is_steered(self, event: JobEvent, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.of)))
        to = JOB_TRANSITIONS.get((self.states[job], event))
        assert self.do(self.jobs.steer(job, event)) == (to is not None, to or self.states[job])
        self.states[job] = to or self.states[job]
        if to is JobState.CANCELLED:
            self.forget_claims(job)

    @invariant()
    def what_is_told_is_so(self) -> None:
        for job, of in self.of.items():
            standing = self.do(self.jobs.look(job))
            assert standing is not None
            done = {claim: worker for claim, worker in self.done.items() if claim[0] == job}
            assert (standing.state, standing.of, standing.done) == (self.states[job], of, len(done))
            assert standing.taken == sum(claim[0] == job for claim in self.held)
            assert standing.counts["fate"].get("rewritten", 0) == len(done)
            kept = self.do(self.outcomes(job, of))
            assert kept == {index: worker for (_, index), worker in done.items()}, "the first outcome stands"

    async def outcomes(self, job: str, of: int) -> dict[int, str | None]:
        return {index: outcome.paraphrase async for index, _, outcome in self.jobs.outcomes(job, of)}


def test_claims_hold_whatever_happens() -> None:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    Claims.server = EmbeddedValkey(folder)
    Claims.server.start()
    try:
        case = Claims.TestCase
        case.settings = settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        )
        case("runTest").debug()
    finally:
        Claims.server.stop()
        shutil.rmtree(folder, ignore_errors=True)
