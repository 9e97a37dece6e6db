"""A wire that can be cut: a TCP proxy between a client and a service."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from enum import Enum, auto
from urllib.parse import urlsplit


class Fate(Enum):
    """What becomes of a connection."""

    PASS = auto()  # nothing, unless `cut` is called
    ANSWER_LOST = auto()  # cut when the answer comes, before the client sees any of it


class Wire:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = (client, server)
        self.whole = True

    def cut(self) -> None:
        """Both ends learn at once that the other is gone; what was under way is lost."""
        self.whole = False
        for end in self._ends:
            end.transport.abort()

    def close(self) -> None:
        self.whole = False
        for end in self._ends:
            end.close()


class Proxy:
    """Passes connections on to `target`. `fate` says what becomes of each, by its number from 0."""

    def __init__(self, target: str, fate: Callable[[int], Fate]) -> None:
        self._target = urlsplit(target)
        self._fate = fate
        self._wires: set[Wire] = set()
        self.url = ""
        self.parted = False  # nobody gets through any more
        self.doomed = b""  # the next answer that holds this is lost, with its connection
        self.accepted = 0
        self.cuts = 0
        self.most_at_once = 0

    def cut(self, share: float, chance: random.Random) -> int:
        """Cuts a random share of the connections there are; how many."""
        living = sorted((wire for wire in self._wires if wire.whole), key=id)
        doomed = chance.sample(living, round(share * len(living)))
        for wire in doomed:
            self._cut(wire)
        return len(doomed)

    def _cut(self, wire: Wire) -> None:
        wire.cut()
        self.cuts += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        fate = self._fate(self.accepted)
        self.accepted += 1
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        wire = Wire(writer, back)
        self._wires.add(wire)
        self.most_at_once = max(self.most_at_once, len(self._wires))
        ways = (self._requests(reader, back), self._answers(there, writer, wire, fate))
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wire.close()
            self._wires.discard(wire)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.parted:
            raise ConnectionRefusedError
        if self._target.scheme == "unix":
            return await asyncio.open_unix_connection(self._target.path)
        return await asyncio.open_connection(self._target.hostname, self._target.port)

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            back.write(data)
            await back.drain()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire, fate: Fate) -> None:
        while data := await there.read(2**16):
            if fate is Fate.ANSWER_LOST or (self.doomed and self.doomed in data):
                self.doomed = b""
                self._cut(wire)
                return
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def proxy(target: str, fate: Callable[[int], Fate] = lambda _: Fate.PASS) -> AsyncIterator[Proxy]:
    """A proxy in front of a service, while the context lasts."""
    made = Proxy(target, fate)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=4096)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        made.cut(1.0, random.Random(0))
