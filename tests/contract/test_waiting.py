"""What open cohorts and waiting batches lack, as the store tells it."""

import pytest
from co_rewarding_schema.vocabulary import View

from reward_service.domain.cohort import CohortState
from reward_service.store.waiting import AwaitedLabels, CohortProgress, ViewCount, WaitStore
from tests.contract.conftest import World, ballot, head, joining
from tests.contract.test_join import settle_all
from tests.contract.test_labels import label, queue, submit, wanted
from tests.contract.test_places import arrival, place

pytestmark = pytest.mark.anyio
X, Y = View.ORIGINAL, View.PARAPHRASE


async def progress(world: World, cohort: str) -> CohortProgress | None:
    (found,) = await WaitStore(world.connection).cohorts(world.run, [cohort])
    return found


async def test_a_cohort_counts_the_ballots_of_each_view(world: World) -> None:
    await world.store.join(world.run, [joining("c", ballot(X, 0, "4"), ballot(X, 1, "4"))], world.at)
    views = ViewCount(0, 2, 2), ViewCount(1, 0, 2)
    assert await progress(world, "c") == CohortProgress(CohortState.OPEN, head("c"), views)
    assert [each.whole for each in views] == [True, False]


async def test_a_cohort_that_is_whole_waits_for_a_worker_and_then_for_nothing(world: World) -> None:
    ballots = [ballot(view, n, "4") for view in View for n in range(2)]
    await world.store.join(world.run, [joining("c", *ballots)], world.at)
    found = await progress(world, "c")
    assert found is not None
    assert (found.state, [each.whole for each in found.views]) == (CohortState.COMPLETE, [True, True])
    await settle_all(world)
    assert await progress(world, "c") is None
    assert await progress(world, "never") is None


async def test_a_view_of_which_nothing_has_come_needs_as_many_as_the_other(world: World) -> None:
    """Rollouts without an index say how many there are of their own view only."""
    placed = await place(world, arrival("4", views="op", size=3))
    found = await progress(world, placed.cohort)
    assert found is not None
    assert found.views == (ViewCount(0, 1, 3), ViewCount(1, 0, 3))


async def test_a_cohort_of_one_view_waits_for_that_view(world: World) -> None:
    placed = await place(world, arrival("4", Y, views="p"))
    found = await progress(world, placed.cohort)
    assert found is not None
    assert found.views == (ViewCount(1, 1, 2),)


async def test_cohorts_are_told_in_order(world: World) -> None:
    await world.store.join(world.run, [joining("b", ballot(Y, 0, "4"))], world.at)
    found = await WaitStore(world.connection).cohorts(world.run, ["a", "b"])
    assert [each and each.views for each in found] == [None, (ViewCount(0, 0, 2), ViewCount(1, 1, 2))]
    assert await WaitStore(world.connection).cohorts(world.run, []) == []


async def test_a_batch_counts_the_labels_that_it_misses_and_names_their_version(world: World) -> None:
    waits = WaitStore(world.connection)
    assert await submit(world, "b", *(wanted(slot, need=3) for slot in "xyz"))
    assert await waits.labels(world.run, "b") == AwaitedLabels(3, 3)
    await queue(world).take(world.run, 3, 10)
    await queue(world).keep((world.run, "x"), label(2))  # too old a version
    await queue(world).keep((world.run, "y"), label(3))
    assert await waits.labels(world.run, "b") == AwaitedLabels(2, 3)
    for slot in "xz":
        await queue(world).keep((world.run, slot), label(4))
    assert await waits.labels(world.run, "b") is None
    assert await waits.labels(world.run, "never") is None
