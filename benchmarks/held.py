"""Singles that are held all at once: how fast they come to their answers, and what the API's memory is of each.

Every request has a connection of its own. First come all rollouts but the last of each cohort; when the service has
come to rest they are all held. Then the last ballots come, all together.
"""

import asyncio
import contextlib
import resource
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.client import BadAnswerError, Connection
from benchmarks.measuring import Server
from reward_service.tools.loadtest.workload import COHORT, Singles, WrongAnswerError

CONNECTING_AT_ONCE = 256
SENT_AT_ONCE = 64
LOOK_S = 0.05
AT_REST_S = 0.3
AT_REST_SHARE = 0.3
"""At rest all processes use less of a core: the API still looks at its connections, and for what it waits for."""
PATIENCE_S = 60.0
SPARE_FILES = 256


@dataclass(frozen=True, slots=True)
class Held:
    """What became of `requests` that were held at once.

    Attributes:
        per_s: answers per second of the time in which requests were sent or answered.
        bytes_each: growth of the API's resident memory by each, its connection included.
        lost: requests without a right answer.
        after_last_s: from a cohort's last ballot to each of its answers, in seconds.
        cpu_s_each: CPU time for each in that time, in seconds, by role: it holds still when others use the machine.
    """

    requests: int
    per_s: float
    bytes_each: float
    lost: int
    after_last_s: Sequence[float]
    cpu_s_each: Mapping[str, float]

    @property
    def p99_s(self) -> float:
        """The time after the last ballot that 99 of 100 answers do not exceed."""
        return statistics.quantiles(self.after_last_s, n=100)[98] if len(self.after_last_s) > 1 else float("inf")

    def document(self) -> Mapping[str, float]:
        """For a program."""
        return {
            "requests": self.requests,
            "per_s": self.per_s,
            "bytes_each": self.bytes_each,
            "lost": self.lost,
            "p99_after_last_s": self.p99_s,
            **{f"cpu_s_each_{role}": cpu_s for role, cpu_s in self.cpu_s_each.items()},
        }


class _Crowd:
    """A connection for each request, and what came back."""

    def __init__(self, singles: Singles, first: int, size: int) -> None:
        self.answered_s: dict[int, float] = {}
        self.sent_s: dict[int, float] = {}
        self._loop = asyncio.get_running_loop()
        self._singles = singles
        self._first = first
        self._size = size
        self._connections: list[Connection] = []
        self._over: asyncio.Future[None] = self._loop.create_future()

    async def open(self, server: Server) -> None:
        async def connect() -> Connection:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._answered, self._fail), server.host, server.port
            )
            return connection

        for start in range(0, self._size, CONNECTING_AT_ONCE):
            count = min(CONNECTING_AT_ONCE, self._size - start)
            self._connections += await asyncio.gather(*(connect() for _ in range(count)))

    async def send(self, places: Sequence[int]) -> None:
        for number, place in enumerate(places):
            self.sent_s[place] = self._loop.time()
            self._connections[place].send(place, self._singles.request(self._first + place))
            if number % SENT_AT_ONCE == SENT_AT_ONCE - 1:
                await asyncio.sleep(0)

    async def all_answered(self) -> None:
        """Returns when all are, one has failed, or PATIENCE_S have passed."""
        with contextlib.suppress(TimeoutError, BadAnswerError, WrongAnswerError):
            async with asyncio.timeout(PATIENCE_S):
                await self._over

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _answered(self, connection: Connection, body: bytes) -> None:
        try:
            self._singles.check(self._first + connection.index, body)
        except WrongAnswerError as error:
            self._fail(error)
            return
        self.answered_s[connection.index] = self._loop.time()
        if len(self.answered_s) == self._size and not self._over.done():
            self._over.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(error)


async def hold(server: Server, most: int, first: int = 0) -> Held:
    """Holds `most` singles at once, or as many whole cohorts as open files allow; `first` begins a cohort."""
    api = psutil.Process(server.pids["API"][0])
    size = min(most, _files() - SPARE_FILES) // COHORT * COHORT
    singles = Singles()
    await _warm_up(server, singles, first)
    await _at_rest(server)  # and has closed those connections
    crowd = _Crowd(singles, first + COHORT * SENT_AT_ONCE, size)
    loop = asyncio.get_running_loop()
    before_bytes = api.memory_info().rss
    try:
        await crowd.open(server)
        before_s = _used_by_role(server)
        began_s = loop.time()
        await crowd.send([place for place in range(size) if place % COHORT != COHORT - 1])
        coming_s = await _at_rest(server) - began_s
        held_bytes = api.memory_info().rss - before_bytes
        last_s = loop.time()
        await crowd.send(range(COHORT - 1, size, COHORT))
        await crowd.all_answered()
    finally:
        crowd.close()
    answered_s = crowd.answered_s
    going_s = max(answered_s.values(), default=loop.time()) - last_s
    after_last_s = [at_s - crowd.sent_s[place // COHORT * COHORT + COHORT - 1] for place, at_s in answered_s.items()]
    per_s, lost = len(answered_s) / (coming_s + going_s), size - len(answered_s)
    cpu_s_each = {role: (used_s - before_s[role]) / size for role, used_s in _used_by_role(server).items()}
    return Held(size, per_s, held_bytes / size, lost, after_last_s, cpu_s_each)


async def _warm_up(server: Server, singles: Singles, first: int) -> None:
    crowd = _Crowd(singles, first, COHORT * SENT_AT_ONCE)
    try:
        await crowd.open(server)
        await crowd.send(range(COHORT * SENT_AT_ONCE))
        await crowd.all_answered()
    finally:
        crowd.close()


async def _at_rest(server: Server) -> float:
    """Waits until a server's processes have little to do, the store's too; since when (s)."""
    loop = asyncio.get_running_loop()
    since_s, used_s = loop.time(), _used_s(server)
    while loop.time() - since_s < AT_REST_S:
        await asyncio.sleep(LOOK_S)
        now_s, now_used_s = loop.time(), _used_s(server)
        if now_used_s - used_s > AT_REST_SHARE * (now_s - since_s):
            since_s, used_s = now_s, now_used_s
    return since_s


def _used_s(server: Server) -> float:
    return sum(used_s for role, used_s in _used_by_role(server).items() if role != "generator")


def _used_by_role(server: Server) -> dict[str, float]:
    used: dict[str, float] = {}
    for role, pids in server.pids.items():
        times = [psutil.Process(pid).cpu_times() for pid in pids]
        used[role] = sum(each.user + each.system for each in times)
    return used


def _files() -> int:
    """How many files this process may open, after it has asked for as many as it may ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most if most != resource.RLIM_INFINITY else 2**20
