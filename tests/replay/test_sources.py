"""Files as rows: what is read, and what is said of a file that cannot be."""

from pathlib import Path

import pytest

from reward_service.tools.replay.errors import RolloutFileError
from reward_service.tools.replay.sources import Parquet, open_source, sample_of
from tests.support.rollout_files import jsonl, parquet, read


@pytest.mark.parametrize("write", [jsonl, parquet])
def test_both_formats_give_the_same_rows_whatever_the_name(tmp_path, write):
    rows = [{"qid": f"q/{n}", "response": "ünï\n\u2028 line"} for n in range(700)]

    source = open_source(write(tmp_path / "rollouts.data", rows))

    assert list(source.rows()) == list(enumerate(rows, start=1))
    assert list(source.rows()) == list(enumerate(rows, start=1)), "a second reading begins anew"


def test_parquet_reads_the_columns_that_are_asked_for(tmp_path):
    path = parquet(tmp_path / "p.parquet", [{"a": 1, "b": {"c": 2}}])

    assert list(Parquet(path).rows({"b", "not.there"})) == [(1, {"b": {"c": 2}})]


def test_blank_lines_are_passed_over_and_lines_keep_their_numbers(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n  \r\n{"a": 2}')

    assert list(open_source(path).rows()) == [(1, {"a": 1}), (4, {"a": 2})]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a": \n', ["f.jsonl:2", "not JSON", "one JSON object a line"]),
        (b'{"a": "\xff"}\n', ["f.jsonl:1", "not JSON", "UnicodeDecodeError"]),
        (b"[" * 100_000, ["f.jsonl:1", "not JSON", "RecursionError"]),
        (b'[{"a": 1}]\n', ["f.jsonl:1", "an array"]),
        (b"3\n", ["f.jsonl:1", "a bare value"]),
        (b"", ["f.jsonl is empty"]),
        (b"\n\n", ["f.jsonl has no rows"]),
        (b"PAR1 and no more", ["f.jsonl", "not readable as parquet"]),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, content, words):
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)

    with pytest.raises(RolloutFileError) as told:
        sample_of(open_source(path))

    assert all(word in str(told.value) for word in words), told.value
    assert "\n" not in str(told.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(RolloutFileError, match=r"missing\.jsonl cannot be read: No such file"):
        open_source(tmp_path / "missing.jsonl")
    with pytest.raises(RolloutFileError, match="is a folder"):
        open_source(tmp_path)
    with pytest.raises(RolloutFileError, match="no regular file"):
        open_source(Path("/dev/null"))


def test_parquet_without_rows(tmp_path):
    path = parquet(tmp_path / "p.parquet", [{"qid": "q", "response": "r"}])
    empty = tmp_path / "empty.parquet"
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(path).slice(0, 0), empty)

    with pytest.raises(RolloutFileError, match="has no rows"):
        read(empty)
