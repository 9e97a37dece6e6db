"""One run is not another's weather: what a job may cost, and who waits for it."""

import asyncio

import pytest

from reward_service.grading.judge import Judgement
from reward_service.grading.symbolic import Budget, SymbolicGrader
from reward_service.grading.verdicts import Verdict
from reward_service.store.records import BallotRow
from tests.support.waiting import until
from tests.workers.conftest import Shop, longest_stall

pytestmark = pytest.mark.anyio

LONGEST_STALL_S = 2.0  # some 20 ms on a quiet machine; without turns, the whole of a job


def hard(number: int, size: int = 60) -> str:
    """An answer that takes milliseconds to read, and that nothing is proved of."""
    return "".join(rf"(\sqrt{{{n + number}}}+x)" for n in range(2, size))


def rows(answers: list[str], truths: list[str | None] | None = None) -> list[BallotRow]:
    given = truths or [None] * len(answers)
    return [BallotRow(0, 0, n, answer, truth) for n, (answer, truth) in enumerate(zip(answers, given, strict=True))]


@pytest.mark.parametrize("method", ["majority-voting", "ground-truth"])
async def test_a_truth_for_each_rollout_costs_no_more_than_some(shop: Shop, method: str) -> None:
    shop.open(SymbolicGrader())
    cohort = rows([str(n) for n in range(700)], [str(2 * n) for n in range(700)])
    async with longest_stall() as longest:
        record = await shop.settled("r", await shop.send("r", cohort, method=method))
    (settled,) = record.cohorts
    assert settled.undecided == 700 - 16
    (label,) = settled.labels
    assert (label.answer, label.matches_truth) == ("0", True)  # the truth that decides is among those looked at
    assert longest[0] < LONGEST_STALL_S


async def test_a_truth_longer_than_an_answer_is_undecided(shop: Shop) -> None:
    shop.open(SymbolicGrader())
    cohort = rows(["1", "1"], ["1" * 5000, "1" * 5000])
    voted = await shop.settled("r", await shop.send("r", cohort))
    assert (voted.cohorts[0].labels[0].matches_truth, voted.cohorts[0].undecided) == (None, 1)
    given = await shop.settled("r", await shop.send("r", cohort, method="ground-truth"))
    assert given.cohorts[0].rewards_B == [None, None]
    assert given.cohorts[0].undecided == 1


@pytest.mark.timed
async def test_thousands_of_hard_answers_end_in_time_and_hold_nothing_up(shop: Shop) -> None:
    shop.open(SymbolicGrader(budget=Budget(job_cpu_s=6.0)))
    await shop.settled("other", await shop.send("other", rows(["1"])))
    cohort = rows([hard(n) for n in range(2000)])
    async with longest_stall() as longest:
        name = await shop.send("flood", cohort)
        easy = [await shop.settled("other", await shop.send("other", rows(["1", "1", "2"]))) for _ in range(2)]
        assert await shop.record("flood", name) is None
        record = await shop.settled("flood", name)
    assert all(each.cohorts[0].labels[0].answer == "1" for each in easy)
    assert record.cohorts[0].undecided > 100
    assert longest[0] < LONGEST_STALL_S


async def test_a_run_does_not_wait_for_the_hard_answers_of_another(shop: Shop) -> None:
    flood = [await shop.send("flood", rows([hard(n), hard(n + 1000)])) for n in range(300)]
    few = [await shop.send("few", rows(["1", "2", "1"])) for _ in range(10)]
    shop.open(SymbolicGrader())
    for name in few:
        await shop.settled("few", name)
    done = [await shop.record("flood", name) for name in flood]
    assert sum(record is not None for record in done) < 150


class Waits:
    """A judge that has not come to an end yet."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self.asked = 0

    async def compare(self, a: str, b: str) -> Judgement:
        self.asked += 1
        await self.ends.wait()
        return Judgement(Verdict.SAME, 0.01, "table")


async def test_a_job_is_not_taken_over_while_its_worker_lives_and_is_when_it_dies(shop: Shop) -> None:
    judge, other = Waits(), SymbolicGrader()
    _, first = shop.open(SymbolicGrader(judge), claim_idle_s=0.4)
    name = await shop.send("r", rows([r"\sum_{k=1}^{3} k", "6"]))

    async def asked() -> int:
        return judge.asked

    await until(asked)
    shop.open(other, claim_idle_s=0.4)
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    async def has_waited() -> bool:
        return loop.time() - began_s > 2.0

    await until(has_waited)
    assert await shop.record("r", name) is None
    first.cancel()
    record = await shop.settled("r", name)
    assert record.cohorts[0].undecided == 1  # by the worker that has no judge
