"""The Tinker cookbook's own rollouts, with a policy that is no model: rewards are what plain counting gives."""

import re
from collections.abc import Sequence
from uuid import uuid4

import pytest
from co_rewarding_client.testing.cases import CASES
from co_rewarding_client.testing.reference import cross_view_rewards, key
from co_rewarding_client.testing.sampling import Sampled
from conftest import Program
from training_batches import Line, quorum

pytestmark = [pytest.mark.framework, pytest.mark.timeout(400)]

RIGHT = {"plain": 1, "twice": 1, "pickled": 1, "again": 2, "epochs": 2, "evaluated": 2, "some abstain": 1}
ENDED = ("all abstain", "skipped")
ROLLOUTS = 256
UNLIKE_IT = {
    "ranks-4": "a process of the cookbook has whole groups",
    "padded": "the cookbook fills no batch with copies",
}


@pytest.fixture(scope="module")
def found(service_url: str, program: Program) -> dict[str, list[Line]]:
    lines = program("tinker", "tinker_program.py", service_url, f"r{uuid4().hex[:8]}", *RIGHT, *ENDED)
    return {name: [line for line in lines if line["scenario"] == name] for name in (*RIGHT, *ENDED)}


def steps(lines: Sequence[Line]) -> list[list[Line]]:
    rollouts = [line for line in lines if "response" in line]
    return [rollouts[at : at + ROLLOUTS] for at in range(0, len(rollouts), ROLLOUTS)]


@pytest.mark.parametrize("name", RIGHT)
def test_rollouts_are_rewarded_as_counted(found: dict[str, list[Line]], name: str) -> None:
    assert not [line for line in found[name] if "error" in line]
    assert [len(step) for step in steps(found[name])] == [ROLLOUTS] * RIGHT[name]
    min_votes = 4 if name == "some abstain" else 1
    for step in steps(found[name]):
        rollouts = [
            Sampled(
                question_id=line["question_id"],
                view=line["view"],
                index=line["index"],
                prompt="",
                response=line["response"],
                answer=re.findall(r"\\boxed\{(\d)\}", line["response"])[-1],
            )
            for line in step
        ]
        counted = cross_view_rewards(rollouts)
        expected = [counted[key(each)] if quorum(rollouts, each) >= min_votes else None for each in rollouts]
        assert [line["reward"] for line in step] == expected
        assert {0.0, 1.0} <= set(expected)


def test_a_group_that_abstains_has_equal_numbers_and_is_counted(found: dict[str, list[Line]]) -> None:
    (step,) = steps(found["some abstain"])
    left_out = [line for line in step if line["reward"] is None]
    assert left_out
    assert {line["number"] for line in left_out} == {0.0}
    (metrics,) = [line["metrics"] for line in found["some abstain"] if "metrics" in line]
    known = [line["reward"] for line in step if line["reward"] is not None]
    assert metrics["env/all/co_rewarding/abstained"] == pytest.approx(len(left_out) / ROLLOUTS)
    assert metrics["env/all/co_rewarding/reward"] == pytest.approx(sum(known) / len(known))


def test_a_batch_that_is_asked_for_again_is_another_attempt(found: dict[str, list[Line]]) -> None:
    first, second = steps(found["again"])
    assert {line["step"] for line in [*first, *second]} == {0}
    assert {line["attempt"] for line in second} == {line["attempt"] + 1 for line in first}


def test_an_evaluation_is_compared_with_ground_truths(found: dict[str, list[Line]]) -> None:
    (measured,) = [line["evaluation"] for line in found["evaluated"] if "evaluation" in line]
    assert measured["test/env/all/co_rewarding/label_accuracy"] == 1.0
    assert 0.0 < measured["test/env/all/reward/total"] < 1.0


def test_a_step_in_which_all_abstain_ends_the_training_with_the_reason(found: dict[str, list[Line]]) -> None:
    (line,) = found["all abstain"]
    assert line["error"].startswith(f"AllAbstainedError: all {ROLLOUTS} rollouts of step 0")


def test_an_error_that_a_strategy_passes_over_ends_the_training_at_the_next_batch(found: dict[str, list[Line]]) -> None:
    (line,) = found["skipped"]
    assert line["error"].startswith("StillPending")
    assert "it waits for" in line["error"]


def test_it_conforms(service_url: str, program: Program) -> None:
    cases = [name for name in CASES if name not in UNLIKE_IT]
    proofs = program("tinker", "tinker_conformance.py", service_url, *cases)
    assert [proof["case"] for proof in proofs if proof["passed"]] == cases
