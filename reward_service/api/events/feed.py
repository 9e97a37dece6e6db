"""Hold the newest state of what is watched, in parts, and tell each viewer the parts that it has not seen."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import takewhile
from uuid import uuid4

PIECE_BYTES = 2**15
"""Of the parts that are told at a time, if there are two or more.

A viewer that does not read holds at most a few such pieces in the buffers of its connection.
"""

MOST_WRITTEN = 128
"""Pieces that are kept for others who ask for the same."""

BEAT_S = 15.0
"""After how long without news a viewer is sent a comment, so that what lies between does not close the connection."""

RETRY_MS = 1000
RETRY_SPREAD_MS = 1000
"""Viewers that a process has lost all at once come again over so long."""

Admits = Callable[[str], bool]
"""Whether a viewer may be told of a part of this name."""

FRESH = b"event: fresh\ndata: []\n\n"
BEAT = b": \n\n"


class Feed:
    """The state of something that is watched: named parts, each a JSON text, numbered in the order of their changes.

    A viewer is told some parts at a time, those that changed first before the others, and asks for more behind the
    number of the last one. So a slow viewer is told the newest state when it reads again, nothing queues for it, what
    it has not read yet stays nowhere but in the feed, and one that comes again is told what it has missed.
    """

    def __init__(self) -> None:
        """Begin without parts. The version that another feed or process gave is another feed's."""
        self._name = uuid4().hex[:8]
        self._parts: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._told: dict[int, tuple[bytes, int]] = {}
        self._news = asyncio.Event()
        self._begun = 1
        self.version = 0
        self.ended = False

    def put(self, event: str, parts: Mapping[str, bytes]) -> None:
        """Take parts, by their names; those that have not changed are no news."""
        changed = {
            (event, name): part
            for name, part in parts.items()
            if (known := self._parts.get((event, name))) is None or known[1] != part
        }
        if changed:
            self._take(changed)

    def forget(self, event: str, names: set[str]) -> None:
        """Drop parts. Viewers that were told of them are not told that they are gone."""
        for name in names:
            self._parts.pop((event, name), None)
        if names:
            self._told.clear()

    def void(self, event: str, names: set[str]) -> None:
        """Drop parts that are wrong to know of: all viewers are told anew what is left."""
        self.forget(event, names)
        self.version += 1
        self._begun = self.version
        self._take({place: part for place, (_, part) in self._parts.items()})

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

    def told_since(self, seen: int, admits: Admits | None = None) -> tuple[bytes, int]:
        """Return some events of what changed since a version, and the version that a viewer has then seen.

        Of parts with a name, a viewer is told those that are admitted.
        """
        if admits is not None:
            return self._written(seen, admits)
        told = self._told.get(seen)
        if told is None:
            told = self._written(seen)
            if len(self._told) < MOST_WRITTEN:  # many viewers ask for the same
                self._told[seen] = told
        return told

    async def changed(self, seen: int) -> None:
        """Wait until there is a newer version than the one that was seen, or the end."""
        while self.version <= seen and not self.ended:
            await self._news.wait()

    def _take(self, parts: Mapping[tuple[str, str], bytes]) -> None:
        for place, part in parts.items():
            self._parts.pop(place, None)  # the last that changed stand last
            self.version += 1
            self._parts[place] = (self.version, part)
        self._told.clear()
        self._wake()

    def _written(self, seen: int, admits: Admits | None = None) -> tuple[bytes, int]:
        void = seen < self._begun
        by_event: dict[str, list[bytes]] = {}
        size, version = 0, self.version
        for (event, name), (number, part) in self._since(0 if void else seen):
            if admits is not None and name and not admits(name):
                continue
            if size and size + len(part) > PIECE_BYTES:
                break
            by_event.setdefault(event, []).append(part)
            size, version = size + len(part), number
        else:
            version = self.version
        events = [FRESH] if void else []
        for event, parts in sorted(by_event.items()):
            events.append(b"event: %s\ndata: [%s]\n\n" % (event.encode(), b",".join(parts)))
        # The id comes last: a viewer that is cut off in between has not seen this version.
        return b"".join([*events, f"id: {self._name}-{version}\nevent: seen\ndata: []\n\n".encode()]), version

    def _since(self, seen: int) -> Iterator[tuple[tuple[str, str], tuple[int, bytes]]]:
        """Yield the parts that changed since a version, in the order of their changes."""
        newer = takewhile(lambda each: each[1][0] > seen, reversed(self._parts.items()))
        return reversed(list(newer))

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


async def told(
    feed: Feed, event_id: str | None, admits: Admits | None = None, beat_s: float = BEAT_S
) -> AsyncIterator[bytes]:
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
        events, seen = feed.told_since(seen, admits)
        yield events
