"""`co-rewarding paraphrase audit FILE` as a person calls it, and the report that it leaves."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from reward_service.domain.paraphrases.policy import CHECKS
from tests.support.rollout_files import co_rewarding, jsonl

GOOD = {
    "question_id": "q/1",
    "question": "A box holds 12 red cards and 15 blue cards. How many cards does it hold?",
    "paraphrase": "There are 12 red tiles and 15 blue tiles in a bag. Find their number.",
    "ground_truth": "27",
    "level": 3,
}
CHANGED = {**GOOD, "question_id": "q/2", "paraphrase": GOOD["paraphrase"].replace("15", "16")}
EMPTY = {**GOOD, "question_id": "q/3", "paraphrase": None}
PAIRS = [GOOD, CHANGED, EMPTY]
SCRIPT = "</div><script>alert(1)</script>"
HOSTILE = {
    "question_id": SCRIPT,
    "question": f"What is 12 + 15? {SCRIPT} ````` <img src=x onerror=alert(1)> \ud800",
    "paraphrase": f"Add 12 and 16. {SCRIPT} ``` \0",
    "ground_truth": SCRIPT,
}


def array(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows, indent=1))
    return path


def columns(path: Path, rows: list[dict[str, Any]]) -> Path:
    write_table(pa.Table.from_pylist(rows), path)
    return path


def audited(file: Path, out: Path, *more: str) -> list[dict[str, Any]]:
    result = co_rewarding("paraphrase", "audit", str(file), "--out", str(out), "--processes", "1", *more)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]


def refusal(file: Path, out: Path) -> str:
    """What is said of a file that is not audited."""
    result = co_rewarding("paraphrase", "audit", str(file), "--out", str(out), "--processes", "1")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    return result.output


def test_the_report_is_where_the_help_says(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    file = columns(tmp_path / "elsewhere" / "pairs.parquet", [GOOD])
    with contextlib.chdir(tmp_path):
        result = co_rewarding("paraphrase", "audit", file, "--processes", "1")
        assert result.exit_code == 0, result.output
    told = " ".join(co_rewarding("paraphrase", "audit", "--help").output.replace("│", " ").split())
    assert "by default FILE.audit in the current folder" in told
    assert (tmp_path / "pairs.parquet.audit" / "report.html").is_file()


def checks_of(verdict: dict[str, Any]) -> list[str]:
    return [each["check"] for each in verdict["audit"]["objections"]]


@pytest.mark.parametrize(("name", "write"), [("p.jsonl", jsonl), ("p.json", array), ("p.parquet", columns)])
def test_each_format_gives_the_same_verdicts(tmp_path, name, write):
    verdicts = audited(write(tmp_path / name, PAIRS), tmp_path / "report")

    assert [checks_of(each) for each in verdicts] == [[], ["numbers"], ["parsed"]]
    assert [each["audit"]["accepted"] for each in verdicts] == [True, False, False]
    assert [{key: value for key, value in each.items() if key != "audit"} for each in verdicts] == PAIRS


def test_evidence_is_in_the_texts(tmp_path):
    _, verdict, _ = audited(jsonl(tmp_path / "p.jsonl", PAIRS), tmp_path / "report")

    (objection,) = verdict["audit"]["objections"]
    assert objection["words"] == "15 is missing; 16 is new"
    assert [CHANGED["question"][start:end] for start, end in objection["in_original"]] == ["15"]
    assert [CHANGED["paraphrase"][start:end] for start, end in objection["in_paraphrase"]] == ["16"]


def test_pages_show_the_counts_and_the_pairs_side_by_side(tmp_path):
    audited(jsonl(tmp_path / "p.jsonl", PAIRS), tmp_path / "report")

    html = (tmp_path / "report" / "report.html").read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    for page in (html, markdown):
        assert "3 pairs, of which the checks reject 2 (66.7%)." in page
        assert all(check in page for check in CHECKS)
    assert "15 blue cards" in markdown
    assert "<mark>15</mark> blue cards" in html
    assert "<mark>16</mark> blue tiles" in html


def test_the_most_doubtful_pairs_come_first(tmp_path):
    lost = CHANGED | {"paraphrase": "A bag has red tiles. In how many ways can some be drawn?"}
    verdicts = audited(jsonl(tmp_path / "p.jsonl", [GOOD, lost, EMPTY, CHANGED]), tmp_path / "report")

    doubts = [each["audit"]["doubt"] for each in verdicts]
    html = (tmp_path / "report" / "report.html").read_text()
    shown = [float(found) for found in re.findall(r"doubt (0\.\d\d|1\.00)</span>", html.partition("<h2 id=")[0])]
    assert all(0 <= doubt <= 1 for doubt in doubts)
    assert doubts[0] < min(doubts[1:])
    assert shown == sorted(shown, reverse=True)
    assert shown


def test_a_pair_of_more_doubt_than_is_accepted_is_rejected(tmp_path):
    file = jsonl(tmp_path / "p.jsonl", PAIRS)
    doubt = audited(file, tmp_path / "report")[0]["audit"]["doubt"]

    rejected = audited(file, tmp_path / "none", "--most-doubt", str(doubt / 2))
    accepted = audited(file, tmp_path / "some", "--most-doubt", str(min(2 * doubt, 1)))

    assert [each["audit"]["accepted"] for each in (rejected[0], accepted[0])] == [False, True]


def test_formulas_are_set_by_the_files_beside_the_page(tmp_path):
    row = {"question": r"Solve $x^2<9$ & \[y=4\].", "paraphrase": r"For which $x$ is $x^2<25$, if $$y=4?$$"}
    audited(jsonl(tmp_path / "p.jsonl", [row]), tmp_path / "report")

    html = (tmp_path / "report" / "report.html").read_text()
    assert '<span data-tex="x^2&lt;9">$x^2&lt;9$</span>' in html
    assert r'<span data-tex="y=4" data-block>\[y=4\]</span>' in html
    assert '<mark><span data-tex="x^2&lt;25">$x^2&lt;25$</span></mark>' in html
    for name in re.findall(r'(?:href|src)="(katex/[^"]+)"', html):
        assert (tmp_path / "report" / name).is_file()
    assert "MIT" in (tmp_path / "report" / "katex" / "LICENSE").read_text()


def test_two_processes_say_what_one_says(tmp_path):
    file = jsonl(tmp_path / "p.jsonl", PAIRS * 100)
    one = audited(file, tmp_path / "one")

    result = co_rewarding("paraphrase", "audit", str(file), "--out", str(tmp_path / "two"), "--processes", "2")

    assert result.exit_code == 0, result.output
    two = (tmp_path / "two" / "verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in two] == one
    assert (tmp_path / "two" / "report.html").read_text() == (tmp_path / "one" / "report.html").read_text()


def test_a_skipped_check_is_not_asked(tmp_path):
    verdicts = audited(jsonl(tmp_path / "p.jsonl", PAIRS), tmp_path / "report", "--skip", "numbers")

    assert [each["audit"]["accepted"] for each in verdicts] == [True, True, False]


def test_an_unknown_check_is_refused_with_the_known_ones(tmp_path):
    file = jsonl(tmp_path / "p.jsonl", PAIRS)

    result = co_rewarding("paraphrase", "audit", str(file), "--out", str(tmp_path / "report"), "--skip", "nmbers")

    assert result.exit_code == 2
    assert not (tmp_path / "report").exists()


def test_columns_may_have_other_names(tmp_path):
    rows = [{"problem": CHANGED["question"], "view": CHANGED["paraphrase"], "answer": 27}]
    names = ["--question-field", "problem", "--paraphrase-field", "view", "--ground-truth-field", "answer"]

    (verdict,) = audited(jsonl(tmp_path / "p.jsonl", rows), tmp_path / "report", *names)

    assert checks_of(verdict) == ["numbers"]
    assert "1, row 1, answer 27" in (tmp_path / "report" / "report.html").read_text()


def test_nothing_of_a_pair_is_markup(tmp_path):
    file = tmp_path / "hostile.jsonl"
    file.write_text(json.dumps(HOSTILE) + "\n")
    audited(file, tmp_path / "report")

    html = (tmp_path / "report" / "report.html").read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert html.count("<script") == 2, "KaTeX and what calls it"
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    fences = [line for line in markdown.splitlines() if line.startswith("``````")]
    assert len(fences) == 4, "the question holds five backticks: six fence it, before and behind, twice on the page"
    outside = markdown.split("``````")[::2]
    assert not any("<script" in part.replace("\\<", "") for part in outside if "```text" not in part)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("", "is empty"),
        ('{"question": "a", "paraphrase": "b"}\n{oops\n', ":2: not JSON"),
        ('[{"question": ', "not JSON"),
        ('{"question": "a", "paraphrase": "b"}\n{"question": "a"}\n', "row 2: no column 'paraphrase'"),
        ('{"question": 7, "paraphrase": "b"}\n', "row 1: 'question' holds a number and no text"),
        ("[1]", "row 1: no object"),
        ("PAR1 and then nothing", "not readable as parquet"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(tmp_path, text, message):
    file = tmp_path / "pairs"
    if text is not None:
        file.write_text(text)

    said = refusal(file, tmp_path / "report")

    assert str(file) in said
    assert message in said
    assert not list((tmp_path / "report").glob("*")), "half a report looks like a whole one"


def test_a_report_that_was_there_stays_when_a_new_one_fails(tmp_path):
    file = jsonl(tmp_path / "p.jsonl", PAIRS)
    audited(file, tmp_path / "report")
    before = {path.name: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()}
    file.write_text(file.read_text() + "{\n")

    assert ":4: not JSON" in refusal(file, tmp_path / "report")
    assert {path.name: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()} == before


def test_a_report_that_cannot_be_written_is_said_with_its_folder(tmp_path):
    file = jsonl(tmp_path / "p.jsonl", PAIRS)
    (tmp_path / "taken").write_text("")

    assert "taken: the report cannot be written" in refusal(file, tmp_path / "taken")


def test_a_folder_is_no_file_of_pairs(tmp_path):
    assert f"{tmp_path} is a folder" in refusal(tmp_path, tmp_path / "report")
