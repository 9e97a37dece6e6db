"""`co-rewarding export`: a run's rollouts in a file that `replay` reads, with the labels that the service gave."""

import asyncio
import io
import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from co_rewarding_client import Evidence, RewardClient, Rollout, RunSettings, Statistics
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import Conventions, Voter
from rich.console import Console

from reward_service.domain.extraction import last_boxed
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.tools.replay.columns import settle_column
from reward_service.tools.replay.reading import progress_bar
from reward_service.tools.replay.recording import VoterFile, record
from tests.support.rollout_files import boxed, co_rewarding, opened
from tests.support.service import running

KEY = "key-of-the-export"
ANSWERS = ["1/2", "0.5", "\\frac{1}{2}", "3", "4", "x^{2}", None]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(api_keys=[KEY]) as supervisor:
        yield supervisor.url


@pytest.fixture
def client(url: str) -> Iterator[RewardClient]:
    with RewardClient(url, api_key=KEY, run=f"run-{uuid4().hex[:8]}", patience_s=30.0) as made:
        yield made


def exported(url: str, run: str, file: Path, *more: object) -> list[dict[str, Any]]:
    result = co_rewarding("export", run, file, "--url", url, "--api-key", KEY, *more)
    assert result.exit_code == 0, result.output
    return pq.read_table(file).to_pylist()


def drawn(rng: random.Random, questions: int, **more: Any) -> list[Rollout]:
    return [
        Rollout(
            question_id=f"q{question}",
            view=view,
            rollout=at,
            response="nothing" if (answer := rng.choice(ANSWERS)) is None else boxed(answer),
            **more,
        )
        for question in range(questions)
        for view in ("original", "paraphrase")
        for at in range(4)
    ]


def replayed(
    file: Path, method: str, teacher: Path | None = None
) -> list[tuple[dict[str, str], tuple[float | None, ...]]]:
    """The labels and rewards of each question and step, as `replay` settles the file."""
    with progress_bar(Console(stderr=True)) as bar:
        files = [VoterFile(opened(file)), *([] if teacher is None else [VoterFile(opened(teacher), Voter.TEACHER)])]
        recording = record(files, last_boxed, bar)
    grader = SymbolicGrader()
    column = asyncio.run(
        settle_column(recording, method_named(method), grader, "lenient", Conventions.LENIENT, lambda _: None)
    )
    return [({str(view): label for view, label in each.labels.items()}, each.rewards_B) for each in column.settled_Q]


@pytest.mark.parametrize("method", ["majority-voting", "co-rewarding-i", "self-harmony"])
@pytest.mark.parametrize("complete", [True, False], ids=["batches", "joined"])
def test_a_replay_of_the_export_gives_the_same_labels_and_rewards(
    url: str, client: RewardClient, tmp_path: Path, method: str, complete: bool
) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method=method, group_size=4))
    rng = random.Random(3)
    given: dict[tuple[int, str, str], str] = {}
    for step in range(6):
        rewards = client.rewards(drawn(rng, 9), step=step, complete=complete)
        given |= {(step, label.question_id, label.view): label.answer for label in rewards.labels}
    rows = exported(url, run, tmp_path / "run.parquet")
    assert len(rows) == 6 * 9 * 8
    assert {(row["step"], row["question_id"], row["view"]): row["elected"] for row in rows if row["elected"]} == given

    order = dict.fromkeys((row["step"], row["question_id"]) for row in rows)
    settled = replayed(tmp_path / "run.parquet", method)
    labels = {
        (*place, view): answer for place, (of, _) in zip(order, settled, strict=True) for view, answer in of.items()
    }
    assert labels == given
    rewards_of = {
        place: [row["reward"] for row in rows if (row["step"], row["question_id"]) == place] for place in order
    }
    assert [list(rewards_B) for _, rewards_B in settled] == list(rewards_of.values())


def test_everything_that_came_with_a_rollout_is_in_its_row(url: str, client: RewardClient, tmp_path: Path) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method="verified-majority", group_size=2))
    told = {
        "ground_truth": "4",
        "statistics": Statistics(self_certainty=1.5, entropy=0.25, length=300),
        "evidence": Evidence(verified=True, confidence=0.5),
    }
    group = [Rollout(question_id="q", rollout=at, response=boxed(4), **told) for at in range(2)]
    label = client.rewards(group, step=7).labels[0]
    first, second = exported(url, run, tmp_path / "run.parquet")
    assert first == {
        "run": run, "cohort": label.cohort, "method": "verified-majority", "question_id": "q", "step": 7, "attempt": 0,
        "view": "original", "rollout": 0, "voter": "policy", "counted": True, "response": "\\boxed{4}",
        "answer_class": "4", "ground_truth": "4", "self_certainty": 1.5, "entropy": 0.25, "length": 300,
        "verified": True, "confidence": 0.5, "reward": 1.0, "abstention": None, "elected": "4",
        "elected_by": "policy", "votes": 10.0, "of": 10.0, "matches_truth": True, "teacher_version": None,
        "instability": None,
    }  # fmt: skip
    assert second == first | {"rollout": 1}


def test_of_a_step_done_again_the_latest_attempt_is_written_unless_all_are_wanted(
    url: str, client: RewardClient, tmp_path: Path
) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method="majority-voting", group_size=2))
    for attempt in range(3):
        again = [Rollout(question_id="q", rollout=at, attempt=attempt, response=boxed(attempt)) for at in range(2)]
        client.rewards(again, step=1)
    assert [row["attempt"] for row in exported(url, run, tmp_path / "latest.parquet")] == [2, 2]
    told = co_rewarding("export", run, tmp_path / "again.parquet", "--url", url, "--api-key", KEY).stderr
    assert "2 rollouts of 1 cohorts" in told
    assert "cohorts left out: 2, earlier attempts or rounds of a question's step; --all writes them too" in told
    assert [row["attempt"] for row in exported(url, run, tmp_path / "all.parquet", "--all")] == [2, 2, 1, 1, 0, 0]


def test_ballots_of_a_teacher_are_written_apart(url: str, client: RewardClient, tmp_path: Path) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method="co-rewarding-ii", group_size=2))
    voters = [("policy", 4), ("policy", 5), ("teacher", 4), ("teacher", 4)]
    batch = [
        Rollout(question_id="q", voter=voter, rollout=at % 2, response=boxed(answer))
        for at, (voter, answer) in enumerate(voters)
    ]
    client.rewards(batch, step=1)
    rows = exported(url, run, tmp_path / "run.parquet", "--teacher", tmp_path / "teacher.parquet")
    assert [(row["voter"], row["reward"], row["elected_by"]) for row in rows] == [
        ("policy", 1.0, "teacher"),
        ("policy", 0.0, "teacher"),
    ]
    taught = pq.read_table(tmp_path / "teacher.parquet").to_pylist()
    assert [(row["voter"], row["response"], row["reward"]) for row in taught] == [("teacher", "\\boxed{4}", None)] * 2
    settled = replayed(tmp_path / "run.parquet", "co-rewarding-ii", tmp_path / "teacher.parquet")
    assert settled == [({"original": "4"}, (1.0, 0.0))]


def test_ballots_of_peers_are_no_teachers(url: str, client: RewardClient, tmp_path: Path) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method="peer-majority", peers=("another",), group_size=2))
    voters = [("policy", 4), ("policy", 5), ("peer", 4), ("peer", 4)]
    client.rewards([Rollout(question_id="q", voter=voter, response=boxed(answer)) for voter, answer in voters], step=1)
    rows = exported(url, run, tmp_path / "run.parquet", "--teacher", tmp_path / "teacher.parquet")
    assert [(row["voter"], row["reward"], row["elected_by"]) for row in rows] == [
        ("policy", 1.0, "peer"),
        ("policy", 0.0, "peer"),
    ]
    assert pq.read_table(tmp_path / "teacher.parquet").num_rows == 0


def test_what_cannot_be_exported_is_a_line_and_leaves_no_file(url: str, tmp_path: Path) -> None:
    file = tmp_path / "run.parquet"
    for words, said in [
        (("nobody", file, "--url", url, "--api-key", KEY), "nobody"),
        (("default", file, "--url", url, "--api-key", "wrong"), "403"),
        (("default", tmp_path / "absent" / "run.parquet", "--url", url, "--api-key", KEY), "cannot be written"),
        (("default", file, "--url", url, "--api-key", KEY, "--teacher", file), "name another"),
        (("default", tmp_path / "run.jsonl", "--url", url, "--api-key", KEY), "run.parquet"),
        (("default", file, "--url", url, "--api-key", KEY, "--teacher", tmp_path / "t.csv"), "t.parquet"),
    ]:
        result = co_rewarding("export", *words)
        assert result.exit_code == 2, result.output
        assert said in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_and_not_replaced(url: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reading:
        read = reading.submit(pipe.read_bytes)
        result = co_rewarding("export", "default", pipe, "--url", url, "--api-key", KEY)
        assert result.exit_code == 0, result.output
        assert pipe.is_fifo()
        assert pq.read_table(io.BytesIO(read.result())).schema.names[0] == "run"
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_replay_takes_the_settings_of_the_run_unless_it_is_told_others(
    url: str, client: RewardClient, tmp_path: Path
) -> None:
    run = client._calls._run_name
    client.put_run(run, RunSettings(method="majority-voting", min_vote_share=0.6, conventions="strict"))
    answers = {"sure": ["3", "3", "3", "4"], "unsure": ["3", "3", "4", "5"]}
    batch = [
        Rollout(question_id=question, rollout=at, response=boxed(answer))
        for question, some in answers.items()
        for at, answer in enumerate(some)
    ]
    labels = client.rewards(batch, step=1).labels
    assert [label.question_id for label in labels] == ["sure"]
    exported(url, run, tmp_path / "run.parquet")

    def coverage(*more: object) -> tuple[float, str]:
        figures = tmp_path / "figures.json"
        result = co_rewarding(
            "replay", tmp_path / "run.parquet", "--method", "majority-voting", "--json", figures, *more
        )
        assert result.exit_code == 0, result.output
        (column,) = json.loads(figures.read_text())["columns"]
        return column["coverage"], result.output

    share, said = coverage()
    assert share == 0.5
    assert "settings of the run: min_vote_share=0.6, conventions=strict" in said
    assert coverage("--set", "min_vote_share=0")[0] == 1.0
