"""Processes of the service are killed while two runs label each other: all are rewarded, and as if nothing had been."""

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from co_rewarding_client import RewardClient, Rollout
from e2e_services import Service, kill, service

from tests.support.waiting import wait_until

QUESTIONS = 60
GROUP = 3
ROLES = ("worker", "api", "redis")
CALLS_AT_ONCE = 12


@pytest.fixture
def at() -> Iterator[Service]:
    with service(workers=2, api_processes=2, claim_idle_s=1.0) as made:
        yield made


def answers(run: str, step: int) -> list[str]:
    """The run's answers to the question of a step: its majority is drawn, and the last answer is another."""
    chance = random.Random(f"{run[-1]} {step}")
    majority = chance.choice("45")
    return [majority] * (GROUP - 1) + ["6"]


def ask(client: RewardClient, run: str, step: int) -> list[float | None]:
    """The rewards of a question's group: whole in every other step, else in parts."""
    sent = [
        Rollout(question_id=f"q{step}", rollout=index, response=f"\\boxed{{{answer}}}")
        for index, answer in enumerate(answers(run, step))
    ]
    if step % 2:
        return list(client.rewards(sent, step=step).rewards)
    with ThreadPoolExecutor(GROUP) as pool:
        parts = [pool.submit(client.rewards, [each], step=step, complete=False) for each in sent]
        return [part.result().rewards[0] for part in parts]


def due(run: str, other: str, step: int) -> list[float]:
    label = answers(other, step)[0]
    return [float(answer == label) for answer in answers(run, step)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_each_is_killed_in_the_middle(at: Service, run: str, seed: int) -> None:
    runs = (f"{run}-a", f"{run}-b")
    for one, other in (runs, runs[::-1]):
        at.make_run(one, method="peer-majority", group_size=GROUP, peers=[other], cohort_deadline_s=250)
    chance = random.Random(seed)
    got: dict[tuple[str, int], Future[list[float | None]]] = {}
    with (
        RewardClient(at.url, run=runs[0], patience_s=250) as first,
        RewardClient(at.url, run=runs[1], patience_s=250) as second,
        ThreadPoolExecutor(2 * CALLS_AT_ONCE) as pool,
    ):
        order = [
            (client, name, step)
            for client, name in zip((first, second), runs, strict=True)
            for step in range(QUESTIONS)
        ]
        order.sort(key=lambda each: each[2] + 5 * chance.random())  # a run is ahead here and there
        for client, name, step in order:
            got[name, step] = pool.submit(ask, client, name, step)
        for number, role in enumerate(chance.sample(ROLES, len(ROLES)), 1):
            moment = number * len(got) // (len(ROLES) + 1)
            wait_until(lambda moment=moment: sum(each.done() for each in got.values()) >= moment, 120.0)
            assert not all(each.done() for each in got.values()), "it is killed in the middle"
            kill(chance.choice(wait_until(lambda role=role: at.supervisor.pids(role))))
        for (name, step), each in got.items():
            other = runs[1 - runs.index(name)]
            assert each.result() == due(name, other, step), (name, step)
    assert not any("waiting_for_peers" in at.state(name) for name in runs)
