"""Whatever dies, hangs or fills up, and together: what was accepted is rewarded once, as if nothing had happened.

CO_REWARDING_CHAOS_S and CO_REWARDING_CHAOS_SEED say for how long, and which trouble comes when (make chaos).
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from e2e_chaos import ROLES, Condition, Event, Troubles, schedule, small_disk
from e2e_load import Load
from e2e_rule import NO_ANSWER
from e2e_services import Service, service

from tests.support.scripted_endpoint import ScriptedEndpoint

LASTS_S = float(os.environ.get("CO_REWARDING_CHAOS_S", "20"))
SEED = int(os.environ.get("CO_REWARDING_CHAOS_SEED", "1"))
IMPATIENT = {"claim_idle_s": 1.0, "redis_patience_s": 2.0}
FINISHED_WITHIN_S = 60.0  # after the last trouble


async def play(load: Load, troubles: Troubles, events: Sequence[Event]) -> None:
    """All events under load, and then what is under way."""
    flowing = asyncio.create_task(load.flow())
    began_s = time.monotonic()
    for event in events:
        await asyncio.sleep(max(0.0, began_s + event.at_s - time.monotonic()))
        await troubles.happen(event)
        load.check()
    flowing.cancel()
    print(f"the last trouble is over: {load.unanswered} calls are under way")
    async with asyncio.timeout(FINISHED_WITHIN_S):
        await load.finish()
    print(f"{load.summary()}; API processes answered after at most {troubles.answered_after_s:.2f} s")


@contextlib.contextmanager
def two_services(model: str, disk: Path | None) -> Iterator[tuple[Service, Service]]:
    """An API process and a worker each; the first has the store, and a teacher whose model is at a URL."""
    more = {"teacher": f"openai:{model}#scripted", "teacher_lease_s": 1.0}
    more |= {} if disk is None else {"data_dir": disk / "data"}
    with service(**IMPATIENT, **more) as first, service(**IMPATIENT, redis_url=first.supervisor.redis_url) as second:
        yield first, second


@pytest.mark.timeout(300 + 10 * LASTS_S)
def test_everything_is_rewarded_once_whatever_happens(run: str):
    events = schedule(SEED, LASTS_S)
    print(f"CO_REWARDING_CHAOS_S={LASTS_S:g} CO_REWARDING_CHAOS_SEED={SEED}: {len(events)} events")
    print(*events, "as they happen:", sep="\n")
    says: dict[str, str] = {}
    model = ScriptedEndpoint(lambda prompt: f"It is \\boxed{{{says.get(prompt, NO_ANSWER)}}}.", latency_s=0.05)

    async def under_load(services: Sequence[Service], disk: Path | None) -> Load:
        load = Load([each.url for each in services], run, SEED, says)
        for traffic in load.traffics:
            traffic.make(services[0])
        await play(load, Troubles(services, disk), events)
        return load

    with model.serving(), small_disk() as disk, two_services(model.url, disk) as services:
        load = asyncio.run(under_load(services, disk))
        for traffic in load.traffics:
            traffic.assert_as_undisturbed(services[0])


def test_a_seed_says_what_happens_when():
    assert schedule(5, 100.0) == schedule(5, 100.0) != schedule(6, 100.0)


@pytest.mark.parametrize("seed", range(20))
def test_each_kind_of_trouble_comes_at_least_once(seed: int):
    events = schedule(seed, 0.0)
    assert {event.condition for event in events} == set(Condition)
    alone = {event.killed for event in events if event.condition is Condition.WELL}
    assert alone > {(role,) for role in ROLES}
    assert any(len(killed) > 1 for killed in alone)


def test_troubles_come_one_after_another():
    events = schedule(1, 600.0)
    assert 100 < len(events) < 400
    assert all(later.at_s > earlier.at_s + earlier.lasts_s for earlier, later in pairwise(events))
    assert all("redis" not in event.killed for event in events if event.condition is Condition.FULL_DISK)
