"""NeMo Gym's own collection and agent, and openreward's own client, get the rewards that plain counting gives."""

from pathlib import Path
from statistics import fmean

import pytest

from tests.frameworks.conftest import Program
from tests.frameworks.counting import counted, sampled, told_key

pytestmark = [pytest.mark.framework, pytest.mark.timeout(600)]

WHOLE, SMALL = 256, 32


@pytest.fixture
def collect(program: Program, service_url: str, run: str, tmp_path: Path):
    def collected(kind: str) -> tuple[list[dict], dict]:
        *told, last = program("gym", "gym_program.py", service_url, run, str(tmp_path), kind)
        return told, last["metrics"]

    return collected


@pytest.fixture
def submit(program: Program, service_url: str, run: str):
    def submitted(kind: str) -> list[dict]:
        return program("gym", "ors_program.py", service_url, run, kind)

    return submitted


def test_gym_collects_the_rewards_that_are_counted(collect) -> None:
    told, metrics = collect("trained")
    assert len(told) == WHOLE
    assert {told_key(line): line["reward"] for line in told} == counted(told)
    assert metrics["mean/reward"] == pytest.approx(fmean(line["reward"] for line in told))
    assert metrics["mean/abstained"] == 0.0


def test_gym_tells_a_group_that_abstains_by_a_metric(collect) -> None:
    told, metrics = collect("silent")
    expected = counted(told)
    assert {told_key(line): line["abstained"] for line in told} == {
        key: float(reward is None) for key, reward in expected.items()
    }
    assert [line["reward"] for line in told] == [expected[told_key(line)] or 0.0 for line in told]
    assert {line["abstention"] for line in told} == {None, "no-label"}
    assert metrics["mean/abstained"] == pytest.approx(4 / SMALL)


def test_gym_evaluates_one_view_by_the_truth(collect) -> None:
    told, _ = collect("evaluated")
    assert len(told) == SMALL / 2
    assert [line["reward"] for line in told] == [float(sampled(line).answer == "1") for line in told]


def test_an_error_of_the_service_ends_the_collection(program: Program, service_url: str, run: str, tmp_path) -> None:
    (told,) = program("gym", "gym_program.py", service_url, run, str(tmp_path), "unanswered")
    assert "500" in told["ended"]
    assert f"StillPending of run {run} at {service_url}" in told["said"]
    assert "not settled" in told["said"]


def test_the_resources_server_conforms(program: Program, service_url: str) -> None:
    proofs = program("gym", "gym_conformance.py", service_url, timeout_s=500)
    assert all(proof["passed"] for proof in proofs)


@pytest.mark.parametrize("kind", ["numbered", "unnumbered"])
def test_sessions_of_open_reward_end_with_the_rewards_that_are_counted(submit, kind: str) -> None:
    told = submit(kind)
    assert len(told) == WHOLE
    assert {told_key(line): line["reward"] for line in told} == counted(told)
    assert 0.0 < fmean(line["reward"] for line in told) < 1.0
    assert all(line["finished"] for line in told)


def test_a_session_whose_group_abstains_has_no_reward(submit) -> None:
    told = submit("silent")
    expected = counted(told)
    assert {told_key(line): line["reward"] for line in told} == expected
    assert [line["metadata"]["abstention"] for line in told] == [
        "no-label" if expected[told_key(line)] is None else None for line in told
    ]


def test_the_test_split_is_evaluation(submit) -> None:
    told = submit("evaluated")
    assert len(told) == SMALL / 2
    assert [line["reward"] for line in told] == [float(line["answer"] == "1") for line in told]


def test_a_session_ends_with_the_error_of_the_service(submit) -> None:
    (told,) = submit("unanswered")
    assert told["raised"] == "ToolFailed"
    assert "not settled" in told["said"]


def test_the_environment_of_open_reward_conforms(program: Program, service_url: str) -> None:
    proofs = program("gym", "ors_conformance.py", service_url, timeout_s=500)
    assert all(proof["passed"] for proof in proofs)
