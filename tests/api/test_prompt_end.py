"""Prompts that are no prefix of their query, and responses that end with tokens, from /get_reward to the metrics."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.waiting import wait_until

PROMPT = "<|im_start|>user\nWhat is 3 + 4 , unlike \\boxed{42} ?<|im_end|>\n<|im_start|>assistant\n"
LOST = "co_rewarding_prompts_not_found_total"


@pytest.fixture
def run(client: httpx.Client) -> str:
    name = f"run-{uuid4().hex[:8]}"
    settings = {"method": "majority-voting", "group_size": 1, "answer_formats": ["boxed", "final-answer", "hashes"]}
    client.put(f"/v1/runs/{name}", json=settings)
    return name


def answer_to(client: httpx.Client, run: str, *queries: str, prompt: str = PROMPT) -> dict[str, Any]:
    labels = [
        json.dumps({"question_id": f"q{number}", "n": 1, "run": run, "ground_truth": "7"})
        for number in range(len(queries))
    ]
    body = {"query": queries, "prompts": [prompt] * len(queries), "labels": labels}
    answer = client.post("/get_reward", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def lost(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(LOST)), 0.0)


@pytest.mark.parametrize(
    "query", ["<s>" + PROMPT, "<|endoftext|>" * 4 + PROMPT, PROMPT[20:], PROMPT.replace(" ,", ",").replace(" ?", "?")]
)
def test_an_answer_of_the_prompt_is_not_the_responses(client: httpx.Client, run: str, query: str) -> None:
    silent = answer_to(client, run, query + "I do not know.<|im_end|>")
    assert (silent["rewards"], silent["extra_logs"]["abstained"]) == (0.0, 1.0)
    assert silent["extra_logs"]["prompt_not_found"] == 0.0


@pytest.mark.parametrize(
    "text", ["#### 7<|im_end|>", "The answer is $7$.<|eot_id|>", "#### 7</s>", "\\boxed{7}<pad><pad>"]
)
def test_an_answer_before_an_end_token_is_read(client: httpx.Client, run: str, text: str) -> None:
    logs = answer_to(client, run, "<s>" + PROMPT + text)["extra_logs"]
    assert (logs["abstained"], logs["label_matches_truth"], logs["prompt_not_found"]) == (0.0, 1.0, 0.0)


def test_a_prompt_that_is_not_found_is_told_in_the_logs_and_counted(client: httpx.Client, run: str) -> None:
    before = lost(client)
    other = "What is 5 + 6 , unlike \\boxed{42} ?\n"
    logs = answer_to(client, run, PROMPT + "\\boxed{7}", other + "\\boxed{7}", other + "no")["extra_logs"]
    assert logs["prompt_not_found"] == [0.0, 1.0, 1.0]
    assert logs["abstained"] == [0.0, 0.0, 1.0]
    wait_until(lambda: lost(client) == before + 2)
