"""Halves of surrogate pairs, which JSON can write and UTF-8 cannot, are read as U+FFFD at every door."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.api.http.surrogates import halves_replaced
from tests.support.service import assert_problem, rollout

PARTS = [r"\\", r"\ud83d", r"\ude00", r"\uD83D", r"\uDE00", "u", "d83d", "de00", r"\n", r"\"", "a", r"A", "é", r"\\u"]
HALF = "\ud83d"


@given(st.lists(st.sampled_from(PARTS), max_size=12).map(lambda parts: '"' + "".join(parts) + '"'))
def test_halves_become_replacement_characters_and_nothing_else_changes(text: str) -> None:
    whole = json.loads(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    replaced = halves_replaced(text.encode())
    assert json.loads((replaced or text.encode()).decode()) == whole
    assert (replaced is None) == (whole == json.loads(text))


def test_the_time_is_in_proportion_to_the_length() -> None:
    for part in (rb"\ud800", rb"\\ud800", rb"\ud83d\ude00", rb"\\", rb"\\\ud800", rb"x"):
        text = b'"' + part * 20_000 + b'"'
        assert json.loads((halves_replaced(text) or text).decode()) is not None


def request(**more: Any) -> dict[str, Any]:
    rollouts = [rollout("q", "original", n, "4") for n in range(3)]
    rollouts[1]["response"] = f"emoji cut {HALF} but \\boxed{{4}}"
    return {"method": "majority-voting", "rollouts": rollouts, "step": 1, **more}


@pytest.mark.parametrize("field", ["response", "question_id", "prompt", "ground_truth"])
def test_one_half_costs_no_rollout_its_reward(client: httpx.Client, field: str) -> None:
    body = request(step=hash(field) % 10**6)
    for each in body["rollouts"]:
        each["question_id"] = f"q-{uuid4().hex}"
    body["rollouts"][1][field] = f"\\boxed{{4}} {HALF}"
    answer = client.post("/v1/rewards", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    assert answer.json()["rewards"] == [1.0, 1.0, 1.0]
    if field == "question_id":
        assert answer.json()["labels"][1]["question_id"] == "\\boxed{4} \ufffd"


def test_the_same_body_with_a_key_is_the_same_request(client: httpx.Client) -> None:
    key = {"idempotency-key": uuid4().hex}
    body = json.dumps(request())
    first = client.post("/v1/rewards", content=body, headers=key)
    again = client.post("/v1/rewards", content=body, headers=key)
    replaced = client.post("/v1/rewards", content=body.replace("\\ud83d", "\ufffd").encode(), headers=key)
    assert first.status_code == 200, first.text
    assert first.json() == again.json() == replaced.json()


def test_a_half_in_a_large_body_is_read_too(client: httpx.Client) -> None:
    body = request()
    body["rollouts"][0]["response"] = "x" * 45_000 + "\\boxed{4}"
    body["rollouts"][2]["response"] = "y" * 45_000 + HALF + "\\boxed{4}"
    answer = client.post("/v1/rewards", content=json.dumps(body))
    assert answer.json()["rewards"] == [1.0, 1.0, 1.0], answer.text


LABELS = [
    json.dumps({"question_id": f"a{HALF}", "n": 1, "step": 1}),  # an escape within the text of the label
    f'{{"question_id": "a{HALF}", "n": 1, "step": 1}}',  # the half itself, as an escape of the request
]


@pytest.mark.parametrize("label", [*LABELS, f"4{HALF}"])
def test_halves_on_the_compatibility_routes(client: httpx.Client, label: str) -> None:
    openrlhf = {"query": [f"p{HALF}\\boxed{{4}}"], "prompts": [f"p{HALF}"], "labels": [label]}
    slime = {"prompt": f"p{HALF}", "response": f"{HALF} \\boxed{{4}}", "label": label}
    run = f"run-{uuid4().hex[:8]}"
    client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "cohort_deadline_s": 0.05}).raise_for_status()
    for route, body in (("/get_reward", openrlhf), ("/v1/remote_rm", slime)):
        answer = client.post(f"{route}?run={run}", content=json.dumps(body))
        assert answer.status_code == 200, (route, answer.text)


def test_halves_at_the_other_doors(client: httpx.Client) -> None:
    settings = {"method": "majority-voting", "teacher_model": f"m{HALF}"}
    made = client.put("/v1/runs/halves", content=json.dumps(settings))
    assert made.json()["teacher_model"] == "m\ufffd", made.text
    asked = {"question_id": f"q{HALF}", "question": f"What is 1 + 1?{HALF}"}
    job = client.post("/v1/paraphrases/jobs", content=json.dumps({"questions": [asked]}))
    assert job.status_code == 202, job.text
    coming = {"questions": [{"question_id": "q", "question": f"What?{HALF}"}]}
    assert client.post("/v1/teacher/prefetch", content=json.dumps(coming)).status_code == 202


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80"])
@pytest.mark.parametrize("route", ["/v1/rewards", "/v1/rollouts"])
def test_what_is_not_utf8_is_refused_with_its_place(client: httpx.Client, route: str, raw: bytes) -> None:
    body = json.dumps({"rollouts": [rollout("q", "original", n, "4") for n in range(3)]}).encode()
    at = body.rindex(b"Let me")
    answer = client.post(route, content=body[:at] + raw + body[at:])
    assert_problem(answer, 400, f"byte {at}", "rollouts[2].response")
