"""Teachers within a Ray cluster: their GPUs are reserved together, and the labels that wait make them more."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client import RewardClient, Rollout, RunSettings

from tests.on_ray.ray_services import HEAD, OTHER, addresses, configured, join_again, kill_node, parts, served
from tests.support.ports import free_port
from tests.support.rollout_files import boxed
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.framework, pytest.mark.timeout(300)]
QUESTIONS = 24


def reserved() -> list[dict[str, float]]:
    """The resources of the placement groups that there are, each of one bundle."""
    from ray.util import placement_group_table

    return [each["bundles"][0] for each in placement_group_table().values() if each["state"] == "CREATED"]


def test_labels_that_wait_make_teachers_more_and_their_gpus_outlive_an_actor(cluster: Any, folder: Path):
    with ScriptedEndpoint(lambda _: boxed("4"), latency_s=1.0).serving() as endpoint:
        teacher = {"model": f"openai:{endpoint.url}#scripted", "gpus": 1, "cpus": 0.5, "most": 2}
        scaling = {"grow_at": 2.0, "shrink_at": 0.5, "grow_after_s": 0.0, "shrink_after_s": 1.0}
        config = configured(
            store={"data_dir": folder, "port": free_port()},
            teacher=teacher | scaling,
            service={"teacher_capacity": 1},
        )
        with served(config) as service:
            assert reserved() == [{"CPU": 0.5, "GPU": 1.0}]
            (before,) = parts(service, "teacher")
            with RewardClient(service.url, run="taught", patience_s=120.0) as client:
                client.put_run(
                    "taught", RunSettings(method="co-rewarding-ii", group_size=1, alpha_start=1.0, alpha_end=1.0)
                )
                batch = [
                    Rollout(question_id=f"q{number}", prompt=f"{number}?", view=view, response=boxed("4"))
                    for number in range(QUESTIONS)
                    for view in ("original", "paraphrase")
                ]
                ticket = client.submit(batch, step=1)  # a second of a teacher for each label
                wait_until(lambda: len(parts(service, "teacher")) == 2, 60.0, every_s=0.1)
                wait_until(lambda: service.status()["ready"] and len(reserved()) == 2, 60.0, every_s=0.1)
                os.kill(before["pid"], signal.SIGKILL)
                assert len(reserved()) == 2
                assert client.collect(ticket).rewards == [1.0] * len(batch)
            wait_until(lambda: len(parts(service, "teacher")) == 1, 60.0, every_s=0.1)
            wait_until(lambda: service.status()["ready"], 60.0, every_s=0.1)
            assert parts(service, "teacher")[0]["name"] == before["name"]
            wait_until(lambda: len(reserved()) == 1, 60.0, every_s=0.1)
        assert reserved() == []


def test_the_teachers_of_a_lost_node_run_on_another_with_gpus_of_their_own(cluster: Any, folder: Path):
    """Both nodes have 2 GPUs, and each teacher takes 2: the second waits until another node has joined."""
    with ScriptedEndpoint(lambda _: boxed("4"), latency_s=0.0).serving() as endpoint:
        teacher = {"model": f"openai:{endpoint.url}#scripted", "gpus": 2, "cpus": 0.5, "least": 2, "most": 2}
        config = configured(store={"data_dir": folder, "port": free_port()}, teacher=teacher)
        with served(config) as service:
            assert addresses(service, "teacher") == [HEAD, OTHER]
            kill_node(cluster, OTHER)
            try:
                wait_until(lambda: service.status()["lost_nodes"] == [OTHER], 60.0, every_s=0.1)
                wait_until(lambda: addresses(service, "teacher") == [HEAD, "nowhere"], 60.0, every_s=0.1)
            finally:
                join_again(cluster)
            wait_until(lambda: addresses(service, "teacher") == [HEAD, OTHER], 60.0, every_s=0.1)
            wait_until(lambda: service.status()["ready"] and len(reserved()) == 2, 60.0, every_s=0.1)
        assert reserved() == []
