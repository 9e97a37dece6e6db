"""A file rewritten here: what is written, and what is refused before a model is opened."""

import io
import json
from dataclasses import replace

import pyarrow as pa
import pytest
from co_rewarding_trainer.openrlhf.recipe import Columns
from co_rewarding_trainer.openrlhf.sources import read_questions as read_for_training
from pyarrow.parquet import read_table, write_table
from rich.console import Console

from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import Fallback
from reward_service.generation.generator import GenerationError, Prompt, Sampling, UnreachedError
from reward_service.paraphrasing.file_rewriting import rewrite_file
from reward_service.paraphrasing.pair_files import PairFields, PairFileError
from reward_service.paraphrasing.rewriter import RewritingError
from tests.paraphrasing.apples import apple_rows, question, script, well_said
from tests.paraphrasing.rewriting_runs import RECIPE, Stopped, lines, not_opened, opening_of, order_of, run
from tests.support.scripted_generator import ScriptedGenerator, asked_text


def test_pairs_are_written_in_the_columns_of_training_and_in_the_order_of_the_source(tmp_path):
    rows = apple_rows(24)

    rewritten = run(order_of(tmp_path, rows))

    kept = [row for number, row in enumerate(rows) if (number + 20) % 6 not in (0, 1)]
    pairs = lines(tmp_path / "out.jsonl")
    assert pairs == [{**row, "paraphrase": well_said(row["question"])} for row in kept]
    assert list(pairs[0]) == ["question_id", "question", "paraphrase", "ground_truth", "level"]
    assert rewritten.pairs == len(kept) == 16
    assert not (tmp_path / "out.jsonl.part").exists()


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_training_reads_the_pairs_without_being_told_more(tmp_path, out):
    run(order_of(tmp_path, apple_rows(12), out))

    read = read_for_training(str(tmp_path / out), Columns())
    kept = [row for number, row in enumerate(apple_rows(12)) if (number + 20) % 6 not in (0, 1)]
    assert [(each.question_id, each.question, each.paraphrase, each.ground_truth) for each in read] == [
        (row["question_id"], row["question"], well_said(row["question"]), row["ground_truth"]) for row in kept
    ]


def test_every_candidate_and_the_counts_are_kept_beside_it(tmp_path):
    run(order_of(tmp_path, apple_rows(24)))

    candidates = lines(tmp_path / "out.jsonl.candidates.jsonl")
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text())
    assert report["fates"] == {"rewritten": 16, "passed-through": 0, "left-out": 8, "failed": 0}
    assert report["prompts"] == {
        "reword": {"drawn": 24, "accepted": 12},
        "scenario": {"drawn": 12, "accepted": 4},
    }
    assert report["candidates"] == len(candidates) == 36
    assert report["rejected_by"]["copy"] == 8
    assert report["recipe"]["temperature"] == 0.7
    assert all(candidate["accepted"] != bool(candidate["rejected_by"]) for candidate in candidates)


def test_parquet_keeps_the_other_columns_and_their_types(tmp_path):
    rows = apple_rows(12)
    write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    order = replace(order_of(tmp_path, rows, "out.parquet"), source=str(tmp_path / "in.parquet"))

    run(order)

    table = read_table(tmp_path / "out.parquet")
    assert table.schema.names == ["question_id", "question", "paraphrase", "ground_truth", "level"]
    assert table.schema.field("level").type == pa.int64()
    run(replace(order, out=tmp_path / "out.jsonl"))
    assert table.to_pylist() == lines(tmp_path / "out.jsonl")


def test_columns_of_other_names_and_rows_without_ids_or_answers(tmp_path):
    rows = [{"problem": row["question"], "paraphrase": "an old one"} for row in apple_rows(4)]

    run(order_of(tmp_path, rows, fields=PairFields(question="problem")))

    assert lines(tmp_path / "out.jsonl") == [
        {
            "question_id": str(number),
            "question": row["problem"],
            "paraphrase": well_said(row["problem"]),
            "ground_truth": None,
        }
        for number, row in enumerate(rows, start=1)
        if (number + 19) % 6 not in (0, 1)
    ]


def test_a_terminal_shows_how_far_it_is_and_what_becomes_of_questions(tmp_path):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)

    rewrite_file(order_of(tmp_path, apple_rows(24)), opening_of(ScriptedGenerator(script)), console)

    assert "24/24" in screen.getvalue()
    assert "16 rewritten, 8 left-out" in screen.getvalue()


def test_questions_can_be_passed_through_as_they_are(tmp_path):
    order = order_of(tmp_path, apple_rows(6))
    run(replace(order, recipe=replace(RECIPE, fallback=Fallback.SAME_AGAIN)))

    pairs = lines(tmp_path / "out.jsonl")
    assert len(pairs) == 6
    assert sum(pair["question"] == pair["paraphrase"] for pair in pairs) == 2


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("out.csv", "ends in .jsonl or .parquet"),
        ("no/out.jsonl", "there is no folder"),
        ("in.jsonl", "is there already"),
    ],
)
def test_a_result_that_cannot_be_is_refused_before_anything(tmp_path, out, said):
    order = order_of(tmp_path, apple_rows(1), out)
    with pytest.raises(RewritingError, match=said):
        rewrite_file(order, not_opened, Console(quiet=True))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "is empty"),
        (
            [{"question_id": "a", "question": "x"}, {"question_id": "a", "question": "y"}],
            "rows 1 and 2 have the same id",
        ),
        ([{"question": "x"}, {"question": "  "}], "row 2: 'question' is blank"),
        ([{"question": "x"}, {"problem": "y"}], "row 2: no column 'question'"),
        ([{"question": ["x"]}], "holds a list and no text"),
    ],
)
def test_a_source_is_read_whole_before_a_model_is_opened(tmp_path, rows, said):
    with pytest.raises(PairFileError, match=said):
        rewrite_file(order_of(tmp_path, rows), not_opened, Console(quiet=True))
    assert not (tmp_path / "out.jsonl.part").exists()


def test_the_hub_that_cannot_be_reached_is_an_error_with_a_way_out(tmp_path):
    order = replace(order_of(tmp_path, apple_rows(1)), source="hf:nobody/nothing:test")
    with pytest.raises(PairFileError, match=r"hf:nobody/nothing:test: the hub .* or name a file"):
        rewrite_file(order, not_opened, Console(quiet=True))


def test_a_question_that_cannot_be_asked_does_not_hold_up_the_others(tmp_path):
    def refusing(prompt: Prompt, sampling: Sampling) -> list[str]:
        if "has 22 apples" in asked_text(prompt):
            raise GenerationError("too long")
        return script(prompt, sampling)

    rewritten = run(order_of(tmp_path, apple_rows(6)), refusing)

    assert rewritten.pairs == 3
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text())
    assert report["fates"]["failed"] == 1
    assert report["errors"] == {"too long": 1}


@pytest.mark.parametrize("concurrency", [None, 1, 3])
def test_as_many_questions_are_under_way_as_the_rewriter_can_take(tmp_path, concurrency):
    generator = ScriptedGenerator(script)
    run(order_of(tmp_path, apple_rows(24), concurrency=concurrency), generator)
    assert generator.most_under_way == (concurrency or generator.capacity)


def one_text(prompt: Prompt, sampling: Sampling) -> list[str]:
    """Says the same of whatever it is asked."""
    return [f"<rewritten>{well_said(question(22, 13))}</rewritten>"] * sampling.n


def test_a_text_is_the_second_view_of_one_question_only(tmp_path):
    lenient = AcceptancePolicy(deciding=frozenset())
    rows = apple_rows(4)
    rows.append(rows[0] | {"question_id": "again"})
    order = replace(order_of(tmp_path, rows), recipe=replace(RECIPE, policy=lenient))

    rewritten = run(order, one_text)

    pairs = lines(tmp_path / "out.jsonl")
    assert rewritten.pairs == len(pairs) == 2, "a question that is there twice may have it twice"
    assert len({pair["question"] for pair in pairs}) == 1
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text())
    assert report["rejected_by"] == {"given-out": 6}


def test_texts_that_were_given_out_before_a_stop_are_known_after_it(tmp_path):
    order = replace(
        order_of(tmp_path, apple_rows(4)), recipe=replace(RECIPE, policy=AcceptancePolicy(deciding=frozenset()))
    )
    asked: list[str] = []

    def stops(prompt: Prompt, sampling: Sampling) -> list[str]:
        asked.append(asked_text(prompt))
        if len(asked) > 1:
            raise Stopped
        return one_text(prompt, sampling)

    with pytest.raises(Stopped):
        run(replace(order, concurrency=1), stops)
    run(order, one_text)
    assert [pair["question_id"] for pair in lines(tmp_path / "out.jsonl")] == ["apples/0"]


def test_a_run_that_came_to_nothing_leaves_nothing_in_the_way(tmp_path):
    def away(prompt: Prompt, sampling: Sampling) -> list[str]:
        raise UnreachedError("nothing has answered")

    order = order_of(tmp_path, apple_rows(3))
    with pytest.raises(UnreachedError):
        run(order, away)
    assert not (tmp_path / "out.jsonl.part").exists()
    run(replace(order, model="another"))


def test_a_part_that_holds_nothing_is_begun_anew_by_another_order(tmp_path):
    part = tmp_path / "out.jsonl.part"
    part.write_text(json.dumps({"rewriting": 1, "model": "another"}) + "\n")
    assert run(order_of(tmp_path, apple_rows(3))).pairs
