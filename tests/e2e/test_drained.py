"""A pod is drained as Kubernetes does: what it holds is answered by another, nothing is lost, nothing counts twice."""

import asyncio
import contextlib
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from e2e_client import Client
from e2e_rule import GROUP, Rollout, co_rewarding, questions
from e2e_services import Service, assert_one_vote_each, service, until

from reward_service.settings import Settings
from tests.support.started import CLI, Started, started
from tests.support.waiting import wait_until

HELD, PARTED, LATE = 24, 8, 8  # questions: one by one, in parts, and while the pod is about to stop
ADDRESS = re.compile(r" at (http://\S+:\d+)")


class Pod:
    """An API container: the command that the chart runs, and where it listens."""

    def __init__(self, process: Started) -> None:
        self._started = process
        self.url = wait_until(lambda: ADDRESS.search(process.said), 60.0)[1]
        wait_until(self.is_ready, 60.0)

    def is_ready(self) -> bool:
        """As the readiness probe asks."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=30.0).status_code == 200
        except httpx.TransportError:
            return False

    def taken(self) -> float:
        """Rollouts that came to this pod one by one."""
        text = httpx.get(f"{self.url}/metrics", timeout=30.0).raise_for_status().text
        wanted = 'co_rewarding_rollouts_total{route="/get_reward"} '
        return sum(float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted))

    def terminate(self) -> None:
        """The signal that the kubelet sends to the container's first process, and to no other."""
        self._started.process.terminate()

    def ended(self) -> bool:
        """Whether all processes of the container have."""
        return self._started.process.poll() is not None and not self._started.living()

    @property
    def code(self) -> int | None:
        """With which the container ended."""
        return self._started.process.returncode


@contextlib.contextmanager
def pods(store: str) -> Iterator[tuple[Pod, Pod]]:
    """Two API pods over a store, each with two processes."""
    words = [*CLI, "serve", "--workers", "0", "--port", "0", "--api-processes", "2", "--redis-url", store]
    with started(words) as one, started(words) as other:
        yield Pod(one), Pod(other)


def all_but_one(rollouts: list[Rollout]) -> tuple[list[Rollout], list[Rollout]]:
    """The rollouts of each question without the last, and the last ones: nothing is settled without them."""
    last = [each for each in rollouts if each.view == "paraphrase" and each.index == GROUP - 1]
    return [each for each in rollouts if each not in last], last


async def drain(at: Service, run: str, stays: Pod, goes: Pod) -> None:
    """Hold rollouts on both pods, drain one, complete the groups, and compare what everyone got with the rule."""
    service_of = [stays.url, goes.url]  # where the Kubernetes Service sends a new connection
    client = Client(service_of, run, random.Random(1))
    held, last_held = all_but_one(questions(HELD, 1, name="held"))
    parted, last_parted = all_but_one(questions(PARTED, 2, name="parted"))
    late, last_late = all_but_one(questions(LATE, 3, name="late"))
    for rollout in held:
        client.begin(client.held(rollout))
    waiting = asyncio.create_task(part(goes.url, run, parted))
    await until("all have a place", lambda: at.waiting(run) == len(held) + len(parted))

    # The pod is marked as ending. Its preStop hook runs until every node has heard it: requests still come here.
    for rollout in late:
        client.begin(client.held(rollout))
    await until("late ones have a place too", lambda: at.waiting(run) == len(held) + len(parted) + len(late))
    assert client.turned_away == client.cut_off == 0
    await until("both count what they hold", lambda: stays.taken() + goes.taken() == len(held) + len(late))
    holds = goes.taken()
    assert 0 < holds < len(held) + len(late), "one pod holds all"
    service_of.remove(goes.url)
    assert not waiting.done()

    goes.terminate()
    ticket = (await waiting)["ticket"]
    await until("the pod has ended", goes.ended, Settings().shutdown_s)
    assert goes.code == 0
    await until("the other pod holds all", lambda: stays.taken() == len(held) + len(late))
    assert client.turned_away == holds, "a request was not told to come again"
    assert client.cut_off == 0, "a connection was cut"
    assert client.got == {}
    assert at.waiting(run) == len(held) + len(parted) + len(late)

    for rollout in (*last_held, *last_late):
        client.begin(client.held(rollout))
    client.begin(client.part(last_parted))
    await client.finish()
    async with httpx.AsyncClient(base_url=stays.url, timeout=30.0) as http:
        collected = (await http.get(f"/v1/rewards/{ticket}", params={"wait_s": 20})).json()["rewards"]
    got = client.got | {rollout: reward or 0.0 for rollout, reward in zip(parted, collected, strict=True)}
    nameless, numbered = [*held, *last_held, *late, *last_late], [*parted, *last_parted]
    due = co_rewarding(nameless, indexed=False) | co_rewarding(numbered, indexed=True)
    assert got == {rollout: each.reward or 0.0 for rollout, each in due.items()}
    assert_one_vote_each(at, run, [*nameless, *numbered])


async def part(url: str, run: str, rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """What a pod answers to a part of some cohorts, for which its client waits long."""
    body = {"run": run, "complete": False, "wait_s": 60, "rollouts": [rollout.wire() for rollout in rollouts]}
    async with httpx.AsyncClient(base_url=url, timeout=90.0) as http:
        answer = await http.post("/v1/rewards", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_what_a_drained_pod_holds_is_answered_by_another(run: str) -> None:
    with service(workers=1) as at, pods(at.supervisor.redis_url) as (stays, goes):
        at.make_run(run, method="co-rewarding-i", group_size=GROUP, cohort_deadline_s=100)
        asyncio.run(drain(at, run, stays, goes))
