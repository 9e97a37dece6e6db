"""A run's answer formats and conventions, from PUT /v1/runs/{run} to the answers that are read."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.service import assert_problem

FORMATS = ["boxed", "fbox", "json", "final-answer", "hashes", "answer-tag", "answer-line"]
TEXTS = ['{"answer": "4"} #### 9', "so\n#### 4", "\\boxed{4}"]
"""Read as json and hashes: 4, 4 and nothing; as the paper reads them: nothing, nothing and 4."""


def made(client: httpx.Client, **settings: Any) -> str:
    name = f"run-{uuid4().hex[:8]}"
    answer = client.put(f"/v1/runs/{name}", json={"method": "majority-voting", "group_size": 3} | settings)
    assert answer.status_code == 200, answer.text
    return name


def rollouts() -> list[dict[str, Any]]:
    return [{"question_id": "q", "rollout": n, "response": text} for n, text in enumerate(TEXTS)]


@pytest.mark.parametrize("complete", [True, False])
def test_answers_are_read_in_the_runs_formats(client: httpx.Client, complete: bool) -> None:
    run = made(client, answer_formats=["json", "hashes"])
    body = {"run": run, "step": 1, "complete": complete, "rollouts": rollouts()}
    answer = client.post("/v1/rewards", json=body).json()
    assert answer["answers"] == ["4", "4", None]
    assert answer["rewards"] == [1.0, 1.0, 0.0]
    assert answer["metrics"]["answered"] == 2 / 3
    default = client.post("/v1/rewards", json=body | {"run": made(client)}).json()
    assert default["answers"] == [None, None, "4"]


def test_the_other_wire_formats_read_the_same(client: httpx.Client) -> None:
    run = made(client, answer_formats=["json", "hashes"])

    def openrlhf(text: str) -> float:
        label = json.dumps({"question_id": "q", "n": 3, "run": run})
        body = {"query": ["Q" + text], "prompts": ["Q"], "labels": [label]}
        return client.post("/get_reward", json=body).json()["rewards"]

    def slime(text: str) -> float:
        label = {"question_id": "p", "n": 3, "run": run}
        return client.post("/v1/remote_rm", json={"prompt": "Q", "response": text, "label": label}).json()["reward"]

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(openrlhf, TEXTS)) == [1.0, 1.0, 0.0]
        assert list(threads.map(slime, TEXTS)) == [1.0, 1.0, 0.0]


def test_a_response_ends_at_known_tokens_and_at_the_runs_own(client: httpx.Client) -> None:
    run = made(client, answer_formats=["hashes"], end_tokens=["[|endofturn|]"])
    texts = ["#### 7<|im_end|>", "#### 7[|endofturn|]\n#### 8", "#### 7"]
    rollouts = [{"question_id": "q", "response": text} for text in texts]
    answer = client.post("/v1/rewards", json={"run": run, "rollouts": rollouts}).json()
    assert (answer["answers"], answer["rewards"]) == (["7", "7", "7"], [1.0, 1.0, 1.0])
    assert client.get(f"/v1/runs/{run}").json()["end_tokens"] == ["[|endofturn|]"]
    default = client.post("/v1/rewards", json={"run": made(client, answer_formats=["hashes"]), "rollouts": rollouts})
    assert default.json()["answers"] == ["7", "8", "7"]


def test_a_run_chooses_whether_thinking_is_read(client: httpx.Client) -> None:
    texts = [r"<think>\boxed{7}", r"<think>\boxed{7}</think> so \boxed{8}", r"\boxed{9}"]
    rollouts = [{"question_id": "q", "response": text} for text in texts]
    for thinking, answers in (
        ("read", ["7", "8", "9"]),
        ("if-finished", [None, "8", "9"]),
        ("never", [None, "8", None]),
    ):
        run = made(client, thinking=thinking)
        assert client.post("/v1/rewards", json={"run": run, "rollouts": rollouts}).json()["answers"] == answers
        assert client.get(f"/v1/runs/{run}").json()["thinking"] == thinking


def test_the_order_of_the_formats_decides(client: httpx.Client) -> None:
    for formats, answer in ((["json", "hashes"], "4"), (["hashes", "json"], "9")):
        body = {"run": made(client, answer_formats=formats), "rollouts": rollouts()[:1]}
        assert client.post("/v1/rewards", json=body).json()["answers"] == [answer]


def test_changed_formats_hold_for_the_next_request(client: httpx.Client) -> None:
    run = made(client)
    body = {"run": run, "rollouts": rollouts()}
    assert client.post("/v1/rewards", json=body).json()["answers"] == [None, None, "4"]
    changed = {"method": "majority-voting", "group_size": 3, "answer_formats": ["hashes"]}
    assert client.put(f"/v1/runs/{run}", json=changed).json()["revision"] == 2
    # Another step: the same batch again is a retry, and known by its content for as long as a process keeps settings.
    assert client.post("/v1/rewards", json=body | {"step": 2}).json()["answers"] == ["9", "4", None]


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    ("before", "after", "rewards"),
    [
        ("format", "majority-voting", [1.0, 1.0, 0.0]),
        ("majority-voting", "format", [1.0, 1.0, 1.0]),
        ("verified-majority", "majority-voting", [1.0, 1.0, 0.0]),
        ("majority-voting", "soft-majority", [2 / 3, 2 / 3, 1 / 3]),
    ],
)
def test_a_changed_method_holds_for_the_next_request(
    client: httpx.Client, before: str, after: str, rewards: list[float], *, complete: bool
) -> None:
    run = _used_under(client, before)
    client.put(f"/v1/runs/{run}", json={"method": after, "group_size": 3})
    body = {"run": run, "complete": complete, "rollouts": _three_answers()}
    answer = client.post("/v1/rewards", json=body).json()
    assert (answer["method"], answer["rewards"]) == (after, rewards)


@pytest.mark.parametrize("indexed", [True, False], ids=["by index", "by text"])
@pytest.mark.parametrize(
    ("before", "after", "rewards"),
    [
        ("format", "majority-voting", [1.0, 1.0, 0.0]),
        ("majority-voting", "format", [1.0, 1.0, 1.0]),
        ("majority-voting", "soft-majority", [2 / 3, 2 / 3, 1 / 3]),
    ],
)
def test_a_changed_method_holds_for_the_next_rollout_of_a_trainers_own_format(
    client: httpx.Client, before: str, after: str, rewards: list[float], *, indexed: bool
) -> None:
    run = _used_under(client, before)
    client.put(f"/v1/runs/{run}", json={"method": after, "group_size": 3})

    def reward(rollout: dict[str, Any]) -> float:
        label = {"question_id": "q", "run": run} | ({"rollout": rollout["rollout"]} if indexed else {})
        body = {"query": [f"Q{rollout['response']}"], "prompts": ["Q"], "labels": [json.dumps(label)]}
        return client.post("/get_reward", json=body).json()["rewards"]

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(reward, _three_answers())) == rewards


def _three_answers() -> list[dict[str, Any]]:
    return [{"question_id": "q", "rollout": n, "response": f"\\boxed{{{a}}}"} for n, a in enumerate((4, 4, 5))]


def _used_under(client: httpx.Client, method: str) -> str:
    """A run whose settings a process of the service has at hand."""
    run = made(client, method=method)
    rollouts = [rollout | {"question_id": "other", "evidence": {"verified": True}} for rollout in _three_answers()]
    assert client.post("/v1/rewards", json={"run": run, "rollouts": rollouts}).json()["method"] == method
    return run


def test_a_run_tells_its_formats_and_conventions(client: httpx.Client) -> None:
    plain = client.get(f"/v1/runs/{made(client)}").json()
    assert (plain["answer_formats"], plain["conventions"]) == (["boxed"], "lenient")
    chosen = client.get(f"/v1/runs/{made(client, answer_formats=FORMATS[::-1], conventions='strict')}").json()
    assert (chosen["answer_formats"], chosen["conventions"]) == (FORMATS[::-1], "strict")
    schema = client.get("/openapi.json").json()["components"]["schemas"]
    assert schema["AnswerFormat"]["enum"] == FORMATS
    assert schema["Conventions"]["enum"] == ["lenient", "strict"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"answer_formats": ["json", "xml"]}, ["answer_formats[1]", *FORMATS]),
        ({"answer_formats": [7]}, ["answer_formats[0]", *FORMATS]),
        ({"answer_formats": []}, ["answer_formats"]),
        ({"answer_formats": "boxed"}, ["answer_formats"]),
        ({"answer_formats": ["json", "json"]}, ["answer_formats", "twice"]),
        ({"end_tokens": [" "]}, ["end_tokens[0]"]),
        ({"end_tokens": ["<|x|>", "x" * 65]}, ["end_tokens[1]", "64"]),
        ({"end_tokens": ["x"] * 17}, ["end_tokens", "16"]),
        ({"end_tokens": "</s>"}, ["end_tokens"]),
        ({"conventions": "loose"}, ["conventions", "lenient", "strict"]),
        ({"thinking": "skip"}, ["thinking", "read", "if-finished", "never"]),
        ({"conventions": None}, ["conventions", "lenient", "strict"]),
    ],
    ids=str,
)
def test_a_choice_that_is_none_is_told_the_choices(
    client: httpx.Client, wrong: dict[str, Any], words: list[str]
) -> None:
    assert_problem(client.put("/v1/runs/wrong", json={"method": "majority-voting"} | wrong), 422, *words)


def test_a_request_does_not_override_its_run(client: httpx.Client) -> None:
    for field in ({"answer_formats": ["json"]}, {"conventions": "strict"}):
        assert_problem(client.post("/v1/rewards", json={"rollouts": rollouts()} | field), 422, *field)


def test_runs_are_told_in_pages(client: httpx.Client) -> None:
    made = [f"paged-{n}" for n in range(5)]
    for run in made:
        client.put(f"/v1/runs/{run}", json={"method": "majority-voting"}).raise_for_status()
    found: list[str] = []
    answer = client.get("/v1/runs", params={"limit": 2}).json()
    while True:
        assert len(answer["runs"]) <= 2
        found += [each["run"] for each in answer["runs"]]
        if answer["cursor"] is None:
            break
        answer = client.get("/v1/runs", params={"limit": 2, "cursor": answer["cursor"]}).json()
    assert [run for run in found if run in made] == made[::-1]
    assert_problem(client.get("/v1/runs", params={"cursor": "~"}), 422, "cursor")
    for limit in (0, 501, "x"):
        assert_problem(client.get("/v1/runs", params={"limit": limit}), 422, "limit")
