"""What the service's records say of a training run, and whether the trainer's logs say the same."""

import statistics
from collections import Counter, defaultdict
from typing import Any

import pytest
from e2e_services import Service
from e2e_training import EPOCHS, GROUP, PAIRS, PAIRS_PER_STEP, ROLLOUTS, STEPS, Trained


def by_step(cohorts: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    steps: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for cohort in cohorts:
        steps[cohort["step"]].append(cohort)
    return dict(sorted(steps.items()))


def assert_rewarded_once(at: Service, run: str) -> list[dict[str, Any]]:
    """By the service's own records every rollout of every step was rewarded, once, in whole pairs."""
    cohorts = at.cohorts(run)
    assert len(cohorts) == EPOCHS * PAIRS
    for cohort in cohorts:
        assert cohort["state"] == "settled"
        assert Counter(ballot["view"] for ballot in cohort["ballots"]) == {"original": GROUP, "paraphrase": GROUP}
        assert all(ballot["counted"] for ballot in cohort["ballots"])
        assert all(ballot["reward"] is not None for ballot in cohort["ballots"])
    assert sum(len(cohort["ballots"]) for cohort in cohorts) == ROLLOUTS
    assert at.stats(run).get("settled") == EPOCHS * PAIRS, "a cohort was settled twice, or not"
    steps = by_step(cohorts)
    assert {step: len(group) for step, group in steps.items()} == dict.fromkeys(range(STEPS), PAIRS_PER_STEP)
    each_epoch = PAIRS // PAIRS_PER_STEP
    for epoch in range(EPOCHS):
        asked = [c["question_id"] for step in range(epoch * each_epoch, (epoch + 1) * each_epoch) for c in steps[step]]
        assert len(set(asked)) == PAIRS, "an epoch asks each question once"
    return cohorts


def assert_logged(trained: Trained, cohorts: list[dict[str, Any]]) -> None:
    """What the trainer logged of each step is what the service's records say of it."""
    steps = by_step(cohorts)
    rewards = [statistics.mean(b["reward"] for c in group for b in c["ballots"]) for group in steps.values()]
    shares = [statistics.mean(la["votes"] / la["of"] for c in group for la in c["labels"]) for group in steps.values()]
    right = [statistics.mean(la["matches_truth"] for c in group for la in c["labels"]) for group in steps.values()]
    assert trained.scalars["train/reward"] == pytest.approx(rewards, abs=1e-5)
    assert trained.scalars["train/vote_share"] == pytest.approx(shares, abs=1e-5)
    assert trained.scalars["train/label_matches_truth"] == pytest.approx(right, abs=1e-5)
    assert trained.scalars["train/abstained"] == trained.scalars["train/undecided"] == [0.0] * STEPS
