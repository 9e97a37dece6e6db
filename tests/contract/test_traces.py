"""What settlements leave for their run: a question's last labels, and the signs of each step; once, in any order."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import msgspec
import pytest
from co_rewarding_schema.vocabulary import QuestionSort, View

from reward_service.domain.history import PastLabel
from reward_service.domain.signs import SignSums
from reward_service.store.job_records import Job
from reward_service.store.keys import RunKeys
from reward_service.store.settling import BatchEnding, Delivery
from reward_service.store.traces import KeptLabel, NotedLabel, Traces, TraceStore, last_labels, packed_labels
from reward_service.workers.counting import JobSums, packed_sums
from tests.contract.conftest import World

pytestmark = pytest.mark.anyio
SOME = SignSums(2, 16, 15, 4, 2, 1.25, 1.5, 1, 1, 3, 700)


async def settle(world: World, labels: bytes = b"", sums: bytes = b"", batch: str | None = None) -> str:
    """A batch is settled with its traces."""
    name = batch or uuid4().hex
    delivery = Delivery(world.run, Job(b"0-1", batch=name))
    return await world.jobs.settle_batch(
        BatchEnding(delivery, name, b"record", settled=1, abstained=0), Traces(labels, sums)
    )


def label(step: int | None, answer: str, view: View = View.ORIGINAL, attempt: int = 0) -> PastLabel:
    return PastLabel(view, step, attempt, 0.625, 0.5, answer)


def noted(*labels: PastLabel, question: str = "q", window: int = 3) -> bytes:
    return packed_labels([NotedLabel(question, window, KeptLabel.of(each)) for each in labels])


def summed(*jobs: JobSums) -> bytes:
    return packed_sums(jobs)


async def kept(world: World, question: str = "q") -> list[PastLabel]:
    return (await last_labels(world.connection, world.run, [question])).get(question, [])


def remembered(labels: list[PastLabel], window: int) -> list[PastLabel]:
    """The rule, written apart: of each step the label of the highest attempt that came last; then the last ones."""
    of_view: list[PastLabel] = []
    for each in labels:
        same = [other for other in of_view if other.step is not None and other.step == each.step]
        if any(other.attempt > each.attempt for other in same):
            continue
        rest = [other for other in of_view if other not in same]
        later = [at for at, other in enumerate(rest) if (other.step or -1) > (each.step or 0)]
        at = later[0] if later and each.step is not None else len(rest)
        of_view = [*rest[:at], each, *rest[at:]][-window:]
    return of_view


async def test_the_last_labels_of_a_question_are_kept_in_the_order_of_steps(world: World) -> None:
    await settle(world, noted(label(1, "4"), label(1, "5", View.PARAPHRASE)))
    await settle(world, noted(label(3, "6")))
    await settle(world, noted(label(2, "7"), question="other"))
    await settle(world, noted(label(2, "8")))
    assert await kept(world) == [label(1, "4"), label(1, "5", View.PARAPHRASE), label(2, "8"), label(3, "6")]
    await settle(world, noted(label(4, "9")))
    assert await kept(world) == [label(1, "5", View.PARAPHRASE), label(2, "8"), label(3, "6"), label(4, "9")]
    assert await kept(world, "other") == [label(2, "7")]


async def test_a_higher_attempt_takes_the_place_of_its_step_and_a_lower_one_does_not(world: World) -> None:
    await settle(world, noted(label(1, "4"), label(2, "5")))
    await settle(world, noted(label(1, "6", attempt=2)))
    await settle(world, noted(label(1, "7", attempt=1)))
    assert await kept(world) == [label(1, "6", attempt=2), label(2, "5")]


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_kept_is_what_the_rule_says(world: World, seed: int) -> None:
    rng = random.Random(seed)
    steps = [None, 0, 1, 2, 3, 5, 8] if seed % 4 == 0 else [0, 1, 2, 3, 5, 8]
    labels = [label(rng.choice(steps), str(at), rng.choice(list(View)), rng.choice([0, 0, 1])) for at in range(30)]
    if None in steps:  # without steps the order is that in which they come
        labels = [each._replace(step=None) for each in labels]
    for each in labels:
        await settle(world, noted(each))
    found = await kept(world)
    for view in View:
        own = [each for each in found if each.view is view]
        assert own == remembered([each for each in labels if each.view is view], 3)


async def test_a_repeated_job_leaves_its_traces_once(world: World) -> None:
    labels, sums = noted(label(None, "4")), summed(JobSums(7, 0, SOME, {"4": 9, "5": 6}))
    answers = await asyncio.gather(*(settle(world, labels, sums, "b") for _ in range(5)))
    assert sorted(answers) == ["known"] * 4 + ["settled"]
    assert await kept(world) == [label(None, "4")]
    (point,) = await TraceStore(world.connection).series(world.run, 10)
    assert (point.step, point.attempt, point.sums, point.top) == (7, 0, SOME, 9)


async def test_signs_add_up_in_any_order(world: World) -> None:
    rng = random.Random(1)
    jobs = [
        JobSums(
            rng.choice([1, 2]), rng.choice([0, 1]), SignSums(*(rng.randrange(9) for _ in SOME)),
            {str(rng.randrange(5)): rng.randrange(1, 9) for _ in range(3)},
        )
        for _ in range(40)
    ]  # fmt: skip
    await asyncio.gather(*(settle(world, sums=summed(job)) for job in jobs))
    found = await TraceStore(world.connection).series(world.run, 10)
    assert [(each.step, each.attempt) for each in found] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    for point in found:
        own = [job for job in jobs if (job.step, job.attempt) == (point.step, point.attempt)]
        assert point.sums == SignSums(*map(sum, zip(*(job.sums for job in own), strict=True)))
        answers: Counter[str] = Counter()
        for job in own:
            answers.update(job.answers)
        assert point.top == max(answers.values())


async def test_sums_of_an_older_release_go_on(world: World) -> None:
    older = (1, 8, 8, 2, 1, 0.5, 0.5, 0, 0, 0, 0)
    await world.connection.execute("HSET", RunKeys(world.run).series, "1:0", msgspec.msgpack.encode((*older, 5)))
    await world.connection.execute("ZADD", RunKeys(world.run).steps, 1, "1:0")
    await settle(world, sums=summed(JobSums(1, 0, SOME._replace(rewarded=16, reward=9.5), {"4": 7})))
    (point,) = await TraceStore(world.connection).series(world.run, 10)
    assert point.sums == SignSums(*map(sum, zip(older, SOME, strict=False)))._replace(rewarded=16, reward=9.5)
    assert point.top == 7


async def test_the_series_holds_the_latest_steps_and_counts_answers_of_the_last_few(world: World) -> None:
    keys, store = RunKeys(world.run), TraceStore(world.connection)
    steps = [JobSums(step, 0, SOME, {"4": 9}) for step in range(1005)]
    await settle(world, sums=summed(*steps))
    found = await store.series(world.run, 5000)
    assert [each.step for each in found] == list(range(5, 1005))
    assert await world.connection.execute("HLEN", keys.series) == 1000
    counted = await world.connection.execute("KEYS", f"{keys.answers}*")
    assert sorted(counted) == sorted(f"{keys.answers}{step}:0".encode() for step in range(997, 1005))
    await settle(world, sums=summed(JobSums(1, 0, SOME, {"4": 9}), JobSums(6, 0, SOME, {"4": 9})))
    assert await world.connection.execute("HLEN", keys.series) == 1000
    assert [each.step for each in await store.series(world.run, 5000)] == list(range(5, 1005))
    assert len(await world.connection.execute("KEYS", f"{keys.answers}*")) == 8


async def test_answers_beyond_the_bound_are_not_counted_and_those_known_are(world: World) -> None:
    many = {str(number): 1 for number in range(5000)}
    await settle(world, sums=summed(JobSums(1, 0, SOME, {"first": 2})))
    await settle(world, sums=summed(JobSums(1, 0, SOME, many)))
    await settle(world, sums=summed(JobSums(1, 0, SOME, {"first": 3, "late": 90})))
    (point,) = await TraceStore(world.connection).series(world.run, 10)
    assert point.top == 5
    assert await world.connection.execute("HLEN", f"{RunKeys(world.run).answers}1:0") == 4096


async def test_traces_end_some_day_and_carry_their_runs_tag(world: World) -> None:
    await settle(world, noted(label(1, "4")), summed(JobSums(1, 0, SOME, {"4": 1})))
    keys = RunKeys(world.run)
    assert await world.connection.execute("PTTL", keys.waiting_sums) > 0
    assert await TraceStore(world.connection).series(world.run, 1)
    orders = [f"{keys.orders}{sort}" for sort in QuestionSort]
    for key in (keys.history, keys.series, keys.steps, f"{keys.answers}1:0", *orders):
        assert f"{{{world.run}}}" in key
        assert await world.connection.execute("PTTL", key) > 0


@pytest.mark.parametrize("seed", range(5))
async def test_sums_that_wait_are_added_once_whoever_reads_and_whenever(world: World, seed: int) -> None:
    rng = random.Random(seed)
    store, keys, total = TraceStore(world.connection), RunKeys(world.run), 0
    for _ in range(12):
        many = rng.choice([1, 3, 64, 70])
        long = {str(number) * 20: 1 for number in range(60)} if rng.random() < 0.3 else {"4": 9}
        await asyncio.gather(*(settle(world, sums=summed(JobSums(1, 0, SOME, long))) for _ in range(many)))
        total += many
        assert await world.connection.execute("LLEN", keys.waiting_sums) < 64
        if rng.random() < 0.5:
            (point,) = await store.series(world.run, 10)
            assert point.sums.groups == 2 * total
            assert await world.connection.execute("EXISTS", keys.waiting_sums) == 0
    points = await asyncio.gather(*(store.series(world.run, 10) for _ in range(4)))
    assert all(found == points[0] and found[0].sums.groups == 2 * total for found in points)


async def agreement(world: World, step: int = 1, attempt: int = 0) -> tuple[int, int]:
    """How many questions of a step had both views labelled, and how many of these one label."""
    points = await TraceStore(world.connection).series(world.run, 10)
    (sums,) = (point.sums for point in points if (point.step, point.attempt) == (step, attempt))
    return sums.pairs, sums.same


NOTHING = SignSums()


async def test_views_that_are_labelled_apart_are_compared(world: World) -> None:
    sums = summed(JobSums(1, 0, NOTHING, {}))
    for question, answer in (("q", "4"), ("other", "5")):
        await settle(world, noted(label(1, "4"), question=question), sums)
        assert await agreement(world) == ((0, 0) if question == "q" else (1, 1))
        await settle(world, noted(label(1, answer, View.PARAPHRASE), question=question), sums)
    assert await agreement(world) == (2, 1)
    await settle(world, noted(label(1, "4", View.PARAPHRASE)), sums)
    assert await agreement(world) == (2, 1), "a pair counts once"


async def test_views_that_are_labelled_by_one_job_are_the_workers_to_compare(world: World) -> None:
    both = noted(label(1, "4"), label(2, "4"), label(1, "4", View.PARAPHRASE), label(2, "5", View.PARAPHRASE))
    await settle(world, both, summed(JobSums(1, 0, SOME, {}), JobSums(2, 0, NOTHING, {})))
    assert await agreement(world) == (SOME.pairs, SOME.same)
    assert await agreement(world, 2) == (0, 0)


async def test_only_labels_of_one_step_and_attempt_are_a_pair(world: World) -> None:
    paraphrase = View.PARAPHRASE
    sums = summed(JobSums(1, 0, NOTHING, {}), JobSums(1, 1, NOTHING, {}), JobSums(2, 0, NOTHING, {}))
    await settle(world, noted(label(1, "4"), label(None, "4")), sums)
    await settle(world, noted(label(2, "4", paraphrase), label(None, "4", paraphrase)), sums)
    await settle(world, noted(label(1, "4", paraphrase, attempt=1)), sums)
    assert [await agreement(world, *at) for at in ((1, 0), (1, 1), (2, 0))] == [(0, 0)] * 3
    await settle(world, noted(label(1, "4", attempt=1)), sums)
    await settle(world, noted(label(1, "5", paraphrase)), sums)
    assert [await agreement(world, *at) for at in ((1, 0), (1, 1), (2, 0))] == [(0, 0), (1, 1), (0, 0)]
