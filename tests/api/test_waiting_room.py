"""Where requests wait: what a message says is found at once, what it does not say is read, and little is kept."""

import asyncio
from collections.abc import Sequence

import pytest

from reward_service.api.rewards import waiting_room as waiting
from reward_service.api.rewards.waiting_room import Waiter, WaitingRoom
from reward_service.errors import StoreUnavailableError

MIB = 1024 * 1024


class Shelf:
    """A store of large records, and how often it was asked."""

    def __init__(self, **kept: bytes) -> None:
        self.kept = kept
        self.asked = 0
        self.away = False

    async def look(self, kind: str, names: Sequence[str]) -> list[bytes | None]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailableError("away")
        return [self.kept.get(name) for name in names]


async def _until_there(watch: Waiter) -> bytes:
    while watch.data is None:
        await watch.change()
    return watch.data


def _kept(room: WaitingRoom) -> int:
    return sum(len(data) for _, data in room._recent.values())


def test_messages_that_meet_nobody_are_few_in_number_in_bytes_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    room = WaitingRoom(Shelf().look)
    for number in range(3000):
        room.wake(b"r~%d\n" % number + b"x")
    assert len(room._recent) == waiting.RECENT
    for number in range(60):
        room.wake(b"r~large%d\n" % number + bytes(7 * MIB))
    room.wake(b"r~last\n" + b"y")
    assert 20 * MIB < _kept(room) == room._recent_bytes <= waiting.RECENT_BYTES
    room.wake(b"r~last\n" + b"z")
    with room.watch("batch", "r~last") as watch:
        assert watch.data == b"z"
    room.wake(b"r~huge\n" + bytes(33 * MIB))
    assert _kept(room) == room._recent_bytes == 0
    room.wake(b"r~old\n" + b"x")
    monkeypatch.setattr(waiting, "RECENT_S", 0.0)
    asyncio.run(room.look())
    assert not room._recent


@pytest.mark.parametrize("first", ["the message", "the watch"])
def test_what_was_told_by_name_is_read_once_for_all(first: str) -> None:
    async def come() -> None:
        shelf = Shelf()
        room = WaitingRoom(shelf.look)
        if first == "the message":
            shelf.kept["r~b"] = b"large"
            room.wake(b"r~b\n")
        with room.watch("batch", "r~b") as watch:
            those = [asyncio.create_task(_until_there(watch)) for _ in range(5)]
            await asyncio.sleep(0.01)
            if first == "the watch":
                assert shelf.asked == 0
                shelf.kept["r~b"] = b"large"
                room.wake(b"r~b\n")
            assert await asyncio.wait_for(asyncio.gather(*those), 5.0) == [b"large"] * 5
        assert shelf.asked == 1

    asyncio.run(come())


def test_who_gives_up_while_it_is_read_or_a_store_that_is_away_loses_nothing() -> None:
    async def come() -> None:
        shelf = Shelf(**{"r~b": b"large"})
        room = WaitingRoom(shelf.look)
        with room.watch("batch", "r~b") as watch:
            room.wake(b"r~b\n")
            given_up = asyncio.create_task(_until_there(watch))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            assert watch.unread
            shelf.away = True
            waits = asyncio.create_task(_until_there(watch))
            await asyncio.sleep(0.01)
            assert not waits.done()
            shelf.away = False
            await room.look()
            assert await asyncio.wait_for(waits, 5.0) == b"large"

    asyncio.run(come())


def test_where_replicas_are_waited_for_a_message_only_says_what_to_read() -> None:
    async def come() -> None:
        shelf = Shelf(**{"r~b": b"kept"})
        room = WaitingRoom(shelf.look, read_again=True)
        reading = asyncio.create_task(room.read_told())
        room.wake(b"r~b\nnot kept")
        with room.watch("batch", "r~b") as early, room.watch("batch", "r~c") as late:
            assert await asyncio.wait_for(_until_there(early), 5.0) == b"kept"
            shelf.away = True
            room.wake(b"r~c\nnot kept")
            await asyncio.sleep(0.01)
            assert late.data is None
            shelf.away = False
            room.wake(b"r~c\nlost with its primary")
            await asyncio.sleep(0.01)
            assert late.data is None
            shelf.kept["r~c"] = b"kept again"
            room.wake(b"r~c\nsettled once more")
            assert await asyncio.wait_for(_until_there(late), 5.0) == b"kept again"
        reading.cancel()

    asyncio.run(come())
