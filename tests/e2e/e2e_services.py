"""Real services for these tests: every process of them, over a folder that is gone afterwards."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx
import psutil
import redis
from e2e_rule import Rollout

from reward_service.serving.supervisor import Supervisor
from reward_service.store.cohorts import HEARTBEAT_S
from reward_service.store.keys import RunKeys, qualified
from tests.support.service import running
from tests.support.waiting import wait_until

LOOK_S = 0.01
Found = TypeVar("Found")
Vote = tuple[str, str, str | None]  # question, view, answer


class Service:
    """A service under its supervisor, and a look behind its back: what is really in the store."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.redis = redis.Redis.from_url(supervisor.redis_url)

    @property
    def url(self) -> str:
        return self.supervisor.url

    def make_run(self, run: str, **settings: Any) -> None:
        httpx.put(f"{self.url}/v1/runs/{run}", json=settings, timeout=30.0).raise_for_status()

    def run(self, run: str) -> dict[str, Any]:
        """The run, by its own account."""
        return httpx.get(f"{self.url}/v1/runs/{run}", timeout=30.0).raise_for_status().json()

    def state(self, run: str) -> dict[str, int]:
        """What the run has come to, by its own account."""
        return self.run(run)["state"]

    def stats(self, run: str) -> dict[str, int]:
        """The same as the store counts it: how often a cohort was settled, and how often one abstained."""
        kept: dict[bytes, bytes] = self.redis.hgetall(RunKeys(run).stats)  # type: ignore[assignment]
        return {name.decode(): int(count) for name, count in kept.items()}

    def waiting(self, run: str) -> int:
        """Ballots of cohorts that are not settled."""
        keys = list(self.redis.scan_iter(f"{RunKeys(run).prefix}c:*", count=1000))
        with self.redis.pipeline(transaction=False) as together:
            for key in keys:
                together.hget(key, "k")
            return sum(int(size) for size in together.execute() if size is not None)

    def holders(self, run: str) -> set[bytes]:
        """The replicas that say, or said a moment ago, that they hold rollouts of the run."""
        keys = RunKeys(run)
        now_ms = int(self.redis.hget(keys.clock, "s") or 0)  # type: ignore[arg-type] - not asynchronous
        found = self.redis.scan_iter(f"{keys.prefix}alive:*", count=1000)
        said = {key: int(self.redis.get(key) or 0) for key in found}  # type: ignore[arg-type]
        return {key for key, said_ms in said.items() if now_ms - said_ms < HEARTBEAT_S * 1000}

    def cohorts(self, run: str, more: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Every cohort of the run that ballots joined one by one, and `more`, as GET /v1/cohorts explains them."""
        prefix = RunKeys(run).prefix
        names: set[str] = set(more)
        for kind in ("c:", "r:"):
            keys = self.redis.scan_iter(f"{prefix}{kind}*", count=1000)
            names |= {qualified(run, key.decode().removeprefix(prefix + kind)) for key in keys}
        with httpx.Client(base_url=self.url, timeout=30.0) as client:
            return [client.get(f"/v1/cohorts/{name}").raise_for_status().json() for name in names]

    def all_accept(self) -> None:
        """Returns when each API process accepts connections; a service is ready when one of them does."""
        with contextlib.ExitStack() as open_ones:

            def each_has_some() -> bool:
                open_ones.enter_context(socket.create_connection(("127.0.0.1", self.supervisor.port)))
                return all(_established(pid, self.supervisor.port) for pid in self.supervisor.pids("api"))

            wait_until(each_has_some)

    def taken(self, route: str = "/get_reward") -> float:
        """Rollouts that this service's API processes have taken by a route, whatever became of them since."""
        text = httpx.get(f"{self.url}/metrics", timeout=30.0).raise_for_status().text
        wanted = f'co_rewarding_rollouts_total{{route="{route}"}} '
        return sum(float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted))


def _established(pid: int, port: int) -> int:
    connections = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)


def assert_one_vote_each(service: Service, run: str, rollouts: Sequence[Rollout], batches: Sequence[str] = ()) -> None:
    """The run's cohorts hold each rollout once, and each was settled once; nothing else was ever opened.

    `batches` names the cohorts of self-contained batches, which cannot be listed.
    """
    cohorts = service.cohorts(run, batches)
    cast = Counter(
        (cohort["question_id"], ballot["view"], ballot["answer"]) for cohort in cohorts for ballot in cohort["ballots"]
    )
    sent = Counter((rollout.question_id, rollout.view, rollout.answer) for rollout in rollouts)
    assert cast == sent, _told_of(cast, sent, cohorts)
    assert all(ballot["counted"] for cohort in cohorts for ballot in cohort["ballots"]), "a vote that did not count"
    asked = {rollout.question_id for rollout in rollouts}
    assert sorted(cohort["question_id"] for cohort in cohorts) == sorted(asked), "a cohort was split"
    assert {cohort["state"] for cohort in cohorts} == {"settled"}
    stats = service.stats(run)
    assert stats.get("settled") == len(asked), "a cohort was not settled exactly once"
    assert not stats.get("abstained")


def _told_of(cast: Counter[Vote], sent: Counter[Vote], cohorts: Sequence[dict[str, Any]]) -> str:
    """Which votes nobody cast, or twice, and which were lost; with the cohorts of the first question."""
    wrong = cast - sent or sent - cast
    first = next(iter(wrong))[0]
    lines = [f"cast by nobody, or twice: {cast - sent}; lost: {sent - cast}"]
    lines += [str(cohort) for cohort in cohorts if cohort["question_id"] == first]
    return "\n".join(lines)


def kill(pid: int) -> None:
    """The way no process can prepare for."""
    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def suspended(pid: int) -> Iterator[None]:
    """A process that hangs, while the context lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def service(**settings: Any) -> Iterator[Service]:
    """A service on a free port that is ready; without `redis_url` it has a server of its own."""
    with running(**settings) as supervisor:
        made = Service(supervisor)
        try:
            yield made
        finally:
            made.redis.close()


@contextlib.contextmanager
def two_replicas() -> Iterator[tuple[Service, Service]]:
    """Two services that share one store: each has its own port, the first has the server and the worker."""
    with service(workers=1) as first, service(workers=0, redis_url=first.supervisor.redis_url) as second:
        yield first, second


async def until(what: str, look: Callable[[], Found], within_s: float = 30.0) -> Found:
    """Looks until there is something to see.

    Raises:
        AssertionError: there was nothing within the time; it says what was seen last.
    """
    deadline_s = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, f"{what}: not within {within_s:g} s (seen: {found!r})"
        await asyncio.sleep(LOOK_S)
    return found
