"""Jobs in hand: each has one task at a time, and its place is free when the last of them has ended."""

import asyncio

import pytest

from reward_service.store.job_records import Job
from reward_service.store.settling import Delivery
from reward_service.workers.jobs_in_hand import InHand

pytestmark = pytest.mark.anyio
GROUP = [Delivery("r", Job(b"%d-0" % number, batch="b")) for number in range(3)]


@pytest.mark.parametrize("own_ends_first", [True, False])
@pytest.mark.parametrize("left", range(3))
async def test_a_job_that_a_task_leaves_to_another_has_one_place(own_ends_first: bool, left: int) -> None:
    in_hand = InHand(8, lambda: 0.0)
    whole, own = asyncio.Event(), asyncio.Event()
    group_task = asyncio.create_task(_until(whole))
    in_hand.add(GROUP, group_task)
    room = in_hand.room("r")
    own_task = asyncio.create_task(_until(own))
    in_hand.add([GROUP[left]], own_task)
    assert in_hand.room("r") == room
    (own if own_ends_first else whole).set()
    await (own_task if own_ends_first else group_task)
    assert (GROUP[left] in in_hand) is not own_ends_first
    own.set()
    whole.set()
    await asyncio.wait_for(in_hand.all_end(), 1.0)
    assert not any(each in in_hand for each in GROUP)
    assert in_hand.room("r") == 8


async def test_another_job_of_the_same_entry_is_another_one() -> None:
    """A failover took the first back, and the new primary names its entries by the same time."""
    in_hand = InHand(8, lambda: 0.0)
    task = asyncio.create_task(asyncio.sleep(0))
    in_hand.add([Delivery("r", Job(b"1-0", batch="old"))], task)
    assert Delivery("r", Job(b"1-0", batch="new")) not in in_hand
    await task


async def _until(event: asyncio.Event) -> None:
    await event.wait()
