"""The data set: rows whose labels the service understands, whole or not at all, the same for the same questions."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from co_rewarding_schema.trainer_formats import CohortLabel, TruthLabel
from co_rewarding_trainer.openrlhf.arguments import INPUT_KEY, LABEL_KEY
from co_rewarding_trainer.openrlhf.data import Prompt, make_dataset, make_evaluation
from co_rewarding_trainer.openrlhf.errors import DataError, TrainingSettingsError
from co_rewarding_trainer.openrlhf.labels import identity_in, labelled, truth_in
from co_rewarding_trainer.openrlhf.recipe import Columns
from co_rewarding_trainer.openrlhf.sources import SourceQuestion, read_questions

from reward_service.api.http.problems import Problem
from reward_service.api.rewards.openrlhf_labels import label_in
from tests.trainer.openrlhf.recipes import pairs, small, write_pairs


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_row_is_a_pair_whose_labels_the_service_reads(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "pairs.jsonl", pairs(3))
    recipe = small(tmp_path, f"data.source={source}", "data.system_prompt=Think.", "data.question_id_prefix=math/")
    counts = make_dataset(recipe, tmp_path / "out" / "train.jsonl")
    first, *others = rows_of(tmp_path / "out" / "train.jsonl")
    assert first["question_id"] == "math/q/0"
    system = {"role": "system", "content": "Think."}
    assert first["original"] == [system, {"role": "user", "content": "What is 0 + 1?"}]
    assert first["paraphrase"] == [system, {"role": "user", "content": "Add 1 to 0."}]
    for view in ("original", "paraphrase"):
        identity = label_in(json.dumps(first[f"label_{view}"]).encode(), "label")
        assert isinstance(identity, CohortLabel)
        assert (identity.question_id, identity.view, identity.n) == ("math/q/0", view, 4)
        assert (identity.run, identity.ground_truth) == ("small", "1")
    assert len(others) == 2
    assert (counts.rows, counts.questions, counts.with_ground_truth, counts.longest_prompt_tokens) == (3, 3, 3, None)
    assert json.loads((tmp_path / "out" / "train.counts.json").read_text())["sha256"] == counts.sha256


def test_one_view_has_rows_of_one_view(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "pairs.jsonl", pairs(2))
    recipe = small(tmp_path, f"data.source={source}", "run.method=majority-voting", "data.chat_template=false")
    make_dataset(recipe, tmp_path / "train.jsonl")
    row = rows_of(tmp_path / "train.jsonl")[0]
    assert set(row) == {"question_id", "original", "label_original"}
    assert row["original"] == "What is 0 + 1?\n"


def test_the_same_questions_make_the_same_bytes(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "pairs.jsonl", pairs(5))
    recipe = small(tmp_path, f"data.source={source}")
    first, second = (make_dataset(recipe, tmp_path / name / "train.jsonl") for name in ("a", "b"))
    assert first.sha256 == second.sha256
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()


def test_parquet_is_read_with_other_columns_objects_and_messages(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "2 + 2?"}]
    table = {"idx": [7], "prompt": [messages], "again": ["two and two?"], "reward_model": [{"ground_truth": "4"}]}
    pq.write_table(pa.table(table), tmp_path / "pairs.parquet")
    columns = Columns(
        question_id="idx", question="prompt", paraphrase="again", ground_truth="reward_model.ground_truth"
    )
    found = read_questions(str(tmp_path / "pairs.parquet"), columns, id_prefix="x/")
    assert found == [SourceQuestion("x/7", "2 + 2?", "two and two?", "4")]


def test_json_may_be_one_list_and_ids_may_be_numbers_of_rows(tmp_path: Path) -> None:
    (tmp_path / "pairs.json").write_text(json.dumps([{"question": "a"}, {"question": "b"}]))
    columns = Columns(question_id="", paraphrase="", ground_truth="")
    found = read_questions(str(tmp_path / "pairs.json"), columns, limit=1)
    assert found == [SourceQuestion("0", "a")]


@dataclass
class OneRowHub:
    """Every data set has one row in every split."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def load_dataset(self, path: str, *, split: str) -> list[dict[str, Any]]:
        self.asked.append((path, split))
        return pairs(1)


def no_hub() -> OneRowHub:
    raise ModuleNotFoundError("No module named 'datasets'")


def test_the_hub_is_asked_through_datasets() -> None:
    hub = OneRowHub()
    for source in ("hf:owner/name", "hf:owner/name:test"):
        assert len(read_questions(source, Columns(), hub=lambda: hub)) == 1
    assert hub.asked == [("owner/name", "train"), ("owner/name", "test")]
    with pytest.raises(DataError, match="pip install datasets"):
        read_questions("hf:owner/name", Columns(), hub=no_hub)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "holds no rows"),
        ([{"question_id": "a"}], "has no column 'question' for column.question: did you mean question_id"),
        ([{"question_id": "a", "question": " ", "paraphrase": "b", "ground_truth": 1}], "has no question in"),
        ([{"question_id": "", "question": "a", "paraphrase": "b", "ground_truth": 1}], "has no id in"),
        (pairs(1) * 2, "have the same id 'q/0'"),
    ],
)
def test_a_source_that_is_wrong_is_refused(tmp_path: Path, rows: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_questions(str(write_pairs(tmp_path / "pairs.jsonl", rows)), Columns())


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("pairs.csv", "", "not a source"),
        ("none.parquet", None, "no such file"),
        ("pairs.jsonl", "{", "cannot be read as JSON lines"),
        ("pairs.jsonl", "3", "is not a JSON object"),
        ("pairs.parquet", "no", "cannot be read as parquet"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=told):
        read_questions(str(tmp_path / name), Columns())


def half_paraphrased(folder: Path) -> Path:
    rows = pairs(4)
    rows[1]["paraphrase"], rows[3]["paraphrase"] = None, ""
    return write_pairs(folder / "pairs.jsonl", rows)


def test_a_ground_truth_that_begins_with_a_brace_is_evaluated_as_one(tmp_path: Path) -> None:
    """As text it would be taken for an object that names a question."""
    truths = ["{1, 2}", "{\\frac12}", "\\{1, 2\\}", "7"]
    source = write_pairs(
        tmp_path / "pairs.jsonl", [q | {"ground_truth": t} for q, t in zip(pairs(4), truths, strict=True)]
    )
    make_evaluation(small(tmp_path, f"evaluation.source={source}"), tmp_path / "evaluation.jsonl")
    written = [row["label"] for row in rows_of(tmp_path / "evaluation.jsonl")]
    read = [label_in(json.dumps(label).encode(), "label") for label in written]
    assert read == [TruthLabel(truth, "small", evaluate=True) for truth in truths]
    assert [truth_in(label)["ground_truth"] for label in written] == truths


@pytest.mark.parametrize(
    "label", ['{"questionid": "q"}', '{"question_id": "q", "n": 8', "{'question_id': 'q'}", "{1,2}", "{}", '{"n": 2}']
)
def test_what_begins_like_a_label_and_is_none_is_refused_here_as_by_the_service(label: str) -> None:
    with pytest.raises(Problem):
        label_in(json.dumps(label).encode(), "label")
    for read in (identity_in, truth_in, labelled):
        with pytest.raises(TrainingSettingsError, match="label"):
            read(label)


def test_missing_paraphrases_are_asked_of_the_service(tmp_path: Path) -> None:
    recipe = small(tmp_path, f"data.source={half_paraphrased(tmp_path)}")
    asked: list[str] = []

    def write(questions: Any) -> dict[str, str]:
        asked.extend(each.question_id for each in questions)
        return {"q/1": "one more than 1"}

    counts = make_dataset(recipe, tmp_path / "train.jsonl", paraphraser=write)
    assert asked == ["q/1", "q/3"]
    assert [row["question_id"] for row in rows_of(tmp_path / "train.jsonl")] == ["q/0", "q/1", "q/2"]
    assert (counts.paraphrases_missing, counts.paraphrases_written, counts.dropped_without_paraphrase) == (2, 1, 1)


def test_missing_paraphrases_are_dropped_or_refused(tmp_path: Path) -> None:
    source = half_paraphrased(tmp_path)
    dropping = small(tmp_path, f"data.source={source}", "data.on_missing_paraphrase=drop")
    assert make_dataset(dropping, tmp_path / "train.jsonl").dropped_without_paraphrase == 2
    with pytest.raises(DataError, match="2 of 4 questions have no paraphrase, and this service does not write"):
        make_dataset(small(tmp_path, f"data.source={source}"), tmp_path / "train.jsonl")
    with pytest.raises(DataError, match="2 of 4 questions have no paraphrase; give"):
        make_dataset(
            small(tmp_path, f"data.source={source}", "data.on_missing_paraphrase=fail"), tmp_path / "train.jsonl"
        )


def letters(prompt: Prompt) -> int:
    assert not isinstance(prompt, str)
    return len(prompt[-1]["content"])


def test_long_prompts_are_left_out_with_their_pair(tmp_path: Path) -> None:
    rows = pairs(3)
    rows[1]["paraphrase"] = "x" * 100
    recipe = small(tmp_path, f"data.source={write_pairs(tmp_path / 'p.jsonl', rows)}", "data.prompt_max_tokens=20")
    counts = make_dataset(recipe, tmp_path / "train.jsonl", prompt_tokens=letters)
    assert [row["question_id"] for row in rows_of(tmp_path / "train.jsonl")] == ["q/0", "q/2"]
    assert (counts.dropped_too_long, counts.longest_prompt_tokens) == (1, 14)


def test_nothing_is_left_behind_when_nothing_is_left(tmp_path: Path) -> None:
    recipe = small(tmp_path, f"data.source={write_pairs(tmp_path / 'p.jsonl', pairs(2))}", "data.prompt_max_tokens=1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/train.jsonl").write_text("before")
    with pytest.raises(DataError, match="of 2 questions none is left"):
        make_dataset(recipe, tmp_path / "out/train.jsonl", prompt_tokens=lambda _: 2)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.jsonl"]
    assert (tmp_path / "out/train.jsonl").read_text() == "before"


def test_ground_truths_go_along_for_all_or_for_none(tmp_path: Path) -> None:
    rows = pairs(2)
    rows[1]["ground_truth"] = None
    source = write_pairs(tmp_path / "p.jsonl", rows)
    counts = make_dataset(small(tmp_path, f"data.source={source}"), tmp_path / "train.jsonl")
    assert counts.with_ground_truth == 0
    assert "ground_truth" not in rows_of(tmp_path / "train.jsonl")[0]["label_original"]
    dropping = small(tmp_path, f"data.source={source}", "data.on_missing_ground_truth=drop")
    counts = make_dataset(dropping, tmp_path / "train.jsonl")
    assert (counts.rows, counts.with_ground_truth, counts.dropped_without_ground_truth) == (1, 1, 1)
    with pytest.raises(DataError, match="1 of 2 questions have no ground truth, which ground-truth rewards by"):
        make_dataset(small(tmp_path, f"data.source={source}", "run.method=ground-truth"), tmp_path / "train.jsonl")


def test_evaluation_has_ground_truths_and_is_apart_from_the_run(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "p.jsonl", pairs(2))
    recipe = small(tmp_path, f"evaluation.source={source}", "evaluation.name=sums")
    assert make_evaluation(recipe, tmp_path / "evaluation.jsonl").with_ground_truth == 2
    row = rows_of(tmp_path / "evaluation.jsonl")[1]
    prompt = [{"role": "user", "content": "What is 1 + 1?"}]
    label = row["label"]
    assert json.loads(label) == {"ground_truth": "2", "run": "small", "evaluate": True}
    assert row == {"input": prompt, "label": label, "datasource": "sums", INPUT_KEY: prompt, LABEL_KEY: label}
    with pytest.raises(DataError, match="at most 117"):
        make_evaluation(
            small(tmp_path, f"evaluation.source={source}", f"run.name={'r' * 118}"), tmp_path / "evaluation.jsonl"
        )
    without = write_pairs(tmp_path / "p.jsonl", [pairs(1)[0] | {"ground_truth": None}])
    with pytest.raises(DataError, match="no ground truth to be evaluated by"):
        make_evaluation(small(tmp_path, f"evaluation.source={without}"), tmp_path / "evaluation.jsonl")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    recipe = small(tmp_path, f"data.source={write_pairs(tmp_path / 'p.jsonl', pairs(1))}")
    with pytest.raises(DataError, match="give another --output"):
        make_dataset(recipe, tmp_path / "out" / "train.jsonl")
