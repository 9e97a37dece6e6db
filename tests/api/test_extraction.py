"""Answers of long responses: the same as anywhere, and found beside everything else."""

import asyncio
import time

import pytest
from co_rewarding_schema.rollouts import Rollout
from co_rewarding_schema.run_settings import RunSettings

from reward_service.api.rewards.extraction import LONG_CHARS, MANY_CHARS, Extraction

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def rollout(text: str) -> Rollout:
    return Rollout(question_id="q", response=text)


async def test_short_responses_are_left_where_they_are() -> None:
    assert await Extraction().of_long([rollout(r"\boxed{4}")] * 3, RunSettings()) == {}


async def test_long_responses_have_their_answers() -> None:
    long = "x" * LONG_CHARS + r"\boxed{4}"
    found = await Extraction().of_long([rollout("1"), rollout(long), rollout("x" * (LONG_CHARS + 1))], RunSettings())
    assert found == {1: "4", 2: None}
    many = [rollout("x" * 50_000 + r"\boxed{5}")] * (MANY_CHARS // 50_000 + 1)
    assert await Extraction().of_long(many, RunSettings()) == dict.fromkeys(range(len(many)), "5")


async def test_many_texts_give_way_as_often_as_their_length_asks_for() -> None:
    many = [rollout("x" * 7_000)] * (MANY_CHARS // 7_000 + 1)
    looking = asyncio.create_task(Extraction().of_long(many, RunSettings()))
    passes = 0
    while not looking.done():
        passes += 1
        await asyncio.sleep(0)
    assert MANY_CHARS // LONG_CHARS <= passes < len(many) // 4


async def test_texts_that_take_long_hold_nobody_up() -> None:
    hostile = [rollout("\\boxed{{" * 250_000) for _ in range(4)]
    looking = asyncio.create_task(Extraction().of_long(hostile, RunSettings()))
    turns = 0
    while not looking.done():
        turns += 1
        await asyncio.sleep(0.005)
    assert await looking == dict.fromkeys(range(4))
    before_s = time.thread_time()
    await Extraction().of_long(hostile[:1], RunSettings())
    assert time.thread_time() - before_s < 0.05  # of this thread
    assert turns > 4
