"""OpenRLHF's own client against the service: right rewards, and one vote each, whatever happens to its connections."""

import asyncio
import random
from collections.abc import Iterator, Sequence

import httpx
import pytest
from e2e_openrlhf import Got, executor_class, reward
from e2e_proxy import Fate, Proxy, proxy
from e2e_rule import Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, kill, service, suspended, until

pytestmark = pytest.mark.openrlhf

COUNT = 32
GIVE_UP_S = 60.0
RUN = {"method": "co-rewarding-i", "group_size": 8, "cohort_deadline_s": 40}


@pytest.fixture(scope="module")
def executor() -> Iterator[type]:
    with executor_class() as found:
        yield found


class Trainer:
    """Sends the rollouts of some questions in random order, all at once; of each question one comes last."""

    def __init__(self, executor: type, urls: Sequence[str], run: str, rollouts: Sequence[Rollout], seed: int) -> None:
        self.chance = random.Random(seed)
        self._executor = executor([f"{url}/get_reward" for url in urls])
        self._run = run
        self._order = self.chance.sample(rollouts, len(rollouts))
        self._last = set({rollout.question_id: rollout for rollout in self._order}.values())
        self.early = len(rollouts) - len(self._last)
        self._gate = asyncio.Event()
        self._tasks: list[asyncio.Task[Got]] = []

    def send(self, upto: float = 1.0, **label: object) -> None:
        """The rollouts up to this share of all are on their way, but for the last of each question."""
        for rollout in self._order[len(self._tasks) : round(upto * len(self._order))]:
            gate = self._gate if rollout in self._last else None
            self._tasks.append(asyncio.create_task(reward(self._executor, rollout, self._run, gate, **label)))

    def send_last(self) -> None:
        """Now the last too."""
        self._gate.set()

    async def rewards(self) -> dict[Rollout, Got]:
        """What came back for each."""
        async with asyncio.timeout(GIVE_UP_S):
            return dict(zip(self._order, await asyncio.gather(*self._tasks), strict=True))


def due(rollouts: Sequence[Rollout]) -> dict[Rollout, Got]:
    return {rollout: each.openrlhf for rollout, each in co_rewarding(rollouts, indexed=False).items()}


async def all_wait(at: Service, run: str, ballots: int) -> None:
    await until(f"{ballots} rollouts wait", lambda: at.waiting(run) == ballots)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_rollout_gets_its_reward(executor: type, replicas: tuple[Service, Service], run: str, seed: int):
    rollouts = questions(COUNT, seed)
    before = [replica.taken() for replica in replicas]

    async def train() -> dict[Rollout, Got]:
        trainer = Trainer(executor, [replica.url for replica in replicas], run, rollouts, seed)
        trainer.send()
        trainer.send_last()
        return await trainer.rewards()

    replicas[0].make_run(run, **RUN)
    assert asyncio.run(train()) == due(rollouts)
    assert_one_vote_each(replicas[0], run, rollouts)
    assert [replica.taken() - was for replica, was in zip(replicas, before, strict=True)] == [len(rollouts) / 2] * 2


@pytest.mark.parametrize("last", ["at once", "when all have come again"])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_cut_while_waiting(executor: type, replicas: tuple[Service, Service], run: str, share: float, last: str):
    rollouts = questions(COUNT, 3)

    async def train(first: Proxy, second: Proxy) -> dict[Rollout, Got]:
        trainer = Trainer(executor, [first.url, second.url], run, rollouts, 3)
        trainer.send()
        await all_wait(replicas[0], run, trainer.early)
        taken = sum(replica.taken() for replica in replicas)
        cut = sum(wires.cut(share, trainer.chance) for wires in (first, second))
        assert cut == round(share * trainer.early)
        if last != "at once":
            await until("all come again", lambda: sum(replica.taken() for replica in replicas) == taken + cut)
        trainer.send_last()
        return await trainer.rewards()

    replicas[0].make_run(run, **RUN)
    assert asyncio.run(_through_proxies(replicas, train)) == due(rollouts)
    assert_one_vote_each(replicas[0], run, rollouts)


def test_cut_before_the_store_has_answered(executor: type, replicas: tuple[Service, Service], run: str):
    """A store that is slow for a moment has taken the vote of a request whose client has left before it said so."""
    rollouts = questions(COUNT, 4)
    (store,) = replicas[0].supervisor.pids("redis")

    async def train(first: Proxy, second: Proxy) -> dict[Rollout, Got]:
        trainer = Trainer(executor, [first.url, second.url], run, rollouts, 4)
        trainer.send(upto=0.25)
        await until("some wait", lambda: replicas[0].waiting(run) >= 0.2 * len(rollouts))
        with suspended(store):
            trainer.send()
            await until("all is sent", lambda: first.accepted + second.accepted == trainer.early)
            await _have_seen_what_came(replicas)
            assert sum(wires.cut(1.0, trainer.chance) for wires in (first, second)) == trainer.early
            await _have_seen_what_came(replicas)
        trainer.send_last()
        return await trainer.rewards()

    replicas[0].make_run(run, **RUN)
    assert asyncio.run(_through_proxies(replicas, train)) == due(rollouts)
    assert_one_vote_each(replicas[0], run, rollouts)


def test_an_answer_that_is_lost_is_given_again(executor: type, replicas: tuple[Service, Service], run: str):
    """A label that names its step tells a rollout that comes again from the same text an epoch later."""
    rollouts = questions(COUNT, 5)

    async def train(first: Proxy, second: Proxy) -> dict[Rollout, Got]:
        trainer = Trainer(executor, [first.url, second.url], run, rollouts, 5)
        trainer.send(step=7)
        trainer.send_last()
        rewards = await trainer.rewards()
        assert first.cuts == second.cuts == 100
        return rewards

    replicas[0].make_run(run, **RUN)
    assert asyncio.run(_through_proxies(replicas, train, [Fate.ANSWER_LOST] * 100)) == due(rollouts)
    assert_one_vote_each(replicas[0], run, rollouts)


@pytest.mark.parametrize("last", ["at once", "when the replica is back", "when all have come again"])
def test_a_replica_is_killed(executor: type, replicas: tuple[Service, Service], run: str, last: str):
    """Those whom it held come again to their URL, where a process that was started in its place takes them."""
    rollouts = questions(COUNT, 6)
    victim = replicas[1]
    (pid,) = victim.supervisor.pids("api")

    async def train() -> dict[Rollout, Got]:
        trainer = Trainer(executor, [replica.url for replica in replicas], run, rollouts, 6)
        before = victim.taken()
        trainer.send()
        await all_wait(replicas[0], run, trainer.early)
        held = victim.taken() - before
        assert 0.4 * trainer.early < held < 0.6 * trainer.early
        kill(pid)
        if last != "at once":
            await until("another is started", lambda: victim.supervisor.pids("api") not in ([], [pid]))
            await asyncio.to_thread(victim.supervisor.wait_ready)
        if last == "when all have come again":
            await until("all come again", lambda: victim.taken() - before >= 2 * held)
        trainer.send_last()
        return await trainer.rewards()

    replicas[0].make_run(run, **RUN)
    assert asyncio.run(train()) == due(rollouts)
    assert_one_vote_each(replicas[0], run, rollouts)


def test_one_of_two_processes_at_one_port_is_killed(executor: type, run: str):
    """Those whom it held come again to the other, or to the process that was started in its place."""
    rollouts = questions(COUNT, 7)

    async def train(at: Service) -> dict[Rollout, Got]:
        async with proxy(at.url) as wires:
            trainer = Trainer(executor, [wires.url], run, rollouts, 7)
            trainer.send()
            await all_wait(at, run, trainer.early)
            kill(at.supervisor.pids("api")[0])
            trainer.send_last()
            rewards = await trainer.rewards()
            assert len(rollouts) < wires.accepted < 2 * len(rollouts), "the killed process held nobody, or everyone"
            return rewards

    with service(workers=1, api_processes=2) as at:
        at.make_run(run, **RUN)
        at.all_accept()
        assert asyncio.run(train(at)) == due(rollouts)
        assert_one_vote_each(at, run, rollouts)


async def _through_proxies(replicas, train, fates: Sequence[Fate] = ()) -> dict[Rollout, Got]:
    """Trains through a proxy in front of each replica; the first connections of each meet their fates."""

    def fate(number: int) -> Fate:
        return fates[number] if number < len(fates) else Fate.PASS

    async with proxy(replicas[0].url, fate) as first, proxy(replicas[1].url, fate) as second:
        return await train(first, second)


async def _have_seen_what_came(replicas: Sequence[Service]) -> None:
    """An answer to what is sent now says that a replica's event loop has been round since."""
    for replica in replicas:
        async with httpx.AsyncClient(base_url=replica.url) as client:
            for _ in range(3):
                (await client.get("/health")).raise_for_status()
