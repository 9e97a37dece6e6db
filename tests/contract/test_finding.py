"""Cohorts are found by their question: of every kind, page by page, for as long as they are kept."""

import pytest
from co_rewarding_schema.vocabulary import View

from reward_service.store.cohort_finder import CohortFinder
from reward_service.store.keys import RunKeys, mark_of
from reward_service.store.records import BallotRow, packed
from reward_service.store.runs import CursorError
from reward_service.store.settling import BatchEnding
from reward_service.store.submissions import ArrivingRollout, JoiningCohort, Placed
from tests.contract.conftest import World, ballot, head

pytestmark = pytest.mark.anyio


def finder(world: World) -> CohortFinder:
    return CohortFinder(world.connection, world.limits.retention_s)


async def find(world: World, question: str, step: int | None = None, most: int = 100) -> list[str]:
    """All pages, of `most` each."""
    found: list[str] = []
    cursor = None
    while True:
        page = await finder(world).find(world.run, question, step, 30.0, most, cursor)
        assert len(page.names) <= most
        found += page.names
        cursor = page.cursor
        if cursor is None:
            return found


async def join(world: World, cohort: str, question: str, step: int | None) -> None:
    ballots = [ballot(View.ORIGINAL, 0, "4")]
    joining = JoiningCohort(cohort, packed(head(question)), "op", ballots, mark_of(question, step))
    assert await world.store.join(world.run, [joining], world.at) == [None]


async def test_a_cohort_is_found_by_question_and_step_from_its_first_ballot_on(world: World) -> None:
    for number, (question, step) in enumerate([("q", 1), ("p", 1), ("q", 12), ("q", None), ("q", 1)]):
        await join(world, f"c{number}", question, step)
    assert await find(world, "q") == ["c4", "c3", "c2", "c0"]
    assert await find(world, "q", 1) == ["c4", "c0"]
    assert await find(world, "q", 12) == ["c2"]
    assert await find(world, "q", 2) == []
    assert await find(world, "other") == []


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_pages_hold_each_once(world: World, most: int) -> None:
    for number in range(7):
        await join(world, f"c{number}", "q", number)
    assert await find(world, "q", most=most) == [f"c{number}" for number in reversed(range(7))]


async def test_a_cohort_that_ballots_join_again_is_noted_once(world: World) -> None:
    for _ in range(3):
        await join(world, "c", "q", 1)
    assert await find(world, "q") == ["c"]


async def test_a_round_of_rollouts_without_identity_is_found(world: World) -> None:
    places: list[str] = []
    for number in range(3):
        row = BallotRow(0, 0, None, "4")
        arrival = ArrivingRollout(
            "round", f"t{number}", 0, "o", 1, packed(head("q")), row, f"r{number}", mark=mark_of("q", None)
        )  # fmt: skip
        placed = await world.store.place(world.run, arrival, world.at)
        assert isinstance(placed, Placed)
        places.append(placed.cohort)
    assert await find(world, "q") == places[::-1]


async def test_the_cohorts_of_a_batch_are_found_once_it_is_settled(world: World) -> None:
    await world.store.submit(world.run, "b", "0" * 32, b"payload", world.at)
    (delivery,) = await world.jobs.read([world.run], 10, 0.1)
    assert await find(world, "q") == []
    marks = [mark_of("p", 3), mark_of("q", 3), mark_of("q", 3)]
    for worker in (world.jobs, world.another_worker()):
        await worker.settle_batch(BatchEnding(delivery, "b", b"record", settled=3, abstained=0, marks=marks))
    assert await find(world, "q", 3) == ["b.2", "b.1"]
    assert await find(world, "p") == ["b.0"]


async def test_the_lists_end_with_what_they_name_and_carry_their_runs_tag(world: World) -> None:
    for number in range(20):
        await join(world, f"c{number}", f"q{number}", 1)
    keys = await world.connection.execute("KEYS", f"{RunKeys(world.run).found}*")
    assert 1 < len(keys) <= 20
    longest_ms = 1000 * (2 * world.limits.retention_s + world.at.settings.cohort_deadline_s)
    for key in keys:
        assert 0 < await world.connection.execute("PTTL", key) <= longest_ms


@pytest.mark.parametrize("cursor", ["999999999999999.999999999999999", "0.5", "999999999999999.0"])
async def test_a_cursor_that_was_made_up_costs_nobody_anything(world: World, cursor: str) -> None:
    await join(world, "c", "q", 1)
    page = await finder(world).find(world.run, "q", None, 30.0, 10, cursor)
    assert (page.names in (["c"], []), page.cursor) == (True, None)


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.x", "1.2.3", "-1.2", "9" * 40 + ".1"])
async def test_a_cursor_that_no_page_gave_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(CursorError):
        await finder(world).find(world.run, "q", None, 30.0, 10, cursor)


async def of_run(world: World, most: int) -> list[str]:
    """All cohorts of the run, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await finder(world).of_run(world.run, 30.0, most, cursor)
        assert len(page.names) <= most
        found += page.names
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("most", [1, 2, 7, 100])
async def test_the_cohorts_of_a_run_are_listed_once_and_of_a_question_the_latest_first(world: World, most: int) -> None:
    assert await of_run(world, most) == []
    for number in range(19):
        await join(world, f"c{number}", f"q{number % 3}", number)
    found = await of_run(world, most)
    assert sorted(found) == sorted(f"c{number}" for number in range(19))
    for question in range(3):
        own = [name for name in found if int(name[1:]) % 3 == question]
        assert own == sorted(own, key=lambda name: -int(name[1:]))


@pytest.mark.parametrize("cursor", ["", "x", "1.2", "1.2.x", "1.2.3.4", "1.1000.3"])
async def test_a_cursor_of_a_run_that_no_page_gave_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(CursorError):
        await finder(world).of_run(world.run, 30.0, 10, cursor)


@pytest.mark.parametrize("cursor", ["999999999999999.0.9", "0.0.5", "999999999999999.999.1"])
async def test_a_cursor_of_a_run_that_was_made_up_is_harmless(world: World, cursor: str) -> None:
    await join(world, "c", "q", 1)
    page = await finder(world).of_run(world.run, 30.0, 10, cursor)
    assert (page.names in (["c"], []), page.cursor) == (True, None)
