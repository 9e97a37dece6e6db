"""A server that speaks as much of Redis's protocol as a link needs, and misbehaves as a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

Command = list[bytes]
SILENT = b""
OK = b"+OK\r\n"

Answer = Callable[[Command], bytes]
"""From a command to what is written back; SILENT for nothing at all."""


class ScriptedServer:
    """Answers each command as `answer` says; `connections` counts those that were accepted."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                command = [await _bulk(reader) for _ in range(count)]
                writer.write(self.answer(command))
                await writer.drain()
        writer.close()


async def _bulk(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readuntil(b"\r\n"))[1:])
    return (await reader.readexactly(length + 2))[:-2]


def handshake_or(answer: Answer) -> Answer:
    """Greets like a server, and answers everything else as `answer` says."""
    return lambda command: OK if command[0].upper() in (b"CLIENT", b"HELLO") else answer(command)


@contextlib.asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[ScriptedServer]:
    """A scripted server at a free port."""
    made = ScriptedServer(answer)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()
