"""Runs that vote for each other, by every door: a group waits for the ballots of its peers, and never for its own."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.api.peer_runs import SOON_S, World, group
from tests.support.service import assert_problem, pair, running
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as supervisor:
        yield World(supervisor.url)


def test_two_runs_label_each_other(world: World) -> None:
    one, other = world.two()
    first = world.pending(one, pair("q", ["4", "4", "5"], ["7", "8", "8"]))
    second = world.send(other, pair("q", ["5", "5", "4"], ["8", "7", "7"]))
    assert second["rewards"] == [0, 0, 1, 1, 0, 0]
    assert world.rewards(first["ticket"])["rewards"] == [0, 0, 1, 1, 0, 0]
    assert {(each["voter"], each["votes"], each["of"]) for each in second["labels"]} == {("peer", 2, 3)}
    explained = world.client.get(f"/v1/cohorts/{second['labels'][0]['cohort']}").raise_for_status().json()
    assert [ballot["voter"] for ballot in explained["ballots"]] == ["policy"] * 3 + ["peer"] * 3
    assert [ballot["peer"] for ballot in explained["ballots"]] == [None] * 3 + [one] * 3
    assert "waiting_for_peers" not in world.state(one)


def test_all_peers_vote_together(world: World) -> None:
    one, two, three = (f"{each}-{uuid4().hex[:8]}" for each in "abc")
    world.put(one, peers=[two, three])
    world.put(two, "majority-voting")
    world.put(three, "majority-voting")
    asked = world.pending(one, group("456"))
    world.send(two, group("445"))
    wait_until(lambda: [each.get("peer") for each in world.waiting(asked["ticket"])] == [three])
    world.send(three, group("555"))
    label = world.rewards(asked["ticket"])["labels"][0]
    assert (label["answer"], label["votes"], label["of"]) == ("5", 4, 6)
    assert world.answers_by_peer(label["cohort"]) == {two: "445", three: "555"}


@pytest.mark.parametrize("method", ["co-rewarding-i", "soft-majority", "random", "ground-truth"])
def test_a_peer_may_train_by_any_method(world: World, method: str) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    world.put(other, method)
    asked = world.pending(one, group("456"))
    world.send(other, [each | {"ground_truth": "9"} for each in pair("q", ["5", "5", "4"], ["1", "1", "1"])])
    assert world.rewards(asked["ticket"])["rewards"] == [0, 1, 0]


def test_a_peer_does_not_wait_for_its_teacher(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    world.put(other, "co-rewarding-ii")
    asked = world.pending(one, group("456"))
    world.pending(other, group("554", prompt="how much?"))
    assert world.rewards(asked["ticket"])["rewards"] == [0, 1, 0]


@pytest.mark.parametrize("method", ["majority-voting", "co-rewarding-ii", "random", "peer-majority"])
def test_a_group_in_parts_votes_when_it_is_whole(world: World, method: str) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    world.put(other, method, **({"peers": [one]} if method == "peer-majority" else {}))
    sent = group("554", prompt="how much?")
    asked = [world.pending(one, [each], complete=False) for each in group("456")]
    for each in sent[:2]:
        world.send(other, [each], complete=False, wait_s=0.0)
    for each in asked:
        wait_until(lambda ticket=each["ticket"]: world.waiting(ticket)[0]["what"] == "peer")
    world.send(other, sent[2:], complete=False, wait_s=0.0)
    assert [world.rewards(each["ticket"])["rewards"] for each in asked] == [[0], [1], [0]]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("route", ["/get_reward", "/v1/remote_rm"])
def test_single_rollouts_are_gathered_and_wait(world: World, route: str, indexed: bool) -> None:
    one, other = world.two()

    def ask(run: str, index: int, answer: str) -> float:
        label = {"question_id": "q", "view": "original", "step": 0, "n": 3, "run": run}
        label |= {"rollout": index} if indexed else {}
        response = f"{index}: \\boxed{{{answer}}}"
        if route == "/v1/remote_rm":
            single: dict[str, Any] = {"prompt": "p", "response": response, "label": json.dumps(label)}
            return world.client.post(route, json=single).raise_for_status().json()["reward"]
        several = {"query": [f"p{response}"], "prompts": ["p"], "labels": [json.dumps(label)]}
        return world.client.post(route, json=several).raise_for_status().json()["rewards"]

    with ThreadPoolExecutor(6) as pool:
        of_one = [pool.submit(ask, one, n, answer) for n, answer in enumerate("456")]
        of_other = [pool.submit(ask, other, n, answer) for n, answer in enumerate("554")]
        assert [each.result() for each in of_one] == [0, 1, 0]
        assert [each.result() for each in of_other] == [0, 0, 1]


@pytest.mark.parametrize(
    ("absent", "rewards", "abstentions"),
    [("abstain", [None] * 3, ["expired"] * 3), ("own-view", [1, 1, 0], [None] * 3)],
)
@pytest.mark.parametrize("complete", [True, False])
def test_a_peer_that_does_not_come(
    world: World, absent: str, rewards: list[float], abstentions: list[str], complete: bool
) -> None:
    one = world.put(f"a-{uuid4().hex[:8]}", peers=["nobody"], peer_absent=absent, cohort_deadline_s=SOON_S)
    answer = world.send(one, group("445"), complete=complete)
    assert (answer["rewards"], answer["abstentions"]) == (rewards, abstentions)
    assert [each["voter"] for each in answer["labels"]] == ([] if absent == "abstain" else ["policy"])


def test_peers_that_came_decide_at_the_deadline(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other, "nobody"], peer_absent="own-view", cohort_deadline_s=SOON_S)
    world.put(other, "majority-voting")
    world.send(other, group("555"))
    assert world.send(one, group("445"))["rewards"] == [0, 0, 1]


def test_what_waits_says_for_whom(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    asked = world.pending(one, pair("q", ["4", "4", "4"], ["4", "4", "4"]))
    wait_until(lambda: world.waiting(asked["ticket"]) == [{"what": "peer-run", "peer": other, "groups": 2}])
    world.put(other, "majority-voting")
    assert world.waiting(asked["ticket"]) == [{"what": "peer", "peer": other, "groups": 2}]
    assert world.state(one)["waiting_for_peers"] == 1
    metrics = world.client.get("/metrics").text
    assert f'co_rewarding_peer_groups_awaited{{peer="{other}",run="{one}"}} 2.0' in metrics
    world.send(other, pair("q", ["4", "4", "4"], ["4", "4", "4"]))
    assert world.rewards(asked["ticket"])["rewards"] == [1] * 6
    assert f'peer="{other}"' not in world.client.get("/metrics").text


def test_a_part_says_for_whom_it_waits(world: World) -> None:
    one = world.put(f"a-{uuid4().hex[:8]}", peers=["nobody"])
    asked = world.pending(one, group("444"), complete=False)
    expected = [{"what": "peer-run", "peer": "nobody", "question_id": "q", "view": "original", "groups": 1}]
    wait_until(lambda: world.waiting(asked["ticket"]) == expected)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_ballots_of_an_earlier_step_stand_in_within_the_lag(world: World, lag: int) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other], max_peer_lag=lag, cohort_deadline_s=SOON_S)
    world.put(other, "majority-voting")
    world.send(other, group("555"), step=3)
    world.send(other, group("666"), step=4)
    expected = {0: [None] * 3, 1: [None] * 3, 2: [0, 0, 1]}[lag]
    assert world.send(one, group("445"), step=5)["rewards"] == ([0, 0, 0] if lag else [None] * 3)
    assert world.send(one, group("446"), step=6)["rewards"] == expected


def test_a_peer_that_has_gone_on_is_not_waited_for(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other], max_peer_lag=1)
    world.put(other, "majority-voting")
    world.send(other, group("555"), step=4)
    asked = world.pending(one, group("445"), step=5)
    world.send(other, [each | {"question_id": "another"} for each in group("444")], step=6)
    assert world.rewards(asked["ticket"])["rewards"] == [0, 0, 1]


def test_a_peer_without_earlier_ballots_is_waited_for_though_it_has_gone_on(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other], max_peer_lag=1)
    world.put(other, "majority-voting")
    asked = world.pending(one, group("445"), step=5)
    wait_until(lambda: world.waiting(asked["ticket"])[0]["what"] == "peer")
    world.send(other, [each | {"question_id": "another"} for each in group("444")], step=6)
    assert world.waiting(asked["ticket"])[0]["what"] == "peer"
    world.send(other, group("555"), step=5)
    assert world.rewards(asked["ticket"])["rewards"] == [0, 0, 1]


def test_a_batch_that_brings_the_ballots_of_peers_waits_for_none(world: World) -> None:
    one = world.put(f"a-{uuid4().hex[:8]}", peers=["nobody"])
    assert world.send(one, group("445") + group("555", voter="peer"))["rewards"][:3] == [0, 0, 1]


def test_a_batch_sent_twice_votes_once(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    world.put(other, "majority-voting")
    for key in ("one", "two"):
        world.client.post(
            "/v1/rewards",
            json={"run": other, "step": 0, "rollouts": group("554")},
            headers={"Idempotency-Key": key},
        ).raise_for_status()
    label = world.send(one, group("445"))["labels"][0]
    assert (label["votes"], label["of"]) == (2, 3)


def test_a_higher_attempt_replaces_the_ballots(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other])
    world.put(other, "majority-voting")
    world.send(other, group("555"))
    world.send(other, group("444", attempt=1))
    world.send(other, group("666"), complete=False)
    assert world.send(one, group("445"))["rewards"] == [1, 1, 0]


def test_late_rollouts_are_rewarded_under_the_label(world: World) -> None:
    one, other = f"a-{uuid4().hex[:8]}", f"b-{uuid4().hex[:8]}"
    world.put(one, peers=[other], cohort_deadline_s=SOON_S)
    world.put(other, "majority-voting")
    world.send(other, group("555"))
    assert world.send(one, group("45"), complete=False)["rewards"] == [0, 1]
    late = world.send(one, group("455")[2:], complete=False)
    assert late["rewards"] == [1]
    assert world.answers_by_peer(late["labels"][0]["cohort"]) == {other: "555"}, "what came late takes nobody's ballots"


def test_a_run_without_peers_is_refused(world: World) -> None:
    run = world.put(f"c-{uuid4().hex[:8]}", "majority-voting")
    sent = {"run": run, "method": "peer-majority", "rollouts": group("444")}
    assert_problem(world.client.post("/v1/rewards", json=sent), 422, "peer-majority", run, "peers")
    assert_problem(world.client.post("/v1/rewards", json=sent | {"complete": False}), 422, "peers")
    asked = world.client.put(f"/v1/runs/{run}", json={"method": "peer-majority"})
    assert_problem(asked, 422, "peers")


def test_an_evaluation_asks_no_peers(world: World) -> None:
    one, _ = world.two()
    answer = world.send(one, group("445"), evaluate=True)
    assert (answer["rewards"], answer["method"]) == ([1, 1, 0], "majority-voting")
