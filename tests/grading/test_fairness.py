"""Fair shares, whatever anybody's items cost and in whatever order they come."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.grading.fairness import FairQueue

owners = st.sampled_from("abcd")
costs = st.floats(0.001, 1.0)


def drained(queue: FairQueue[int]) -> list[tuple[str, int]]:
    return [queue.take() for _ in range(len(queue))]


@given(st.lists(owners, max_size=40))
def test_every_item_comes_once_and_an_owners_in_their_order(order: list[str]) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, owner in enumerate(order):
        queue.add(owner, number)
    taken = drained(queue)
    assert sorted(number for _, number in taken) == list(range(len(order)))
    assert all(order[number] == owner for owner, number in taken)
    for each in set(order):
        numbers = [number for owner, number in taken if owner == each]
        assert numbers == sorted(numbers)
    assert not queue


@given(st.dictionaries(owners, costs, min_size=2), st.integers(10, 60))
def test_owners_that_always_wait_use_the_same(cost_of: dict[str, float], rounds: int) -> None:
    """To within the dearest item."""
    queue: FairQueue[int] = FairQueue()
    used: Counter[str] = Counter()
    for owner in cost_of:
        queue.add(owner, 0)
    for _ in range(rounds):
        owner, _ = queue.take()
        used[owner] += cost_of[owner]  # type: ignore[assignment]
        queue.charge(owner, cost_of[owner])
        queue.add(owner, 0)
    assert max(used[owner] for owner in cost_of) - min(used[owner] for owner in cost_of) <= 2 * max(cost_of.values())


@given(st.integers(1, 50), costs)
def test_who_comes_back_waits_for_one_item_of_the_others_at_most(served: int, cost: float) -> None:
    queue: FairQueue[int] = FairQueue()
    queue.charge("rare", 1.0)
    for number in range(served + 20):
        queue.add("busy", number)
    for _ in range(served):
        queue.charge(queue.take()[0], max(cost, 1.0))
    queue.add("rare", 0)
    first = [queue.take()[0]]
    queue.charge(first[0], cost)
    first.append(queue.take()[0])
    assert "rare" in first


@given(st.integers(1, 30))
def test_a_pause_saves_nothing(turns: int) -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(3 * turns):
        queue.add("busy", number)
    for _ in range(turns):
        queue.charge(queue.take()[0], 1.0)
    for number in range(2 * turns):
        queue.add("back", number)
    found: list[str] = []
    for _ in range(2 * turns):
        owner, _ = queue.take()
        queue.charge(owner, 1.0)
        found.append(owner)
    assert abs(found.count("back") - found.count("busy")) <= 1


def test_those_who_have_gone_are_forgotten() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.add(f"run {number}", number)
        owner, _ = queue.take()
        queue.charge(owner, 0.001)
    assert len(queue._used) < 200


def test_nobody_waits() -> None:
    with pytest.raises(IndexError):
        FairQueue[int]().take()
