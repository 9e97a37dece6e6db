"""Wake requests by messages of the store, and look at the store for those that a message has missed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, Self

from reward_service.errors import StoreUnavailableError
from reward_service.store.keys import SEPARATOR

RECENT = 1024
RECENT_BYTES = 32 * 1024 * 1024
RECENT_S = 10.0
"""For how long a message is kept that met nobody: a store's answer is waited for no longer."""

FIRST_LOOK_S = 0.25
LONGEST_LOOK_S = 4.0

BATCH, COHORT = "batch", "cohort"
"""The kinds of what is waited for."""

Look = Callable[[str, Sequence[str]], Awaitable[list[bytes | None]]]
"""From a kind ('batch' or 'cohort') and qualified names to what is stored under them; None where nothing is yet."""


class DrainingError(Exception):
    """The process is stopping: whoever waits must come again, here or elsewhere. Nothing is lost."""


class Listener(Protocol):
    """One who waits without a task."""

    def stirred(self, error: BaseException | None) -> None:
        """Something new is stored, may have been missed, or (with an error) is waited for no longer; never raises."""
        ...


class Waiter:
    """What one or more requests wait for: the latest that was stored under a name."""

    def __init__(
        self,
        kind: str,
        name: str,
        forget: Callable[["Waiter"], None],
        read: Callable[["Waiter"], Awaitable[None]],
    ) -> None:
        """Nothing has come yet; `forget` is told when nobody waits any more, `read` gets what was told by name only."""
        self._forget = forget
        self._read = read
        self.kind = kind
        self.name = name
        self.data: bytes | None = None
        self.decoded: object = None
        self.watchers = 0
        self.look_s = FIRST_LOOK_S
        self.look_at_s = time.monotonic() + FIRST_LOOK_S
        self.looking = asyncio.Lock()
        self.unread = False
        """Something was stored that is too large for a message: it has still to be read."""
        self._changed: set[asyncio.Future[None]] = set()
        self._listeners: dict[Listener, None] = {}

    def add(self, listener: Listener) -> None:
        """One more waits, who is called."""
        self._listeners[listener] = None
        self.watchers += 1

    def remove(self, listener: Listener) -> None:
        """One less of those who are called."""
        del self._listeners[listener]
        self.__exit__()

    def __enter__(self) -> Self:
        """One more waits."""
        self.watchers += 1
        return self

    def __exit__(self, *_: object) -> None:
        """One less."""
        self.watchers -= 1
        if not self.watchers:
            self._forget(self)

    def put(self, data: bytes) -> None:
        """Something was stored under the name: everyone looks."""
        if data == self.data:
            return
        self.data = data
        self.decoded = None
        self.stir(None)

    def put_if_empty(self, data: bytes) -> None:
        """What the store said some time ago: not to replace what a message has said since."""
        if self.data is None:
            self.put(data)

    def stir(self, error: BaseException | None) -> None:
        """Wakes everyone, with an error if there is one."""
        for future in self._changed:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)
        self._changed.clear()
        for listener in tuple(self._listeners):
            listener.stirred(error)

    async def change(self) -> None:
        """Returns when something new is stored.

        Raises:
            DrainingError: the process is stopping.
        """
        if not self.unread:
            await self._stirred()
        if self.unread:
            await self._read(self)

    async def _stirred(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await future
        finally:
            self._changed.discard(future)


class WaitingRoom:
    """The watches of one API process."""

    def __init__(self, look: Look, *, read_again: bool = False) -> None:
        """`look` asks the store, for when a message was missed.

        With `read_again`, a message only says what to read, for `read_told`: a worker sends it before replicas have
        what it tells of, and it may come from a server that is the primary no longer.
        """
        self._look = look
        self._read_again = read_again
        self._told: dict[str, Waiter] = {}  # to be read again, by name
        self._is_told = asyncio.Event()
        self._watches: dict[str, Waiter] = {}
        # A wake may overtake the answer that tells whom it is for, so the latest that met nobody are kept for a while.
        self._recent: dict[str, tuple[float, bytes]] = {}  # with the time (s) at which they came
        self._recent_bytes = 0
        self._draining = False
        self.subscriptions = 0
        """How often the store has come to see this process: places held before may have been given away."""

    def watch(self, kind: str, name: str) -> Waiter:
        """A watch on a qualified name, to be entered; shared with everyone who waits for it.

        Raises:
            DrainingError: the process is stopping.
        """
        if self._draining:
            raise DrainingError
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = Waiter(kind, name, self._forget, self._read)
            recent = self._drop(name)
            if self._read_again and recent is not None:
                self._tell(watch)
            else:
                watch.data, watch.unread = recent or None, recent == b""
        return watch

    def _tell(self, watch: Waiter) -> None:
        self._told[watch.name] = watch
        self._is_told.set()

    def _forget(self, watch: Waiter) -> None:
        self._watches.pop(watch.name, None)

    def wake(self, message: bytes) -> None:
        """A message from a worker: a qualified name, a line feed, and what was stored; nothing if that is large."""
        head, _, data = message.partition(b"\n")
        name = head.decode()
        watch = self._watches.get(name)
        if watch is None:
            self._keep(name, b"" if self._read_again else data)
        elif self._read_again:
            self._tell(watch)
        elif data:
            watch.put(data)
        else:
            watch.unread = True
            watch.stir(None)

    def _keep(self, name: str, data: bytes) -> None:
        """For whoever comes for it in a moment; without it he looks at the store a little later."""
        self._drop(name)
        self._recent[name] = time.monotonic(), data
        self._recent_bytes += len(data)
        while len(self._recent) > RECENT or self._recent_bytes > RECENT_BYTES:
            self._drop(next(iter(self._recent)))

    def _drop(self, name: str) -> bytes | None:
        _, data = self._recent.pop(name, (0.0, None))
        self._recent_bytes -= len(data or b"")
        return data

    def _drop_old(self) -> None:
        oldest_s = time.monotonic() - RECENT_S
        for name in [name for name, (came_s, _) in self._recent.items() if came_s < oldest_s]:
            self._drop(name)

    async def _read(self, watch: Waiter) -> None:
        """Gets what a watch was told of by name only; those who come meanwhile wait for the one answer."""
        async with watch.looking:
            if not watch.unread:
                return
            watch.unread = False  # what is stored from now on is told of again
            try:
                (data,) = await self._look(watch.kind, [watch.name])
            except StoreUnavailableError:  # whoever waits goes on waiting: `look` comes by
                watch.look_at_s = 0.0
                return
            except BaseException:
                watch.unread = True
                raise
            if data is not None:
                watch.put(data)

    async def read_told(self) -> None:
        """Reads for ever what messages tell of, together what comes meanwhile; ends by being cancelled."""
        while True:
            await self._is_told.wait()
            self._is_told.clear()
            told, self._told = list(self._told.values()), {}
            by_kind = ([watch for watch in told if watch.kind == kind] for kind in (BATCH, COHORT))
            try:
                await asyncio.gather(*map(self._look_at, by_kind, (BATCH, COHORT)))
            except StoreUnavailableError:  # `look` comes by
                for watch in told:
                    watch.look_at_s = 0.0

    async def look_once(self, watch: Waiter) -> None:
        """Asks the store for what is known to be there; those who come meanwhile wait for the one answer.

        Raises:
            StoreUnavailableError: the store is away.
        """
        async with watch.looking:
            if watch.data is None:
                (data,) = await self._look(watch.kind, [watch.name])
                if data is not None:
                    watch.put_if_empty(data)

    def look_now(self) -> None:
        """Messages may have been missed: everyone is due for a look."""
        self.subscriptions += 1
        for watch in list(self._watches.values()):
            watch.look_at_s = 0.0
            watch.stir(None)

    def runs(self) -> set[str]:
        """The runs that someone waits in."""
        return {name.partition(SEPARATOR)[0] for name in self._watches}

    @property
    def draining(self) -> bool:
        """Whether the process is stopping."""
        return self._draining

    def drain(self) -> None:
        """Sends everyone away; nobody can wait here any more."""
        self._draining = True
        for watch in list(self._watches.values()):
            watch.stir(DrainingError())

    async def look(self) -> None:
        """Looks at the store for those who have waited for long; ever less often, for those who wait longest.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        self._drop_old()
        now_s = time.monotonic()
        due = [watch for watch in self._watches.values() if watch.look_at_s <= now_s]
        for watch in due:
            watch.look_s = min(2 * watch.look_s, LONGEST_LOOK_S)
            watch.look_at_s = now_s + watch.look_s
        for kind in (BATCH, COHORT):
            await self._look_at([watch for watch in due if watch.kind == kind], kind)

    async def _look_at(self, watches: Sequence[Waiter], kind: str) -> None:
        if not watches:
            return
        found = await self._look(kind, [watch.name for watch in watches])
        for watch, data in zip(watches, found, strict=True):
            if data is not None:
                watch.put(data)
