"""Trouble for a service: what happens when is drawn from a seed, and then done to real processes."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import redis
from e2e_client import ANSWERS_WITHIN_S, answers
from e2e_services import Service, kill, until

ROLES = ("api", "worker", "redis", "teacher")
STARTS_WITHIN_S = 60.0  # a process that was killed and starts anew, on a busy machine
DISK_BYTES = 256 * 2**20


class Condition(StrEnum):
    """What the store suffers while it lives."""

    WELL = "well"
    FULL = "full"  # maxmemory: it takes no writes
    SILENT = "silent"  # stopped: it is connected and says nothing
    SLOW_DISK = "slow disk"  # stopped for moments, as a server is whose writes stall; flushes do not end
    FULL_DISK = "full disk"  # a real one, of a few megabytes


@dataclass(frozen=True)
class Event:
    """From `at_s` on the store is in a condition, and in the middle of it one process of each role is killed."""

    at_s: float
    condition: Condition
    lasts_s: float
    killed: tuple[str, ...]
    which: float
    """Of several processes of a role: 0 is the first, 1 the last."""

    def __str__(self) -> str:
        """One line, for the reader of a failure."""
        what = [] if self.condition is Condition.WELL else [f"{self.condition} for {self.lasts_s:.1f} s"]
        what += [f"kill -9 of {', '.join(self.killed)}"] if self.killed else []
        return f"{self.at_s:6.1f} s  {'; '.join(what)}"


def schedule(seed: int, lasts_s: float) -> list[Event]:
    """What happens when: rounds that hold each kind of trouble once, the first of them whole."""
    chance = random.Random(seed)
    events: list[Event] = []
    at_s = 0.0
    while not events or at_s < lasts_s:
        kinds = [*((Condition.WELL, (role,)) for role in ROLES), (Condition.WELL, _some(chance, ROLES, least=2))]
        for condition in list(Condition)[1:]:
            # What fills the disk is acknowledged and not written: a store that is killed then may lose it.
            mortal = ROLES if condition is not Condition.FULL_DISK else ("api", "worker", "teacher")
            kinds.append((condition, _some(chance, mortal) if chance.random() < 0.5 else ()))
        for condition, killed in chance.sample(kinds, len(kinds)):
            at_s += chance.uniform(0.3, 2.0)
            if len(events) >= len(kinds) and at_s >= lasts_s:
                break
            condition_s = 0.0 if condition is Condition.WELL else round(chance.uniform(0.5, 5.0), 1)
            events.append(Event(round(at_s, 1), condition, condition_s, killed, chance.random()))
            at_s += condition_s
    return events


def _some(chance: random.Random, roles: Sequence[str], least: int = 1) -> tuple[str, ...]:
    return tuple(chance.sample(roles, chance.randint(least, len(roles))))


@contextlib.contextmanager
def small_disk() -> Iterator[Path | None]:
    """A disk that can be filled; None where this process may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="cr-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "chaos", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


class Troubles:
    """Does to services what a schedule says. The first of them has the store, on `disk` if that is not None."""

    def __init__(self, services: Sequence[Service], disk: Path | None) -> None:
        self._services = services
        self._disk = disk
        self._store = services[0].redis
        self._probes = 0
        self.answered_after_s = 0.0

    async def happen(self, event: Event) -> None:
        """An event, until each API process answers again.

        Raises:
            AssertionError: one did not, in the time that it has.
        """
        if event.condition is Condition.FULL_DISK and self._disk is None:
            print(f"{event}: skipped, since no disk can be mounted here")
            return
        async with self._in(event.condition):
            await asyncio.sleep(event.lasts_s / 2)
            new = [await self._killed(role, event.which) for role in event.killed]
            await asyncio.sleep(event.lasts_s / 2)
        await until("the store is back", self._store_answers)
        back_s = time.monotonic()
        self._probes += 1
        took_s = await asyncio.gather(*(self._answers(service, service in new, back_s) for service in self._services))
        print(f"{event}: each API process answered within {max(took_s):.2f} s")

    async def _answers(self, service: Service, new: bool, back_s: float) -> float:
        within_s = STARTS_WITHIN_S if new else ANSWERS_WITHIN_S
        took_s = await answers(service.url, f"probe-{self._probes}", back_s, within_s)
        if not new:
            self.answered_after_s = max(self.answered_after_s, took_s)
        return took_s

    async def _killed(self, role: str, which: float) -> Service:
        """Kills a process of that role; whose it was."""

        def living() -> list[tuple[Service, int]]:
            return [(service, pid) for service in self._services for pid in service.supervisor.pids(role)]

        found = await until(f"there is a process: {role}", living)
        service, pid = found[min(int(which * len(found)), len(found) - 1)]
        kill(pid)
        return service if role == "api" else self._services[0]

    def _in(self, condition: Condition) -> contextlib.AbstractAsyncContextManager[None]:
        ways = {
            Condition.FULL: self._full,
            Condition.SILENT: self._silent,
            Condition.SLOW_DISK: self._slow_disk,
            Condition.FULL_DISK: self._full_disk,
        }
        return ways[condition]() if condition in ways else contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def _full(self) -> AsyncIterator[None]:
        self._store.config_set("maxmemory", 1)
        yield
        await until("the store is back", self._store_answers)
        self._store.config_set("maxmemory", 0)

    @contextlib.asynccontextmanager
    async def _silent(self) -> AsyncIterator[None]:
        (pid,) = self._services[0].supervisor.pids("redis")
        os.kill(pid, signal.SIGSTOP)
        yield
        _go_on(pid)

    @contextlib.asynccontextmanager
    async def _slow_disk(self) -> AsyncIterator[None]:
        """Whoever flushes the folder waits for a file of it that cannot be opened; the server itself stutters."""
        folder = Path(self._store.config_get("dir")["dir"]) / "appendonlydir"  # type: ignore[index] - not asynchronous
        slow = folder / "slow.aof"
        os.mkfifo(slow)
        stutters = asyncio.create_task(self._stutter())
        yield
        stutters.cancel()
        await asyncio.gather(stutters, return_exceptions=True)
        done = slow.rename(slow.with_suffix(".done"))
        os.close(os.open(done, os.O_RDWR | os.O_NONBLOCK))
        done.unlink()

    async def _stutter(self) -> None:
        chance = random.Random(0)
        while True:
            pids = self._services[0].supervisor.pids("redis")
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(chance.uniform(0.02, 0.4))
            finally:
                for pid in pids:
                    _go_on(pid)
            await asyncio.sleep(chance.uniform(0.01, 0.1))

    @contextlib.asynccontextmanager
    async def _full_disk(self) -> AsyncIterator[None]:
        assert self._disk is not None
        ballast = self._disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (2**20, 2**12):
                with contextlib.suppress(OSError):  # there is no room for as much
                    while True:
                        file.write(bytes(size))
        await until("the store cannot write", lambda: self._persistence()["aof_last_write_status"] == "err")
        yield
        ballast.unlink()

    def _persistence(self) -> dict[str, str]:
        return self._store.info("persistence")  # type: ignore[return-value] - not asynchronous

    def _store_answers(self) -> bool:
        try:
            return bool(self._store.ping())
        except redis.RedisError:  # away, loading, or its disk was full a moment ago
            return False


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # killed meanwhile
        os.kill(pid, signal.SIGCONT)
