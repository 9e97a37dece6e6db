"""JSON is read whatever its Content-Type: curl sends another one unless told to."""

from typing import Any

import httpx
import pytest

from tests.support.service import assert_problem

TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain;charset=UTF-8", None]


def json_calls(client: httpx.Client) -> list[tuple[str, str]]:
    """Every call whose body may be JSON, by the service's own OpenAPI document."""
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (method, path.replace("{run}", "r"))
        for path, item in paths.items()
        for method, operation in item.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]


def told(client: httpx.Client, method: str, path: str, body: bytes, media: str | None) -> tuple[int, Any]:
    headers = {} if media is None else {"content-type": media}
    answer = client.request(method, path, content=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("body", [b'{"x": 1}', b"{", b"[]", b""])
def test_every_call_reads_json_whatever_its_type(client: httpx.Client, body: bytes) -> None:
    calls = json_calls(client)
    assert len(calls) >= 9
    for method, path in calls:
        first, *others = [told(client, method, path, body, media) for media in TYPES]
        assert first[0] in {400, 422, 501}, (path, first)
        assert others == [first] * len(others), path


@pytest.mark.parametrize("media", TYPES)
def test_a_run_is_made_by_curl(client: httpx.Client, media: str | None) -> None:
    status, run = told(client, "PUT", "/v1/runs/curled", b'{"method": "majority-voting", "group_size": 4}', media)
    assert (status, run["method"], run["group_size"]) == (200, "majority-voting", 4)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("question", "question_id"),
        ("id", "question_id"),
        ("prompt_id", "question_id"),
        ("questionId", "question_id"),
        ("text", "response"),
        ("completion", "response"),
        ("respones", "response"),
        ("answer", "ground_truth"),
        ("label", "ground_truth"),
        ("groundtruth", "ground_truth"),
        ("veiw", "view"),
        ("index", "rollout"),
    ],
)
def test_the_field_that_is_meant_is_named(client: httpx.Client, wrong: str, right: str) -> None:
    rollout = {"question_id": "q", "response": "x", wrong: "1"}
    rollout.pop(right, None)
    answer = client.post("/v1/rewards", json={"rollouts": [rollout]})
    assert answer.status_code == 422
    what = {each["where"]: each["what"] for each in answer.json()["errors"]}
    assert f"did you mean '{right}'?" in what[f"rollouts[0].{wrong}"]


def test_fields_are_named_at_every_level(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/rewards", json={"completions": []}), 422, "did you mean 'rollouts'?")
    assert_problem(client.put("/v1/runs/r", json={"method": "entropy", "n": 8}), 422, "did you mean 'group_size'?")
    told = client.post("/v1/teacher/prefetch", json={"step": 1, "questions": [{"id": "q", "question": "?"}]})
    assert "did you mean 'question_id'?" in told.text
    told = client.post("/v1/rewards", json={"rollouts": [{"question_id": "q", "response": "", "colour": 1}]})
    assert_problem(told, 422, "known are attempt, evidence, ground_truth, prompt, question_id, response")
