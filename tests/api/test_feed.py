"""A feed tells each viewer what it has not seen, whoever is slow, and holds nothing for anybody."""

import asyncio
import json
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


async def test_much_is_told_in_pieces_and_to_all_alike() -> None:
    feed = Feed()
    feed.put("texts", {str(number): json.dumps("x" * 900).encode() for number in range(500)})
    streams = [told(feed, None) for _ in range(3)]
    pieces = [[await anext(stream) for _ in range(2)] for stream in streams]
    assert all(0 < len(piece) <= PIECE_BYTES for some in pieces for piece in some)
    assert feed.told_since(0) is feed.told_since(0)
    assert len(parsed(feed.told_since(0))[1].data) == 500


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
