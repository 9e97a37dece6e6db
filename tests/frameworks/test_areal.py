"""AReaL's own executor over our workflow: every rollout has the reward of plain counting, and no failure is a zero."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client import RewardClient
from co_rewarding_client.testing import CASES, Sampled
from co_rewarding_client.testing.reference import cross_view_rewards, key
from fetched import ROOT, fetched

pytestmark = [pytest.mark.framework, pytest.mark.timeout(900)]

NEVER_SPLIT = {name for name, case in CASES.items() if case.ranks > 1}  # an episode holds its groups whole


@pytest.fixture
def areal(program: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the program with AReaL's code and this environment's interpreter."""
    folder = fetched("areal")
    monkeypatch.setenv("VENV_AREAL", sys.prefix)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "clients", Path(__file__).parent, folder)))
    return lambda *words: program("areal", "areal_program.py", *words, timeout_s=600.0, PYTHONPATH=path)


def sampled(told: list[dict[str, Any]]) -> dict[Any, tuple[Sampled, float]]:
    """Return the rollouts that AReaL trains on by their keys; those of a view come in the order of their indices."""
    seen: dict[str, int] = defaultdict(int)
    found = {}
    for each in told:
        prompt, _, response = each["text"].partition("?")
        question, view = prompt.split()
        answer = response.split("boxed{")[1].removesuffix("}")
        rollout = Sampled(
            question_id=question, view=view, index=seen[prompt], prompt=prompt, response=response, answer=answer
        )
        seen[prompt] += 1
        assert each["trained"] == len(response) + 1
        found[key(rollout)] = (rollout, each["reward"])
    return found


def test_every_rollout_of_both_views_has_its_reward(areal: Any, service_url: str, run: str) -> None:
    found = sampled(areal("episodes", service_url, run, "64", "8"))
    assert len(found) == 1024
    expected = cross_view_rewards([rollout for rollout, _ in found.values()])
    assert {key: reward for key, (_, reward) in found.items()} == expected
    assert set(expected.values()) == {0.0, 1.0}
    with RewardClient(service_url) as client:
        assert client.run(run)["group_size"] == 8


def test_the_wrapper_makes_zeros_of_waiting(areal: Any) -> None:
    assert areal("wrapper") == [{"rewards": [0, 0]}]


def test_a_service_that_is_away_interrupts_the_training_and_is_no_zero(areal: Any) -> None:
    told = [{"trajectories": 0, "stopped": ["asked to stop"]}, {"interrupted": True}, {"terminated": True}]
    assert areal("away") == told


def test_rows_that_are_sampled_twice_and_episodes_in_vain_stop_the_training(
    areal: Any, service_url: str, run: str
) -> None:
    twice, not_yet, in_vain = areal("refusals", service_url, run)
    assert "set gconfig.n_samples to 1" in twice["error"]
    assert twice["stops"] == 1
    assert not_yet == {"error": "nothing", "stops": 0}
    assert in_vain["error"].startswith(f"AllAbstainedError: all 2 rollouts of step 3 abstained in run '{run}'")
    assert in_vain["stops"] == 1


def test_the_workflow_conforms(areal: Any, service_url: str) -> None:
    proofs = areal("conformance", service_url, *(name for name in CASES if name not in NEVER_SPLIT))
    assert len(proofs) == len(CASES) - len(NEVER_SPLIT)
    assert [json.dumps(proof) for proof in proofs if not proof["passed"]] == []
