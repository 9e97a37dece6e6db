"""Grade answers: canonical keys first, proofs of difference next, a judge for the few pairs that stay open."""

import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.comparing import ClassMerging, Proof, compare, group, may_be_equal, pairs_in_doubt
from reward_service.domain.answers.reading import read_answer, unread_answer
from reward_service.domain.answers.shapes import Reading
from reward_service.grading.fairness import Allowances, EqualityJudge, SharedJudge
from reward_service.grading.judge import JUDGE_VERSION
from reward_service.grading.turns import BESIDE_S, JobWork, Turns
from reward_service.grading.verdicts import Classes, KnownVerdicts, Matches, Verdict, verdict_key

KEPT_READINGS = 4096
KEPT_CHARS = 256
"""Readings of longer answers are not kept beyond their job: they are rare, and what they hold is large."""

KEPT_CHARS_OF_A_JOB = 200_000

PROMPT_CHARS = 64
"""How long an answer may be that is read between two others' turns."""

FEW_ANSWERS = 16
"""So many short answers are read without a look at the clock after each: a look takes longer than a short answer."""

Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Budget:
    """What grading may cost; what is left beyond is undecided.

    Attributes:
        questions: comparisons of one cohort that the judge is asked for, at most.
        cpu_s: CPU time of the judge after which no more of a cohort's are asked.
        job_cpu_s: CPU time of the grader itself for one job.
        job_judge_s: how long one job waits for the judge in all.
    """

    questions: int = 16
    cpu_s: float = 0.4
    job_cpu_s: float = 5.0
    job_judge_s: float = 5.0


class SymbolicGrader:
    """Equal keys, equal answers; for the rest a judge, within a budget. Without a judge the rest is undecided."""

    def __init__(
        self,
        judge: EqualityJudge | None = None,
        known: KnownVerdicts | None = None,
        budget: Budget | None = None,
        allowances: Allowances | None = None,
        at_once: int = 1,
    ) -> None:
        """`known` remembers verdicts; `at_once` questions are under way at a time. Composed once, in a worker."""
        self.judge = SharedJudge(judge, allowances, at_once=at_once) if judge is not None else None
        self.known = known
        self.budget = budget or Budget()
        self._turns = Turns()
        self._kept: Callable[[str, Conventions], Reading] = lru_cache(KEPT_READINGS)(read_answer)

    def work(self, run: str) -> JobWork:
        """The computing of one job of a run; it takes turns with all others on this event loop."""
        return JobWork(run, self._turns, self.budget.job_cpu_s)

    def at_once(self, work: JobWork) -> "PromptGrader":
        """The grader of small jobs, which are done in `work.measured` one after the other."""
        return PromptGrader(self.read, work)

    def of_job(self, work: JobWork) -> "JobGrader":
        """The grader of one job, which is done in `work.measured`."""
        return JobGrader(self, work)

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """As a job of its own: the class of each answer, named by a canonical key."""
        return await self._alone(lambda grader: grader.classify(answers, conventions))

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """As a job of its own: each answer against the truth."""
        return await self._alone(lambda grader: grader.match(truth, answers, conventions))

    async def _alone(self, grade: Callable[["JobGrader"], Coroutine[Any, Any, Result]]) -> Result:
        work = self.work("")
        return await work.measured(grade(self.of_job(work)))

    def read(self, answer: str, conventions: Conventions) -> Reading:
        """What an answer says."""
        return self._kept(answer, conventions) if len(answer) <= KEPT_CHARS else read_answer(answer, conventions)


class JobGrader:
    """Grades the cohorts of one job within its budget, and lets other jobs go on meanwhile."""

    def __init__(self, grader: SymbolicGrader, work: JobWork) -> None:
        """Nothing is used up."""
        self._grader = grader
        self._work = work
        self._judged_s = 0.0
        self._readings: dict[tuple[str, Conventions], Reading] = {}
        self._chars = 0

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """The class of each answer, named by a canonical key; a function of the set of answers and of the verdicts."""
        distinct = set(answers)
        if len(distinct) == 1:  # a policy that is sure of itself: most cohorts late in training
            (answer,) = distinct
            return Classes({answer: self._read(answer, conventions).meanings[0].key})
        if len(distinct) <= FEW_ANSWERS and not (self._work.is_used_up or self._work.is_long()):
            class_of: dict[str, str] = {}
            for answer in distinct:
                reading = self._read(answer, conventions) if len(answer) <= PROMPT_CHARS else None
                if reading is None or not reading.is_certain:
                    break
                class_of[answer] = reading.meanings[0].key
            else:
                return Classes(class_of)
        ordered = sorted(distinct)
        readings = await self._while_it_lasts(ordered, lambda answer: self._read(answer, conventions))
        unread = ordered[len(readings) :]
        if not unread and all(reading.is_certain for reading in readings):
            return Classes({reading.text: reading.meanings[0].key for reading in readings})
        groups = group([*readings, *map(unread_answer, unread)])
        pairs, unseen = pairs_in_doubt(groups)
        if not pairs:
            return Classes({reading.text: each.name for each in groups for reading in each.members})
        doubts = await self._while_it_lasts(pairs, lambda pair: may_be_equal(groups[pair[0]], groups[pair[1]]))
        opened = [pair for pair, doubt in zip(pairs, doubts, strict=False) if doubt]
        text_of = {place: groups[place].text for pair in opened for place in pair}
        verdicts = await self._verdicts([(text_of[one], text_of[other]) for one, other in opened], conventions)
        same = [pair for pair, verdict in zip(opened, verdicts, strict=True) if verdict is Verdict.SAME]
        joining = ClassMerging(groups)
        await self._while_it_lasts(joining.steps(same), lambda step: step)
        unseen += len(pairs) - len(doubts) + len(same) - joining.decided
        return Classes(joining.classes(), unseen + verdicts.count(Verdict.UNDECIDED))

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """Each answer against the truth."""
        against = self._read(truth, conventions)
        ordered = sorted(set(answers))
        proofs = await self._while_it_lasts(ordered, lambda answer: compare(against, self._read(answer, conventions)))
        proved = list(zip(ordered, proofs, strict=False))
        equal = [answer for answer, proof in proved if proof is Proof.SAME]
        unproved = [answer for answer, proof in proved if proof is Proof.OPEN]
        verdicts = await self._verdicts([(truth, answer) for answer in unproved], conventions)
        equal += [answer for answer, verdict in zip(unproved, verdicts, strict=True) if verdict is Verdict.SAME]
        unseen = len(ordered) - len(proofs)
        return Matches(frozenset(equal), unseen + verdicts.count(Verdict.UNDECIDED))

    async def _while_it_lasts(self, items: Iterable[Item], do: Callable[[Item], Result]) -> list[Result]:
        """What comes of the items, one after the other, for as long as the job has time left."""
        results: list[Result] = []
        left = iter(items)
        is_long = self._work.is_long
        if self._work.is_used_up:
            return results
        if not is_long():
            for item in left:
                results.append(do(item))
                if is_long():
                    break
            else:
                return results

        def some() -> bool:
            end_s = time.perf_counter() + BESIDE_S
            for item in left:
                results.append(do(item))
                if time.perf_counter() > end_s:
                    return True
            return False

        while await self._work.beside(some):
            pass
        return results

    def _read(self, answer: str, conventions: Conventions) -> Reading:
        """Read once for a job, if all that it keeps is not too long."""
        if len(answer) <= KEPT_CHARS:
            return self._grader.read(answer, conventions)
        reading = self._readings.get((answer, conventions))
        if reading is None:
            self._chars += len(answer)
            if self._chars > KEPT_CHARS_OF_A_JOB:
                self._readings.clear()
                self._chars = len(answer)
            reading = self._readings[answer, conventions] = self._grader.read(answer, conventions)
        return reading

    async def _verdicts(self, pairs: Sequence[tuple[str, str]], conventions: Conventions) -> list[Verdict]:
        """A verdict for each pair: known, or asked for while the budget lasts."""
        if not pairs:
            return []
        judge, known, budget = self._grader.judge, self._grader.known, self._grader.budget
        if judge is None:
            return [Verdict.UNDECIDED] * len(pairs)
        # Known by what they mean: other ways to write the two are not asked about again.
        texts = sorted({text for pair in pairs for text in pair})
        means = await self._while_it_lasts(texts, lambda text: self._read(text, conventions).meanings[0].key)
        key_of = dict(zip(texts, means, strict=False))
        within = [pair for pair in pairs if pair[0] in key_of and pair[1] in key_of]
        keys = await self._while_it_lasts(
            within, lambda pair: verdict_key(key_of[pair[0]], key_of[pair[1]], conventions, JUDGE_VERSION)
        )
        found = await known.get_many(keys) if known is not None else [None] * len(keys)
        verdict_of = {pair: verdict for pair, verdict in zip(within, found, strict=False) if verdict is not None}
        questions, cpu_s = 0, 0.0
        for pair, key in zip(within, keys, strict=False):
            if pair in verdict_of:
                continue
            if questions >= budget.questions or cpu_s >= budget.cpu_s or self._judged_s >= budget.job_judge_s:
                break
            began_s = time.monotonic()
            judgement = await judge.ask(self._work.run, pair)
            self._judged_s += time.monotonic() - began_s
            if judgement is None:
                break
            questions, cpu_s = questions + 1, cpu_s + judgement.cpu_s
            verdict_of[pair] = judgement.verdict
            if known is not None:
                await known.put(key, judgement.verdict)
        return [verdict_of.get(pair, Verdict.UNDECIDED) for pair in pairs]


class NotAtOnceError(CoRewardingError):
    """Answers are not as plain as they must be to be graded at once."""


class PromptGrader:
    """Grades at once, as JobGrader would: short answers of one meaning, whose keys say everything.

    No method waits for anything.
    """

    def __init__(self, read: Callable[[str, Conventions], Reading], work: JobWork) -> None:
        """`work` tells when its time is over."""
        self._read = read
        self._work = work

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """The class of each answer.

        Raises:
            NotAtOnceError: an answer is long, or may be told in several ways, or the time is over.
        """
        distinct = set(answers)
        if len(distinct) == 1:
            (answer,) = distinct
            return Classes({answer: self._short(answer, conventions).meanings[0].key})
        return Classes({answer: self._certain(answer, conventions).meanings[0].key for answer in distinct})

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """Each answer against the truth.

        Raises:
            NotAtOnceError: as `classify`.
        """
        against = self._certain(truth, conventions)
        proofs = {answer: compare(against, self._certain(answer, conventions)) for answer in set(answers)}
        if Proof.OPEN in proofs.values():
            raise NotAtOnceError("a judge is asked")
        return Matches(frozenset(answer for answer, proof in proofs.items() if proof is Proof.SAME))

    def _certain(self, answer: str, conventions: Conventions) -> Reading:
        reading = self._short(answer, conventions)
        if not reading.is_certain:
            raise NotAtOnceError("an answer has several meanings, or marks")
        return reading

    def _short(self, answer: str, conventions: Conventions) -> Reading:
        if len(answer) > PROMPT_CHARS or self._work.is_long():
            raise NotAtOnceError("an answer is long, or the time is over")
        return self._read(answer, conventions)
