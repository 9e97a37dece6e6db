"""A label that is a plain answer is a ground truth in any run, and what docs/openrlhf.md names shows it."""

from uuid import uuid4

import httpx
import pytest


@pytest.mark.parametrize(("label", "reward"), [("4", 1.0), ("5", 0.0)])
def test_a_plain_label_rewards_by_ground_truth_in_a_run_that_votes(
    client: httpx.Client, label: str, reward: float
) -> None:
    run = f"plain-{uuid4().hex}"
    client.put(f"/v1/runs/{run}", json={"method": "co-rewarding-i", "group_size": 2})
    asked = {"query": ["2 + 2? It is \\boxed{4}"], "prompts": ["2 + 2? "], "labels": [label]}
    answer = client.post(f"/get_reward?run={run}", json=asked).json()
    assert answer["rewards"] == reward
    assert (answer["extra_logs"]["label_matches_truth"], answer["extra_logs"]["vote_share"]) == (1.0, 0.0)
    cohort = client.get(f"/v1/cohorts/{answer['cohort']}").json()
    assert (cohort["run"], cohort["method"]) == (run, "ground-truth")
