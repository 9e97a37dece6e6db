"""A key of one run that holds what it should not costs no other run anything, and that run only as long as it does."""

import pytest
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import PeerAbsent

from reward_service.grading.symbolic import SymbolicGrader
from reward_service.store.gauges import GaugeStore
from reward_service.store.keys import RunKeys
from reward_service.store.peers import Group
from reward_service.store.records import BatchRecord
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
    told = [each.run for each in (await GaugeStore(shop.connection).read()).runs]
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


def _with_peer(peer: str) -> RunSettings:
    return RunSettings(method="peer-majority", peers=(peer,), peer_absent=PeerAbsent.OWN_VIEW)


async def _own(shop: Shop, peer: str, step: int | None = None) -> str:
    return await shop.send("own", rows(["4", "4", "5"]), method="peer-majority", settings=_with_peer(peer), step=step)


async def _own_waits(shop: Shop) -> bool:
    return await shop.connection.execute("ZCARD", RunKeys("own").peer_waits) == 1


def _label(record: BatchRecord) -> str:
    ((label,),) = (cohort.labels for cohort in record.cohorts)
    return label.answer


@pytest.mark.parametrize("key", ["group", "missing", "standing", "clock"])
async def test_a_peer_whose_key_holds_something_else_is_absent(shop: Shop, key: str) -> None:
    keys = RunKeys("broken")
    name = keys.cast(Group("0", 0, None).slot, "") if key == "group" else getattr(keys, key)
    await shop.connection.execute("SET", name, "somebody else's")
    shop.open(SymbolicGrader())
    assert _label(await shop.settled("own", await _own(shop, "broken"))) == "4"
    assert shop.failures() == 0


async def test_a_peer_whose_records_cannot_be_found_is_waited_for(shop: Shop) -> None:
    shop.open(SymbolicGrader())
    await shop.settled("broken", await shop.send("broken", rows(["7"]), step=0))
    (found,) = await shop.connection.execute("KEYS", f"{RunKeys('broken').found}*")
    await shop.connection.execute("SET", found, "somebody else's")
    sent = await _own(shop, "broken", step=0)
    await until(lambda: _own_waits(shop))
    assert shop.failures() == 0
    await shop.connection.execute("DEL", found)
    await shop.send("broken", rows(["5"]), step=0)
    assert _label(await shop.settled("own", sent)) == "5"


async def test_a_run_whose_key_holds_something_else_costs_its_peer_nothing(shop: Shop) -> None:
    shop.open(SymbolicGrader())
    await _own(shop, "peer")
    await until(lambda: _own_waits(shop))
    await shop.connection.execute("SET", RunKeys("own").awaited_peers, "somebody else's")
    await shop.settled("peer", await shop.send("peer", rows(["5"])))
    assert shop.failures() == 0


async def _others_are_served(shop: Shop) -> None:
    for _ in range(3):
        await shop.settled("other", await shop.send("other", rows(["1", "1", "2"])), timeout_s=10.0)
    assert not any(each.done() for each in shop.working)
