"""An experiment trains against the real service, and one that was killed goes on with the cells that are missing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_client import RewardClient  # noqa: E402
from co_rewarding_trainer.loop import LoopConfig, held_out_problems  # noqa: E402

from tests.support.service import running  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

pytestmark = pytest.mark.timeout(300)

SUITE = """
methods = ["majority-voting", "peer-majority"]
learning_rates = [6e-4]
seeds = [0, 1]
steps = 2
pairs_per_step = 2
group_size = 2
evaluate_every = 1
evaluation_problems = 10
samples = 2
passes = [1, 2]
"""


@pytest.fixture(scope="module")
def service_url() -> Iterator[str]:
    with running() as supervisor:
        yield supervisor.url


def started(folder: Path, url: str, suite: str = SUITE, *more: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "reward_service", "experiment", "suite.toml", "--out", "out", "--jobs", "1", *more]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80"}
    (folder / "suite.toml").write_text(suite)
    return subprocess.Popen(
        [*words, "--url", url], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def results_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out/cells").glob("*.json")}


def test_one_that_was_killed_goes_on_where_it_was(tmp_path: Path, service_url: str) -> None:
    first = started(tmp_path, service_url)
    wait_until(lambda: len(results_in(tmp_path)) >= 1 or first.poll() is not None, 200.0, 0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = results_in(tmp_path)
    assert kept
    second = started(tmp_path, service_url)
    out, err = second.communicate(timeout=250)
    assert second.returncode == 0, err
    assert "4 trainings" in out
    assert max(map(len, out.splitlines())) <= 80
    found = results_in(tmp_path)
    assert len(found) == 4
    assert kept.items() <= found.items(), "what was trained is not trained again"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "about.json", "cells", "curves.png", "falls.md", "figures.json", "series.parquet", "suite.json",
        "sweep.png", "table.md",
    }  # fmt: skip
    about = json.loads((tmp_path / "out/about.json").read_text())
    assert about["command"][1:3] == ["experiment", "suite.toml"]
    assert set(about["packages"]) >= {"torch", "transformers"}


def test_at_test_time_no_ground_truth_reaches_the_service(tmp_path: Path, service_url: str) -> None:
    suite = SUITE.replace(', "peer-majority"', ', "co-rewarding-i"').replace("[0, 1]", "[5]")
    _, err = (process := started(tmp_path, service_url, suite, "--test-time")).communicate(timeout=250)
    assert process.returncode == 0, err
    results = [json.loads(each) for each in results_in(tmp_path).values()]
    assert len(results) == 2
    for result in results:
        assert all(0 <= step["label_accuracy"] <= 1 for step in result["steps"]), "the trainer counts it"
        with RewardClient(service_url, run=result["run"]) as client:
            cohorts = client.cohorts_page(most=100).items
            assert {step["label_accuracy"] for step in client.series()} == {None}
        assert sum(len(each["ballots"]) for each in cohorts) == 2 * 2 * 2 * 2
        assert {ballot["ground_truth"] for each in cohorts for ballot in each["ballots"]} == {None}
        assert {label["matches_truth"] for each in cohorts for label in each["labels"]} == {None}
        questions = {each["question_id"] for each in cohorts}
        assert questions <= {each.key for each in held_out_problems(LoopConfig(evaluation_problems=10))}
        assert len(questions) == 4


def test_the_folder_of_another_suite_is_left_alone(tmp_path: Path, service_url: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/suite.json").write_text("{}")
    ended = started(tmp_path, service_url)
    _, err = ended.communicate(timeout=120)
    assert ended.returncode == 2
    assert "holds the results of another suite" in err
    assert "Traceback" not in err


def test_a_result_that_cannot_be_read_is_named(tmp_path: Path, service_url: str) -> None:
    (tmp_path / "out/cells").mkdir(parents=True)
    (tmp_path / "out/cells/majority-voting_0.0006_plain_s0.json").write_text('{"row": ')
    _, err = started(tmp_path, service_url).communicate(timeout=250)
    assert "majority-voting_0.0006_plain_s0.json is no result of this release" in err
    assert "Traceback" not in err


def test_a_service_that_runs_has_a_teacher_for_one_start(tmp_path: Path, service_url: str) -> None:
    (tmp_path / "weights").mkdir()
    suite = SUITE.replace("peer-majority", "co-rewarding-ii") + "[starts.a]\nseed = 1\n[starts.b]\nseed = 2\n"
    process = started(tmp_path, service_url, suite, "--weights-root", "weights")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "one start" in err
    assert not (tmp_path / "out").exists()


def test_a_cell_that_fails_is_named_and_the_others_are_trained(tmp_path: Path, service_url: str) -> None:
    (tmp_path / "weights").mkdir()
    suite = SUITE.replace("peer-majority", "co-rewarding-ii").replace("[0, 1]", "[0]")
    process = started(tmp_path, service_url, suite, "--weights-root", "weights")
    _, err = process.communicate(timeout=250)
    assert process.returncode == 2
    assert "1 of 2 cells failed: co-rewarding-ii_0.0006_plain_s0: the service at" in err
    assert "has no teacher" in err
    assert list(results_in(tmp_path)) == ["majority-voting_0.0006_plain_s0.json"]
    assert (tmp_path / "out/table.md").read_text().count("majority-voting") == 1
