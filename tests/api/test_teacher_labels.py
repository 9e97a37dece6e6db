"""Methods with a teacher, by every door: a rollout waits for its label, and for no other rollout."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from reward_service.store.label_queue import LabelRequest
from tests.support.scripted_teacher import ScriptedTeacher
from tests.support.service import assert_problem, rollout, running
from tests.support.waiting import wait_until

WORD_OF = {"original": "4 4 5", "paraphrase": "5 5 4"}
"""What the teacher answers to each view, which is how its question is worded here."""


def answers(asked: LabelRequest, version: int) -> list[str | None]:
    text = asked.prompt.text or asked.prompt.question or (asked.prompt.messages or [("", "")])[-1][1]
    return [str(version) if word == "version" else word for word in text.split()]


@dataclass
class World:
    """A service that takes weights, and a teacher that answers by a script."""

    client: httpx.Client
    teacher: ScriptedTeacher
    weights: Path

    def make_run(self, method: str, *, version: int | None = 0, **more: Any) -> str:
        """A run of this method, whose teacher is at work unless it has no version."""
        run = f"run-{uuid4().hex[:8]}"
        self.client.put(f"/v1/runs/{run}", json={"method": method, "group_size": 3, **more}).raise_for_status()
        if version is not None:
            self.teacher.versions[run] = version
        return run

    def rewards(self, run: str, *rollouts: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What a request is answered when it is settled."""
        body = {"run": run, "rollouts": rollouts, **more}
        answer = self.client.post("/v1/rewards", json=body).raise_for_status()
        assert answer.status_code == 200, answer.text
        return answer.json()

    def announce(self, run: str, step: int, path: str = "", **more: Any) -> httpx.Response:
        """Publishes weights of a step, and tells of them."""
        if not path:
            path = f"{run}.step-{step}"
            write_weights(self.weights / path, {"w": [2]})
        return self.client.post("/v1/teacher/updates", json={"run": run, "step": step, "path": path, **more})

    def standing(self, run: str) -> dict[str, Any]:
        return self.client.get("/v1/teacher", params={"run": run}).raise_for_status().json()


def write_weights(folder: Path, shapes: dict[str, list[int]]) -> None:
    """Zeros of these shapes, as a file of safetensors."""
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    weights = tmp_path_factory.mktemp("weights")
    with running(weights_root=weights) as supervisor:
        teacher = ScriptedTeacher(supervisor.redis_url, answers)
        with teacher.at_work(), httpx.Client(base_url=supervisor.url, timeout=30.0) as client:
            yield World(client, teacher, weights)


def sent(view: str, index: int, answer: str | None, **more: Any) -> dict[str, Any]:
    return rollout("q", view, index, answer, prompt=WORD_OF[view], **more)


def both_views() -> list[dict[str, Any]]:
    given = ["4", "5", None]
    return [sent(view, n, answer) for view in ("original", "paraphrase") for n, answer in enumerate(given)]


@pytest.mark.parametrize(
    ("method", "rewards"), [("co-rewarding-ii", [1, 0, 0, 0, 1, 0]), ("co-rewarding-iii", [0, 1, 0, 1, 0, 0])]
)
@pytest.mark.parametrize("complete", [True, False])
def test_a_batch_is_rewarded_by_the_teacher(world: World, method: str, rewards: list[int], complete: bool) -> None:
    run = world.make_run(method)
    body = {"run": run, "step": 0, "complete": complete, "rollouts": both_views()}
    answer = world.client.post("/v1/rewards", json=body).raise_for_status().json()
    assert answer["rewards"] == rewards
    assert {(la["voter"], la["votes"], la["of"], la["teacher_version"]) for la in answer["labels"]} == {
        ("teacher", 2, 3, 0)
    }
    explained = world.client.get(f"/v1/cohorts/{answer['labels'][0]['cohort']}").raise_for_status().json()
    voters = [ballot["voter"] for ballot in explained["ballots"]]
    assert voters == ["policy"] * 3 + ["teacher"] * 3
    assert [ballot["reward"] for ballot in explained["ballots"][3:]] == [None] * 3
    assert explained["labels"][0]["teacher_version"] == 0


def test_one_rollout_is_rewarded_without_its_group(world: World) -> None:
    run = world.make_run("co-rewarding-ii")
    body = {"run": run, "step": 0, "complete": False, "rollouts": [sent("original", 1, "4")]}
    assert world.client.post("/v1/rewards", json=body).raise_for_status().json()["rewards"] == [1.0]


def test_a_ticket_is_answered_when_the_label_is_there(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=None)
    body = {"run": run, "step": 0, "rollouts": [sent("original", 0, "4")]}
    ticket = world.client.post("/v1/rollouts", json=body).raise_for_status().json()["ticket"]
    waiting = world.client.get(f"/v1/rewards/{ticket}")
    assert (waiting.status_code, waiting.json()["settled"]) == (202, 0)
    standing = world.client.get("/v1/teacher", params={"run": run}).json()
    assert (standing["ready"], standing["waiting"], standing["waiting_for"]) == (False, 1, "teacher")
    world.teacher.versions[run] = 0
    settled = world.client.get(f"/v1/rewards/{ticket}", params={"wait_s": 20})
    assert (settled.status_code, settled.json()["rewards"]) == (200, [1.0])


def label_of(run: str, view: str, **more: Any) -> str:
    return json.dumps({"question_id": "q", "view": view, "n": 3, "run": run, **more})


@pytest.mark.parametrize(("method", "right"), [("co-rewarding-ii", "4"), ("co-rewarding-iii", "5")])
def test_openrlhf_s_door(world: World, method: str, right: str) -> None:
    """One rollout a request, all at once; under III each view's text comes with the other view's rollouts."""
    run = world.make_run(method)

    def ask(view: str, answer: str) -> dict[str, Any]:
        prompt = WORD_OF[view]
        label = label_of(run, view, step=0, ground_truth="4")
        body = {"query": [f"{prompt} So \\boxed{{{answer}}}."], "prompts": [prompt], "labels": [label]}
        return world.client.post("/get_reward", json=body).raise_for_status().json()

    with ThreadPoolExecutor(6) as pool:
        original = [pool.submit(ask, "original", answer) for answer in "456"]
        paraphrase = [pool.submit(ask, "paraphrase", answer) for answer in "456"]
        rewards = [float(each.result()["rewards"]) for each in original]
        other = [float(each.result()["rewards"]) for each in paraphrase]
    assert rewards == [float(answer == right) for answer in "456"]
    assert other == [float(answer != right) for answer in "45"] + [0.0]
    logs = original[0].result()["extra_logs"]
    assert logs["vote_share"] == pytest.approx(2 / 3)
    assert logs["label_matches_truth"] == float(right == "4")


def test_slime_s_door(world: World) -> None:
    run = world.make_run("co-rewarding-ii")
    label = json.loads(label_of(run, "original"))
    body = {"prompt": WORD_OF["original"], "response": "\\boxed{4}", "label": label}
    assert world.client.post("/v1/remote_rm", json=body).raise_for_status().json()["reward"] == 1.0


def test_a_step_waits_for_its_version_and_says_which_has_voted(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=1)
    given = rollout("q", "original", 0, "2", prompt="version")
    body = {"run": run, "step": 2, "rollouts": [given], "wait_s": 0.2}
    waiting = world.client.post("/v1/rewards", json=body)
    assert waiting.status_code == 202
    world.teacher.versions[run] = 2
    ticket = waiting.json()["ticket"]
    answer = world.client.get(f"/v1/rewards/{ticket}", params={"wait_s": 20}).json()
    assert (answer["rewards"], answer["labels"][0]["teacher_version"]) == ([1.0], 2)


def test_a_lag_that_is_allowed_waits_for_nothing(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=1, max_teacher_lag=1)
    given = rollout("q", "original", 0, "1", prompt="version")
    answer = world.client.post("/v1/rewards", json={"run": run, "step": 2, "rollouts": [given]}).json()
    assert (answer["rewards"], answer["labels"][0]["teacher_version"]) == ([1.0], 1)


def test_without_a_step_each_time_has_its_own_teacher(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=0)
    given = rollout("q", "original", 0, "0", prompt="version")
    body = {"run": run, "rollouts": [given]}
    first = world.client.post("/v1/rewards", json=body).json()
    assert (first["rewards"], first["labels"][0]["teacher_version"]) == ([1.0], 0)
    world.announce(run, 5).raise_for_status()
    world.teacher.versions[run] = 5
    second = world.client.post("/v1/rewards", json=body).json()
    assert (second["rewards"], second["labels"][0]["teacher_version"]) == ([0.0], 5)


def test_a_prefetched_label_is_there_before_the_rollouts(world: World) -> None:
    run = world.make_run("co-rewarding-iii")
    questions = [
        {"question_id": "q", "view": "original", "question": "4 4 4"},
        {"question_id": "q", "view": "paraphrase", "messages": [{"role": "user", "content": "5 5 5"}]},
    ]
    body = {"run": run, "step": 0, "questions": questions}
    assert world.client.post("/v1/teacher/prefetch", json=body).json() == {"accepted": 2}
    wait_until(lambda: [each.view for each in world.teacher.asked if each.run == run] in ([0, 1], [1, 0]))
    del world.teacher.versions[run]
    given = [rollout("q", "original", 0, "5"), rollout("q", "paraphrase", 0, "5")]
    answer = world.client.post("/v1/rewards", json={"run": run, "step": 0, "rollouts": given}).json()
    assert answer["rewards"] == [1.0, 0.0]


def test_a_question_that_nobody_has_worded_is_said_at_once(world: World) -> None:
    run = world.make_run("co-rewarding-ii")
    body = {"run": run, "rollouts": [rollout("q", "original", 0, "4")]}
    assert_problem(world.client.post("/v1/rewards", json=body), 409, "'q'", "prompt", "prefetch")
    two = {"question_id": "q", "prompt": "a", "question": "b"}
    answer = world.client.post("/v1/teacher/prefetch", json={"run": run, "questions": [two]})
    assert_problem(answer, 422, "questions[0]", "one of")


def test_at_the_deadline_what_has_no_label_abstains(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=None, cohort_deadline_s=0.3)
    body = {"run": run, "step": 0, "rollouts": [sent("original", 0, "4")]}
    answer = world.client.post("/v1/rewards", json=body).raise_for_status().json()
    assert (answer["rewards"], answer["abstentions"]) == ([None], ["expired"])


def test_a_batch_may_bring_ballots_of_a_teacher_of_its_own(world: World) -> None:
    run = world.make_run("co-rewarding-ii", version=None)
    brought = [rollout("q", "original", n, "7", voter="teacher") for n in range(3)]
    body = {"run": run, "rollouts": [*brought, rollout("q", "original", 0, "7"), rollout("q", "original", 1, "8")]}
    answer = world.client.post("/v1/rewards", json=body).raise_for_status().json()
    assert answer["rewards"] == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert "teacher_version" not in answer["labels"][0]


def test_weights_are_announced_once_a_step_in_order(world: World) -> None:
    run = world.make_run("co-rewarding-ii", total_steps=300)
    first = world.announce(run, 1)
    assert (first.status_code, first.json()["version"]) == (202, 1)
    assert first.json()["alpha"] == pytest.approx(0.99, abs=1e-5)
    assert world.announce(run, 1, path=f"{run}.step-1").json() == first.json()
    later = world.announce(run, 4).json()
    assert later["alpha"] == pytest.approx(0.99**3, abs=1e-4), "three steps are composed"
    assert_problem(world.announce(run, 2), 409, "step 2 is older than step 4")
    standing = world.standing(run)
    assert (standing["step"], standing["version"], standing["ready"]) == (4, 0, False)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("../elsewhere", "'..'"),
        ("/etc", "absolute"),
        ("nothing-here", "no folder"),
        ("empty", "safetensors"),
        ("linked", "symbolic link"),
        ("broken", "model.safetensors"),
    ],
)
def test_weights_that_cannot_be_taken_are_refused_at_the_door(
    world: World, path: str, word: str, tmp_path: Path
) -> None:
    run = world.make_run("co-rewarding-ii")
    (world.weights / "empty").mkdir(exist_ok=True)
    write_weights(tmp_path / "outside", {"w": [2]})
    linked, broken = world.weights / "linked", world.weights / "broken"
    if not linked.is_symlink():
        linked.symlink_to(tmp_path / "outside")
        broken.mkdir()
        (broken / "model.safetensors").write_bytes(b"\xff" * 64)
    assert_problem(world.announce(run, 1, path=path), 422, word)
    assert world.standing(run)["step"] == 0


def test_a_service_without_a_weights_root_says_so(client: httpx.Client) -> None:
    answer = client.post("/v1/teacher/updates", json={"step": 1, "path": "w"})
    assert_problem(answer, 501, "CO_REWARDING_WEIGHTS_ROOT")
