"""Where the lines go."""

import json
import os
from pathlib import Path

import pytest

from reward_service.tools.replay.errors import ScoringError
from reward_service.tools.replay.output import default_out, writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "in.jsonl"
    made.write_text("{}")
    return made


def test_a_file_appears_when_it_is_whole(tmp_path, file):
    out = tmp_path / "out.jsonl"
    out.write_text("earlier")

    with writer(out, file) as write:
        write({"answer": "ü\ud800\x1b"})
        assert out.read_text() == "earlier"

    assert out.read_text().isascii()
    assert json.loads(out.read_text()) == {"answer": "ü\ud800\x1b"}
    assert set(os.listdir(tmp_path)) == {"in.jsonl", "out.jsonl"}


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path, file):
    with pytest.raises(TypeError, match="not JSON serializable"), writer(tmp_path / "out.jsonl", file) as write:
        write({"answer": object()})

    assert os.listdir(tmp_path) == ["in.jsonl"]


def test_standard_output(file, capsys):
    with writer(Path("-"), file) as write:
        write({"a": 1})

    assert capsys.readouterr().out == '{"a": 1}\n'


def test_what_is_no_file_is_written_to_and_not_replaced(file):
    with writer(Path("/dev/null"), file) as write:
        write({"a": 1})

    assert Path("/dev/null").is_char_device()


def test_what_cannot_be_written_is_told(tmp_path, file):
    with pytest.raises(ScoringError, match="is the file of the rollouts"), writer(file, file):
        pass
    with pytest.raises(ScoringError, match="cannot be written: No such file"), writer(tmp_path / "no" / "out", file):
        pass
    with pytest.raises(ScoringError, match="No space left"), writer(Path("/dev/full"), file) as write:
        write({})


def test_the_default_is_in_the_current_folder():
    assert default_out(Path("/data/some.rollouts.parquet")) == Path("some.rollouts.parquet.rewards.jsonl")
