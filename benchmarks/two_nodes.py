"""Measure an API process that is on another node than its store, beside one on the same node: `make bench-two-nodes`.

Two network namespaces are the nodes, and a link joins them that `tc` shapes to a rate. Bytes to and from the store wait
half a round trip in a relay, since few kernels have netem. Needs root. Both API processes share the store and the
worker, and take turns; each is loaded from its own node.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.stores import store_command
from benchmarks.two_nodes_load import KINDS
from reward_service.processes import dies_with_parent
from reward_service.tools.loadtest.report import percentile

FILE = Path(__file__).parent / "measured" / "two_nodes.json"
STORE_ADDRESS, API_ADDRESS = "10.213.77.1", "10.213.77.2"
STORE_PORT, RELAY_PORT, API_PORT = 7000, 7001, 7002
READY_WITHIN_S = 60.0
NEAR, FAR = "near", "far"


@dataclass(frozen=True, slots=True)
class Beside:
    """One kind of request to both: medians of the turns; ratios are far over near, turn by turn."""

    kind: str
    near_per_s: float
    far_per_s: float
    ratio: float
    near_p50_s: float
    far_p50_s: float
    near_p99_s: float
    far_p99_s: float


@dataclass(frozen=True, slots=True)
class TwoNodes:
    """All of it."""

    machine: str
    rate_mbit: float
    round_trip_s: float
    kinds: Sequence[Beside]

    @classmethod
    def read(cls, file: Path = FILE) -> "TwoNodes":
        """What was written last."""
        said: dict[str, Any] = json.loads(file.read_text())
        return cls(said["machine"], said["rate_mbit"], said["round_trip_s"], [Beside(**each) for each in said["kinds"]])


class Node:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        """Its name; it exists already."""
        self.name = name

    def command(self, *words: str) -> list[str]:
        """A command within it."""
        return ["/usr/bin/env", "ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        """Starts a command within it, which dies with this process."""
        return subprocess.Popen(
            dies_with_parent(self.command(*words)),
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def says(self, *words: str) -> str:
        """What a command within it prints.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        return subprocess.run(self.command(*words), check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def two_nodes(rate_mbit: float) -> Iterator[tuple[Node, Node]]:
    """The store's node and the other, joined by a link of this rate in either direction.

    Raises:
        subprocess.CalledProcessError: this process may not make namespaces, or there is no iproute2.
    """
    names = [f"cr-{os.getpid()}-{side}" for side in ("a", "b")]
    ends = [f"cr{os.getpid()}{side}" for side in ("a", "b")]

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    with contextlib.ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name, end, address in zip(names, ends, (STORE_ADDRESS, API_ADDRESS), strict=True):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
            shaped = ("rate", f"{rate_mbit:g}mbit", "burst", "256kb", "latency", "50ms")
            subprocess.run(["tc", "-n", name, "qdisc", "add", "dev", end, "root", "tbf", *shaped], check=True)
        yield Node(names[0]), Node(names[1])


@contextlib.contextmanager
def service_on(nodes: tuple[Node, Node], folder: Path, delay_s: float) -> Iterator[None]:
    """A store, a worker and an API process on the first node, and an API process on the other, behind the link."""
    first, other = nodes
    python = sys.executable
    data = folder / "store"
    data.mkdir()
    near_url, far_url = f"redis://127.0.0.1:{STORE_PORT}", f"redis://127.0.0.1:{RELAY_PORT}"
    told = {"CO_REWARDING_LOG_LEVEL": "WARNING", "CO_REWARDING_HEADER_TIMEOUT_S": "600"}
    serve = (python, "-m", "reward_service", "serve", "--workers", "0", "--port", str(API_PORT))
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(first.run(*store_command(data, port=str(STORE_PORT), bind="0.0.0.0", protected_mode="no")))
        relay = ("-m", "benchmarks.delayed_link", str(RELAY_PORT), STORE_ADDRESS, str(STORE_PORT), str(delay_s))
        started.append(other.run(python, *relay))
        started.append(first.run(python, "-m", "reward_service", "worker", "--redis-url", near_url, **told))
        started.append(first.run(*serve, "--redis-url", near_url, CO_REWARDING_DATA_DIR=str(folder / NEAR), **told))
        started.append(other.run(*serve, "--redis-url", far_url, CO_REWARDING_DATA_DIR=str(folder / FAR), **told))
        for node in nodes:
            _wait_ready(node)
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(READY_WITHIN_S)


def _wait_ready(node: Node) -> None:
    look = f"import httpx; httpx.get('http://127.0.0.1:{API_PORT}/ready', timeout=2.0).raise_for_status()"
    deadline_s = time.monotonic() + READY_WITHIN_S
    while subprocess.run(node.command(sys.executable, "-c", look), stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the API on node {node.name} was not ready after {READY_WITHIN_S:g} s")
        time.sleep(0.2)


def measure(nodes: tuple[Node, Node], rounds: int, seconds: float, console: Console) -> list[Beside]:
    """Turns of each kind; the first round warms up."""
    found: list[Beside] = []
    first = 0
    for kind in KINDS:
        turns: dict[str, list[Mapping[str, Any]]] = {NEAR: [], FAR: []}
        with console.status(f"{kind}: {rounds} rounds and a warm-up"):
            for number in range(rounds + 1):
                for name, node in zip((NEAR, FAR), nodes, strict=True):
                    words = ("-m", "benchmarks.two_nodes_load", str(API_PORT), kind, str(seconds), str(first))
                    said = json.loads(node.says(sys.executable, *words))
                    first = said["next"]
                    if number:
                        turns[name].append(said)
        found.append(_beside(kind, turns))
    return found


def _beside(kind: str, turns: Mapping[str, Sequence[Mapping[str, Any]]]) -> Beside:
    per_s = {name: [turn["rollouts_per_s"] for turn in some] for name, some in turns.items()}
    latencies_s = {name: [each for turn in some for each in turn["latencies_s"]] for name, some in turns.items()}
    ratios = [far / near for near, far in zip(per_s[NEAR], per_s[FAR], strict=True)]
    p50_s, p99_s = ({name: percentile(latencies_s[name], share) for name in turns} for share in (50, 99))
    return Beside(
        kind=kind,
        near_per_s=statistics.median(per_s[NEAR]),
        far_per_s=statistics.median(per_s[FAR]),
        ratio=statistics.median(ratios),
        near_p50_s=p50_s[NEAR],
        far_p50_s=p50_s[FAR],
        near_p99_s=p99_s[NEAR],
        far_p99_s=p99_s[FAR],
    )


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Of each kind, besides one that warms up.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Of one turn.")] = 3.0,
    rate_mbit: Annotated[float, typer.Option(min=1, max=1e5, help="Of the link, in either direction.")] = 1000.0,
    round_trip_s: Annotated[float, typer.Option(min=0, max=1, help="Between the nodes.")] = 0.001,
    out: Annotated[Path, typer.Option(help="Where the figures are written, as JSON.")] = FILE,
) -> None:
    """Measures, prints and writes."""
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="cr-") as folder,
        two_nodes(rate_mbit) as nodes,
        service_on(nodes, Path(folder), round_trip_s / 2),
    ):
        found = TwoNodes(describe(), rate_mbit, round_trip_s, measure(nodes, rounds, seconds, console))
    table = Table("", "near/s", "far/s", "ratio", "near p50 ms", "far p50 ms", "near p99 ms", "far p99 ms")
    for each in found.kinds:
        latencies_s = (each.near_p50_s, each.far_p50_s, each.near_p99_s, each.far_p99_s)
        rates = (f"{each.near_per_s:,.0f}", f"{each.far_per_s:,.0f}", f"{each.ratio:.2f}")
        table.add_row(each.kind, *rates, *(f"{1000 * latency_s:.1f}" for latency_s in latencies_s))
    console.print(table)
    out.write_text(json.dumps(asdict(found), indent=1) + "\n")


if __name__ == "__main__":
    app()
