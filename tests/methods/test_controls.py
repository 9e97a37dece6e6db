"""The two controls, `random` and `format`, know nothing of what is right: no gain over them is a gain."""

import json
from statistics import fmean
from typing import Any

import httpx
import pytest
from co_rewarding_schema.methods import method_named

from reward_service.domain.elections import MethodParameters
from reward_service.domain.settlement import settle
from tests.contract.election_model import Vote
from tests.methods.drawn_cohorts import ballots_of
from tests.support.service import rollout, running

RANDOM = method_named("random")


def votes(answer: str | None, count: int = 400) -> list[Vote]:
    return [Vote(view, index, answer) for view in "op" for index in range(count)]


def drawn(p: float, answer: str | None = "4", identity: str = "run\nq\n1\n0") -> tuple[float | None, ...]:
    return settle(RANDOM, ballots_of(votes(answer)), MethodParameters(random_p=p), identity=identity).rewards_B


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_so_many_rollouts_earn_1_as_the_probability_says(p: float) -> None:
    rewards = [reward for reward in drawn(p) if reward is not None]
    assert len(rewards) == 800
    assert set(rewards) <= {0.0, 1.0}
    assert fmean(rewards) == pytest.approx(p, abs=4 * (p * (1 - p) / 800) ** 0.5)


def test_a_draw_is_the_rollout_s_own_and_knows_no_answer() -> None:
    assert drawn(0.5) == drawn(0.5, "5") == drawn(0.5, None)
    assert drawn(0.5) != drawn(0.5, identity="run\nq\n2\n0")
    original, paraphrase = drawn(0.5)[:400], drawn(0.5)[400:]
    assert original != paraphrase


@pytest.fixture(scope="module")
def client() -> Any:
    with running() as supervisor, httpx.Client(base_url=supervisor.url, timeout=60.0) as client:
        client.put("/v1/runs/drawn", json={"method": "random", "group_size": 8}).raise_for_status()
        yield client


def test_rollouts_that_come_one_by_one_without_an_index_are_drawn_apart(client: httpx.Client) -> None:
    sent = [rollout("q", "original", 0, str(n)) for n in range(16)]
    for each in sent:
        del each["rollout"]
    parts = [
        client.post("/v1/rewards", json={"run": "drawn", "step": 1, "complete": False, "rollouts": [each]}).json()
        for each in sent
    ]
    label = json.dumps({"run": "drawn", "step": 1, "question_id": "q"})
    body = {"query": [each["response"] for each in sent], "labels": [label] * 16}
    singles = client.post("/get_reward", json=body).json()["rewards"]
    assert {reward for part in parts for reward in part["rewards"]} == {0.0, 1.0}
    assert set(singles) == {0.0, 1.0}


def test_the_same_rollout_is_drawn_the_same_by_every_route(client: httpx.Client) -> None:
    sent = [rollout("q", "original", n, "4") for n in range(16)]
    whole = client.post("/v1/rewards", json={"run": "drawn", "step": 2, "rollouts": sent}).json()
    body = {"run": "drawn", "step": 2, "complete": False, "rollouts": sent[8:]}
    part = client.post("/v1/rewards", json=body).json()
    labels = [json.dumps({"run": "drawn", "step": 2, "question_id": "q", "rollout": n}) for n in range(16)]
    single = client.post("/get_reward", json={"query": [each["response"] for each in sent], "labels": labels}).json()
    assert whole["rewards"] == single["rewards"]
    assert whole["rewards"][8:] == part["rewards"]
    assert set(whole["rewards"]) == {0.0, 1.0}
