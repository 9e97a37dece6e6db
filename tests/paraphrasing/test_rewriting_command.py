"""`co-rewarding paraphrase IN OUT` as a person calls it, with a model behind a socket."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.paraphrasing.apples import apple_rows, script
from tests.paraphrasing.rewriting_endpoint import Endpoint, served
from tests.support.interrupting import COMMAND
from tests.support.rollout_files import co_rewarding, jsonl
from tests.support.waiting import wait_until

COUNT = 60
HELD_AFTER = 30


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "in.jsonl", apple_rows(COUNT))


def words(endpoint: Endpoint, source: Path, out: Path, *more: object) -> list[str]:
    model = f"openai:{endpoint.url}#apples"
    given = ["paraphrase", source, out, "--model", model, "--prompt", "reword", "--prompt", "scenario", *more]
    return [str(word) for word in given]


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_file_is_rewritten_and_told_of(tmp_path, source):
    with served(Endpoint(script)) as endpoint:
        result = co_rewarding(*words(endpoint, source, tmp_path / "out.jsonl"))

    assert result.exit_code == 0, result.output
    assert f"40 pairs: {tmp_path / 'out.jsonl'}" in result.output
    told = [line.split() for line in result.output.splitlines()]
    assert ["rewritten", "40"] in told
    assert ["left-out", "20"] in told
    assert ["scenario", "30", "10", "accepted"] in told
    assert any(line[:2] == ["copy", "20"] for line in told)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
def test_a_run_that_is_stopped_goes_on_by_the_same_command(tmp_path, source, how):
    with served(Endpoint(script)) as endpoint:
        assert co_rewarding(*words(endpoint, source, tmp_path / "whole.jsonl")).exit_code == 0
    out = tmp_path / "out.jsonl"
    with served(Endpoint(script, lets_through=HELD_AFTER)) as endpoint:
        command = words(endpoint, source, out, "--concurrency", 4)
        running = started(*command)
        part = tmp_path / "out.jsonl.part"
        wait_until(lambda: sum(endpoint.asked.values()) == HELD_AFTER + 4, 60.0)
        running.send_signal(how)
        _, said = running.communicate(timeout=60)
        assert running.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
        assert how is signal.SIGKILL or "the same command goes on from here" in said
        kept = {json.loads(line)["question_id"] for line in part.read_text().splitlines()[1:]}
        before = endpoint.asked.copy()
        endpoint.set_free()
        result = co_rewarding(*command)

    assert result.exit_code == 0, result.output
    assert 0 < len(kept) < COUNT
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    again = endpoint.asked - before
    texts = {row["question_id"]: row["question"] for row in apple_rows(COUNT)}
    assert not {texts[question_id] for question_id in kept} & again.keys()
    assert not part.exists()


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--fallback", "none"], 2, "one of leave-out, same-again"),
        (["--skip", "speed"], 2, "no such check"),
        (["--temperature", "-1"], 2, "temperature is -1"),
        (["--engine", "fast"], 2, "not KEY=VALUE"),
        (["--least-similarity", "0.5"], 2, "needs --embeddings"),
        (["--prompt", "best"], 2, "there is no prompt 'best'; choose from paper,"),
    ],
)
def test_what_cannot_be_ordered_is_said_before_a_model_is_asked(tmp_path, source, more, status, said):
    endpoint = Endpoint(script)
    result = co_rewarding(*words(endpoint, source, tmp_path / "out.jsonl", *more))
    assert result.exit_code == status
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not endpoint.asked


def test_a_result_without_pairs_is_no_success(tmp_path):
    source = jsonl(tmp_path / "in.jsonl", apple_rows(60)[4:6])
    with served(Endpoint(script)) as endpoint:
        result = co_rewarding(*words(endpoint, source, tmp_path / "out.jsonl"))
    assert result.exit_code == 1
    assert "0 pairs" in result.output


def test_help_explains_both_ways_and_audit_is_still_a_command(tmp_path):
    told = " ".join(co_rewarding("paraphrase", "--help").output.replace("│", " ").split())
    assert "IN OUT --model MODEL" in told
    assert "audit FILE" in told
    assert "No such file" in co_rewarding("paraphrase", "audit", tmp_path / "none.jsonl", "--out", tmp_path).output
    assert "Missing option '--model'" in co_rewarding("paraphrase", "in", "out").output
