"""Whose turn it is beside the loop: long jobs of a run end one after another, and short ones do not wait for them."""

import asyncio
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.grading import turns
from reward_service.grading.turns import JobWork, OldestFirst, Turns, Waiting
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@given(st.lists(st.tuples(st.integers(0, 99), st.booleans()), unique_by=lambda each: each[0]))
def test_every_job_comes_once_the_oldest_long_one_first_and_new_ones_by_turns(jobs: list[tuple[int, bool]]) -> None:
    loop = asyncio.new_event_loop()
    line = OldestFirst()
    for number, is_long in jobs:
        line.append(Waiting(number, is_long, loop.create_future()))
    taken = [line.popleft() for _ in range(len(line))]
    loop.close()
    assert not line
    assert [each.number for each in taken if each.is_long] == sorted(number for number, is_long in jobs if is_long)
    assert [each.number for each in taken if not each.is_long] == [number for number, is_long in jobs if not is_long]
    both = 2 * min(sum(is_long for _, is_long in jobs), sum(not is_long for _, is_long in jobs))
    assert [each.is_long for each in taken[:both]] == [False, True] * (both // 2)


def computing(left_s: float) -> Callable[[], bool]:
    """JobWork in pieces of 5 ms, `left_s` in all."""

    def some() -> bool:
        nonlocal left_s
        end_s = time.thread_time() + 0.005
        while time.thread_time() < end_s:
            pass
        left_s -= 0.005
        return left_s > 0

    return some


async def _done(name: str, work: JobWork, for_s: float, log: list[str]) -> None:
    some = computing(for_s)
    while await work.beside(some):
        log.append(name)
    log.append(f"{name} ends")


async def test_long_jobs_of_a_run_end_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "NEW_S", 0.012)
    room, log = Turns(), list[str]()
    works = [JobWork("r", room, 5.0) for _ in range(4)]
    await asyncio.gather(*(_done(str(n), work, 0.1, log) for n, work in enumerate(works)))
    assert [each for each in log if "ends" in each] == [f"{n} ends" for n in range(4)]
    for n in range(3):  # those behind have had no more than what makes them long
        before = log[: log.index(f"{n} ends")]
        assert all(before.count(str(later)) <= 3 for later in range(n + 1, 4))


async def test_a_short_job_does_not_wait_for_the_long_ones_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "NEW_S", 0.03)
    room, log = Turns(), list[str]()
    long = [asyncio.create_task(_done(f"long {n}", JobWork("r", room, 5.0), 0.5, log)) for n in range(3)]

    async def some_are_long() -> bool:
        return len(log) >= 40

    await until(some_are_long)
    before = len(log)
    await _done("short", JobWork("r", room, 5.0), 0.015, log)
    assert len(log) - before <= 10  # a turn of a long one between two of its own, and one that was under way
    for each in long:
        each.cancel()
    await asyncio.gather(*long, return_exceptions=True)


async def test_runs_share_the_lane_however_many_jobs_they_have() -> None:
    room, log = Turns(), list[str]()
    crowd = [asyncio.create_task(_done("crowd", JobWork("crowd", room, 5.0), 0.3, log)) for _ in range(8)]
    await asyncio.sleep(0.05)
    began = len(log)
    await _done("alone", JobWork("alone", room, 5.0), 0.1, log)
    assert log[began:].count("crowd") <= 2 * 20 + 5
    for each in crowd:
        each.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_whoever_is_cancelled_gives_its_turn_to_another() -> None:
    room, log = Turns(), list[str]()
    first = asyncio.create_task(_done("first", JobWork("r", room, 5.0), 5.0, log))
    others = [asyncio.create_task(_done("other", JobWork("r", room, 5.0), 0.05, log)) for _ in range(3)]

    async def has_begun() -> bool:
        return bool(log)

    await until(has_begun)
    first.cancel()
    others[0].cancel()
    await asyncio.wait_for(asyncio.gather(*others[1:]), 10.0)
    assert log.count("other ends") == 2
