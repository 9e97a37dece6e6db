"""A file whose rewriting was stopped: where it goes on, and what does not go on with it."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from reward_service.generation.generator import GeneratorUnavailableError, Prompt, Sampling
from reward_service.paraphrasing.file_rewriting import rewrite_file
from reward_service.paraphrasing.pair_output import PartFile
from reward_service.paraphrasing.rewriter import RewritingError
from tests.paraphrasing.apples import apple_rows, script
from tests.paraphrasing.rewriting_runs import RECIPE, Stopped, lines, not_opened, order_of, run, stopping_after
from tests.support.scripted_generator import ScriptedGenerator, asked_text


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("out*")}


@pytest.mark.parametrize("asked", [7, 12, 20, 29])
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


def test_what_parquet_does_not_take_is_finished_as_json_lines(tmp_path):
    rows = [{**row, "question": row["question"] + " \ud800", "note": "\ud800"} for row in apple_rows(6)]
    order = order_of(tmp_path, rows, "out.parquet")
    with pytest.raises(RewritingError, match=r"and out\.parquet\.part a name that ends in \.jsonl"):
        run(order)

    (tmp_path / "out.parquet.part").rename(tmp_path / "out.jsonl.part")
    rewrite_file(replace(order, out=tmp_path / "out.jsonl"), not_opened, Console(quiet=True))
    assert [line["note"] for line in lines(tmp_path / "out.jsonl")] == ["\ud800"] * 4
