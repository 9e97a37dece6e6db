"""`co-rewarding replay` as a person calls it."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.main import get_command

from reward_service.cli import app
from reward_service.domain.extraction import last_boxed
from reward_service.tools.replay.sources import RUN_METADATA
from reward_service.tools.replay.values import boxed_answer_of
from tests.support.interrupting import COMMAND
from tests.support.rollout_files import boxed, co_rewarding, jsonl, parquet

DATA = Path(__file__).parents[3] / "shared" / "data"
RHO = DATA / "rollouts_rho_math500x4.jsonl"
QWEN = DATA / "rollouts_qwen_math100x8.jsonl"
ROWS = [
    {"qid": "a", "gold": "1/2", "rollouts": [boxed("0.5"), boxed("\\frac{1}{2}"), boxed(3), boxed(3)]},
    {"qid": "b", "gold": "4", "rollouts": [boxed(4), boxed(4), boxed(5), "I do not know"]},
]


def called(*words: object) -> Result:
    return co_rewarding("replay", *words)


def test_the_table_of_a_small_file(tmp_path):
    result = called(
        jsonl(tmp_path / "f.jsonl", ROWS), "--method", "majority-voting", "--method", "co-rewarding-i",
        "--grader", "string", "--grader", "lenient",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert " ".join(lines[0]) == "2 questions, 2 with a ground truth; 2 original groups; 8 rollouts, 7 with an answer"
    assert "as the grader 'lenient' judges them" in result.stdout
    columns = lines[3:7]
    assert [line[:11] for line in columns] == [
        ["1", "majority-voting", "string", "0.500", "0.095-0.905", "1.000", "0.500", "0.500", "0.000", "1.000", "0"],
        ["2", "majority-voting", "lenient", "1.000", "0.342-1.000", "1.000", "0.500", "0.500", "0.000", "1.000", "0"],
        ["3", "co-rewarding-i", "string", "–", "–", "0.000", "–", "–", "–", "–", "0"],
        ["4", "co-rewarding-i", "lenient", "–", "–", "0.000", "–", "–", "–", "–", "0"],
    ]
    assert all(0 <= float(line[11]) <= float(line[12]) for line in columns)
    assert lines[7][0] == "agreement:"
    assert lines[9:11] == [["1", "0.500", "–", "–"], ["2", "0.500", "–", "–"]]
    (note,) = result.stdout.splitlines()[13:]
    assert note.startswith(
        "note: co-rewarding-i takes two views, and 2 of 2 questions have one alone: they get no label"
    )


def of_a_run(path: Path, settings: bytes) -> Path:
    """A file as `export` writes one, of a run with these settings."""
    table = pq.read_table(parquet(path, ROWS))
    pq.write_table(table.replace_schema_metadata({RUN_METADATA: settings}), path)
    return path


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (b"{", ["settings of its run cannot be read", "truncated"]),
        (b"[]", ["settings of its run cannot be read", "object"]),
        (b'{"conventions": "\xff"}', ["settings of its run cannot be read"]),
        (b'{"conventions": "of-tomorrow"}', ["does not know", "of-tomorrow"]),
        (b'{"min_vote_share": "much"}', ["does not know", "min_vote_share"]),
        (b'{"min_vote_share": 7}', ["does not know", "min_vote_share"]),
    ],
)
def test_settings_of_a_run_that_cannot_be_taken_are_told_of_in_a_sentence(tmp_path, settings, words):
    result = called(of_a_run(tmp_path / "f.parquet", settings))

    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert all(word in said for word in words), said
    assert "Traceback" not in said


def test_settings_of_a_run_that_a_later_release_has_added_are_passed_over(tmp_path):
    result = called(of_a_run(tmp_path / "f.parquet", b'{"min_vote_share": 0.6, "of_tomorrow": 1}'))

    assert result.exit_code == 0, result.output
    assert "settings of the run: min_vote_share=0.6" in result.output


def test_figures_as_json_beside_the_table_or_in_its_place(tmp_path):
    file = parquet(tmp_path / "f.parquet", ROWS)
    out = tmp_path / "out.json"

    beside = called(file, "--grader", "string", "--grader", "strict", "--json", out)
    instead = called(file, "--grader", "string", "--grader", "strict", "--json", "-")

    assert beside.exit_code == instead.exit_code == 0, beside.output + instead.output
    assert "label accuracy" in beside.stdout
    assert "label accuracy" in instead.stderr
    made, same = json.loads(out.read_text()), json.loads(instead.stdout)
    first = made["columns"][0]
    assert 0 <= first.pop("cpu_ms_median") <= first.pop("cpu_ms_p99")
    assert first == {
        "method": "majority-voting",
        "grader": "string",
        "label_accuracy": 0.5,
        "label_accuracy_95": pytest.approx([0.0945, 0.9055], abs=1e-4),
        "labels_judged": 2,
        "coverage": 1.0,
        "labels": 2,
        "reward_mean": 0.5,
        "reward_spread": 0.5,
        "rewarded": 8,
        "flat_groups": 0.0,
        "groups_rewarded": 2,
        "advantage_mean_size": 1.0,
        "undecided": 0,
        "cohorts": 2,
    }
    assert same["agreements"] == made["agreements"] == [
        {
            "columns": [
                {"method": "majority-voting", "grader": "string"},
                {"method": "majority-voting", "grader": "strict"},
            ],
            "equal_labels": 0.5,
            "labels_compared": 2,
            "equal_rewards": 0.5,
            "rewards_compared": 8,
        }
    ]  # fmt: skip
    assert made["reference"] == "lenient"
    assert made["notes"] == []
    assert (made["questions"], made["groups"], made["answered"]) == (2, {"original": 2}, 7)


def test_a_question_of_several_steps_is_one_question(tmp_path):
    rows = [
        {"qid": qid, "step": step, "view": view, "gold": "4", "response": boxed(4)}
        for step in range(6)
        for qid in ("a", "b")
        for view in ("original", "paraphrase")
        if (qid, view) != ("b", "paraphrase")
    ]
    result = called(jsonl(tmp_path / "f.jsonl", rows), "--method", "co-rewarding-i", "--json", "-")

    made = json.loads(result.stdout)
    assert (made["questions"], made["questions_with_ground_truth"], made["steps"]) == (2, 2, 6)
    assert result.stderr.splitlines()[1].startswith(
        "2 questions, 2 with a ground truth; 6 steps; 12 original and 6 paraphrase groups; 18 rollouts, 18 with an"
    )
    assert "co-rewarding-i takes two views, and 1 of 2 questions have one alone" in result.stderr


def test_the_service_s_own_grader_is_taken_where_none_is_named(tmp_path):
    file = jsonl(tmp_path / "f.jsonl", ROWS)

    for options, grader in (([], "lenient"), (["--conventions", "strict"], "strict")):
        made = json.loads(called(file, "--json", "-", *options).stdout)
        assert [column["grader"] for column in made["columns"]] == [grader]
        assert made["reference"] == "lenient"


def test_answers_are_read_in_the_formats_that_are_named(tmp_path):
    rows = [{"qid": "q", "gold": "4", "rollouts": ["so\n#### 4", boxed(4), "4"]}]
    file = jsonl(tmp_path / "f.jsonl", rows)

    for formats, answered in ((["boxed"], 1), (["hashes"], 1), (["hashes", "boxed"], 2)):
        options = [word for each in formats for word in ("--answer-format", each)]
        assert json.loads(called(file, "--json", "-", *options).stdout)["answered"] == answered


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (None, [], "cannot be read: No such file"),
        ('{"qid": "q", "rollouts": []}\n', [], "hold no rollouts, only empty lists"),
        ('{"response": "r"}\n', [], "there are response; name it with --question-field"),
        (ROWS, ["--method", "co-rewarding-ii"], "--method: ballots of a teacher elect the labels of co-rewarding-ii"),
        (ROWS, ["--method", "confident-majority"], "--confidence-field names its field"),
        (ROWS, ["--set", "temperature=1"], "--set: 'temperature' is not one of min_votes, min_vote_share"),
        (ROWS, ["--set", "entropy_low=x"], "--set: "),
        (ROWS, ["--view", "original=FILE"], "name the policy's rollouts either as one FILE, or by --view"),
        (ROWS, ["--view", "FILE"], "--view is VIEW=FILE, each view once"),
        (ROWS, ["--grader", "exact"], "--grader: 'exact' is not a grader; choose one of string, lenient, strict"),
        (ROWS, ["--reference", "[/a]"], "--reference: '[/a]' is not a grader"),
        (ROWS, ["--conventions", "strict", "--grader", "string"], "name strict as a --grader instead"),
        (ROWS, ["--plain-answers", "--answer-format", "json"], "--plain-answers that there is none to read"),
        (ROWS, ["--json", "FILE"], "is the file of the rollouts; choose another --json"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path, content, options, words):
    path, out = tmp_path / "f.jsonl", tmp_path / "out.json"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        jsonl(path, content)

    result = called(path, "--json", out, *(word.replace("FILE", str(path)) for word in options))

    assert result.exit_code == 2, result.output
    told = result.stderr.splitlines()[-1]
    assert told.startswith("co-rewarding: ")
    assert words in told
    assert "Traceback" not in result.output
    assert not out.exists()


def test_files_are_views_teachers_and_peers(tmp_path):
    original, paraphrase, teacher, peer = (
        jsonl(
            tmp_path / f"{name}.jsonl",
            [{"qid": "q", "rollouts": [boxed(answer) for answer in answers]} | ({"gold": 4} if name == "a" else {})],
        )
        for name, answers in {"a": "5544", "b": "6644", "t": "444", "p": "77"}.items()
    )
    files = ["--view", f"original={original}", "--view", f"paraphrase={paraphrase}"]
    files += ["--teacher", f"paraphrase={teacher}", "--teacher", teacher, "--peer", peer]
    out = [tmp_path / name for name in ("out.md", "out.png")]

    result = called(*files, "--method", "all", "--json", "-", "--markdown", out[0], "--picture", out[1])

    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["others"] == {"teacher": 6, "peer": 2}
    accuracy = {column["method"]: (column["label_accuracy"], column["labels"]) for column in made["columns"]}
    assert accuracy == {
        "co-rewarding-i": (0.0, 2),  # each view has a tie, which goes to its first answer
        "co-rewarding-ii": (1.0, 2),
        "co-rewarding-iii": (1.0, 2),
        "majority-voting": (0.0, 2),
        "majority-voting-union": (1.0, 2),
        "self-harmony": (1.0, 2),
        "teacher-harmony": (1.0, 2),
        "soft-majority": (0.0, 2),
        "stable-majority": (0.0, 2),
        "peer-majority": (0.0, 1),  # the peers answered the original alone
        "ground-truth": (1.0, 2),
        "random": (None, 0),
        "format": (None, 0),
    }
    assert [note.partition(" ")[0] for note in made["notes"][:4]] == [
        "verified-majority", "confident-majority", "self-certainty", "entropy",
    ]  # fmt: skip
    page = out[0].read_text()
    assert "| 2 | co-rewarding-ii | 1.000 | 0.342-1.000 | 1.000 |" in page
    assert "CPU-ms median" not in page
    assert out[1].read_bytes().startswith(b"\x89PNG")


def test_score_and_replay_have_the_same_options_for_fields():
    commands = get_command(app).commands  # type: ignore[attr-defined]
    of_score, of_replay = (
        {each.name: (each.opts, each.help, each.rich_help_panel) for each in commands[name].params}
        for name in ("score", "replay")
    )

    own = {"file", "method", "out", "url", "api_key", "run", "rollouts_per_request"}
    shared = of_score.keys() - own
    assert {"plain_answers", "question_field", "entropy_field"} <= shared
    assert {name: of_score[name] for name in shared} == {name: of_replay[name] for name in shared}
    assert of_score["question_field"] == (
        ["--question-field", "--question-id"],
        "The question's id, or its text.",
        "Fields (found by their usual names if not given)",
    )


def test_what_is_interrupted_leaves_nothing(tmp_path):
    file = jsonl(tmp_path / "f.jsonl", [{**row, "qid": str(n)} for n in range(60_000) for row in ROWS[:1]])
    command = [*COMMAND, "replay", str(file), "--json", str(tmp_path / "out.json")]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(str(file))  # it has begun, and has seconds to go
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()

    assert process.returncode == 130
    assert out == ""
    assert os.listdir(tmp_path) == ["f.jsonl"]


@pytest.mark.skipif(not RHO.is_file(), reason=f"the real answers are not there: {RHO}")
def test_the_2000_real_answers():
    result = called(
        RHO, "--plain-answers", "--grader", "string", "--grader", "lenient", "--reference", "string",
        "--method", "majority-voting", "--method", "ground-truth", "--json", "-",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    by_text, lenient, given_by_text, given = made["columns"]
    answers = [
        (row["gold"].strip(), [last_boxed(boxed_answer_of(each["answer"])) for each in row["rollouts"]])
        for row in map(json.loads, RHO.read_text().splitlines())
    ]
    expect_by_text(by_text, given_by_text, answers)
    assert lenient["coverage"] == by_text["coverage"]
    assert lenient["reward_mean"] >= by_text["reward_mean"]
    assert given["reward_mean"] >= given_by_text["reward_mean"]
    assert made["agreements"][0]["equal_labels"] > 0.9


@pytest.mark.skipif(not QWEN.is_file(), reason=f"the real rollouts are not there: {QWEN}")
def test_the_800_real_responses():
    result = called(
        QWEN, "--grader", "string", "--reference", "string", "--method", "majority-voting", "--method", "ground-truth",
        "--json", "-",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    answers = [
        (row["gold"].strip(), [last_boxed(each["response"]) for each in row["rollouts"]])
        for row in map(json.loads, QWEN.read_text().splitlines())
    ]
    expect_by_text(*json.loads(result.stdout)["columns"], answers)


def expect_by_text(voted: dict, given: dict, answers: list[tuple[str, list[str | None]]]) -> None:
    """Counted here by the texts alone: `most_common` too gives a tie to the text that came first."""
    labels = right = rewards = rewarded = matches = 0
    for gold, group in answers:
        matches += group.count(gold)
        votes = Counter(answer for answer in group if answer is not None)
        if votes:
            label, count = votes.most_common(1)[0]
            labels, rewards, rewarded, right = (
                labels + 1,
                rewards + count,
                rewarded + len(group),
                right + (label == gold),
            )
    assert (voted["labels"], voted["labels_judged"], voted["rewarded"]) == (labels, labels, rewarded)
    assert voted["label_accuracy"] == pytest.approx(right / labels)
    assert voted["reward_mean"] == pytest.approx(rewards / rewarded)
    assert given["reward_mean"] == pytest.approx(matches / sum(len(group) for _, group in answers))


def test_a_step_or_view_that_is_none_is_told(tmp_path: Path) -> None:
    rows = [{"question_id": "q", "response": boxed("3"), "step": "1", "view": "sideways"}] * 2
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = co_rewarding("replay", file)
    assert result.exit_code == 0, result.output
    assert "view is not read as the view: it holds 'sideways'" in result.output
    assert "step is not read as the step: it holds '1'" in result.output


def test_two_outputs_in_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question_id": "q", "response": boxed("3")}) + "\n")
    result = co_rewarding("replay", tmp_path / "rows.jsonl", "--json", tmp_path / "out", "--markdown", tmp_path / "out")
    assert result.exit_code == 2
    assert "one file cannot hold two outputs" in str(result.output)
    assert not (tmp_path / "out").exists()
