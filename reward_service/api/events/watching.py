"""Watch runs for their viewers: one reader for each run, and one for the list, however many look."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from reward_service.api.events.feed import Admits, Feed, told
from reward_service.api.events.rates import RolloutRate
from reward_service.api.events.rendering import encoded, run_row, watched_run
from reward_service.api.http.problems import away
from reward_service.api.runs.history import signs_document
from reward_service.background import Background
from reward_service.errors import StoreUnavailableError
from reward_service.store.run_looks import RunLook, RunLooks, UnreadableRunError
from reward_service.store.traces import SignPoint

RUN_LOOK_S = 1.0
LIST_LOOK_S = 2.0
WHOLE_LOOK_S = 60.0
"""How often all is looked at again: what changes late, or without use."""

GAP_LOOK_S = 5.0
"""How soon all is looked at again where more steps have come than one look tells."""

USED_LATELY_S = 15.0
"""A run that was used so lately may have changed since the last look; the machines' clocks differ by less."""

LINGER_S = 5.0
"""A page that is loaded again within this time finds the state that was read."""

MOST_STEPS = 1000
LATEST_STEPS = 16
"""At so many steps all looks but a whole one look: late settlements of older steps are told later."""

LISTED_STEPS = 12, 8
"""Of a run in the list: the latest ones, and some before them in equal distances, which stand for all of them."""

MOST_RUNS = 2000
AT_ONCE = 100
"""Of so many runs viewers are told together: the first ones are there while the others are read."""

MOST_VIEWERS = 256
RUN, STEPS, RUNS, TROUBLE = "run", "steps", "runs", "trouble"


@dataclass(slots=True)
class _Watched:
    """A feed, the task that fills it, and how many look."""

    feed: Feed
    reading: asyncio.Task[None]
    viewers: int = 0


class Watchers:
    """The readers of an API process. There is none for what nobody looks at."""

    def __init__(self, looks: RunLooks, background: Background, linger_s: float = LINGER_S) -> None:
        """Begin without readers; each goes on for `linger_s` without viewers."""
        self._looks = looks
        self._linger_s = linger_s
        self._background = background
        self._watched: dict[str | None, _Watched] = {}
        self._closed = False

    def admit(self) -> None:
        """Let one more viewer in.

        Raises:
            Problem: 503: too many look, or the process stops.
        """
        if self._closed:
            raise away("this process is stopping")
        if self._is_full():
            raise away(f"{MOST_VIEWERS} viewers look at this process already", retry_after_s=10.0)

    def _is_full(self) -> bool:
        return sum(each.viewers for each in self._watched.values()) >= MOST_VIEWERS

    async def told_of_runs(self, event_id: str | None, admits: Admits | None = None) -> AsyncIterator[bytes]:
        """Yield the events of the list of runs for one viewer, who is told of those that are admitted."""
        if self._is_full():  # others were let in since: this one comes again, and is told
            return
        with self._watching(None, LIST_LOOK_S, lambda feed: _ListReader(self._looks, feed).look) as feed:
            async for events in told(feed, event_id, admits):
                yield events

    async def told_of(self, run: str, event_id: str | None) -> AsyncIterator[bytes]:
        """Yield the events of a run for one viewer. They end when the run is gone."""
        if self._is_full():  # others were let in since: this one comes again, and is told
            return
        with self._watching(run, RUN_LOOK_S, lambda feed: _RunReader(self._looks, feed, run).look) as feed:
            async for events in told(feed, event_id):
                yield events

    def close(self) -> None:
        """Send all viewers away: the process stops."""
        self._closed = True
        for each in self._watched.values():
            each.feed.end()

    @contextlib.contextmanager
    def _watching(
        self, name: str | None, every_s: float, reader: Callable[[Feed], Callable[[], Awaitable[None]]]
    ) -> Iterator[Feed]:
        watched = self._watched.get(name)
        if watched is None or watched.feed.ended:
            feed = Feed()
            look = _told_of_trouble(feed, reader(feed))
            reading = self._background.keep(f"watch {name or 'the runs'}", look, every_s=every_s)
            watched = self._watched[name] = _Watched(feed, reading)
        watched.viewers += 1
        try:
            yield watched.feed
        finally:
            watched.viewers -= 1
            if not watched.viewers:
                asyncio.get_running_loop().call_later(self._linger_s, self._leave, name, watched)

    def _leave(self, name: str | None, watched: _Watched) -> None:
        if watched.viewers == 0:
            watched.reading.cancel()
            if self._watched.get(name) is watched:
                del self._watched[name]


def _told_of_trouble(feed: Feed, look: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Look, and tell viewers what cannot be read, and why."""

    async def looked() -> None:
        detail: str | None = None
        try:
            if not feed.ended:
                await look()
        except StoreUnavailableError as error:
            detail = str(error)
            raise
        except UnreadableRunError as error:  # of this run alone: the process goes on
            detail = str(error)
        finally:
            feed.put(TROUBLE, {"": msgspec.json.encode({"detail": detail})})

    return looked


class _RunReader:
    """Reads one run into its feed."""

    def __init__(self, looks: RunLooks, feed: Feed, run: str) -> None:
        self._looks = looks
        self._feed = feed
        self._run = run
        self._rate = RolloutRate()
        self._points: dict[tuple[int, int], SignPoint] = {}
        self._ended = 0
        self._whole_at_s = 0.0

    async def look(self) -> None:
        now_s = time.monotonic()
        whole = now_s >= self._whole_at_s
        look, used_s = await asyncio.gather(
            self._looks.look(self._run, MOST_STEPS if whole else LATEST_STEPS), self._looks.used(self._run)
        )
        if look is None:
            self._feed.end()
            return
        self._forget_another(look, whole=whole)
        if whole:
            self._whole_at_s = now_s + WHOLE_LOOK_S
        elif self._points and look.points and _name(look.points[0]) > max(self._points):
            self._whole_at_s = min(self._whole_at_s, now_s + GAP_LOOK_S)  # steps came and went between two looks
        changed = {_name(point): point for point in look.points if self._points.get(_name(point)) != point}
        self._points |= changed
        self._trim()
        self._feed.put(STEPS, {_text(name): encoded(signs_document(point)) for name, point in changed.items()})
        points = [self._points[name] for name in sorted(self._points)]
        absent = await self._looks.absent_peers(self._run, look.settings)
        told = watched_run(look, points, used_s, self._rate.after(points, now_s), absent)
        self._feed.put(RUN, {"": encoded(told)})

    def _forget_another(self, look: RunLook, *, whole: bool) -> None:
        """Tell viewers anew if the run that was known is gone, and this one was made under its name."""
        ended = look.state["settled"] + look.state["abstained"]
        kept = {_name(point) for point in look.points}
        oldest = min(kept) if len(kept) == MOST_STEPS else (-1, -1)
        if ended < self._ended or (whole and any(name > oldest and name not in kept for name in self._points)):
            self._feed.void(STEPS, {_text(name) for name in self._points})
            self._points.clear()
            self._rate = RolloutRate()
            self._whole_at_s = 0.0
        self._ended = ended

    def _trim(self) -> None:
        gone = sorted(self._points)[:-MOST_STEPS]
        for name in gone:
            del self._points[name]
        self._feed.forget(STEPS, {_text(name) for name in gone})


class _ListReader:
    """Reads the runs in use into the feed of the list."""

    def __init__(self, looks: RunLooks, feed: Feed) -> None:
        self._looks = looks
        self._feed = feed
        self._rates: dict[str, RolloutRate] = {}
        self._busy: set[str] = set()
        self._whole_at_s = 0.0
        self._looked_at_s = 0.0

    async def look(self) -> None:
        now_s, clock_s = time.monotonic(), time.time()
        whole = now_s >= self._whole_at_s
        used = await self._looks.used_since(0.0, MOST_RUNS)
        lately = clock_s - USED_LATELY_S - (now_s - self._looked_at_s)
        names = [run for run, used_s in used.items() if whole or used_s >= lately or run in self._busy]
        for first in range(0, len(names), AT_ONCE):
            looks = await self._looks.look_at(names[first : first + AT_ONCE], *LISTED_STEPS)
            self._feed.put(RUNS, {look.run: self._row(look, used[look.run], now_s) for look in looks})
        self._looked_at_s = now_s
        if whole:
            self._whole_at_s = now_s + WHOLE_LOOK_S
        if gone := self._rates.keys() - used.keys():
            (self._feed.void if len(used) < MOST_RUNS else self._feed.forget)(RUNS, gone)
            self._busy -= gone
            for run in gone:
                del self._rates[run]

    def _row(self, look: RunLook, used_s: float, now_s: float) -> bytes:
        rate = self._rates.setdefault(look.run, RolloutRate()).after(look.points, now_s)
        (self._busy.add if rate else self._busy.discard)(look.run)
        return encoded(run_row(look, used_s, rate))


def _name(point: SignPoint) -> tuple[int, int]:
    return point.step, point.attempt


def _text(name: Sequence[int]) -> str:
    return ":".join(map(str, name))
