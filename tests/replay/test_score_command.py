"""`co-rewarding score` as a person calls it, over a whole service."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.extraction import last_boxed
from reward_service.tools.replay.graders import GRADERS
from tests.support.rollout_files import boxed, co_rewarding, jsonl, parquet
from tests.support.service import running

REAL = Path(__file__).parents[3] / "shared" / "data" / "rollouts_qwen_math100x8.jsonl"
PAIR = {
    "question_id": "math/17",
    "gold": "4",
    "rollouts": [boxed(4), boxed("4.0"), "I do not know"],
    "paraphrase_rollouts": [boxed("\\frac{8}{2}"), boxed(5), boxed(4)],
}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running() as supervisor:
        yield supervisor.url


def called(*words: object) -> Result:
    return co_rewarding("score", *words)


def lines_in(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_is_scored_by_a_service_of_its_own(tmp_path):
    out = tmp_path / "out.jsonl"

    result = called(jsonl(tmp_path / "f.jsonl", [PAIR]), "--method", "co-rewarding-i", "--out", out)

    assert result.exit_code == 0, result.output
    lines = lines_in(out)
    assert [line["reward"] for line in lines] == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert [line["rollout"] for line in lines] == [0, 1, 2, 0, 1, 2]
    assert (lines[2]["answer"], lines[2]["why"]) == (None, "no \\boxed{}")
    assert {line["label"]["votes"] for line in lines} == {2}
    for words in ("cohorts │ 1", "groups │ 2", "label coverage │ 1.000", "label accuracy │ 1.000", "distinct answers"):
        assert words in " ".join(result.output.split()), result.output


def test_lines_to_standard_output_are_nothing_but_lines(tmp_path, service):
    rows = [{"qid": "q", "response": boxed(4), "step": step} for step in (1, 1, 2)]

    result = called(parquet(tmp_path / "f.parquet", rows), "--url", service, "--out", "-", "--rollouts-per-request", 1)

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["step"], line["rollout"], line["label"]["of"]) for line in lines] == [(1, 0, 2), (1, 1, 2), (2, 0, 1)]
    assert "label coverage" in result.stderr


def test_statistics_are_sent(tmp_path, service):
    rows = [{"qid": "q", "rollouts": [{"text": "x", "statistics": {"entropy": n / 4}} for n in (1, 2)]}]
    out = tmp_path / "out.jsonl"

    assert called(jsonl(tmp_path / "f", rows), "--url", service, "--method", "entropy", "--out", out).exit_code == 0

    assert [line["reward"] for line in lines_in(out)] == [-0.25, -0.5]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (None, [], "cannot be read: No such file"),
        ("", [], "is empty"),
        ('{"qid": "q", "response": "r"}\n{oops\n', [], "f.jsonl:2: not JSON"),
        ('{"response": "r"}\n', [], "there are response; name it with --question-field"),
        ('{"qid": "q", "rollouts": []}\n', ["--url", "SERVICE"], "hold no rollouts, only empty lists"),
        ('{"qid": "q", "response": "r"}\n', ["--method", "voting"], "'voting' is not a method; choose one of co-rew"),
        ('{"qid": "q", "response": "r"}\n', ["--url", "SERVICE", "--method", "voting"], "'voting' is not a method"),
        ('{"qid": "q", "response": "r"}\n', ["--url", "SERVICE", "--run", "nope"], "there is no run 'nope'"),
        ('{"qid": "q", "response": "r"}\n', ["--url", "CLOSED"], "no service is ready at http://127.0.0.1"),
        ('{"qid": "q", "response": "r"}\n', ["--url", "not [/a] url"], "--url not [/a] url: "),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path, service, content, options, words):
    path, out = tmp_path / "f.jsonl", tmp_path / "out.jsonl"
    if content is not None:
        path.write_text(content)
    urls = {"SERVICE": service, "CLOSED": f"http://127.0.0.1:{closed_port()}"}

    result = called(path, "--out", out, *(urls.get(word, word) for word in options))

    assert result.exit_code == 2, result.output
    told = [line for line in result.stderr.splitlines() if line.startswith("co-rewarding: ")]
    assert len(told) == 1
    assert result.stderr.endswith(told[0] + "\n")
    assert words in told[0]
    assert "Traceback" not in result.output
    assert not out.exists()


@dataclass(frozen=True)
class Judged:
    """A row's answers in their order, their classes, and those that equal its ground truth."""

    answers: list[str | None]
    class_of: Mapping[str, str]
    right: frozenset[str]


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    """The real rows by the service's grader, without the service."""

    async def all_rows() -> list[Judged]:
        rows: list[Judged] = []
        async with GRADERS["lenient"].open() as grader:
            for row in lines_in(REAL):
                answers = [last_boxed(rollout["response"]) for rollout in row["rollouts"]]
                given = {answer for answer in answers if answer is not None}
                classes = await grader.classify(given, Conventions.LENIENT)
                matches = await grader.match(row["gold"], given, Conventions.LENIENT)
                rows.append(Judged(answers, classes.class_of, matches.equal))
        return rows

    return asyncio.run(all_rows())


@pytest.mark.skipif(not REAL.is_file(), reason=f"the real rollouts are not there: {REAL}")
def test_the_800_real_responses_under_majority_voting(tmp_path, service, judged):
    out = tmp_path / "out.jsonl"

    result = called(REAL, "--url", service, "--out", out)

    assert result.exit_code == 0, result.output
    lines = lines_in(out)
    assert len(lines) == 800
    assert all((line["answer"] is None) == (line["why"] is not None) for line in lines)
    assert all((line["reward"] is None) == (line["abstention"] is not None) for line in lines)
    accuracy = majority_accuracy(judged)
    assert f"label accuracy │ {accuracy:.3f} │ of 100 labels" in " ".join(result.output.split())
    assert accuracy > 0.5


@pytest.mark.skipif(not REAL.is_file(), reason=f"the real rollouts are not there: {REAL}")
def test_the_800_real_responses_under_ground_truth(tmp_path, service, judged):
    out = tmp_path / "out.jsonl"

    result = called(REAL, "--url", service, "--out", out, "--method", "ground-truth", "--rollouts-per-request", 100)

    assert result.exit_code == 0, result.output
    lines = lines_in(out)
    assert len(lines) == 800
    assert all((line["answer"] is None) == (line["why"] is not None) for line in lines)
    expected = [float(answer in row.right) for row in judged for answer in row.answers]
    assert [line["reward"] for line in lines] == expected
    assert "label accuracy │ 1.000 │ of 100 labels; they are the ground truths" in " ".join(result.output.split())


def majority_accuracy(judged: list[Judged]) -> float:
    """Counted here: `most_common` too gives a tie to the class that came first."""
    right = 0
    for row in judged:
        winner = Counter(row.class_of[answer] for answer in row.answers if answer is not None).most_common(1)[0][0]
        right += any(row.class_of[answer] == winner for answer in row.right)
    return right / len(judged)
