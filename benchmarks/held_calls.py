"""Calls of the client that are all held at once, by httpx with different limits and by aiohttp: the client's own cost.

A server in a process of its own answers when as many calls wait as there are in a round, as a service does that waits
for the last rollouts of its cohorts. The first round, which opens the connections, is not counted.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe

import httpx
from co_rewarding_client import AsyncRewardClient, Rollout
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from reward_service.processes import raise_open_files_limit

HOST = "127.0.0.1"
AIOHTTP = "aiohttp"
BACKLOG = 4096
ALL_IDLE = "httpx, all idle kept"
ALL_IDLE_MOST = 256
"""More calls than these would take minutes that way."""


def _httpx(idle: int | None) -> Callable[[str], AsyncRewardClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=idle)
    return lambda url: AsyncRewardClient(url, transport=httpx.AsyncHTTPTransport(limits=limits))


WAYS: Mapping[str, Callable[[str], AsyncRewardClient]] = {
    "httpx, 20 idle kept (the default)": _httpx(20),
    "httpx, no idle kept": _httpx(0),
    ALL_IDLE: _httpx(None),
    AIOHTTP: lambda url: AsyncRewardClient(url, transport="aiohttp"),
}


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from the first call to the last answer, and the client's CPU time meanwhile."""

    elapsed_s: float
    cpu_s: float


def measure(calls: int, rounds: int) -> dict[str, list[Round]]:
    """Take turns: each way has one client, and a round of each is measured before the next round."""
    with _server(calls) as url:
        return asyncio.run(_measure(url, calls, rounds))


async def _measure(url: str, calls: int, rounds: int) -> dict[str, list[Round]]:
    clients = {way: make(url) for way, make in WAYS.items() if way != ALL_IDLE or calls <= ALL_IDLE_MOST}
    found: dict[str, list[Round]] = {way: [] for way in clients}
    for number in range(rounds + 1):
        for way, client in clients.items():
            one = await _round(client, calls)
            if number:
                found[way].append(one)
    for client in clients.values():
        await client.close()
    return found


async def _round(client: AsyncRewardClient, calls: int) -> Round:
    rollouts = [Rollout(question_id="q", rollout=index, response=r"\boxed{4}") for index in range(calls)]
    began_s, cpu_s = time.perf_counter(), time.process_time()
    answers = await asyncio.gather(*(client.rewards([rollout], complete=False) for rollout in rollouts))
    one = Round(time.perf_counter() - began_s, time.process_time() - cpu_s)
    assert [answer.rewards for answer in answers] == [[1.0]] * calls
    return one


@contextmanager
def _server(calls: int) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, calls), daemon=True)
    process.start()
    try:
        yield f"http://{HOST}:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(port: Pipe, calls: int) -> None:
    raise_open_files_limit()
    asyncio.run(_answer_together(port, calls))


async def _answer_together(port: Pipe, calls: int) -> None:
    barrier = asyncio.Barrier(calls)
    answer = _answer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await barrier.wait()
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0, backlog=BACKLOG)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _answer() -> bytes:
    metrics = {"reward_mean": 1.0, "undecided": 0}
    rewarded = {"rewards": [1.0], "abstentions": [None], "answers": ["4"], "labels": [], "metrics": metrics}
    body = json.dumps({"run": "default", "step": 0, "method": "majority-voting", **rewarded}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def report(found: Mapping[int, Mapping[str, Sequence[Round]]]) -> Table:
    """Medians, and what each takes beside aiohttp in the same run."""
    table = Table("calls held at once", "by", "s", "beside aiohttp", "CPU s", "CPU beside aiohttp")
    for calls, ways in found.items():
        elapsed_s = {way: statistics.median(each.elapsed_s for each in rounds) for way, rounds in ways.items()}
        cpu_s = {way: statistics.median(each.cpu_s for each in rounds) for way, rounds in ways.items()}
        for way in ways:
            beside = f"{elapsed_s[way] / elapsed_s[AIOHTTP]:.1f}", f"{cpu_s[way] / cpu_s[AIOHTTP]:.1f}"
            table.add_row(f"{calls:,}", way, f"{elapsed_s[way]:.3f}", beside[0], f"{cpu_s[way]:.3f}", beside[1])
    return table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[64, 256, 1024], help="held at once")
    parser.add_argument("--rounds", type=int, default=3, help="of each way")
    arguments = parser.parse_args()
    raise_open_files_limit()
    console = Console()
    console.print(describe())
    console.print(report({calls: measure(calls, arguments.rounds) for calls in arguments.calls}))


if __name__ == "__main__":
    main()
