"""Hold the newest state of what is watched, in parts, and tell each viewer the parts that it has not seen."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from uuid import uuid4

PIECE_BYTES = 2**15
"""A viewer that does not read holds at most a few such pieces in the buffers of its connection."""

BEAT_S = 15.0
"""After how long without news a viewer is sent a comment, so that what lies between does not close the connection."""

RETRY_MS = 1000
RETRY_SPREAD_MS = 1000
"""Viewers that a process has lost all at once come again over so long."""

FRESH = b"event: fresh\ndata: []\n\n"
BEAT = b": \n\n"


class Feed:
    """The state of something that is watched: named parts, each a JSON text, and in which version each has changed.

    A viewer asks for what changed since the version that it has. So a slow viewer is told the newest state when it
    reads again, nothing queues for it, and one that comes again is told what it has missed.
    """

    def __init__(self) -> None:
        """Begin without parts. The version that another feed or process gave is another feed's."""
        self._name = uuid4().hex[:8]
        self._parts: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._told: dict[int, bytes] = {}
        self._news = asyncio.Event()
        self.version = 0
        self.ended = False

    def put(self, event: str, parts: Mapping[str, bytes]) -> None:
        """Take parts, by their names; those that have not changed are no news."""
        changed = {
            (event, name): part
            for name, part in parts.items()
            if (known := self._parts.get((event, name))) is None or known[1] != part
        }
        if not changed:
            return
        self.version += 1
        for place, part in changed.items():
            self._parts.pop(place, None)  # the last that changed stand last
            self._parts[place] = (self.version, part)
        self._told.clear()
        self._wake()

    def forget(self, event: str, names: set[str]) -> None:
        """Drop parts. Viewers that were told of them are not told that they are gone."""
        for name in names:
            self._parts.pop((event, name), None)
        if names:
            self._told.clear()

    def end(self) -> None:
        """Send the viewers away: they come again, or find that there is nothing any more."""
        self.ended = True
        self._wake()

    def version_of(self, event_id: str | None) -> int:
        """Return the version that a viewer has seen by the id of its last event; 0 if this feed did not give the id."""
        name, _, version = (event_id or "").partition("-")
        if name != self._name or not version.isdecimal() or len(version) > len(str(self.version)):
            return 0
        return int(version) if int(version) <= self.version else 0

    def told_since(self, seen: int) -> bytes:
        """Return the events of what changed since a version, and behind them the id of the newest."""
        told = self._told.get(seen)
        if told is None:
            told = self._written(seen)
            if seen in (0, self.version - 1):  # what most viewers ask for
                self._told[seen] = told
        return told

    async def changed(self, seen: int) -> None:
        """Wait until there is a newer version than the one that was seen, or the end."""
        while self.version <= seen and not self.ended:
            await self._news.wait()

    def _written(self, seen: int) -> bytes:
        by_event: dict[str, list[bytes]] = {}
        for (event, _), (version, part) in reversed(self._parts.items()):
            if version <= seen:
                break
            by_event.setdefault(event, []).append(part)
        events = [FRESH] if seen == 0 else []
        for event, parts in sorted(by_event.items()):
            events.append(b"event: %s\ndata: [%s]\n\n" % (event.encode(), b",".join(reversed(parts))))
        # The id comes last: a viewer that is cut off in between has not seen this version.
        return b"".join([*events, f"id: {self._name}-{self.version}\nevent: seen\ndata: []\n\n".encode()])

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


async def told(feed: Feed, event_id: str | None, beat_s: float = BEAT_S) -> AsyncIterator[bytes]:
    """Yield the events for one viewer, from the id of the last one that it has seen on, until the feed ends."""
    seen = feed.version_of(event_id)
    yield b"retry: %d\n\n" % (RETRY_MS + secrets.randbelow(RETRY_SPREAD_MS))
    while True:
        try:
            async with asyncio.timeout(beat_s):
                await feed.changed(seen)
        except TimeoutError:
            yield BEAT
            continue
        if feed.ended:
            return
        events, seen = feed.told_since(seen), feed.version
        for first in range(0, len(events), PIECE_BYTES):
            yield events[first : first + PIECE_BYTES]
