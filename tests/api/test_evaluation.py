"""Evaluation: compared with the truth that it carries or voted among its own, and apart from the training."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.service import assert_problem, pair, rollout
from tests.support.waiting import wait_until

AT_ONCE_S = 1.0


def make(client: httpx.Client, **settings: Any) -> str:
    run = f"run-{uuid4().hex[:8]}"
    put(client, run, **settings)
    return run


def put(client: httpx.Client, run: str, **settings: Any) -> None:
    settings = {"method": "co-rewarding-i", "group_size": 4} | settings
    assert client.put(f"/v1/runs/{run}", json=settings).status_code == 200


def post(client: httpx.Client, run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/rewards", json={"run": run, "rollouts": rollouts} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(client: httpx.Client, run: str) -> dict[str, int]:
    return client.get(f"/v1/runs/{run}").json()["state"]


def truths(questions: int, **more: Any) -> list[dict[str, Any]]:
    """One rollout of one view of each question; those of even questions are right."""
    return [rollout(f"q{n}", "original", 0, str(n % 2), ground_truth="0") | more for n in range(questions)]


@pytest.fixture
def run(client: httpx.Client) -> str:
    return make(client)


@pytest.mark.parametrize("complete", [True, False])
def test_one_view_with_a_truth_is_answered_at_once(client: httpx.Client, run: str, complete: bool) -> None:
    began_s = time.monotonic()
    answer = post(client, run, truths(8), evaluate=True, complete=complete)
    assert time.monotonic() - began_s < AT_ONCE_S
    assert answer["rewards"] == [1.0, 0.0] * 4
    assert (answer["run"], answer["method"]) == (f"{run}.evaluation", "ground-truth")
    assert {label["voter"] for label in answer["labels"]} == {"ground-truth"}


@pytest.mark.parametrize("method", ["co-rewarding-ii", "co-rewarding-iii", "entropy", "ground-truth"])
def test_no_teacher_or_statistic_is_waited_for(client: httpx.Client, method: str) -> None:
    run = make(client, method=method)
    assert post(client, run, truths(2), evaluate=True)["rewards"] == [1.0, 0.0]
    voted = post(client, run, pair("q", ["4", "4", "5"], []), evaluate=True)
    assert (voted["rewards"], voted["method"]) == ([1.0, 1.0, 0.0], "majority-voting")
    assert state(client, run)["waiting_for_teacher"] == state(client, f"{run}.evaluation")["waiting_for_teacher"] == 0


def test_without_a_truth_each_view_votes_by_itself(client: httpx.Client, run: str) -> None:
    answer = post(client, run, pair("q", ["4", "4", "5"], ["5", "5", "4"]), evaluate=True)
    assert answer["rewards"] == [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert answer["method"] == "majority-voting"


@pytest.mark.parametrize("complete", [True, False])
def test_a_request_may_hold_both_kinds(client: httpx.Client, complete: bool) -> None:
    run = make(client, evaluation_group_size=3)
    rollouts = [*pair("voted", ["4", "4", "5"], []), *truths(2)]
    answer = post(client, run, rollouts, evaluate=True, complete=complete)
    assert answer["rewards"] == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert answer["method"] == "majority-voting"
    assert {label["question_id"]: label["voter"] for label in answer["labels"]} == {
        "voted": "policy", "q0": "ground-truth", "q1": "ground-truth",
    }  # fmt: skip


@pytest.mark.parametrize("complete", [True, False])
def test_a_rollout_beside_one_with_a_truth_is_compared_too(client: httpx.Client, run: str, complete: bool) -> None:
    first, *others = pair("q", ["4", "5", "4", "5"], [])
    answer = post(client, run, [first | {"ground_truth": "5"}, *others], evaluate=True, complete=complete)
    assert (answer["rewards"], answer["method"]) == ([0.0, 1.0, 0.0, 1.0], "ground-truth")


def test_a_blank_truth_is_none(client: httpx.Client, run: str) -> None:
    rollouts = [each | {"ground_truth": " "} for each in pair("q", ["4", "4", "5"], [])]
    answer = post(client, run, rollouts, evaluate=True)
    assert (answer["rewards"], answer["method"]) == ([1.0, 1.0, 0.0], "majority-voting")


def test_parts_wait_for_the_group_of_the_evaluation_only(client: httpx.Client) -> None:
    run = make(client, evaluation_group_size=2)
    first, second = pair("q", ["4", "4"], [])
    ticket = post_part(client, run, first)
    assert client.get(f"/v1/rewards/{ticket}").status_code == 202
    assert post(client, run, [second], evaluate=True, complete=False)["rewards"] == [1.0]
    assert client.get(f"/v1/rewards/{ticket}", params={"wait_s": 10}).json()["rewards"] == [1.0]


def post_part(client: httpx.Client, run: str, part: dict[str, Any]) -> str:
    answer = client.post("/v1/rollouts", json={"run": run, "rollouts": [part], "evaluate": True, "complete": False})
    assert answer.status_code == 202, answer.text
    return answer.json()["ticket"]


def test_a_part_with_a_truth_counts_once_and_contradicts_itself_never(client: httpx.Client, run: str) -> None:
    """Beside a rollout that votes, one with a truth is a cohort by itself."""
    voted, other = rollout("voted", "original", 0, "4"), rollout("q", "original", 0, "0", ground_truth="0")
    first = post_part_of(client, run, [voted, other])
    assert post_part_of(client, run, [voted, other]).status_code == first.status_code == 202
    contradicted = post_part_of(client, run, [voted, other | {"response": "\\boxed{1}"}])
    assert_problem(contradicted, 409, "rollouts[1]", "another answer")
    wait_until(lambda: state(client, f"{run}.evaluation")["settled"] == 1, 10)


def post_part_of(client: httpx.Client, run: str, rollouts: list[dict[str, Any]]) -> httpx.Response:
    return client.post("/v1/rollouts", json={"run": run, "rollouts": rollouts, "evaluate": True, "complete": False})


def test_an_evaluation_inside_a_step_changes_nothing_of_the_training(client: httpx.Client) -> None:
    """The same questions, step and rollouts, while the cohort of the training is open."""
    run = make(client, group_size=2, quarantine="own-view")
    training = pair("q", ["4", "5"], ["5", "5"])
    opened = client.post("/v1/rollouts", json={"run": run, "step": 3, "complete": False, "rollouts": training[:2]})
    before = state(client, run)
    with_truths = [each | {"ground_truth": "4"} for each in training]
    assert post(client, run, with_truths, step=3, evaluate=True)["rewards"] == [1.0, 0.0, 0.0, 0.0]
    voted = post(client, run, training, step=3, evaluate=True, complete=False)
    assert voted["rewards"][2:] == [1.0, 1.0]
    assert state(client, run) == before
    assert before["open"] == 1
    assert post(client, run, training[2:], step=3, complete=False)["rewards"] == [0.0, 0.0]
    ticket = opened.json()["ticket"]
    assert client.get(f"/v1/rewards/{ticket}", params={"wait_s": 10}).json()["rewards"] == [0.0, 1.0]
    assert state(client, run)["settled"] == 1
    assert state(client, f"{run}.evaluation")["settled"] == 4


def test_it_is_counted_in_a_run_of_its_own(client: httpx.Client) -> None:
    run = make(client, quarantine="own-view", evaluation_group_size=1)
    evaluation = f"{run}.evaluation"
    answer = post(client, run, truths(4), step=7, evaluate=True)
    assert state(client, run) == dict.fromkeys(state(client, run), 0)
    assert state(client, evaluation)["settled"] == 4
    assert {run, evaluation} <= {each["run"] for each in client.get("/v1/runs", params={"limit": 500}).json()["runs"]}
    assert client.get("/v1/cohorts", params={"run": run, "question_id": "q0"}).json()["cohorts"] == []
    (cohort,) = client.get("/v1/cohorts", params={"run": evaluation, "question_id": "q0"}).json()["cohorts"]
    assert (cohort["cohort"], cohort["method"]) == (answer["labels"][0]["cohort"], "ground-truth")
    assert client.get(f"/v1/cohorts/{cohort['cohort']}").json()["run"] == evaluation
    for name in (run, evaluation):
        assert client.get(f"/v1/runs/{name}/quarantine").json()["pairs_seen"] == 0


def samples(client: httpx.Client, run: str) -> dict[str, float]:
    """What Prometheus reads of a run."""
    lines = [line for line in client.get("/metrics").text.splitlines() if f'run="{run}"' in line]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_are_those_of_its_own_run(client: httpx.Client, run: str) -> None:
    post(client, run, pair("q", ["4"] * 4, ["4"] * 4))
    evaluation, rewarded = f"{run}.evaluation", "co_rewarding_rollouts_rewarded_total"
    wait_until(lambda: samples(client, run).get(f'{rewarded}{{run="{run}"}}') == 8.0, 10)
    before = samples(client, run)
    post(client, run, truths(4), evaluate=True)
    wait_until(lambda: samples(client, evaluation).get(f'{rewarded}{{run="{evaluation}"}}') == 4.0, 10)
    assert samples(client, run) == before


def openrlhf(client: httpx.Client, answer: str, label: object, **params: str) -> dict[str, Any]:
    body = {"query": [f"Q: \\boxed{{{answer}}}"], "prompts": ["Q: "], "labels": [label]}
    answered = client.post("/get_reward", json=body, params=params)
    assert answered.status_code == 200, answered.text
    return answered.json()


def remote_rm(client: httpx.Client, answer: str, label: object, **params: str) -> dict[str, Any]:
    body = {"prompt": "Q: ", "response": f"\\boxed{{{answer}}}", "label": label}
    answered = client.post("/v1/remote_rm", json=body, params=params)
    assert answered.status_code == 200, answered.text
    return answered.json() | {"rewards": answered.json()["reward"]}


DOORS = pytest.mark.parametrize("door", [openrlhf, remote_rm])


@DOORS
@pytest.mark.parametrize("rollout", [{}, {"rollout": 7}])
def test_a_label_with_a_truth_is_answered_at_once(
    client: httpx.Client, run: str, door: Any, rollout: dict[str, int]
) -> None:
    label = {"question_id": "q", "run": run, "evaluate": True, "ground_truth": "4"} | rollout
    began_s = time.monotonic()
    assert door(client, "4", json.dumps(label))["rewards"] == 1.0
    assert door(client, "5", label)["rewards"] == 0.0
    assert time.monotonic() - began_s < 2 * AT_ONCE_S
    assert state(client, run)["settled"] == 0
    assert state(client, f"{run}.evaluation")["settled"] == 2


@DOORS
@pytest.mark.parametrize("n", [{"n": 3}, {}])
def test_labels_without_a_truth_vote_in_their_view(client: httpx.Client, door: Any, n: dict[str, int]) -> None:
    run = make(client, evaluation_group_size=5 if n else 3)
    label = {"question_id": "q", "run": run, "evaluate": True} | n
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda answer: door(client, answer, label), ["4", "4", "5"]))
    assert [answer["rewards"] for answer in answers] == [1.0, 1.0, 0.0]
    assert state(client, run)["settled"] == 0


@DOORS
def test_labels_with_an_index_wait_for_the_group_of_the_evaluation(client: httpx.Client, door: Any) -> None:
    run = make(client, evaluation_group_size=3)
    with ThreadPoolExecutor(3) as threads:
        labels = [{"question_id": "q", "run": run, "evaluate": True, "rollout": n} for n in range(3)]
        answers = list(threads.map(lambda n: door(client, "445"[n], labels[n]), range(3)))
    assert [answer["rewards"] for answer in answers] == [1.0, 1.0, 0.0]


@DOORS
def test_a_truth_alone_is_evaluated_too(client: httpx.Client, run: str, door: Any) -> None:
    assert door(client, "4", {"ground_truth": "4", "evaluate": True}, run=run)["rewards"] == 1.0
    assert door(client, "4", "4", run=f"{run}.evaluation")["rewards"] == 1.0
    assert state(client, f"{run}.evaluation")["settled"] >= 1
    assert state(client, run)["settled"] == 0


@DOORS
def test_a_label_of_no_truth_is_not_right_by_its_own_vote(client: httpx.Client, run: str, door: Any) -> None:
    answer = door(client, "4", {"ground_truth": " ", "evaluate": True}, run=run)
    assert answer["rewards"] == 0.0


def test_the_evaluation_follows_the_settings_of_its_run(client: httpx.Client, run: str) -> None:
    evaluation = f"/v1/runs/{run}.evaluation"
    document = client.get(evaluation).json()
    assert (document["method"], document["group_size"], document["quarantine"]) == ("majority-voting", 4, "off")
    put(client, run, answer_formats=["hashes"], evaluation_group_size=2, teacher_model="a/b")
    document = client.get(evaluation).json()
    assert (document["group_size"], document["answer_formats"], document["teacher_model"]) == (2, ["hashes"], None)
    (rewarded,) = post(client, run, [{**truths(1)[0], "response": "#### 0"}], evaluate=True)["rewards"]
    assert rewarded == 1.0


def test_a_change_of_the_settings_is_noticed_at_once(client: httpx.Client, run: str) -> None:
    rollouts = [each | {"response": "#### 0"} for each in truths(1)]
    assert post(client, run, rollouts, step=1, evaluate=True)["rewards"] == [0.0]
    put(client, run, answer_formats=["hashes"])
    assert post(client, run, rollouts, step=2, evaluate=True)["rewards"] == [1.0]


def test_the_run_of_an_evaluation_may_be_named_instead(client: httpx.Client, run: str) -> None:
    assert post(client, f"{run}.evaluation", truths(2))["rewards"] == [1.0, 0.0]
    assert post(client, f"{run}.evaluation", truths(2), evaluate=True)["run"] == f"{run}.evaluation"
    refused = client.post("/v1/rewards", json={"run": f"{run}.evaluation", "method": "entropy", "rollouts": []})
    assert_problem(refused, 422, "leave method out")


def test_the_default_run_can_be_evaluated(client: httpx.Client) -> None:
    assert post(client, "default", truths(2), evaluate=True)["run"] == "default.evaluation"


def test_a_method_beside_evaluate_is_refused(client: httpx.Client, run: str) -> None:
    body = {"run": run, "evaluate": True, "method": "ground-truth", "rollouts": truths(1)}
    for route in ("/v1/rewards", "/v1/rollouts"):
        assert_problem(client.post(route, json=body), 422, "method", "leave method out", "ground_truth")


def test_run_names_of_evaluations_are_the_services(client: httpx.Client, run: str) -> None:
    settings = {"method": "co-rewarding-i"}
    refused = client.put(f"/v1/runs/{run}.evaluation", json=settings)
    assert_problem(refused, 422, f"'{run}'", "evaluate: true", "evaluation_group_size")
    question = {"question_id": "q", "prompt": "Q"}
    prefetch = {"run": f"{run}.evaluation", "step": 1, "questions": [question]}
    assert_problem(client.post("/v1/teacher/prefetch", json=prefetch), 422, f"'{run}'")
    update = {"run": f"{run}.evaluation", "step": 1, "path": "a"}
    assert_problem(client.post("/v1/teacher/updates", json=update), 422, f"'{run}'")
    longest = "r" * 117
    put(client, longest)
    assert post(client, longest, truths(1), evaluate=True)["rewards"] == [1.0]
    long = "r" * 118
    put(client, long)
    body = {"run": long, "evaluate": True, "rollouts": truths(1)}
    assert_problem(client.post("/v1/rewards", json=body), 422, long, "118 characters", "at most 117")
    label = {"question_id": "q", "run": long, "evaluate": True, "ground_truth": "4"}
    held = client.post("/v1/remote_rm", json={"prompt": "Q", "response": "a", "label": label})
    assert_problem(held, 422, long, "at most 117")


def test_the_evaluation_of_no_run_is_refused_by_the_runs_name(client: httpx.Client) -> None:
    for body in ({"run": "nobody", "evaluate": True}, {"run": "nobody.evaluation"}):
        assert_problem(client.post("/v1/rewards", json=body | {"rollouts": []}), 404, "'nobody'")
    twice = client.post("/v1/rewards", json={"run": "default.evaluation.evaluation", "rollouts": []})
    assert_problem(twice, 404, "'default.evaluation'")


def test_a_group_that_is_too_small_names_its_own_setting(client: httpx.Client) -> None:
    run = make(client, evaluation_group_size=1)
    body = {"run": run, "evaluate": True, "complete": False, "rollouts": [rollout("q", "original", 1, "4")]}
    assert_problem(client.post("/v1/rewards", json=body), 409, "evaluation_group_size")
