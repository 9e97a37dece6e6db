"""Small batches of one read are settled together, and come to what each comes to by itself."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.domain.signs import SignSums
from reward_service.errors import StoreUnavailableError
from reward_service.grading.judge import Judgement
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import Verdict
from reward_service.store.jobs import JobStore
from reward_service.store.keys import RunKeys
from reward_service.store.records import BallotRow, BatchJob, CohortHead, CohortRows, Rules, packed
from reward_service.store.submissions import Revised
from reward_service.store.traces import TraceStore
from reward_service.workers.small_batches import MOST_TOGETHER
from reward_service.workers.worker import Worker
from tests.support.waiting import until
from tests.workers.conftest import Shop

pytestmark = pytest.mark.anyio
RUN = "r"
KINDS = [
    ["1", "1", "2"],
    ["1/2", "0.5", "2"],
    ["a", None, "b"],
    [r"50\%", "1/2", "50"],
    ["12 cm", "12 m", "12"],
    [r"\sum_{k=1}^{3} k", "6", "6"],
    ["x" * 100, "1", "1"],
    [None, None],
]
"""Answers that are graded at once, and others that need a judge, or more than one look."""


def job(answers: list[str | None], settings: RunSettings, step: int = 3, views: int = 2) -> bytes:
    rules = Rules.of(settings.method, settings)
    rows = [BallotRow(view, 0, n, answer, "1") for view in range(views) for n, answer in enumerate(answers)]
    cohort = CohortRows(CohortHead("q", step, 0, rules), rows, list(range(len(rows))))
    return packed(BatchJob(RUN, step, settings.method, [cohort]))


async def sent(shop: Shop, at: Revised, payloads: list[bytes]) -> list[str]:
    names = [uuid4().hex for _ in payloads]
    for name, payload in zip(names, payloads, strict=True):
        await shop.store.submit(RUN, name, "0" * 32, payload, at)
    return names


class Says:
    """A judge that knows nothing but that all is one."""

    async def compare(self, a: str, b: str) -> Judgement:
        return Judgement(Verdict.SAME, 0.01, "table")


def alone(worker: Worker) -> None:
    worker.may_be_together = lambda _: False


async def signs_of(shop: Shop) -> list[Any]:
    """The steps with their sums; shares are added up in any order, and sums of floats differ by it."""
    points = await TraceStore(shop.connection).series(RUN, 10)
    return [(point.step, SignSums(*(round(each, 9) for each in point.sums))) for point in points]


@pytest.mark.parametrize("settings", [
    RunSettings(method="co-rewarding-i"),
    RunSettings(method="majority-voting", min_votes=2),
    RunSettings(method="ground-truth"),
    RunSettings(method="majority-voting", history=True),
    RunSettings(method="co-rewarding-i", quarantine="abstain"),
    RunSettings(method="self-certainty"),
], ids=lambda each: f"{each.method}-{each.history}-{each.quarantine}")  # fmt: skip
async def test_together_they_come_to_what_each_comes_to_alone(shop: Shop, settings: RunSettings) -> None:
    at = await shop.runs.put(RUN, settings)
    payloads = [job(answers, settings, step) for step in (3, 4) for answers in KINDS]
    names = await sent(shop, at, payloads)
    worker, task = shop.open(SymbolicGrader(Says()))
    together = [await shop.settled(RUN, name) for name in names]
    signs = await signs_of(shop)
    worker.stop()
    await task
    await shop.connection.execute("FLUSHALL")
    at = await shop.runs.put(RUN, settings)
    names = await sent(shop, at, payloads)
    worker, _ = shop.open(SymbolicGrader(Says()))
    alone(worker)
    assert [await shop.settled(RUN, name) for name in names] == together
    assert await signs_of(shop) == signs


async def test_one_that_cannot_be_read_costs_the_others_nothing(shop: Shop) -> None:
    settings = RunSettings()
    at = await shop.runs.put(RUN, settings)
    good = job(["1", "1"], settings)
    names = await sent(shop, at, [good, b"no job", good])
    shop.open(SymbolicGrader(), claim_idle_s=0.2)
    for name in (names[0], names[2]):
        assert (await shop.settled(RUN, name)).cohorts[0].rewards_B == [1.0] * 4

    async def queued() -> int:
        return await shop.connection.execute("XLEN", RunKeys(RUN).jobs)

    async def is_dropped() -> bool:
        return await queued() == 0

    await until(is_dropped)  # after its tries
    assert await shop.record(RUN, names[1]) is None


async def test_more_than_are_settled_together_are_settled_once(shop: Shop) -> None:
    settings = RunSettings()
    at = await shop.runs.put(RUN, settings)
    names = await sent(shop, at, [job(["1", "2"], settings)] * (2 * MOST_TOGETHER + 1))
    shop.open(SymbolicGrader())
    for name in names:
        await shop.settled(RUN, name)
    ((_, sums),) = await signs_of(shop)
    assert sums.rollouts == 4 * len(names)
    assert int(await shop.connection.execute("HGET", RunKeys(RUN).stats, "settled")) == len(names)


async def test_jobs_that_come_again_are_not_counted_again(shop: Shop) -> None:
    """As they do from a worker that has died after it had settled them and before anybody was told."""
    settings = RunSettings()
    at = await shop.runs.put(RUN, settings)
    names = await sent(shop, at, [job(["1", "2"], settings)] * 4)
    entries = await shop.connection.execute("XRANGE", RunKeys(RUN).jobs, "-", "+")
    shop.open(SymbolicGrader())
    for name in names:
        await shop.settled(RUN, name)
    for _, fields in entries[:2]:
        await shop.connection.execute("XADD", RunKeys(RUN).jobs, "*", *fields)
    (more,) = await sent(shop, at, [job(["1", "2"], settings)])
    await shop.settled(RUN, more)

    async def is_empty() -> bool:
        return await shop.connection.execute("XLEN", RunKeys(RUN).jobs) == 0

    await until(is_empty)
    ((_, sums),) = await signs_of(shop)
    assert sums.rollouts == 4 * 5


async def test_a_store_that_is_away_is_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunSettings()
    at = await shop.runs.put(RUN, settings)
    names = await sent(shop, at, [job(["1", "2"], settings)] * 3)
    keep, refused = JobStore.settle_batches, asyncio.Event()

    async def away(self: JobStore, *args: Any) -> str:
        if not refused.is_set():
            refused.set()
            raise StoreUnavailableError("it is away")
        return await keep(self, *args)

    monkeypatch.setattr(JobStore, "settle_batches", away)
    shop.open(SymbolicGrader())
    for name in names:
        await shop.settled(RUN, name)
    assert refused.is_set()
    ((_, sums),) = await signs_of(shop)
    assert sums.rollouts == 4 * len(names)
