"""An Idempotency-Key names one request: sent again it is the same, with another body it is refused, at every door."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.service import assert_problem, pair, rollout

DOORS = ("/v1/rewards", "/v1/rollouts")
PART = {"complete": False, "wait_s": 0.0, "step": 1}


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    assert client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i", "group_size": 4}).status_code == 200
    return name


def part(run: str, rollouts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"run": run, "rollouts": rollouts} | PART | more


def keyed(client: httpx.Client, key: str, body: dict[str, Any], door: str = "/v1/rewards") -> httpx.Response:
    return client.post(door, json=body, headers={"Idempotency-Key": key})


def bare(question_id: str, original: list[str | None], paraphrase: list[str | None]) -> list[dict[str, Any]]:
    """Rollouts of both views without an index."""
    rollouts = pair(question_id, original, paraphrase)
    return [{name: value for name, value in each.items() if name != "rollout"} for each in rollouts]


@pytest.mark.parametrize("again", DOORS)
@pytest.mark.parametrize("first", DOORS)
def test_a_part_is_remembered_at_both_doors(client: httpx.Client, run: str, first: str, again: str) -> None:
    key, body = uuid4().hex, part(run, pair("q", ["4", "5", "4"], []))
    ticket = keyed(client, key, body, first).json()["ticket"]
    assert keyed(client, key, body | {"wait_s": 0.01}, again).json()["ticket"] == ticket
    progress = client.get(f"/v1/rewards/{ticket}").json()
    assert (progress["ticket"], progress["settled"], progress["of"]) == (ticket, 0, 3)
    rest = [*pair("q", [], ["4"] * 4), rollout("q", "original", 3, "4")]
    assert client.post("/v1/rewards", json=part(run, rest, wait_s=10)).status_code == 200
    settled = client.get(f"/v1/rewards/{ticket}?wait_s=10").json()
    assert settled["rewards"] == [1.0, 0.0, 1.0]
    assert keyed(client, key, body).json() == settled


CHANGES: dict[str, dict[str, Any]] = {
    "another answer": {"rollouts": pair("q", ["5"], [])},
    "another text": {"rollouts": [rollout("q", "original", 0, "4") | {"response": "It is \\boxed{4}."}]},
    "another question": {"rollouts": pair("p", ["4"], [])},
    "another view": {"rollouts": pair("q", [], ["4"])},
    "another index": {"rollouts": [rollout("q", "original", 1, "4")]},
    "another attempt": {"rollouts": [rollout("q", "original", 0, "4", attempt=1)]},
    "a ground truth": {"rollouts": [rollout("q", "original", 0, "4", ground_truth="4")]},
    "one more": {"rollouts": pair("q", ["4", "4"], [])},
    "none": {"rollouts": []},
    "another step": {"step": 2},
    "no step": {"step": None},
    "a method": {"method": "majority-voting"},
    "the whole batch": {"complete": True},
    "with a teacher": {"method": "co-rewarding-ii", "rollouts": [rollout("q", "original", 0, "4", prompt="Q?")]},
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_part_is_refused_with_another_body(client: httpx.Client, run: str, change: dict[str, Any], door: str) -> None:
    key, body = uuid4().hex, part(run, pair("q", ["4"], []))
    ticket = keyed(client, key, body).json()["ticket"]
    before = client.get(f"/v1/runs/{run}").json()["state"]
    assert_problem(keyed(client, key, body | change, door), 409, "Idempotency-Key")
    assert client.get(f"/v1/runs/{run}").json()["state"] == before, "something of it was kept"
    assert keyed(client, key, body).json()["ticket"] == ticket


@pytest.mark.parametrize("change", [{"complete": True}, CHANGES["with a teacher"]], ids=["batch", "taught"])
def test_a_batchs_key_is_no_parts(client: httpx.Client, run: str, change: dict[str, Any]) -> None:
    key, body = uuid4().hex, part(run, pair("q", ["4"], []))
    ticket = keyed(client, key, body | change, "/v1/rollouts").json()["ticket"]
    assert_problem(keyed(client, key, body), 409, "Idempotency-Key")
    assert_problem(keyed(client, key, body | change | {"step": 2}), 409, "Idempotency-Key")
    assert keyed(client, key, body | change, "/v1/rollouts").json()["ticket"] == ticket


def test_a_long_text_is_another_one(client: httpx.Client, run: str) -> None:
    key, text = uuid4().hex, "x" * 5000 + "\\boxed{4}"
    body = part(run, [rollout("q", "original", 0, "4") | {"response": text}])
    keyed(client, key, body)
    for other in (text[1:], "y" + text[1:], text + " ", text[:-1] + " }", text[:2500] + "y" + text[2501:]):
        changed = part(run, [rollout("q", "original", 0, "4") | {"response": other}])
        assert_problem(keyed(client, key, changed), 409, "Idempotency-Key")


def test_a_key_is_one_runs(client: httpx.Client, run: str) -> None:
    other = f"{run}-other"
    client.put(f"/v1/runs/{other}", json={"method": "co-rewarding-i", "group_size": 4})
    key = uuid4().hex
    tickets = [keyed(client, key, part(each, pair("q", ["4"], []))).json()["ticket"] for each in (run, other)]
    assert [ticket.partition("~")[0] for ticket in tickets] == [run, other]


@pytest.mark.parametrize("complete", [True, False])
def test_a_retry_gets_its_answer_whatever_became_of_the_run(client: httpx.Client, run: str, complete: bool) -> None:
    key, body = uuid4().hex, part(run, pair("q", ["4"] * 4, ["4"] * 4), complete=complete, wait_s=10)
    first = keyed(client, key, body).json()
    changed = {"method": "majority-voting", "group_size": 2, "min_votes": 3, "answer_formats": ["hashes"]}
    assert client.put(f"/v1/runs/{run}", json=changed).status_code == 200
    assert keyed(client, key, body).json() == first


def test_rollouts_without_an_index_are_their_own(client: httpx.Client, run: str) -> None:
    """Each client sends one and numbers none: all of them vote, and what is sent again votes once."""
    rollouts = bare("q", ["4", "4", "5", "5"], ["4", "5", "4", "4"])
    bodies = {f"{run}-{n}": part(run, [each]) for n, each in enumerate(rollouts)}
    tickets = {key: keyed(client, key, body).json()["ticket"] for key, body in list(bodies.items())[:-1]}
    assert tickets == {key: keyed(client, key, bodies[key]).json()["ticket"] for key in tickets}
    keyed(client, f"{run}-7", bodies[f"{run}-7"])
    answers = [client.get(f"/v1/rewards/{ticket}?wait_s=10").json() for ticket in tickets.values()]
    assert [answer["rewards"] for answer in answers] == [[reward] for reward in (1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0)]
    assert {label["of"] for answer in answers for label in answer["labels"]} == {4}
    assert [keyed(client, key, bodies[key]).json() for key in tickets] == answers


def test_several_without_an_index_in_one_part_are_their_own(client: httpx.Client, run: str) -> None:
    client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": 4})
    assert keyed(client, f"{run}-a", part(run, bare("q", ["4", "4"], []))).status_code == 202
    mixed = [*bare("q", ["5"], []), rollout("q", "original", 0, "4")]
    answer = keyed(client, f"{run}-b", part(run, mixed, wait_s=10)).json()
    assert (answer["rewards"], answer["labels"][0]["of"]) == ([0.0, 1.0], 4)


def test_a_part_without_index_and_key_is_told_to_send_one(client: httpx.Client, run: str) -> None:
    rollouts = [rollout("q", "original", 0, "4"), *bare("q", ["4"], [])]
    answer = client.post("/v1/rewards", json=part(run, rollouts))
    assert_problem(answer, 422, "rollouts[1]", "`rollout`", "Idempotency-Key")
    assert client.get(f"/v1/runs/{run}").json()["state"]["open"] == 0


def test_what_contradicts_a_settled_cohort_is_refused_however_often_it_comes(client: httpx.Client, run: str) -> None:
    whole = part(run, pair("q", ["4"] * 4, ["4"] * 4), wait_s=10)
    assert client.post("/v1/rewards", json=whole).json()["rewards"] == [1.0] * 8
    key, other = uuid4().hex, part(run, [*pair("p", ["1"], []), rollout("q", "original", 0, "77")])
    for _ in range(2):
        assert_problem(keyed(client, key, other), 409, "attempt")
    assert client.get(f"/v1/runs/{run}").json()["state"]["open"] == 0
