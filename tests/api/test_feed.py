"""A feed tells each viewer what it has not seen, whoever is slow, and holds nothing for anybody."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from reward_service.api.events import routes
from reward_service.api.events.feed import PIECE_BYTES, RETRY_MS, RETRY_SPREAD_MS, Feed, told
from tests.support.events import Event, parsed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def put(feed: Feed, **parts: int) -> None:
    feed.put("numbers", {name: json.dumps([name, value]).encode() for name, value in parts.items()})


async def next_of(stream: AsyncIterator[bytes]) -> list[Event]:
    """The events up to the next one that bears an id."""
    written = b""
    while b"event: seen" not in written:
        written += await anext(stream)
    return parsed(written)


def numbers(events: list[Event]) -> dict[str, int]:
    return {name: value for event in events if event.name == "numbers" for name, value in event.data}


async def test_a_viewer_is_told_all_and_then_what_changes() -> None:
    feed = Feed()
    put(feed, a=1, b=2)
    stream = told(feed, None)
    first = await next_of(stream)
    assert [event.name for event in first] == ["fresh", "numbers", "seen"]
    assert numbers(first) == {"a": 1, "b": 2}
    put(feed, a=1, b=3)
    second = await next_of(stream)
    assert [event.name for event in second] == ["numbers", "seen"]
    assert numbers(second) == {"b": 3}


async def test_what_has_not_changed_is_no_news() -> None:
    feed = Feed()
    put(feed, a=1)
    version = feed.version
    put(feed, a=1)
    assert feed.version == version


async def test_a_slow_viewer_is_told_the_newest_state_once() -> None:
    feed = Feed()
    put(feed, a=0)
    stream = told(feed, None)
    await next_of(stream)
    for value in range(1, 1000):
        put(feed, a=value, b=-value)
    assert numbers(await next_of(stream)) == {"a": 999, "b": -999}


async def test_a_viewer_that_comes_again_is_told_what_it_has_missed() -> None:
    feed = Feed()
    put(feed, a=1, b=1)
    seen = (await next_of(told(feed, None)))[-1].id
    put(feed, b=2)
    again = await next_of(told(feed, seen))
    assert [event.name for event in again] == ["numbers", "seen"]
    assert numbers(again) == {"b": 2}


FOREIGN = ["", "x", "00000000-1", "-1", "{name}-2", "{name}-99999999999", "{name}-x", "{name}--1", "{name}-²"]


@pytest.mark.parametrize("event_id", FOREIGN)
async def test_an_id_that_the_feed_did_not_give_is_answered_with_all(event_id: str) -> None:
    feed = Feed()
    put(feed, a=1)
    name = ((await next_of(told(feed, None)))[-1].id or "").partition("-")[0]
    events = await next_of(told(feed, event_id.format(name=name)))
    assert events[0].name == "fresh"
    assert numbers(events) == {"a": 1}


async def test_what_is_forgotten_is_not_told_to_those_who_come_later() -> None:
    feed = Feed()
    put(feed, a=1, b=2)
    feed.forget("numbers", {"a"})
    assert numbers(await next_of(told(feed, None))) == {"b": 2}


async def test_without_news_a_comment_comes_and_at_the_end_nothing() -> None:
    feed = Feed()
    put(feed, a=1)
    stream = told(feed, None, beat_s=0.001)
    await next_of(stream)
    assert await anext(stream) == b": \n\n"
    waiting = asyncio.ensure_future(anext(stream, None))
    feed.end()
    while (await waiting) is not None:
        waiting = asyncio.ensure_future(anext(stream, None))


async def all_of(stream: AsyncIterator[bytes], version: int) -> list[Event]:
    """The events up to a version."""
    events: list[Event] = []
    while not events or not (events[-1].id or "").endswith(f"-{version}"):
        events += await next_of(stream)
    return events


def much(feed: Feed, value: int = 0) -> None:
    feed.put("numbers", {str(at): json.dumps([str(at), value]).ljust(900).encode() for at in range(500)})


async def test_much_is_told_in_pieces_and_to_all_alike() -> None:
    feed = Feed()
    much(feed)
    for stream in [told(feed, None) for _ in range(3)]:
        events = await all_of(stream, feed.version)
        assert [event.name for event in events].count("fresh") == 1
        assert len(numbers(events)) == 500
    pieces, seen = [], 0
    while seen < feed.version:
        assert feed.told_since(seen) is feed.told_since(seen)
        piece, seen = feed.told_since(seen)
        pieces.append(piece)
    assert len(pieces) == -(-500 // (PIECE_BYTES // 900))
    assert all(len(piece) < PIECE_BYTES + 1000 for piece in pieces)


async def test_a_part_that_is_larger_than_a_piece_is_told() -> None:
    feed = Feed()
    feed.put("numbers", {"a": b'["a",1]'.ljust(3 * PIECE_BYTES), "b": b'["b",2]'})
    assert numbers(await all_of(told(feed, None), feed.version)) == {"a": 1, "b": 2}


async def test_a_viewer_in_the_middle_is_told_what_changes_meanwhile() -> None:
    feed = Feed()
    much(feed)
    stream = told(feed, None)
    events: list[Event] = []
    for value in range(1, 10):
        events += await next_of(stream)
        much(feed, value)
    rest = await all_of(stream, feed.version)
    assert numbers(rest) == {str(at): 9 for at in range(500)}
    assert [event.name for event in [*events, *rest]].count("fresh") == 1


async def test_viewers_that_sleep_hold_a_piece_each_and_no_state() -> None:
    """Each has begun to read another state of the feed, and reads no further: a blob for each would be 450 KB."""
    feed, viewers = Feed(), 50
    much(feed)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        sleeping: list[tuple[AsyncIterator[bytes], bytes]] = []
        for value in range(viewers):
            much(feed, value)
            stream = told(feed, None)
            await anext(stream)
            sleeping.append((stream, await anext(stream)))
        asleep, _ = tracemalloc.get_traced_memory()
        for value in range(viewers, 3 * viewers):
            much(feed, value)
        later, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    state = 500 * 1000
    assert asleep - before < 2 * viewers * PIECE_BYTES + 2 * state
    assert later - asleep < 2 * state
    for stream, first in sleeping:
        rest = parsed(first) + await all_of(stream, feed.version)
        assert numbers(rest) == {str(at): 3 * viewers - 1 for at in range(500)}


async def test_a_viewer_that_was_cut_off_in_the_middle_goes_on_there() -> None:
    feed = Feed()
    much(feed)
    first = await next_of(told(feed, None))
    rest = await all_of(told(feed, first[-1].id), feed.version)
    assert "fresh" not in {event.name for event in rest}
    assert numbers(first).keys().isdisjoint(numbers(rest))
    assert numbers(first).keys() | numbers(rest).keys() == {str(at) for at in range(500)}


async def test_what_is_void_is_told_to_all_as_if_they_had_seen_nothing() -> None:
    feed = Feed()
    put(feed, a=1, b=2)
    stream = told(feed, None)
    seen = (await next_of(stream))[-1].id
    feed.void("numbers", {"a"})
    for later in (stream, told(feed, seen), told(feed, None)):
        events = await next_of(later)
        assert [event.name for event in events] == ["fresh", "numbers", "seen"]
        assert numbers(events) == {"b": 2}
    feed.void("numbers", {"b"})
    assert [event.name for event in await next_of(stream)] == ["fresh", "seen"]
    put(feed, c=3)
    assert [event.name for event in await next_of(stream)] == ["numbers", "seen"]


async def test_viewers_that_are_lost_together_come_again_over_a_while() -> None:
    feed = Feed()
    asked = {int((await anext(told(feed, None))).removeprefix(b"retry: ")) for _ in range(20)}
    assert len(asked) > 1
    assert RETRY_MS <= min(asked) <= max(asked) < RETRY_MS + RETRY_SPREAD_MS


@pytest.mark.parametrize("stuck", ["http.response.start", "http.response.body"])
async def test_a_viewer_that_does_not_read_is_let_go_of_with_what_it_is_told(
    monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    monkeypatch.setattr(routes, "PIECE_S", 0.001)
    feed = Feed()
    feed.put("texts", {"": json.dumps("x" * PIECE_BYTES).encode()})
    stream = told(feed, None)

    async def send(message: Message) -> None:
        if message["type"] == stuck:
            await asyncio.Event().wait()

    await routes.EventStream(stream).stream_response(send)
    assert await anext(stream, None) is None
