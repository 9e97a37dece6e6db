"""The service's grader: canonical keys first, proofs of difference next, a judge for the few pairs that stay open."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from reward_service.domain.answers.classes import group, merge, open_pairs
from reward_service.domain.answers.comparing import Proof, compare
from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.answers.reading import read_answer
from reward_service.domain.answers.shapes import Reading
from reward_service.grading.grader import Classes, Matches
from reward_service.grading.judge import JUDGE_VERSION, Judgement
from reward_service.grading.verdicts import KnownVerdicts, Verdict, verdict_key

KEPT_READINGS = 4096
KEPT_CHARS = 256
"""Readings of longer answers are not kept: they are rare, and what they hold is large."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one cohort may cost.

    Attributes:
        questions: comparisons that the judge is asked for, at most.
        cpu_s: CPU time of the judge after which no more are asked.
    """

    questions: int = 16
    cpu_s: float = 0.4


class Asked(Protocol):
    """Who is asked whether two answers are equal."""

    async def compare(self, a: str, b: str) -> Judgement:
        """Symmetric; never raises for what the answers hold."""
        ...


class Allowance:
    """CPU time of the judge that all cohorts of a worker share: a flood of hard questions goes undecided, not queued.

    Seconds that are not used are saved up to `burst_s`; `per_s` of them come with every second of the clock.
    """

    def __init__(self, clock: Callable[[], float], *, burst_s: float = 4.0, per_s: float = 0.25) -> None:
        """Full. `clock` tells monotonic seconds."""
        self._clock = clock
        self._burst_s, self._per_s = burst_s, per_s
        self._left_s, self._at_s = burst_s, clock()

    @property
    def left_s(self) -> float:
        """What may be spent now; below zero where the last question took more than there was."""
        now_s = self._clock()
        self._left_s = min(self._burst_s, self._left_s + self._per_s * (now_s - self._at_s))
        self._at_s = now_s
        return self._left_s

    def spend(self, cpu_s: float) -> None:
        """A question took so much."""
        self._left_s = self.left_s - cpu_s


class SymbolicGrader:
    """Equal keys, equal answers; for the rest a judge, within a budget. Without a judge the rest is undecided."""

    def __init__(
        self,
        judge: Asked | None = None,
        known: KnownVerdicts | None = None,
        budget: Budget | None = None,
        allowance: Allowance | None = None,
        at_once: int = 1,
    ) -> None:
        """`known` remembers verdicts; `at_once` questions are under way at a time. Composed once, in a worker."""
        self._judge = judge
        self._known = known
        self._budget = budget or Budget()
        self._allowance = allowance
        self._turn = asyncio.Semaphore(at_once)
        self._kept: Callable[[str, Conventions], Reading] = lru_cache(KEPT_READINGS)(read_answer)

    async def classify(self, answers: Collection[str], conventions: Conventions) -> Classes:
        """The class of each answer, named by a canonical key; a function of the set of answers and of the verdicts."""
        distinct = set(answers)
        if len(distinct) == 1:  # a policy that is sure of itself: most cohorts late in training
            (answer,) = distinct
            return Classes({answer: self._read(answer, conventions).meanings[0].key})
        groups = group(self._read(answer, conventions) for answer in distinct)
        pairs, unseen = open_pairs(groups) if len(groups) > 1 else ([], 0)
        verdicts = await self._verdicts([(groups[one].text, groups[other].text) for one, other in pairs], conventions)
        same = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is Verdict.SAME]
        return Classes(merge(groups, same), unseen + verdicts.count(Verdict.UNDECIDED))

    async def match(self, truth: str, answers: Collection[str], conventions: Conventions) -> Matches:
        """Each answer against the truth."""
        against = self._read(truth, conventions)
        equal: list[str] = []
        unproved: list[str] = []
        for answer in set(answers):
            match compare(against, self._read(answer, conventions)):
                case Proof.SAME:
                    equal.append(answer)
                case Proof.OPEN:
                    unproved.append(answer)
                case Proof.DIFFERENT:
                    continue
        unproved.sort()
        verdicts = await self._verdicts([(truth, answer) for answer in unproved], conventions)
        equal += [answer for answer, verdict in zip(unproved, verdicts, strict=True) if verdict is Verdict.SAME]
        return Matches(frozenset(equal), verdicts.count(Verdict.UNDECIDED))

    def _read(self, answer: str, conventions: Conventions) -> Reading:
        return self._kept(answer, conventions) if len(answer) <= KEPT_CHARS else read_answer(answer, conventions)

    async def _verdicts(self, pairs: Sequence[tuple[str, str]], conventions: Conventions) -> list[Verdict]:
        """A verdict for each pair: known, or asked for while the budget lasts."""
        if not pairs:
            return []
        judge = self._judge
        if judge is None:
            return [Verdict.UNDECIDED] * len(pairs)
        # Known by what they mean: other ways to write the two are not asked about again.
        meant = [[self._read(text, conventions).meanings[0].key for text in pair] for pair in pairs]
        keys = [verdict_key(one, other, conventions, JUDGE_VERSION) for one, other in meant]
        found = await self._known.get_many(keys) if self._known is not None else [None] * len(pairs)
        questions, cpu_s = 0, 0.0
        verdicts: list[Verdict] = []
        for key, pair, verdict in zip(keys, pairs, found, strict=True):
            if verdict is None and questions < self._budget.questions and cpu_s < self._budget.cpu_s:
                judgement = await self._asked(judge, pair)
                if judgement is None:
                    break
                questions, cpu_s = questions + 1, cpu_s + judgement.cpu_s
                verdict = judgement.verdict
                if self._known is not None:
                    await self._known.put(key, verdict)
            verdicts.append(verdict or Verdict.UNDECIDED)
        rest = found[len(verdicts) :]
        return verdicts + [verdict or Verdict.UNDECIDED for verdict in rest]

    async def _asked(self, judge: Asked, pair: tuple[str, str]) -> Judgement | None:
        """The judge's answer; None if its time is used up when this question's turn comes."""
        async with self._turn:
            if self._allowance is not None and self._allowance.left_s <= 0:
                return None
            judgement = await judge.compare(*pair)
            if self._allowance is not None:
                self._allowance.spend(judgement.cpu_s)
            return judgement
