"""What a 202 says that the rollouts wait for: of a part what its cohorts lack, of a batch its teacher or a worker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_client import RewardClient, Rollout, StillPending

from reward_service.serving.supervisor import Supervisor
from reward_service.store.connecting import connection_to
from reward_service.store.teachers import TeacherPresence, TeacherStore
from tests.api.test_teacher_labels import write_weights
from tests.support.service import pair, rollout, running

GROUP = 2


def waiting(client: httpx.Client, run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What is answered at once to a request that cannot be settled."""
    body = {"run": run, "rollouts": rollouts, "wait_s": 0} | more
    answer = client.post("/v1/rewards", json=body)
    assert answer.status_code == 202, answer.text
    document = answer.json()
    assert client.get(f"/v1/rewards/{document['ticket']}").json() == document
    return document


def ballots(question: str, view: str, cast: int) -> dict[str, Any]:
    return {"what": "ballots", "question_id": question, "view": view, "ballots": cast, "of": GROUP}


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i", "group_size": GROUP}).raise_for_status()
    return name


def test_the_other_view_is_named(client: httpx.Client, run: str) -> None:
    found = waiting(client, run, pair("math/17", ["4", "4"], []), complete=False)
    assert (found["waiting_for"], found["waiting_for_more"]) == ([ballots("math/17", "paraphrase", 0)], 0)


def test_both_views_are_named_where_both_lack_some(client: httpx.Client, run: str) -> None:
    found = waiting(client, run, pair("q", ["4"], ["5"]), complete=False)
    assert found["waiting_for"] == [ballots("q", "original", 1), ballots("q", "paraphrase", 1)]


def test_what_is_settled_is_not_named_and_of_many_the_first_are(client: httpx.Client, run: str) -> None:
    whole = [each for number in range(3) for each in pair(f"whole/{number}", ["4", "4"], ["4", "4"])]
    client.post("/v1/rewards", json={"run": run, "rollouts": whole, "complete": False}).raise_for_status()
    half = [each for number in range(12) for each in pair(f"half/{number}", ["4", "4"], [])]
    found = waiting(client, run, whole + half, complete=False, wait_s=0.5)
    assert (found["settled"], found["of"]) == (12, 36)
    assert found["waiting_for"] == [ballots(f"half/{number}", "paraphrase", 0) for number in range(8)]
    assert found["waiting_for_more"] == 4


def test_the_client_s_error_says_it(client: httpx.Client, run: str) -> None:
    some = [Rollout(question_id="math/17", rollout=index, response="\\boxed{4}") for index in range(GROUP)]
    with (
        RewardClient(str(client.base_url), run=run, patience_s=0.0) as rewarder,
        pytest.raises(StillPending, match=r"it waits for the paraphrase of 'math/17' in step 1 \(0 of 2 ballots\): "),
    ):
        rewarder.rewards(some, step=1, complete=False)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Supervisor, Path]]:
    """A service that takes weights, and has no teacher."""
    weights = tmp_path_factory.mktemp("weights")
    with running(weights_root=weights) as supervisor:
        yield supervisor, weights


class Taught:
    """A run whose rollouts a teacher labels."""

    def __init__(self, supervisor: Supervisor, weights: Path) -> None:
        self._redis_url, self._weights = supervisor.redis_url, weights
        self.run = f"run-{uuid4().hex[:8]}"
        self.client = httpx.Client(base_url=supervisor.url, timeout=30.0)
        settings = {"method": "co-rewarding-ii", "group_size": GROUP}
        self.client.put(f"/v1/runs/{self.run}", json=settings).raise_for_status()

    def publish(self, step: int) -> None:
        folder = f"{self.run}.{step}"
        write_weights(self._weights / folder, {"w": [2]})
        body = {"run": self.run, "step": step, "path": folder}
        self.client.post("/v1/teacher/updates", json=body).raise_for_status()

    def teacher_is_there(self, version: int = 0, refused: str = "") -> None:
        """What a teacher process tells of itself, and its average."""

        async def tell() -> None:
            connection = connection_to(self._redis_url)
            teachers = TeacherStore(connection)
            await teachers.say(self.run, "t", TeacherPresence("model", version, 0, None))
            await teachers.advance(self.run, version, 0.99)
            for weights in await teachers.updates(self.run):
                if refused:
                    await teachers.refuse(self.run, weights, refused)
            await connection.close()

        asyncio.run(tell())

    def waits_for(self, step: int | None = 3) -> list[dict[str, Any]]:
        """What two rollouts of two views wait for."""
        given = [rollout("q", view, 0, "4", prompt=view) for view in ("original", "paraphrase")]
        return waiting(self.client, self.run, given, step=step)["waiting_for"]


@pytest.fixture
def world(taught: tuple[Supervisor, Path]) -> Iterator[Taught]:
    made = Taught(*taught)
    yield made
    made.client.close()


def test_weights_that_were_never_published_are_named_beside_a_teacher_that_is_away(world: Taught) -> None:
    update = {"what": "update", "step": 3, "labels": 2}
    assert world.waits_for() == [update, {"what": "teacher", "labels": 2}]
    world.teacher_is_there()
    assert world.waits_for() == [update]
    world.publish(2)
    assert world.waits_for() == [update | {"newest": 2}]


def test_weights_on_their_way_are_named(world: Taught) -> None:
    world.publish(3)
    world.teacher_is_there(version=2)
    average = {"what": "average", "step": 3, "newest": 3, "labels": 2}
    assert world.waits_for() == [average]
    world.teacher_is_there(version=2, refused="no such tensor")
    assert world.waits_for() == [average | {"refused": "step 3: no such tensor"}]


def test_a_teacher_at_work_is_named(world: Taught) -> None:
    world.teacher_is_there()
    assert world.waits_for(step=0) == [{"what": "generation", "labels": 2}]
    assert world.waits_for(step=None) == [{"what": "generation", "labels": 2}]
    world.publish(3)
    world.teacher_is_there(version=3)
    assert world.waits_for(step=3) == [{"what": "generation", "labels": 2}]


def test_the_client_s_error_says_what_to_publish(world: Taught) -> None:
    world.teacher_is_there()
    given = [Rollout(question_id="q", prompt="Q", rollout=0, response="\\boxed{4}")]
    with (
        RewardClient(str(world.client.base_url), run=world.run, patience_s=0.0) as rewarder,
        pytest.raises(StillPending) as waited,
    ):
        rewarder.rewards(given, step=3)
    said = "it waits for the weights of step 3, which were not published (newest: none): call publish(step, folder)"
    assert said in str(waited.value)
