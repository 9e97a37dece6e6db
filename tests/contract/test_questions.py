"""The questions of a run in order of doubt: kept with their labels, and read by pages whose cost does not grow."""

import random
import re
import struct
from uuid import uuid4

import pytest
from co_rewarding_schema.vocabulary import QuestionSort, View

from reward_service.domain.history import PastLabel, Standing, standing_of
from reward_service.store.job_records import Job
from reward_service.store.keys import RunKeys
from reward_service.store.settling import BatchEnding, Delivery
from reward_service.store.traces import (
    KeptLabel,
    NotedLabel,
    PastQuestion,
    Place,
    Traces,
    TraceStore,
    last_labels,
    packed_labels,
)
from tests.contract.conftest import World, open_world, started

pytestmark = pytest.mark.anyio
MANY = 100_000
CALLS = 25
"""Commands of the store for a page, those of its script included: the search by halves among 2^17 takes 18 of them."""


async def settle(world: World, *labels: NotedLabel) -> None:
    """A batch is settled, and leaves labels."""
    name = uuid4().hex
    delivery = Delivery(world.run, Job(b"0-1", batch=name))
    traces = Traces(packed_labels(labels))
    await world.jobs.settle_batch(BatchEnding(delivery, name, b"record", settled=1, abstained=0), traces)


def noted(question: str, label: PastLabel) -> NotedLabel:
    return NotedLabel(question, 4, KeptLabel.of(label))


def number_of(standing: Standing, sort: QuestionSort) -> float:
    """By what a question stands in an order: the smaller, the earlier."""
    figures = {"flips": -standing.flips, "disagreement": -standing.disagreement, "share": standing.share}
    return figures[sort]


async def pages(world: World, sort: QuestionSort, most: int) -> list[PastQuestion]:
    """All questions, so many at a time."""
    found: list[PastQuestion] = []
    more = True
    while more:
        page, more = await TraceStore(world.connection).questions(
            world.run, sort, most, found[-1].place if found else None
        )
        assert len(page) == most or not more
        found += page
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_the_order_is_that_of_what_the_labels_tell(world: World, seed: int) -> None:
    rng = random.Random(seed)
    names = [f"q{n}" for n in range(12)] + ["ü", "q", "\x7f", "q1\x00", "漢"]
    for _ in range(120):
        at = rng.choice([None, 0, 1, 2, 3]) if seed == 3 else rng.randrange(6)
        share, agreement = rng.choice([0.25, 0.5, 1.0]), rng.choice([0.0, 0.125, 0.75, 1.0])
        label = PastLabel(rng.choice(list(View)), at, rng.choice([0, 0, 1]), share, agreement, rng.choice("45"))
        await settle(world, noted(rng.choice(names), label))
    kept = await last_labels(world.connection, world.run, names)
    standing = {name: standing_of(labels) for name, labels in kept.items()}
    for sort in QuestionSort:
        expected = sorted(
            standing, key=lambda name, sort=sort: (round(number_of(standing[name], sort), 9), name.encode())
        )
        for most in (1, 5, 100):
            found = await pages(world, sort, most)
            assert [each.question_id for each in found] == expected
            assert [each.labels for each in found] == [kept[name] for name in expected]
            numbers = [number_of(standing[name], sort) for name in expected]
            assert [each.place.number for each in found] == pytest.approx(numbers)


async def test_a_page_goes_on_behind_a_place_that_nobody_has_any_more(world: World) -> None:
    store = TraceStore(world.connection)
    for n in range(6):
        await settle(world, noted(f"q{n}", PastLabel(View.ORIGINAL, 1, 0, 0.1 * n, 1.0, "4")))
    (first, second), more = await store.questions(world.run, QuestionSort.SHARE, 2)
    assert more
    await settle(world, noted("q1", PastLabel(View.ORIGINAL, 1, 1, 0.9, 1.0, "4")))
    page, more = await store.questions(world.run, QuestionSort.SHARE, 9, second.place)
    assert [each.question_id for each in page] == ["q2", "q3", "q4", "q5", "q1"]
    assert not more
    assert (await store.questions(world.run, QuestionSort.SHARE, 9, first.place))[0] == page


@pytest.mark.parametrize("number", ["7ff8000000000000", "7ff0000000000000", "7fefffffffffffff"])
async def test_behind_the_last_place_there_is_nothing(world: World, number: str) -> None:
    await settle(world, noted("q", PastLabel(View.ORIGINAL, 1, 0, 1.0, 1.0, "4")))
    (found,) = struct.unpack(">d", bytes.fromhex(number))
    assert await TraceStore(world.connection).questions(world.run, QuestionSort.FLIPS, 9, Place(found, b"")) == (
        [],
        False,
    )


async def test_a_run_without_labels_has_no_questions(world: World) -> None:
    for after in (None, Place(0.0, b"q")):
        assert await TraceStore(world.connection).questions(world.run, QuestionSort.FLIPS, 9, after) == ([], False)


async def test_questions_beyond_the_bound_are_in_no_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reward_service.store.settling.MOST_QUESTIONS", 2)
    await settle(world, *(noted(f"q{n}", PastLabel(View.ORIGINAL, 1, 0, 0.5, 1.0, "4")) for n in range(4)))
    for sort in QuestionSort:
        assert [each.question_id for each in await pages(world, sort, 9)] == ["q0", "q1"]


async def test_a_page_among_very_many_questions_costs_few_calls() -> None:
    label = KeptLabel.of(PastLabel(View.ORIGINAL, 1, 0, 1.0, 1.0, "4"))
    with started("embedded") as url:
        async with open_world(url) as world:
            for first in range(0, MANY, 5000):
                await settle(world, *(NotedLabel(f"q{n:06}", 4, label) for n in range(first, first + 5000)))
            assert await world.connection.execute("HLEN", RunKeys(world.run).history) == MANY
            for after in (None, Place(0.0, b"q000700"), Place(0.0, b"q099000")):
                await world.connection.execute("CONFIG", "RESETSTAT")
                page, more = await TraceStore(world.connection).questions(world.run, QuestionSort.FLIPS, 50, after)
                stats = await world.connection.execute("INFO", "commandstats")
                assert 0 < sum(map(int, re.findall(r"calls=(\d+)", stats.decode()))) <= CALLS
                assert more
                first = 0 if after is None else int(after.name[1:]) + 1
                assert [each.question_id for each in page] == [f"q{n:06}" for n in range(first, first + 50)]
