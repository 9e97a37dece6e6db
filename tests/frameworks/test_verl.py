"""verl's own reward loop on Ray, and its own trainer on the CPU: every reward is what plain counting gives."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from co_rewarding_client import RewardClient, RunSettings
from co_rewarding_client.testing import CASES, Sampled
from co_rewarding_client.testing.reference import cross_view_rewards, evaluation_rewards, key
from conftest import ROOT, Program, framework_python

from tests.support.service import running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.framework, pytest.mark.timeout(900)]

GROUP_SIZE = 8
QUESTIONS = 64

Line = dict[str, Any]


@pytest.fixture(scope="module")
def told(service_url: str, program: Program) -> dict[str, list[Line]]:
    """What the reward loop gave, by case."""
    run = f"run-{uuid4().hex[:12]}"
    with RewardClient(service_url) as client:
        client.put_run(run, RunSettings(group_size=GROUP_SIZE, cohort_deadline_s=5.0))
    lines = program("verl", "verl_program.py", service_url, run, str(QUESTIONS), str(GROUP_SIZE), timeout_s=600.0)
    return {case: [line for line in lines if line["case"] == case] for case in {line["case"] for line in lines}}


def sampled(lines: Sequence[Line]) -> list[tuple[Sampled, float | None]]:
    """The rollouts with their rewards; None for those that abstained."""
    return [
        (
            Sampled(
                question_id=line["question_id"],
                view=line["view"],
                index=line["index"],
                prompt="",
                response=line["response"],
                answer=line["answer"],
                ground_truth=line.get("ground_truth"),
            ),
            None if line["extra"]["abstained"] else line["score"],
        )
        for line in lines
        if "response" in line
    ]


@pytest.mark.parametrize("case", ["whole", "again", "mixed"])
def test_each_of_1024_rollouts_is_rewarded_as_counting_rewards_it(told: dict[str, list[Line]], case: str) -> None:
    found = sampled(told[case])
    expected = cross_view_rewards([rollout for rollout, _ in found])
    assert len(found) == 2 * QUESTIONS * GROUP_SIZE
    assert {key(rollout): reward for rollout, reward in found} == expected
    assert set(expected.values()) == {0.0, 1.0}


def test_what_comes_twice_is_rewarded_as_before(told: dict[str, list[Line]]) -> None:
    assert [line.get("score") for line in told["again"]] == [line.get("score") for line in told["whole"]]


def test_a_lone_view_that_is_copied_to_fill_a_batch_abstains_and_the_others_do_not(
    told: dict[str, list[Line]],
) -> None:
    found = sampled(told["padded"])
    assert {key(rollout): reward for rollout, reward in found} == cross_view_rewards([each for each, _ in found])
    lone = next(line for line in told["padded"] if line.get("question_id") == "alone")
    assert lone["extra"] == {"acc": 0.0, "abstained": 1.0, "abstention": "expired", "vote_share": 0.0}


def test_a_validation_is_compared_with_its_ground_truths_and_waits_for_nothing(told: dict[str, list[Line]]) -> None:
    found = sampled(told["evaluated"])
    assert {key(rollout): reward for rollout, reward in found} == evaluation_rewards([each for each, _ in found])
    assert {reward for _, reward in found} == {0.0, 1.0}
    assert told["evaluated"][-1]["seconds"] < 5.0  # the deadline of a cohort


def test_it_conforms(service_url: str, program: Program) -> None:
    proofs = program("verl", "verl_conformance.py", service_url, timeout_s=800.0)
    assert [proof["case"] for proof in proofs if proof["passed"]] == list(CASES)


def trained(url: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Trains by the example's one command, on the CPU."""
    example = ROOT / "clients" / "examples" / "verl_train.py"
    command = [str(framework_python("verl")), str(example), "--cpu", "--url", url, "--run", folder.name]
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "clients")))
    return subprocess.run(
        [*command, "--folder", str(folder), "--", *flags],
        env=os.environ | {"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "RAY_DEDUP_LOGS": "0"},
        capture_output=True,
        text=True,
        timeout=800.0,
        check=False,
    )


def by_example(statement: str, folder: Path) -> None:
    """Runs a statement with the example at hand, and the path as its argument."""
    command = [str(framework_python("verl")), "-c", f"import pathlib, sys, pandas, verl_train; {statement}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "clients" / "examples")}
    subprocess.run([*command, str(folder)], env=environment, check=True)


def dumped(folder: Path) -> dict[int, list[Line]]:
    """What verl wrote of each step."""
    return {
        int(file.stem): [json.loads(line) for line in file.read_text().splitlines()] for file in folder.glob("*.jsonl")
    }


def test_it_trains_and_each_reward_is_what_counting_gives(service_url: str, tmp_path: Path) -> None:
    folder = tmp_path / f"run-{uuid4().hex[:8]}"
    steps, validations = folder / "steps", folder / "validations"
    flags = (f"trainer.rollout_data_dir={steps}", f"trainer.validation_data_dir={validations}")
    done = trained(service_url, folder, *flags)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"

    rows = dumped(steps)
    assert sorted(rows) == list(range(1, 9))
    compared = 0
    for step in rows.values():
        found = of_dump(step)
        whole = Counter(question for question, _ in {(each.question_id, each.view) for each, _ in found})
        # A group whose other view has no answer was left out, and with it the votes that its other view was given.
        pairs = [(each, reward) for each, reward in found if whole[each.question_id] == 2]
        expected = cross_view_rewards([each for each, _ in pairs])
        assert {key(each): reward for each, reward in pairs} == expected
        compared += len(pairs)
    assert compared > 0.8 * 8 * 64
    means = {step: sum(row["score"] for row in told) / len(told) for step, told in rows.items()}
    assert means[1] < 0.5 < means[8], "the model has not learned to agree with itself"

    for step in dumped(validations).values():
        assert len(step) == 8
        assert all(row["score"] == float(answer_in(row["output"]) == row["gts"]) for row in step)


def of_dump(rows: Sequence[Line]) -> list[tuple[Sampled, float | None]]:
    """The rollouts that verl trained on; the words of a question are in another order in its other view."""
    found = []
    for row in rows:
        uid, index, _ = row["uid"].rsplit("_", 2)
        if uid.startswith("pad"):  # verl's own, to fill the batch
            continue
        rollout = Sampled(
            question_id=question_of(row["input"]),
            view=view_of(row["input"]),
            index=int(index),
            prompt=uid,
            response=row["output"],
            answer=answer_in(row["output"]),
        )
        found.append((rollout, row["score"]))
    return found


def answer_in(response: str) -> str | None:
    """The answer in the last box."""
    return response.rsplit("\\boxed{", 1)[1].split("}")[0] if "\\boxed{" in response else None


@pytest.fixture
def school() -> Iterator[tuple[str, Path]]:
    """The address of a service with a teacher that is the policy of each step, and its weights root."""
    folder = Path(tempfile.mkdtemp(prefix="cr-"))
    (folder / "weights").mkdir()
    by_example("verl_train.make_toy_model(pathlib.Path(sys.argv[1]))", folder / "teacher")
    teaching = {
        "weights_root": folder / "weights",
        "teacher_dir": folder / "averages",
        "teacher": str(folder / "teacher"),
        "teacher_backend": "transformers",
        "teacher_dtype": "float32",
    }
    try:
        with running(**teaching) as supervisor:
            yield supervisor.url, folder / "weights"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_the_teacher_labels_by_the_weights_of_each_step(school: tuple[str, Path], tmp_path: Path) -> None:
    url, weights = school
    folder = tmp_path / f"run-{uuid4().hex[:8]}"
    settings = {"method": "co-rewarding-ii", "alpha_start": 0.0, "alpha_end": 0.0, "teacher_max_tokens": 1}
    done = trained(
        url,
        folder,
        *(f"+reward.reward_kwargs.settings.{name}={value}" for name, value in settings.items()),
        f"+reward.reward_kwargs.weights={weights}",
        f"trainer.rollout_data_dir={folder}/steps",
        "trainer.total_training_steps=3",
        "trainer.val_before_train=False",
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    steps = dumped(folder / "steps")
    assert sorted(steps) == [1, 2, 3]
    with RewardClient(url, run=folder.name) as client:
        assert client.teacher().version == 3
        for step, rows in steps.items():
            labels = {
                (label["question_id"], label["view"]): label
                for question in {question_of(row["input"]) for row in rows}
                for cohort in client.cohorts(question, step=step)
                for label in cohort["labels"]
            }
            for row in rows:
                label = labels[question_of(row["input"]), view_of(row["input"])]
                assert label["teacher_version"] == step
                assert row["score"] == float(answer_in(row["output"]) == label["answer"])


def question_of(prompt: str) -> str:
    """The example's name of a question: its letters are the digits of a number, in either view."""
    return f"toy-{int(''.join(str('abcd'.index(letter) % 2) for letter in prompt.split()), 2)}"


def view_of(prompt: str) -> str:
    """The view: each has letters of its own."""
    return "original" if set(prompt.split()) <= set("ab") else "paraphrase"


@pytest.mark.slow
def test_groups_that_abstain_are_left_out_and_a_service_that_stays_away_ends_the_training(tmp_path: Path) -> None:
    folder = tmp_path / f"run-{uuid4().hex[:8]}"
    data, first_step = tmp_path / "half.parquet", folder / "steps" / "1.jsonl"
    by_example(
        "pairs = [pair | {'ground_truth': pair['ground_truth'] * (place % 2)}"
        " for place, pair in enumerate(verl_train.toy_pairs())];"
        "pandas.DataFrame(list(verl_train.rows(pairs, 'train'))).to_parquet(sys.argv[1])",
        data,
    )
    flags = (
        "+reward.reward_kwargs.settings.method=ground-truth",
        "+reward.reward_kwargs.patience_s=5",
        f"data.train_files={data}",
        f"trainer.rollout_data_dir={first_step.parent}",
        "trainer.val_before_train=False",
    )
    with ThreadPoolExecutor() as pool:
        with running() as supervisor:
            url = supervisor.url
            training = pool.submit(trained, url, folder, *flags)
            wait_until(lambda: first_step.exists() or training.done(), 600.0, every_s=0.1)
        done = training.result()
    assert done.returncode != 0
    assert re.search(r"RewardsMissingError: a reward of step \d failed in run .*ServiceUnavailable: ", done.stderr)
    assert url in done.stderr

    share = float(re.findall(r"step:1 - .*co_rewarding/abstained:([\d.]+)", done.stdout)[0])
    kept = [row for row in dumped(first_step.parent)[1] if not row["uid"].startswith("pad")]
    assert 0.0 < share < 1.0
    assert len(kept) == 64 * (1.0 - share)
    assert {question_of(row["input"]) for row in kept} <= {"toy-1", "toy-3", "toy-5", "toy-7"}
    assert all(row["score"] == float(answer_in(row["output"]) == row["gts"]) for row in kept)


@pytest.fixture(scope="module")
def checks(program: Program) -> dict[str, Line]:
    """What is said of configurations and data."""
    return {line["what"]: line for line in program("verl", "verl_checks.py")}


@pytest.mark.parametrize(
    ("flag", "cure"),
    [
        ("data.shuffle=true", "data.shuffle=False"),
        ("data.train_batch_size=7", "an even data.train_batch_size"),
        ("data.gen_batch_size=1", "an even data.gen_batch_size"),
        ("algorithm.filter_groups.enable=true", "algorithm.filter_groups.enable=False"),
        ("trainer.v1.sampler.sync_refill_failed_groups=true", "trainer.v1.sampler.sync_refill_failed_groups=False"),
    ],
)
def test_flags_that_part_pairs_are_refused_with_their_cure(checks: dict[str, Line], flag: str, cure: str) -> None:
    assert checks[""]["error"] is None
    assert cure in checks[flag]["error"]
    assert checks[f"{flag} without pairs"]["error"] is None


def test_a_reward_model_beside_the_service_is_refused(checks: dict[str, Line]) -> None:
    for what in ("reward.reward_model.enable=true", "reward.reward_model.enable=true without pairs"):
        assert "reward.reward_model.enable=False" in checks[what]["error"]


def test_a_step_that_its_workers_cannot_hold_at_once_is_refused(checks: dict[str, Line]) -> None:
    assert "reward.num_workers=3: " in checks["data.train_batch_size=256"]["error"]


def test_rows_that_are_no_pairs_are_refused(checks: dict[str, Line]) -> None:
    assert checks["pairs"]["error"] is None
    for what in ("views apart", "no identity"):
        assert "rows 0 and 1" in checks[what]["error"]
        assert "PairDataset" in checks[what]["error"]


def test_pairs_are_laid_side_by_side_and_each_epoch_has_all_of_them(checks: dict[str, Line]) -> None:
    order = checks["order"]["found"]
    pairs = [
        (one["question_id"], one["view"], other["view"]) for one, other in zip(order[::2], order[1::2], strict=True)
    ]
    assert all(one["question_id"] == other["question_id"] for one, other in zip(order[::2], order[1::2], strict=True))
    # The fourth question, "a", came in one view alone.
    assert [sorted(pairs[:3]), sorted(pairs[3:])] == [[(each, "original", "paraphrase") for each in "bcd"]] * 2
    assert "no question has both views" in checks["order of none"]["error"]


def test_a_validation_that_says_nothing_is_refused(checks: dict[str, Line]) -> None:
    assert checks["truths"]["error"] is None
    assert checks["no truth, four rollouts"]["error"] is None
    assert "1 of 2 validation rows have no reward_model.ground_truth" in checks["no truth"]["error"]


def test_a_row_is_evaluated_where_it_is_validated_with_whatever_split_it_says(checks: dict[str, Line]) -> None:
    """Training on a test set is what label-free rewards are for."""
    assert checks["evaluated in training"]["found"] == [False] * 4
    assert checks["evaluated in validation"]["found"] == [True] * 4
