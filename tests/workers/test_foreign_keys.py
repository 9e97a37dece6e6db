"""A key of one run that holds what it should not costs no other run anything, and that run only as long as it does."""

import pytest
from co_rewarding_schema.run_settings import RunSettings

from reward_service.grading.symbolic import SymbolicGrader
from reward_service.store.gauges import GaugeStore
from reward_service.store.keys import RunKeys
from tests.support.waiting import until
from tests.workers.conftest import Shop
from tests.workers.test_weather import Waits, rows

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("key", ["jobs", "deadlines", "waits", "clock", "stats"])
async def test_other_runs_are_served_and_it_is_when_the_key_is_gone(shop: Shop, key: str, begun: bool) -> None:
    name = getattr(RunKeys("broken"), key)
    if begun:
        shop.open(SymbolicGrader())
        await shop.settled("broken", await shop.send("broken", rows(["1"])))
    await shop.runs.put("broken", RunSettings())
    await shop.connection.execute("SET", name, "somebody else's")
    shop.open(SymbolicGrader())
    await _others_are_served(shop)
    told = [each.run for each in (await GaugeStore(shop.connection, shop.runs.looks).read()).runs]
    assert "other" in told
    await shop.connection.execute("DEL", name)
    await shop.settled("broken", await shop.send("broken", rows(["1"])), timeout_s=20.0)
    assert not any(each.done() for each in shop.working)


async def test_a_key_that_breaks_under_a_job_ends_no_worker(shop: Shop) -> None:
    judge = Waits()
    shop.open(SymbolicGrader(judge), claim_idle_s=0.1)
    name = await shop.send("broken", rows([r"\sum_{k=1}^{3} k", "6"]))

    async def is_asked() -> int:
        return judge.asked

    await until(is_asked)
    await shop.connection.execute("SET", RunKeys("broken").jobs, "somebody else's")
    await _others_are_served(shop)
    judge.ends.set()
    await _others_are_served(shop)
    await shop.settled("broken", name)


async def _others_are_served(shop: Shop) -> None:
    for _ in range(3):
        await shop.settled("other", await shop.send("other", rows(["1", "1", "2"])), timeout_s=10.0)
    assert not any(each.done() for each in shop.working)
