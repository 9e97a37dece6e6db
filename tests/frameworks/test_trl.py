"""TRL's own GRPOTrainer, on 1, 2 and 4 processes: every reward is what plain counting gives what was sampled."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from co_rewarding_client.testing.cases import AWAY_S, CASES
from co_rewarding_schema.vocabulary import View
from conftest import Program
from training_batches import Line, Told, assert_counted, assert_evaluated, batches, error, told

from reward_service.api.rewards.teacher_labels import slot_of
from reward_service.serving.supervisor import Supervisor
from reward_service.store.keys import RunKeys
from reward_service.store.label_records import unpack_prompt

pytestmark = [pytest.mark.framework, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def trained(service_url: str, program: Program, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Trains scenarios in one start of the program, on so many processes."""

    def of(processes: int, *names: str, url: str = service_url, **variables: str) -> Told:
        folder, run = tmp_path_factory.mktemp("trl"), f"r{uuid4().hex[:8]}"
        lines = program("trl", "trl_program.py", url, str(folder), str(processes), run, *names, **variables)
        return told(lines)

    return of


@pytest.fixture(scope="module")
def taught(school: tuple[Supervisor, Path], trained: Any) -> Told:
    supervisor, _ = school
    return trained(1, "taught", url=supervisor.url)


@pytest.fixture(scope="module")
def taught_by_two(school: tuple[Supervisor, Path], trained: Any) -> Told:
    supervisor, weights = school
    return trained(2, "taught over a shared disk", url=supervisor.url, WEIGHTS_ROOT=str(weights))


@pytest.fixture(scope="module")
def alone(trained: Any) -> Told:
    return trained(1, *RIGHT_ALONE, *REFUSED, "some abstain", "all abstain", "away", "away for too long")


@pytest.fixture(scope="module")
def by_two(trained: Any) -> Told:
    return trained(2, *RIGHT_BY_TWO, "all abstain")


@pytest.fixture(scope="module")
def by_four(trained: Any) -> Told:
    return trained(4, *RIGHT_BY_FOUR)


def history(lines: Sequence[Line]) -> list[dict[str, float]]:
    """What TRL logged of each training step, on the first rank."""
    (log,) = [line["history"] for line in lines if line["what"] == "log" and line["rank"] == 0]
    return [entry for entry in log if "rewards/co_rewarding/mean" in entry]


RIGHT_ALONE = {
    "plain": 3,
    "accumulated": 3,
    "many generations": 9,
    "epochs": 8,
    "conversational": 3,
    "resumed": 6,
    "evaluated": 3,
    "voted evaluation": 3,
}
RIGHT_BY_TWO = {"plain": 3, "accumulated": 3, "a view a rank": 9, "split and resumed": 3, "evaluated": 3}
RIGHT_BY_FOUR = {"split groups": 4, "split and evaluated": 3}
GROUPED = {"a view a rank": {"group_size": 8, "min_votes": 3}}
REFUSED = {
    "shuffled": ("InvalidRequest", "shuffle_dataset=False"),
    "odd": ("InvalidRequest", "per_device_train_batch_size=8", "steps_per_generation=2"),
    "views apart": ("InvalidRequest", "side by side", "paired(questions)"),
    "a question twice": ("InvalidRequest", "stands 2 times among rows 0 to 3"),
    "no ids": ("InvalidRequest", "no column question_id", "paired(questions)"),
    "no callback": ("InvalidRequest", "callbacks=[...]"),
    "asynchronous": ("InvalidRequest", "AsyncGRPOTrainer scores one group after another", "use trl.GRPOTrainer"),
    "nobody there": ("ServiceUnavailable", "http://127.0.0.1:9", "see that the service is up"),
}


@pytest.mark.parametrize("name", RIGHT_ALONE)
def test_one_process_is_rewarded_as_counted(alone: Told, name: str) -> None:
    assert len(assert_counted(alone[name])) == RIGHT_ALONE[name]


@pytest.mark.parametrize("name", RIGHT_BY_TWO)
def test_two_processes_are_rewarded_as_counted(by_two: Told, name: str) -> None:
    assert len(assert_counted(by_two[name], **GROUPED.get(name, {}))) == RIGHT_BY_TWO[name]


@pytest.mark.parametrize("name", RIGHT_BY_FOUR)
def test_four_processes_are_rewarded_as_counted(by_four: Told, name: str) -> None:
    assert len(assert_counted(by_four[name])) == RIGHT_BY_FOUR[name]


def test_a_resumed_step_is_sampled_and_rewarded_anew(alone: Told) -> None:
    calls = [line for line in alone["resumed"] if line["what"] == "call"]
    assert [call["step"] for call in calls] == [0, 1, 2, 3, 2, 3]
    assert calls[2]["question_ids"] == calls[4]["question_ids"]
    assert calls[2]["responses"] != calls[4]["responses"]


def test_groups_that_abstain_are_left_out_and_counted_in_the_log(alone: Told) -> None:
    rewards = assert_counted(alone["some abstain"], group_size=8, min_votes=3)
    assert None in {reward for batch in rewards for reward in batch}
    for batch, entry in zip(rewards, history(alone["some abstain"]), strict=True):
        known = [reward for reward in batch if reward is not None]
        assert entry["rewards/co_rewarding/mean"] == pytest.approx(sum(known) / len(known))
        assert entry["co_rewarding/abstained"] == pytest.approx(1 - len(known) / len(batch))
        assert entry["co_rewarding/label_coverage"] == pytest.approx(len(known) / len(batch))
        assert 0.0 < entry["co_rewarding/vote_share_mean"] <= 1.0


def test_a_rank_whose_rollouts_all_abstain_goes_on_with_the_others(by_two: Told) -> None:
    lonely = [
        batch
        for batch in batches(by_two["a view a rank"])
        if sum(set(call["rewards"]) == {None} for call in batch) == 1
    ]
    assert lonely


@pytest.mark.parametrize("processes", ["alone", "by_two"])
def test_a_step_in_which_all_abstain_ends_the_training_with_the_reason(
    processes: str, request: pytest.FixtureRequest
) -> None:
    said = error(request.getfixturevalue(processes)["all abstain"])
    assert said.startswith("AllAbstainedError: all ")
    assert "by no-label" in said
    assert "min_votes" in said


@pytest.mark.parametrize(
    ("processes", "name", "truths", "calls"),
    [
        ("alone", "evaluated", True, 6),
        ("alone", "voted evaluation", False, 6),
        ("by_two", "evaluated", True, 3),
        ("by_four", "split and evaluated", False, 6),  # three questions on four ranks: some come twice
    ],
)
def test_evaluations_are_rewarded_by_themselves(
    processes: str, name: str, truths: bool, calls: int, request: pytest.FixtureRequest
) -> None:
    lines = request.getfixturevalue(processes)[name]
    assert len(batches(lines, learning=False)) == calls
    assert_evaluated(lines, truths)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_with_its_cure(alone: Told, name: str) -> None:
    said = error(alone[name])
    for words in REFUSED[name]:
        assert words in said
    assert not [line for line in alone[name] if line["what"] == "call"]


def test_a_service_that_is_away_delays_the_training(alone: Told) -> None:
    assert len(assert_counted(alone["away"])) == 3
    calls = [line for line in alone["away"] if line["what"] == "call"]
    assert max(call["seconds"] for call in calls) > AWAY_S / 2


def test_a_service_that_stays_away_ends_the_training_with_its_address_and_the_cure(alone: Told) -> None:
    said = error(alone["away for too long"])
    assert re.match(r"ServiceUnavailable: POST /v1/rewards at http://127.0.0.1:\d+ failed", said)
    assert "patience of 2 s" in said
    assert "see that the service is up" in said


@pytest.mark.parametrize(
    ("processes", "name", "steps"), [("taught", "taught", 4), ("taught_by_two", "taught over a shared disk", 3)]
)
def test_a_teacher_labels_by_the_weights_of_each_step(
    processes: str, name: str, steps: int, request: pytest.FixtureRequest
) -> None:
    lines = request.getfixturevalue(processes)[name]
    assert not [line for line in lines if line["what"] == "error"], lines[-2]
    rewards: list[float] = []
    for batch in batches(lines):
        for call in batch:
            assert None not in call["labels"]
            found = [re.findall(r"\\boxed\{(\d)\}", response) for response in call["responses"]]
            expected = [float(boxes[-1:] == [label]) for boxes, label in zip(found, call["labels"], strict=True)]
            assert call["rewards"] == expected
            rewards += expected
    assert set(rewards) == {0.0, 1.0}
    sampled_at = [batch[0]["step"] for batch in batches(lines)]
    assert [entry["co_rewarding/teacher_version"] for entry in history(lines)] == sampled_at
    assert max(sampled_at) == steps - 1


def test_a_teacher_is_told_chat_messages_as_the_policy_reads_them(
    school: tuple[Supervisor, Path], taught_by_two: Told
) -> None:
    run = next(line["run"] for line in taught_by_two["taught over a shared disk"] if line["what"] == "begin")
    call = next(line for line in taught_by_two["taught over a shared disk"] if line["what"] == "call")
    with redis.Redis.from_url(school[0].redis_url) as store:
        kept = store.hgetall(RunKeys(run).slot(slot_of(call["question_ids"][0], View.ORIGINAL)))
    assert unpack_prompt(kept[b"x"]).text == f"system w2 user w0 w{int(call['question_ids'][0][1:]) % 4} go"  # type: ignore[index]


def test_it_conforms(service_url: str, program: Program) -> None:
    proofs = program("trl", "trl_conformance.py", service_url)
    assert [proof["case"] for proof in proofs if proof["passed"]] == list(CASES)
