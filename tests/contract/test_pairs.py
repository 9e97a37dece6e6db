"""Pairs in Redis: the script does what the rule says, and nothing is kept for ever."""

import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from reward_service.domain.quarantine import Base, DisagreementRules, PairRecord, observed, weights, witnessed
from reward_service.store.connecting import connection_to
from reward_service.store.connection import RedisConnection
from reward_service.store.keys import RunKeys
from reward_service.store.pairs import Changes, Observation, PairStore

pytestmark = pytest.mark.anyio
WATCH = DisagreementRules(horizon=50.0)
NAMES = ("math/1", "math/2", "", "a b\n|~{}", "x" * 500, "\ud800 lone", "真")


@pytest.fixture
async def connection(store_url: str, anyio_backend: str) -> AsyncIterator[RedisConnection]:
    connection = connection_to(store_url)
    yield connection
    await connection.close()


async def accuse(store: PairStore, run: str, question: str) -> None:
    while question not in await store.quarantined(run, [question]):
        await store.observe(run, [Observation(question, disagrees=True)])


@pytest.mark.parametrize("seed", range(5))
async def test_the_script_is_the_rule(connection: RedisConnection, seed: int) -> None:
    store, run, rng = PairStore(connection, WATCH), f"r{uuid4().hex[:10]}", random.Random(seed)
    base, records = Base(), dict.fromkeys(NAMES, PairRecord())
    for _ in range(120):
        weight = weights(base, WATCH)
        observations = [Observation(name, rng.random() < 0.2 + 0.7 * (at < 2)) for at, name in enumerate(NAMES)]
        observations = rng.sample(observations, rng.randrange(1, len(NAMES)))
        held = {name for name, record in records.items() if record.quarantined}
        for question, disagrees in observations:
            base = witnessed(base, records[question], disagrees, WATCH)
            records[question] = observed(records[question], disagrees, weight, WATCH)
        now = {name for name, record in records.items() if record.quarantined}
        assert await store.observe(run, observations) == Changes(len(now - held), len(held - now))
        assert await store.quarantined(run, NAMES) == now
    seen = {name: record for name, record in records.items() if record.seen}
    assert {name: await store.record(run, name) for name in seen} == seen
    suspects = await store.suspects(run, 10)
    assert dict(suspects.records) == {name: record for name, record in records.items() if record.quarantined}
    assert (suspects.base, suspects.seen) == (base, len(seen))
    evidence = [record.evidence for record in suspects.records.values()]
    assert evidence == sorted(evidence, reverse=True)


async def test_a_pair_that_is_forgotten_is_as_new(connection: RedisConnection) -> None:
    store, run = PairStore(connection, WATCH), f"r{uuid4().hex[:10]}"
    await accuse(store, run, "q")
    assert await store.forget(run, "q")
    assert await store.quarantined(run, ["q"]) == frozenset()
    assert await store.record(run, "q") is None
    assert not await store.forget(run, "q")


async def test_runs_are_kept_apart_and_nothing_for_ever(connection: RedisConnection) -> None:
    store, run = PairStore(connection, WATCH), f"r{uuid4().hex[:10]}"
    await accuse(store, run, "q")
    assert await store.quarantined(f"{run}x", ["q"]) == frozenset()
    keys = RunKeys(run)
    for key in (keys.pairs, keys.pairs_base, keys.quarantined):
        assert await connection.execute("PTTL", key) > 0


async def test_a_list_has_an_end(connection: RedisConnection) -> None:
    store, run = PairStore(connection, WATCH), f"r{uuid4().hex[:10]}"
    for question in "abc":
        await accuse(store, run, question)
    suspects = await store.suspects(run, 2)
    assert (len(suspects.records), suspects.quarantined) == (2, 3)


async def test_ids_without_end_take_no_memory_without_end(connection: RedisConnection) -> None:
    store, run = PairStore(connection, WATCH, most_pairs=3), f"r{uuid4().hex[:10]}"
    await store.observe(run, [Observation(str(number), disagrees=True) for number in range(10)])
    assert (await store.suspects(run, 10)).seen == 3
    await accuse(store, run, "0")
    assert (await store.suspects(run, 10)).seen == 3
