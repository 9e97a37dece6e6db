"""Measure servers that take turns on one core."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.client import Load, Record
from benchmarks.machine import Busy, Cores, Meter
from reward_service.tools.loadtest.workload import COHORT, Workload

RAMP_SHARE = 0.15

SERVICE = "service"
NOOP = "no-op"
IN_MEMORY = "in memory"
"""Servers by name: ours, and those that it is compared with."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load: the service, or what it is compared with."""

    name: str
    host: str
    port: int
    pids: Mapping[str, Sequence[int]]
    checked: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent to each server, over how many connections, and the ratios to reach: a row for each goal."""

    name: str
    workloads: Mapping[str, Workload]
    connections: int
    goals: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's turn: rollouts per second, and who used the cores meanwhile."""

    rate: float
    busy: Busy

    @property
    def rate_by_cpu(self) -> float:
        """Rollouts per second of the API's CPU time."""
        return self.rate / self.busy.shares["API"]

    @property
    def rate_by_cpu_beside(self) -> float:
        """Rollouts per second of the CPU time that all others take together, on the core beside the API."""
        return self.rate / sum(share for role, share in self.busy.shares.items() if role != "API")


@dataclass(frozen=True, slots=True)
class Throughput:
    """A kind's turns by server, the first of each beside the first of the other."""

    kind: Kind
    turns: Mapping[str, Sequence[Turn]]

    def rate(self, server: str) -> float:
        """The median, in rollouts per second."""
        return statistics.median(turn.rate for turn in self.turns[server])

    def ratios(self, other: str) -> list[float]:
        """Service over another server, pair by pair."""
        return [ours.rate / its.rate for ours, its in self._pairs(other)]

    def ratio(self, other: str) -> float:
        """Their median."""
        return statistics.median(self.ratios(other))

    def ratio_by_cpu(self, other: str) -> float:
        """The same by the API's CPU time instead of the clock: steadier on a machine that others use too."""
        return statistics.median(ours.rate_by_cpu / its.rate_by_cpu for ours, its in self._pairs(other))

    def most_by_core_beside(self, other: str) -> float:
        """The most that the ratio can be by the clock, because worker, Valkey and generator share one core."""
        return statistics.median(ours.rate_by_cpu_beside / its.rate_by_cpu for ours, its in self._pairs(other))

    def _pairs(self, other: str) -> Iterator[tuple[Turn, Turn]]:
        return zip(self.turns[SERVICE], self.turns[other], strict=True)

    def busy(self, server: str, role: str) -> float:
        """The median share of a core that a role took in a server's turns."""
        return statistics.median(turn.busy.shares[role] for turn in self.turns[server])


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies in seconds by server."""

    name: str
    samples_s: Mapping[str, Sequence[float]]

    def quantile_s(self, server: str, share: float) -> float:
        """The latency that this share of the samples does not exceed."""
        ordered = sorted(self.samples_s[server])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def added_s(self, share: float) -> float:
        """What the service takes more than the no-op."""
        return self.quantile_s(SERVICE, share) - self.quantile_s(NOOP, share)


class Bench:
    """Runs loads, one at a time; no request is ever sent twice."""

    def __init__(self, servers: Sequence[Server], cores: Cores) -> None:
        """Over servers that run already: SERVICE, NOOP and others."""
        self._servers = servers
        self._cores = cores
        self._next = 0

    async def probe(self, server: Server, kind: Kind) -> bytes:
        """One cohort or batch, for the look of an answer."""
        load = self._load(server, kind, lambda _: False)
        await load.open(server.host, server.port, COHORT)
        load.keep_busy()
        return (await self._finish(load)).last

    async def throughput(self, kind: Kind, seconds: float, rounds: int) -> Throughput:
        """Alternating turns of so many seconds; a first round warms all up and is not counted."""
        servers = [server for server in self._servers if server.name in kind.workloads]
        turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
        for number in range(rounds + 1):
            for server in servers:
                turn = await self.turn(server, kind, seconds)
                if number:
                    turns[server.name].append(turn)
        return Throughput(kind, turns)

    async def latency(self, kind: Kind, seconds: float, rounds: int) -> Latency:
        """Of one request after the other over one connection."""

        async def turn(server: Server) -> Sequence[float]:
            load = self._load(server, kind, lambda _: True)
            await load.open(server.host, server.port, 1)
            load.keep_busy()
            await asyncio.sleep(seconds)
            return (await self._finish(load)).latencies_s

        return await self._alternately(f"{kind.name}, one by one", turn, rounds)

    async def last_ballot(self, kind: Kind, rate: float, seconds: float, rounds: int) -> Latency:
        """From sending a cohort's last request to its answer, at a steady rate of requests per second."""

        async def turn(server: Server) -> Sequence[float]:
            workload = kind.workloads[server.name]
            load = self._load(server, kind, lambda index: index % workload.cohort == workload.cohort - 1)
            await load.open(server.host, server.port, kind.connections)
            await load.paced(rate, seconds)
            return (await self._finish(load)).latencies_s

        return await self._alternately(f"last ballot, {rate:,.0f}/s", turn, rounds)

    async def _alternately(
        self, name: str, turn: Callable[[Server], Awaitable[Sequence[float]]], rounds: int
    ) -> Latency:
        servers = [server for server in self._servers if server.name in (SERVICE, NOOP)]
        samples_s: dict[str, list[float]] = {server.name: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                samples_s[server.name] += await turn(server)
        return Latency(name, samples_s)

    async def turn(self, server: Server, kind: Kind, seconds: float) -> Turn:
        """One server's turn."""
        load = self._load(server, kind, lambda _: False)
        await load.open(server.host, server.port, kind.connections)
        load.keep_busy()
        await asyncio.sleep(RAMP_SHARE * seconds)
        meter = Meter(server.pids, "API", self._cores)
        began_s, before = asyncio.get_running_loop().time(), load.record.answers
        await asyncio.sleep((1 - RAMP_SHARE) * seconds)
        elapsed_s, answers = asyncio.get_running_loop().time() - began_s, load.record.answers - before
        busy = meter.read()
        await self._finish(load)
        return Turn(answers * kind.workloads[server.name].rollouts / elapsed_s, busy)

    def _load(self, server: Server, kind: Kind, timed: Callable[[int], bool]) -> Load:
        return Load(kind.workloads[server.name], self._next, check=server.checked, timed=timed)

    async def _finish(self, load: Load) -> Record:
        record = await load.finish()
        self._next = load.next_index + -load.next_index % COHORT  # where a cohort of any kind may begin
        return record
