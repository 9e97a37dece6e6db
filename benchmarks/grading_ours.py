"""Run the service's own grader for the benchmarks, composed as in workers, with all of its CPU time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

from co_rewarding_schema.vocabulary import Conventions

from benchmarks.grading_results import Judged, Voted
from reward_service.grading.judge import Judge, Judgement
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import KnownVerdicts
from reward_service.tools.replay.cpu import CpuStopwatch

Result = TypeVar("Result")


class CountingJudge:
    """A judge that counts its questions and its CPU time."""

    def __init__(self, judge: Judge) -> None:
        """Over one that was started."""
        self._judge = judge
        self.asked = 0
        self.cpu_s = 0.0

    async def compare(self, a: str, b: str) -> Judgement:
        """The judge's own answer."""
        judgement = await self._judge.compare(a, b)
        self.asked += 1
        self.cpu_s += judgement.cpu_s
        return judgement


class OurGrader:
    """Asks one question at a time; the judge's processes are warm, what the grader remembers is not."""

    def __init__(self, conventions: Conventions, runner: asyncio.Runner, judge: Judge) -> None:
        """`runner` has the loop that the judge was started in."""
        self._conventions = conventions
        self._runner = runner
        self._judge = CountingJudge(judge)

    def pair(self, gold: str, answer: str) -> Judged:
        """Its verdict on a rollout's answer, by a grader that has seen nothing yet."""
        grader = self.fresh()
        try:
            found, cpu_s = self.measured(grader.match(gold, [answer], self._conventions))
        except Exception:  # a bug of ours is to be seen in the report, not to end it
            return Judged(False, 0.0, "error")
        return Judged(answer in found.equal, cpu_s, "undecided" if found.undecided else "")

    def vote(self, answers: Sequence[str]) -> Voted:
        """The classes of a cohort: by a grader that has seen nothing yet, and once more by the same."""
        grader, before = self.fresh(), self._judge.asked
        found, cold_s = self.measured(grader.classify(answers, self._conventions))
        asked = self._judge.asked - before
        _, warm_s = self.measured(grader.classify(answers, self._conventions))
        names = list(found.class_of.values())
        classes = tuple(names.index(found.class_of[answer]) for answer in answers)
        return Voted(classes, cold_s, warm_s, asked, found.undecided)

    def measured(self, work: Awaitable[Result]) -> tuple[Result, float]:
        """Its result, and the CPU time (s) of this process and all below it."""
        return self._runner.run(self._measured(work))

    async def _measured(self, work: Awaitable[Result]) -> tuple[Result, float]:
        judged_s = self._judge.cpu_s
        watch = CpuStopwatch()
        began_s = time.process_time()
        result = await work
        own_s = time.process_time() - began_s
        # A child that was killed is gone from the processes that the stopwatch sees; the judge counts it.
        return result, max(watch.elapsed_s(), own_s + self._judge.cpu_s - judged_s)

    def fresh(self) -> SymbolicGrader:
        """A grader as a worker composes it, that has seen nothing yet."""
        return SymbolicGrader(self._judge, KnownVerdicts(None, time.monotonic))


@contextlib.contextmanager
def our_grader(conventions: Conventions) -> Iterator[OurGrader]:
    """The grader with a judge that is ready, for as long as it is needed."""
    with asyncio.Runner() as runner:
        judge = Judge()
        runner.run(judge.start())
        runner.run(judge.ready())
        try:
            grader = OurGrader(conventions, runner, judge)
            grader.pair(r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}")  # first use of everything is not measured
            yield grader
        finally:
            runner.run(judge.close())
