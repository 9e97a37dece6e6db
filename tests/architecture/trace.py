"""The modules that one request passes, from the socket to Redis, through the worker, and back to the socket.

The API and a worker run in one process here, over a real server, so that one profile sees both.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvloop

import reward_service
from reward_service.settings import Settings
from reward_service.store.embedded import EmbeddedValkey
from tests.support.in_process import HOST, service

ROOT = Path(reward_service.__file__).parent
TIMES = 5
"""A request is traced so often: what each of them passed is its way, and the rest was under way beside it."""


@contextlib.contextmanager
def passing() -> Iterator[dict[str, None]]:
    """The modules of ours in which a function is called meanwhile, in the order of the first call."""
    passed: dict[str, None] = {}
    root = str(ROOT) + "/"

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            passed.setdefault(frame.f_code.co_filename.removeprefix(root).removesuffix(".py").replace("/", "."))

    sys.setprofile(note)
    try:
        yield passed
    finally:
        sys.setprofile(None)


async def answered(port: int, request: bytes) -> None:
    """Sends a request, and reads its answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    status = await reader.readline()
    assert b" 200 " in status, status + await reader.read(2000)
    writer.close()


async def way(port: int, requests: Callable[[int], Sequence[bytes]]) -> list[str]:
    """The modules that the requests of a number pass, which are answered together."""
    ways: list[dict[str, None]] = []
    for number in range(TIMES):
        sent = requests(number)
        with passing() as passed:
            await asyncio.gather(*(answered(port, request) for request in sent))
        ways.append(passed)
    return [module for module in ways[-1] if all(module in each for each in ways)]


def post(path: str, document: object) -> bytes:
    """A request with a body in JSON."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pair_of_singles(number: int) -> list[bytes]:
    """A question's two rollouts, one of each view, as OpenRLHF sends them."""
    labels = [json.dumps({"question_id": f"q{number}", "view": view, "n": 1}) for view in ("original", "paraphrase")]
    return [post("/get_reward", {"query": ["p \\boxed{4}"], "prompts": ["p"], "labels": [label]}) for label in labels]


async def traced() -> list[str]:
    """The way of a rollout without an index, whose cohort is complete with the next one."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            settings = Settings(data_dir=Path(folder), redis_url=server.url, log_level="ERROR")
            async with service(settings) as served:
                return await way(served.port, pair_of_singles)
        finally:
            server.stop()


if __name__ == "__main__":
    for module in uvloop.run(traced()):
        print(module)
