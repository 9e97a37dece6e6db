"""A wire on which requests are lost: a proxy that takes HTTP/1.1 apart, and notes when each rollout was answered."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import httpx

UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-type: application/problem+json\r\n"
    b'content-length: 43\r\n\r\n{"title":"away","status":503,"detail":"no"}'
)
LONGEST_HELD_S = 600.0
ABANDONED_AFTER_S = 0.05
MOST_TROUBLES = 3
"""That one rollout meets. OpenRLHF asks five times, a second apart, and then ends the run: it must get through."""
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class Trouble(Enum):
    """What becomes of a request."""

    NONE = auto()
    LOST = auto()  # the connection is cut before the service sees it
    ABANDONED = auto()  # while the service holds it
    ANSWER_LOST = auto()  # and after it has answered
    UNAVAILABLE = auto()  # 503


@dataclass(frozen=True)
class Answered:
    """A rollout that was asked about and answered: when, on one clock."""

    step: int | None
    asked_at_s: float
    answered_at_s: float


@dataclass
class Faults:
    """A proxy in front of services, which take turns. `share` of the requests meet some trouble.

    The same request, sent again, meets no more than MOST_TROUBLES.
    """

    targets: list[str]
    share: float
    seed: int = 0
    url: str = ""
    troubles: Counter[Trouble] = field(default_factory=Counter)
    answered: list[Answered] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._turn = 0
        self._met: Counter[bytes] = Counter()
        self._http = httpx.AsyncClient(timeout=LONGEST_HELD_S, limits=httpx.Limits(max_keepalive_connections=0))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                continue
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection lives on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked_at_s = time.monotonic()
        trouble = self._trouble(target.encode() + body)
        self.troubles[trouble] += 1
        if trouble is Trouble.LOST:
            return False
        if trouble is Trouble.UNAVAILABLE:
            writer.write(UNAVAILABLE)
            return True
        asking = asyncio.create_task(self._ask(method, target, headers, body))
        if trouble is Trouble.ABANDONED:
            await asyncio.wait([asking], timeout=ABANDONED_AFTER_S)
            asking.cancel()  # and its connection to the service ends
            await asyncio.gather(asking, return_exceptions=True)
            return False
        try:
            answer = await asking
        except httpx.TransportError:  # the service is away
            return False
        if trouble is Trouble.ANSWER_LOST:
            return False
        lines = [f"HTTP/1.1 {answer.status_code} -", f"content-length: {len(answer.content)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items() if name not in HOP_BY_HOP]
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1") + answer.content)
        await writer.drain()
        if answer.status_code == 200 and body:
            self.answered.append(Answered(_step(body), asked_at_s, time.monotonic()))
        return True

    def _trouble(self, request: bytes) -> Trouble:
        if self._met[request] == MOST_TROUBLES or self._chance.random() >= self.share:
            return Trouble.NONE
        self._met[request] += 1
        return self._chance.choice([trouble for trouble in Trouble if trouble is not Trouble.NONE])

    async def _ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        self._turn += 1
        url = self.targets[self._turn % len(self.targets)] + target
        kept = {name: value for name, value in headers.items() if name not in HOP_BY_HOP}
        return await self._http.request(method, url, headers=kept | {"accept-encoding": "identity"}, content=body)

    def waits_s(self) -> list[float]:
        """For each step, from its last question to its last answer."""
        steps: dict[int, list[Answered]] = {}
        for each in self.answered:
            if each.step is not None:
                steps.setdefault(each.step, []).append(each)
        return [
            max(each.answered_at_s for each in group) - max(each.asked_at_s for each in group)
            for group in steps.values()
        ]


def _step(body: bytes) -> int | None:
    """The step of the rollout in a request of either door."""
    content: Any = json.loads(body)
    if "labels" in content:
        (label,) = content["labels"]
        return json.loads(label).get("step") if label.startswith("{") else None
    return content.get("step")


@contextlib.contextmanager
def faults(*targets: str, share: float = 0.0, seed: int = 0) -> Iterator[Faults]:
    """A proxy on a thread of its own, while the context lasts."""
    made = Faults(list(targets), share, seed)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serving() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=4096)
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()

    def run() -> None:
        loop.run_until_complete(serving())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, name="faults")
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
