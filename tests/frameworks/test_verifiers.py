"""verifiers' own environment server plays the example, and each trace has the reward that plain counting gives it."""

from pathlib import Path
from statistics import fmean

import pytest

from tests.frameworks.conftest import Program
from tests.frameworks.counting import counted, sampled, told_key

pytestmark = [pytest.mark.framework, pytest.mark.timeout(600)]

WHOLE, SMALL = 256, 32
WHOLE_STEPS = ("grouped-64", "views-64", "random-64", "twice", "cut", "away", "redone", "evaluation")


@pytest.fixture
def play(program: Program, service_url: str, run: str, tmp_path: Path):
    def played(kind: str) -> list[dict]:
        return program("verifiers", "verifiers_program.py", service_url, run, str(tmp_path), kind)

    return played


def test_episodes_are_rewarded_as_counted(play) -> None:
    told = play("trained")
    assert len(told) == WHOLE
    expected = counted(told)
    assert {told_key(line): line["reward"] for line in told} == expected
    assert 0.0 < fmean(line["reward"] for line in told) < 1.0
    assert all(line["trainable"] and line["rewarded"] and line["episode"]["ok"] for line in told)


def test_rewards_can_be_taken_from_the_mean_of_their_view(play) -> None:
    """prime-rl's grpo subtracts one mean of the whole episode, whose views have different ones."""
    told = play("centred")
    expected = counted(told)
    assert {told_key(line): line["metrics"]["unshifted_reward"] for line in told} == expected
    groups: dict[tuple[str, str], list[dict]] = {}
    for line in told:
        groups.setdefault((line["question_id"], line["view"]), []).append(line)
    for group in groups.values():
        mean = fmean(line["metrics"]["unshifted_reward"] for line in group)
        assert [line["reward"] for line in group] == pytest.approx(
            [line["metrics"]["unshifted_reward"] - mean for line in group]
        )


def test_a_group_that_abstains_is_not_trained_on(play) -> None:
    told = play("silent")
    expected = counted(told)
    left_out = {key for key, reward in expected.items() if reward is None}
    assert {key[:2] for key in left_out} == {("q0", "paraphrase")}
    for line in told:
        abstains = told_key(line) in left_out
        assert line["trainable"] is line["rewarded"] is not abstains
        assert line["metrics"]["abstained"] == float(abstains)
        assert line["reward"] == (expected[told_key(line)] or 0.0)
        assert not line["failed"]


def test_evaluation_plays_one_view_and_compares_it_with_the_truth(play) -> None:
    told = play("evaluated")
    assert len(told) == SMALL / 2
    assert {line["view"] for line in told} == {"original"}
    assert [line["reward"] for line in told] == [float(sampled(line).answer == "1") for line in told]


def test_rewards_that_do_not_come_fail_each_trace(play) -> None:
    """A trace without an error and without a reward would be trained on as a 0."""
    told = play("unanswered")
    assert len(told) == SMALL
    assert all(line["failed"] and not line["rewarded"] and not line["episode"]["ok"] for line in told)
    assert all("not settled" in line["episode"]["errors"][0] for line in told)


def test_the_task_conforms(program: Program, service_url: str) -> None:
    proofs = program("verifiers", "verifiers_conformance.py", "task", service_url, timeout_s=500)
    assert len(proofs) > len(WHOLE_STEPS)
    assert all(proof["passed"] for proof in proofs)


def test_the_environment_conforms(program: Program, service_url: str) -> None:
    """An episode holds its pair whole, so the cases that cut pairs apart are none of its own."""
    proofs = program(
        "verifiers",
        "verifiers_conformance.py",
        "env",
        service_url,
        *WHOLE_STEPS,
        "view-missing",
        "all-abstained",
        "unpublished",
        timeout_s=500,
    )
    assert all(proof["passed"] for proof in proofs)
    assert [proof["rollouts"] for proof in proofs if proof["case"] in WHOLE_STEPS] == [64] * len(WHOLE_STEPS)
