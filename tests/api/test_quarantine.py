"""A pair whose views keep disagreeing leaves cross-voting, and comes back: through HTTP, by both ways to a cohort."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.service import assert_problem
from tests.support.waiting import wait_until

OTHERS = 15
"""Good pairs in each step: by them the run learns that views seldom disagree."""


def made(client: httpx.Client, **settings: Any) -> str:
    name = f"run-{uuid4().hex[:8]}"
    answer = client.put(f"/v1/runs/{name}", json={"method": "co-rewarding-i", "group_size": 2} | settings)
    assert answer.status_code == 200, answer.text
    return name


def rollouts(question: str, original: str, paraphrase: str) -> list[dict[str, Any]]:
    return [
        {"question_id": question, "view": view, "rollout": index, "response": f"\\boxed{{{answer}}}"}
        for view, answer in (("original", original), ("paraphrase", paraphrase))
        for index in range(2)
    ]


def step(client: httpx.Client, run: str, number: int, paraphrase: str, *, complete: bool = True) -> dict[str, Any]:
    """One step with good pairs, and one pair `bad/pair` whose paraphrase is answered like that."""
    sent = [rollout for each in range(OTHERS) for rollout in rollouts(f"good/{each}", "4", "4")]
    sent += rollouts("bad/pair", "7", paraphrase)
    answer = client.post("/v1/rewards", json={"run": run, "step": number, "complete": complete, "rollouts": sent})
    assert answer.status_code == 200, answer.text
    return answer.json()


def quarantine(client: httpx.Client, run: str) -> dict[str, Any]:
    return client.get(f"/v1/runs/{run}/quarantine").json()


def steps_until_apart(client: httpx.Client, run: str, *, complete: bool = True) -> tuple[int, dict[str, Any]]:
    """The first step in which the bad pair is treated as one, and its answer."""
    for number in range(1, 30):
        answer = step(client, run, number, "9", complete=complete)
        if answer["rewards"][-4:] != [0.0] * 4:
            assert number > 2
            return number, answer
        wait_until(lambda: quarantine(client, run)["pairs_seen"] == OTHERS + 1)
    raise AssertionError("it was never accused")


@pytest.mark.parametrize("complete", [True, False], ids=["whole batches", "joined"])
def test_a_bad_pair_is_labelled_by_its_own_views_until_they_agree(client: httpx.Client, complete: bool) -> None:
    run = made(client, quarantine="own-view")
    last, answer = steps_until_apart(client, run, complete=complete)
    assert answer["rewards"] == [1.0] * (4 * OTHERS + 4)
    labels = {(label["question_id"], label["view"]): label for label in answer["labels"]}
    assert labels["bad/pair", "original"]["voted_on"] == ["original"]
    assert labels["good/0", "original"]["voted_on"] == ["paraphrase"]
    state = quarantine(client, run)
    assert [pair["question_id"] for pair in state["pairs"]] == ["bad/pair"]
    assert (state["quarantine"], state["pairs_seen"], state["others_disagree"] < 0.5) == ("own-view", OTHERS + 1, True)

    for number in range(last + 1, last + 4):
        step(client, run, number, "7", complete=complete)
    wait_until(lambda: not quarantine(client, run)["pairs_quarantined"])
    answer = step(client, run, 99, "9", complete=complete)
    assert answer["rewards"][-4:] == [0.0] * 4


def test_a_bad_pair_abstains_if_the_run_wants_that_and_says_why(client: httpx.Client) -> None:
    run = made(client, quarantine="abstain")
    _, answer = steps_until_apart(client, run)
    assert answer["rewards"][-4:] == [None] * 4
    assert answer["abstentions"][-4:] == ["quarantined"] * 4
    assert answer["rewards"][:-4] == [1.0] * (4 * OTHERS)
    wait_until(lambda: f'co_rewarding_pairs_total{{run="{run}",verdict="accused"}} 1.0' in client.get("/metrics").text)


def test_a_pair_with_another_paraphrase_is_released_by_hand(client: httpx.Client) -> None:
    run = made(client, quarantine="own-view")
    last, _ = steps_until_apart(client, run)
    wait_until(lambda: [pair["seen"] for pair in quarantine(client, run)["pairs"]] == [last])
    assert client.delete(f"/v1/runs/{run}/quarantine/bad/pair").status_code == 204
    assert quarantine(client, run)["pairs"] == []
    assert_problem(client.delete(f"/v1/runs/{run}/quarantine/bad/pair"), 404, "nothing was seen")
    assert_problem(client.get("/v1/runs/nobody/quarantine"), 404, "nobody")


def test_without_quarantine_nothing_is_noted(client: httpx.Client) -> None:
    run = made(client)
    for number in range(1, 4):
        assert step(client, run, number, "9")["rewards"][-4:] == [0.0] * 4
    assert quarantine(client, run)["pairs_seen"] == 0


def test_a_method_without_votes_across_views_has_no_quarantine(client: httpx.Client) -> None:
    body = {"method": "majority-voting", "quarantine": "own-view"}
    assert_problem(client.put("/v1/runs/x", json=body), 422, "quarantine", "co-rewarding-i")
