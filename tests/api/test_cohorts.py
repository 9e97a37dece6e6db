"""GET /v1/cohorts: the cohorts of a question by run and step, whatever way their rollouts came."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from co_rewarding_client import InvalidRequest, NotFound, RewardClient

from tests.support.service import assert_problem, pair, rollout


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    settings = {"method": "co-rewarding-i", "group_size": 1}
    assert client.put(f"/v1/runs/{name}", json=settings).status_code == 200
    return name


def listed(client: httpx.Client, run: str, question: str = "q", **asked: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/cohorts", params={"run": run, "question_id": question} | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["cohorts"]


def test_a_batch_a_part_and_a_round_are_found(client: httpx.Client, run: str) -> None:
    batch = client.post("/v1/rewards", json={"run": run, "step": 1, "rollouts": pair("q", ["4"], ["4"])}).json()
    part = {"run": run, "step": 2, "complete": False, "rollouts": pair("q", ["4"], ["4"])}
    parts = client.post("/v1/rewards", json=part).json()
    label = json.dumps({"question_id": "q", "run": run, "n": 1})
    both = [label, json.dumps({"question_id": "q", "run": run, "n": 1, "view": "paraphrase"})]
    body = {"query": ["\\boxed{4}"] * 2, "prompts": ["", ""], "labels": both}
    held = client.post("/get_reward", json=body).json()
    found = listed(client, run)
    assert [(each["step"], each["state"], each["views"]) for each in found] == [
        (None, "settled", ["original", "paraphrase"]),
        (2, "settled", ["original", "paraphrase"]),
        (1, "settled", ["original", "paraphrase"]),
    ]
    named = [held["cohorts"][0], parts["labels"][0]["cohort"], batch["labels"][0]["cohort"]]
    assert [each["cohort"] for each in found] == named
    assert [each["labels"][0]["answer"] for each in found] == ["4"] * 3
    assert [each["cohort"] for each in listed(client, run, step=1)] == named[2:]
    assert listed(client, run, step=3) == listed(client, run, "p") == []
    explained = client.get(f"/v1/cohorts/{named[1]}").json()
    assert {name: explained[name] for name in found[1] if name != "views"} == {
        name: value for name, value in found[1].items() if name != "views"
    }


def test_open_cohorts_attempts_and_views_apart_are_found(client: httpx.Client, run: str) -> None:
    for attempt in (0, 3):
        waiting = [rollout("q", "original", 0, "4", attempt=attempt)]
        body = {"run": run, "step": 1, "complete": False, "wait_s": 0, "rollouts": waiting}
        assert client.post("/v1/rewards", json=body).status_code == 202
    found = listed(client, run, step=1)
    assert [(each["attempt"], each["state"], each["labels"]) for each in found] == [(3, "open", []), (0, "open", [])]
    apart = {"run": run, "step": 2, "method": "majority-voting", "rollouts": pair("q", ["4"], ["5"])}
    assert client.post("/v1/rewards", json=apart).status_code == 200
    assert sorted(each["views"] for each in listed(client, run, step=2)) == [["original"], ["paraphrase"]]


def test_the_client_reads_all_pages(client: httpx.Client, run: str, service_url: str) -> None:
    for step in range(5):
        body = {"run": run, "step": step, "rollouts": pair("q", ["4"], ["4"])}
        assert client.post("/v1/rewards", json=body).status_code == 200
    first = client.get("/v1/cohorts", params={"run": run, "question_id": "q", "limit": 3}).json()
    assert ([each["step"] for each in first["cohorts"]], first["cursor"] is None) == ([4, 3, 2], False)
    assert [each["step"] for each in listed(client, run, limit=3, cursor=first["cursor"])] == [1, 0]
    with RewardClient(service_url, run=run, patience_s=10.0) as ours:
        assert [each["step"] for each in ours.cohorts("q")] == [4, 3, 2, 1, 0]
        assert [each["step"] for each in ours.cohorts("q", most=2)] == [4, 3]
        (one,) = ours.cohorts("q", step=3)
        assert ours.cohort(one["cohort"])["question_id"] == "q"
        with pytest.raises(NotFound):
            ours.cohorts("q", run="never-made")
        with pytest.raises(InvalidRequest):
            ours.cohorts("")


def test_what_cannot_be_looked_up_is_told(client: httpx.Client, run: str) -> None:
    assert_problem(client.get("/v1/cohorts"), 422, "question_id")
    for asked in ({"step": -1}, {"limit": 0}, {"limit": 1000}, {"cursor": "x"}):
        answer = client.get("/v1/cohorts", params={"run": run, "question_id": "q"} | asked)
        assert_problem(answer, 422, next(iter(asked)))
    assert_problem(client.get("/v1/cohorts", params={"run": "never-made", "question_id": "q"}), 404, "never-made")
