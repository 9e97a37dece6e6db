"""Measure whom a key disturbs that sends ten times its quota: `python -m benchmarks.quotas`.

A neighbour sends a small batch a hundred times a second and waits for its rewards. In turns the service has nothing
else to do (`alone`), another key sends ten times its quota by several threads and goes on whatever it is told
(`quota`), and the same is sent with a key that has no quota (`none`). The neighbour's p99 is compared turn by turn.
"""

import argparse
import contextlib
import multiprocessing
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings
from reward_service.tools.loadtest.workload import Batches

ALONE, QUOTA, NONE = "alone", "quota", "none"
TURNS = (ALONE, QUOTA, NONE)
ROLLOUTS = 64  # of one request of the flood
ROLLOUT_BYTES = 2000
THREADS = 8
TIMES = 10
NEIGHBOUR_EVERY_S = 0.01
NICE = 10
"""Of the process that floods, which is on another machine in truth."""

MOST_RATIO = 2.0
KEYS = """
[[keys]]
name = "neighbour"
key = "the-key-of-the-neighbour"
scopes = ["score"]

[[keys]]
name = "quota"
key = "the-key-of-the-quota"
scopes = ["score"]
[keys.quotas]
rollouts_per_s = {per_s}
rollouts_burst = {per_s}

[[keys]]
name = "none"
key = "the-key-of-the-none"
scopes = ["score"]
"""


def keyed(request: bytes, name: str) -> bytes:
    """A request with a key."""
    return request.replace(b"\r\n", f"\r\nauthorization: Bearer the-key-of-the-{name}\r\n".encode(), 1)


class Connection:
    """One connection, one request after the other."""

    def __init__(self, port: int) -> None:
        """Open it."""
        self._raw = socket.create_connection(("127.0.0.1", port), timeout=60.0)
        self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> int:
        """Send a request, read its answer to the end, and return the status."""
        self._raw.sendall(request)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._piece()
        head = received[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(received) < end + 4 + length:
            received += self._piece()
        return int(head[9:12])

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    def _piece(self) -> bytes:
        piece = self._raw.recv(2**16)
        if not piece:
            raise ConnectionError("the service has closed the connection")
        return piece


class Statuses:
    """Counts of the flood, shared with the process that sends it."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - a context of multiprocessing
        """Begin with none."""
        self.let_in, self.refused = context.Value("q", 0), context.Value("q", 0)

    def count(self, status: int) -> None:
        """Count an answer."""
        counter = self.let_in if status in (200, 202) else self.refused
        with counter.get_lock():
            counter.value += 1


def flood(port: int, per_s: float, on: Mapping[str, Event], stop: Event, statuses: Statuses) -> None:
    """Send requests at this rate with the key whose event is set, by several threads, until told to stop."""
    os.nice(NICE)
    sent = Batches(ROLLOUTS // 16, rollout_bytes=ROLLOUT_BYTES)
    lock, numbers = threading.Lock(), iter(range(10**7, 2 * 10**7))

    def one() -> None:
        connection = Connection(port)
        next_s = time.perf_counter()
        while not stop.is_set():
            name = next((name for name, event in on.items() if event.is_set()), None)
            if name is None:
                stop.wait(0.02)
                next_s = time.perf_counter()
                continue
            with lock:
                number = next(numbers)
            statuses.count(connection.ask(keyed(sent.request(number), name)))
            next_s = max(next_s + THREADS / per_s, time.perf_counter() - 1.0)
            stop.wait(max(0.0, next_s - time.perf_counter()))
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def flooding(port: int, per_s: float) -> Iterator[tuple[Mapping[str, Event], Statuses]]:
    """A process that floods while one of the events is set."""
    context = multiprocessing.get_context("spawn")
    on, stop, statuses = {QUOTA: context.Event(), NONE: context.Event()}, context.Event(), Statuses(context)
    process = context.Process(target=flood, args=(port, per_s, on, stop, statuses))
    process.start()
    try:
        yield on, statuses
    finally:
        stop.set()
        process.join(60.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: the neighbour's latencies in seconds, and the requests of the flood."""

    latencies_s: Sequence[float]
    let_in: int
    refused: int
    seconds: float

    @property
    def p99_s(self) -> float:
        """What 99 of 100 do not exceed."""
        return sorted(self.latencies_s)[int(0.99 * len(self.latencies_s))]


def measure(quota_per_s: int, seconds: float, rounds: int, turns: Sequence[str] = TURNS) -> dict[str, list[Turn]]:
    """The turns, in an order that changes from round to round; a first round warms all up and is not counted."""
    found: dict[str, list[Turn]] = {turn: [] for turn in turns}
    with tempfile.TemporaryDirectory(prefix="cr-quotas-") as folder:
        keys = Path(folder) / "keys.toml"
        keys.write_text(KEYS.format(per_s=quota_per_s))
        supervisor = Supervisor(Settings(data_dir=Path(folder) / "data", port=0, log_level="ERROR", api_keys_file=keys))
        with supervisor.kept():
            supervisor.wait_ready()
            with flooding(supervisor.port, TIMES * quota_per_s / ROLLOUTS) as (on, statuses):
                neighbour, sent = Connection(supervisor.port), Batches(1, rollout_bytes=ROLLOUT_BYTES)
                numbers = iter(range(10**7))
                for number in range(rounds + 1):
                    for name in (*turns[number % len(turns) :], *turns[: number % len(turns)]):
                        turn = _turn(name, on, statuses, neighbour, sent, numbers, seconds)
                        if number:
                            found[name].append(turn)
                neighbour.close()
    return found


def _turn(
    name: str,
    on: Mapping[str, Event],
    statuses: Statuses,
    neighbour: Connection,
    sent: Batches,
    numbers: Iterator[int],
    seconds: float,
) -> Turn:
    if name in on:
        on[name].set()
        time.sleep(0.2 * seconds)  # until what the quota held is used up
    before = statuses.let_in.value, statuses.refused.value
    latencies_s: list[float] = []
    began_s = next_s = time.perf_counter()
    while (now_s := time.perf_counter()) < began_s + seconds:
        status = neighbour.ask(keyed(sent.request(next(numbers)), "neighbour"))
        assert status in (200, 202), status
        latencies_s.append(time.perf_counter() - now_s)
        next_s = max(next_s + NEIGHBOUR_EVERY_S, time.perf_counter())
        time.sleep(max(0.0, next_s - time.perf_counter()))
    elapsed_s = time.perf_counter() - began_s
    let_in, refused = statuses.let_in.value - before[0], statuses.refused.value - before[1]
    if name in on:
        on[name].clear()
        time.sleep(0.1 * seconds)
    return Turn(latencies_s, let_in, refused, elapsed_s)


def ratios(found: Mapping[str, Sequence[Turn]], name: str) -> list[float]:
    """The neighbour's p99 beside the flood over its p99 alone, round by round."""
    return [turn.p99_s / alone.p99_s for turn, alone in zip(found[name], found[ALONE], strict=True)]


def main() -> None:
    """Measures, prints, and judges if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quotas", description=__doc__)
    parser.add_argument("--quota", type=int, default=640, help="rollouts per second of the key with a quota")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn, in seconds")
    parser.add_argument("--rounds", type=int, default=12, help="rounds that count")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 when the ratio is above {MOST_RATIO:g}")
    given = parser.parse_args()
    console = Console(width=130)
    console.print(describe(), highlight=False, soft_wrap=True)
    found = measure(given.quota, given.seconds, given.rounds)
    table = Table("turn", "p50 (ms)", "p99 (ms)", "p99 over alone, median (min-max)", "let in/s", "refused/s", box=None)
    for name, turns in found.items():
        every = sorted(latency for turn in turns for latency in turn.latencies_s)
        over = sorted(ratios(found, name))
        seconds = sum(turn.seconds for turn in turns)
        table.add_row(
            name,
            f"{1000 * statistics.median(every):.2f}",
            f"{1000 * statistics.median(turn.p99_s for turn in turns):.2f}",
            f"{statistics.median(over):.2f} ({over[0]:.2f}-{over[-1]:.2f})",
            f"{ROLLOUTS * sum(turn.let_in for turn in turns) / seconds:,.0f}",
            f"{ROLLOUTS * sum(turn.refused for turn in turns) / seconds:,.0f}",
        )
    console.print(f"a neighbour beside {TIMES} times {given.quota} rollouts/s, {given.rounds} rounds")
    console.print(table)
    ratio = statistics.median(ratios(found, QUOTA))
    if given.check and ratio > MOST_RATIO:
        raise SystemExit(f"the neighbour's p99 is {ratio:.2f} times that of its p99 alone")


if __name__ == "__main__":
    main()
