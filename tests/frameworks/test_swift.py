"""ms-swift's own `swift rlhf`, on 1 and 2 processes: every reward is what plain counting gives what was sampled."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from co_rewarding_client.testing.cases import CASES
from conftest import Program
from training_batches import Told, assert_counted, assert_evaluated, batches, error, told

from reward_service.serving.supervisor import Supervisor

pytestmark = [pytest.mark.framework, pytest.mark.timeout(900)]

RIGHT_ALONE = ("plain", "accumulated", "evaluated", "voted evaluation")
RIGHT_BY_TWO = ("plain", "a view a rank")
EVALUATED = {"evaluated": True, "voted evaluation": False}
REFUSED = {
    "shuffled": ("--dataset_shuffle false", "write_pairs(path, questions, epochs=N)"),
    "odd": ("per_device_train_batch_size=8", "steps_per_generation=2"),
    "dynamic": ("--dynamic_sample", "leave it out"),
    "too long": ("--truncation_strategy delete", "leave it out"),
    "no callback": ("--callbacks co_rewarding",),
    "no reward function": ("--reward_funcs co_rewarding",),
    "nobody there": ("http://127.0.0.1:9", "see that the service is up"),
}


@pytest.fixture(scope="module")
def trained(service_url: str, program: Program, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Trains scenarios in one start of the program, on so many processes."""

    def of(processes: int, *names: str, url: str = service_url) -> Told:
        words = (url, str(tmp_path_factory.mktemp("swift")), str(processes), f"r{uuid4().hex[:8]}")
        return told(program("swift", "swift_program.py", *words, *names, timeout_s=800.0))

    return of


@pytest.fixture(scope="module")
def alone(trained: Any) -> Told:
    return trained(1, *RIGHT_ALONE, *REFUSED, "some abstain", "all abstain")


@pytest.fixture(scope="module")
def by_two(trained: Any) -> Told:
    return trained(2, *RIGHT_BY_TWO)


@pytest.fixture(scope="module")
def taught(school: tuple[Supervisor, Path], trained: Any) -> Told:
    return trained(1, "taught", url=school[0].url)


@pytest.mark.parametrize("name", RIGHT_ALONE)
def test_one_process_is_rewarded_as_counted(alone: Told, name: str) -> None:
    assert len(assert_counted(alone[name])) == 3


@pytest.mark.parametrize("name", RIGHT_BY_TWO)
def test_two_processes_are_rewarded_as_counted(by_two: Told, name: str) -> None:
    assert len(assert_counted(by_two[name])) == 3


@pytest.mark.parametrize("name", EVALUATED)
def test_an_evaluation_stays_apart(alone: Told, name: str) -> None:
    assert len(batches(alone[name], learning=False)) == 6
    assert_evaluated(alone[name], EVALUATED[name])


def test_groups_that_abstain_are_left_out_and_counted_in_the_log(alone: Told) -> None:
    rewards = assert_counted(alone["some abstain"], group_size=8, min_votes=3)
    assert None in {reward for batch in rewards for reward in batch}
    (log,) = [line["history"] for line in alone["some abstain"] if line["what"] == "log"]
    for batch, entry in zip(rewards, [entry for entry in log if "reward" in entry], strict=True):
        known = [reward for reward in batch if reward is not None]
        assert entry["rewards/CoRewarding/mean"] == pytest.approx(sum(known) / len(known))
        assert entry["co_rewarding/abstained"] == pytest.approx(1 - len(known) / len(batch))


def test_prompts_are_told_as_the_policy_reads_them(alone: Told) -> None:
    calls = [line for line in alone["plain"] if line["what"] == "call"]
    assert all(re.fullmatch("<unk> w2 <unk> w0 (w[0-3]) <unk>", call["text"]) for call in calls)


def test_a_step_in_which_all_abstain_ends_the_training_with_the_reason(alone: Told) -> None:
    said = error(alone["all abstain"])
    assert said.startswith("AllAbstainedError: all 8 rollouts of step 0")
    assert "by no-label" in said


def test_a_teacher_labels_by_the_weights_of_each_step(taught: Told) -> None:
    assert not [line for line in taught["taught"] if line["what"] == "error"], taught["taught"][-1]
    calls = [line for line in taught["taught"] if line["what"] == "call"]
    for call in calls:
        found = [re.findall(r"\\boxed\{(\d)\}", response) for response in call["responses"]]
        assert None not in call["labels"]
        assert call["rewards"] == [float(box[-1:] == [label]) for box, label in zip(found, call["labels"], strict=True)]
    (log,) = [line["history"] for line in taught["taught"] if line["what"] == "log"]
    versions = [entry["co_rewarding/teacher_version"] for entry in log if "reward" in entry]
    assert versions == [call["step"] for call in calls] == [0, 1, 2]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_with_its_cure(alone: Told, name: str) -> None:
    said = error(alone[name])
    for words in REFUSED[name]:
        assert words in said
    assert not [line for line in alone[name] if line["what"] == "call"]


def test_it_conforms(service_url: str, program: Program) -> None:
    proofs = program("swift", "swift_conformance.py", service_url)
    assert [proof["case"] for proof in proofs if proof["passed"]] == list(CASES)
