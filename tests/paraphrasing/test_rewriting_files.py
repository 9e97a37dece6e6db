"""A file rewritten here: what is written, where it goes on after it was stopped, and what is refused."""

import contextlib
import io
import json
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from co_rewarding_trainer.openrlhf.recipe import Columns
from co_rewarding_trainer.openrlhf.sources import read_questions as read_for_training
from pyarrow.parquet import read_table, write_table
from rich.console import Console

from reward_service.domain.paraphrases.rewriting import Fallback, Recipe
from reward_service.generation.errors import GenerationError, GeneratorUnavailableError
from reward_service.generation.generator import Prompt, Sampling
from reward_service.paraphrasing.errors import PairFileError, RewritingError
from reward_service.paraphrasing.file_rewriting import OpenRewriter, RewritingOrder, Rewritten, rewrite_file
from reward_service.paraphrasing.model_rewriter import ModelRewriter
from reward_service.paraphrasing.pair_files import PairFields
from reward_service.paraphrasing.part_file import PartFile
from tests.paraphrasing.apples import apple_rows, script, well_said
from tests.paraphrasing.scripted_generator import Script, ScriptedGenerator, asked_text

RECIPE = Recipe(prompts=("reword", "scenario"))


class Stopped(Exception):
    """As if the process had ended here."""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def order_of(folder: Path, rows: Sequence[dict[str, Any]], out: str = "out.jsonl", **more: Any) -> RewritingOrder:
    source = write_lines(folder / "in.jsonl", rows)
    return RewritingOrder(source=str(source), out=folder / out, model="m", recipe=RECIPE, **more)


def run(order: RewritingOrder, generator: ScriptedGenerator | Script = script) -> Rewritten:
    model = generator if isinstance(generator, ScriptedGenerator) else ScriptedGenerator(generator)
    return rewrite_file(order, opening_of(model), Console(quiet=True))


def opening_of(generator: ScriptedGenerator) -> OpenRewriter:
    @contextlib.asynccontextmanager
    async def opening() -> AsyncIterator[ModelRewriter]:
        yield ModelRewriter(generator)

    return opening


def stopping_after(count: int) -> ScriptedGenerator:
    def stop(prompt: Prompt, sampling: Sampling) -> list[str]:
        if len(generator.asked) > count:
            raise Stopped
        return script(prompt, sampling)

    generator = ScriptedGenerator(stop)
    return generator


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("out*")}


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


@pytest.mark.parametrize("asked", [1, 7, 20, 29])
@pytest.mark.parametrize("torn", [b"", b'{"question_id": "apples/3", "fa'], ids=["whole", "torn"])
def test_a_run_that_was_stopped_goes_on_and_comes_to_the_same(tmp_path, asked, torn):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder in (whole, resumed):
        folder.mkdir()
    run(order_of(whole, apple_rows(24)))
    stopped = stopping_after(asked)
    order = order_of(resumed, apple_rows(24))
    with pytest.raises(Stopped):
        run(order, stopped)
    part = resumed / "out.jsonl.part"
    known = {line["question_id"] for line in lines(part)[1:]}
    with part.open("ab") as file:
        file.write(torn)

    rest = ScriptedGenerator(script)
    run(order, rest)

    asked_again = {asked_text(prompt) for prompt, _ in rest.asked}
    assert asked_again == {row["question"] for row in apple_rows(24) if row["question_id"] not in known}
    pairs, candidates = "out.jsonl", "out.jsonl.candidates.jsonl"
    assert content(resumed)[pairs] == content(whole)[pairs]
    assert content(resumed)[candidates] == content(whole)[candidates]


def not_opened() -> Any:
    raise AssertionError("the model was opened")


def test_the_model_is_not_opened_where_nothing_is_left_to_ask(tmp_path):
    order = order_of(tmp_path, apple_rows(6))
    in_the_way = tmp_path / "out.jsonl.report.json"
    in_the_way.mkdir()
    with pytest.raises(RewritingError, match="cannot be written"):
        run(order)
    in_the_way.rmdir()

    assert rewrite_file(order, not_opened, Console(quiet=True)).pairs == 4
    assert not (tmp_path / "out.jsonl.part").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "other"}, 'another model: "m", and not "other"'),
        ({"recipe": replace(RECIPE, seed=1)}, "another recipe.seed: 0, and not 1"),
        ({"recipe": replace(RECIPE, prompts=("reword",))}, "another recipe.prompts"),
    ],
)
def test_another_order_does_not_go_on_with_a_run(tmp_path, change, said):
    order = order_of(tmp_path, apple_rows(24))
    with pytest.raises(Stopped):
        run(order, stopping_after(5))

    with pytest.raises(RewritingError, match=said):
        run(replace(order, **change))


def test_other_questions_do_not_go_on_with_a_run(tmp_path):
    order = order_of(tmp_path, apple_rows(24))
    with pytest.raises(Stopped):
        run(order, stopping_after(5))

    with pytest.raises(RewritingError, match="another questions"):
        run(order_of(tmp_path, apple_rows(23)))


def test_one_process_at_a_time_writes_a_part(tmp_path):
    path = tmp_path / "out.part"
    with PartFile(path, {}), multiprocessing.get_context("spawn").Pool(1) as pool:
        assert "another process is writing it" in pool.apply(_opened, [path])
    assert _opened(path) == ""


def _opened(path: Path) -> str:
    try:
        PartFile(path, {}).__exit__(None, None, None)
    except RewritingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("held", ["", '{"rewriting": 1, "quest'], ids=["empty", "torn"])
def test_a_part_that_ends_in_its_header_begins_anew(tmp_path, held):
    order = order_of(tmp_path, apple_rows(6))
    (tmp_path / "out.jsonl.part").write_text(held)
    assert run(order).pairs == 4


@pytest.mark.parametrize(
    ("held", "where"), [("what is this\n", "part:1"), ("[]\n", "part:1"), ("HEADER\nnonsense\n", "part:2")]
)
def test_what_is_no_part_is_not_overwritten(tmp_path, held, where):
    order = order_of(tmp_path, apple_rows(24))
    part = tmp_path / "out.jsonl.part"
    with pytest.raises(Stopped):
        run(order, stopping_after(5))
    header = part.read_text().splitlines()[0]
    part.write_text(held.replace("HEADER", header))
    before = part.read_text()

    with pytest.raises(RewritingError, match=f"{where}: not a line that rewriting wrote"):
        run(order)
    assert part.read_text() == before


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


def test_a_model_that_is_away_is_asked_again_and_one_that_stays_away_ends_the_run(tmp_path):
    def away(prompt: Prompt, sampling: Sampling) -> list[str]:
        if asked_text(prompt) == rows[2]["question"] and len(generator.asked) < returns_at:
            raise GeneratorUnavailableError("away", 0.0)
        return script(prompt, sampling)

    rows = apple_rows(6)
    generator, returns_at = ScriptedGenerator(away), 10**9
    order = order_of(tmp_path, rows)
    with pytest.raises(GeneratorUnavailableError):
        run(order, generator)
    kept = len((tmp_path / "out.jsonl.part").read_text().splitlines()) - 1
    assert kept >= 2

    returns_at = len(generator.asked) + 4
    assert run(order, generator).pairs == 4


@pytest.mark.parametrize("concurrency", [None, 1, 3])
def test_as_many_questions_are_under_way_as_the_rewriter_can_take(tmp_path, concurrency):
    generator = ScriptedGenerator(script)
    run(order_of(tmp_path, apple_rows(24), concurrency=concurrency), generator)
    assert generator.most_under_way == (concurrency or generator.capacity)


def test_what_parquet_does_not_take_is_finished_as_json_lines(tmp_path):
    rows = [{**row, "question": row["question"] + " \ud800", "note": "\ud800"} for row in apple_rows(6)]
    order = order_of(tmp_path, rows, "out.parquet")
    with pytest.raises(RewritingError, match=r"and out\.parquet\.part a name that ends in \.jsonl"):
        run(order)

    (tmp_path / "out.parquet.part").rename(tmp_path / "out.jsonl.part")
    rewrite_file(replace(order, out=tmp_path / "out.jsonl"), not_opened, Console(quiet=True))
    assert [line["note"] for line in lines(tmp_path / "out.jsonl")] == ["\ud800"] * 4
