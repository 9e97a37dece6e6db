"""Stream files of pairs: parquet, JSON lines, or one JSON array."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from co_rewarding_schema.errors import CoRewardingError

PARQUET_MAGIC = b"PAR1"
PARQUET_ROWS = 256


class PairFileError(CoRewardingError):
    """The file cannot be read as pairs; the message says where (file, row) and what would help."""


class PairFileTooLargeError(PairFileError):
    """The file is larger than it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFields:
    """The columns of a pair; the answer's may be missing from the file. For questions the paraphrase's is None."""

    question_id: str = "question_id"
    question: str = "question"
    paraphrase: str | None = "paraphrase"
    ground_truth: str = "ground_truth"


@dataclass(frozen=True, slots=True)
class PairRow:
    """A row of a file, numbered from 1, with all its columns in `columns`."""

    number: int
    question_id: str
    question: str
    paraphrase: str
    ground_truth: str | None
    columns: Mapping[str, Any]


def read_pairs(path: Path, fields: PairFields | None = None) -> Iterator[PairRow]:
    """Each pair, a few in memory at a time; a JSON array is in memory whole.

    Raises:
        PairFileError: the file cannot be read, or a row lacks a column or holds something else than text in it.
    """
    fields = fields or PairFields()
    for number, columns in _rows(path):
        yield _pair(path, number, columns, fields)


def count_pairs(path: Path) -> int | None:
    """Return how many rows a file has, where that is known without reading them.

    Raises:
        PairFileError: the file cannot be read.
    """
    if not _is_parquet(path):
        return None
    from pyarrow.parquet import read_metadata

    with _as_parquet(path):
        return read_metadata(path).num_rows


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        if _is_parquet(path):
            yield from _parquet(path)
        else:
            yield from _json(path)
    except OSError as cause:
        raise PairFileError(f"{path} cannot be read: {cause.strerror or cause}") from cause


def _is_parquet(path: Path) -> bool:
    """Tell parquet by the first bytes, whatever the name."""
    if path.is_dir():
        raise PairFileError(f"{path} is a folder; name a file of pairs: parquet, JSON lines or a JSON array")
    try:
        with path.open("rb") as file:
            beginning = file.read(len(PARQUET_MAGIC))
    except OSError as cause:
        raise PairFileError(f"{path} cannot be read: {cause.strerror or cause}") from cause
    if not beginning:
        raise PairFileError(f"{path} is empty; it should hold pairs as parquet, JSON lines or a JSON array")
    return beginning == PARQUET_MAGIC


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    from pyarrow.parquet import ParquetFile  # here, so that JSON does not wait for it

    with _as_parquet(path), ParquetFile(path) as file:
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, row


@contextlib.contextmanager
def _as_parquet(path: Path) -> Iterator[None]:
    """Says of which file it is that Arrow cannot read it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as cause:
        raise PairFileError(f"{path}: not readable as parquet: {str(cause).partition(chr(10))[0]}") from cause


def _json(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open("rb") as file:
        first = next((line for line in file if not line.isspace()), b"")
        if first.lstrip().startswith(b"["):
            rows = _parsed(path, None, path.read_bytes())
            yield from enumerate(rows if isinstance(rows, list) else [rows], start=1)
            return
        file.seek(0)
        for number, line in enumerate(file, start=1):
            if not line.isspace():
                yield number, _parsed(path, number, line)


def _parsed(path: Path, number: int | None, text: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    try:
        return json.loads(text)  # lenient where Python's own writer is: NaN, lone surrogates
    except (ValueError, RecursionError) as cause:
        reason = str(cause) if isinstance(cause, json.JSONDecodeError) else type(cause).__name__
        where = path if number is None else f"{path}:{number}"
        raise PairFileError(f"{where}: not JSON ({reason}); write parquet, JSON lines or one JSON array") from cause


def _pair(path: Path, number: int, columns: object, fields: PairFields) -> PairRow:
    if not isinstance(columns, Mapping):
        raise PairFileError(f"{path}, row {number}: no object with columns")
    question_id = columns.get(fields.question_id)
    return PairRow(
        number,
        str(number if question_id is None else question_id),
        _text(path, number, columns, fields.question),
        "" if fields.paraphrase is None else _text(path, number, columns, fields.paraphrase, missing=""),
        _answer(path, number, columns, fields.ground_truth),
        columns,
    )


def _text(path: Path, number: int, columns: Mapping[str, Any], name: str, missing: str | None = None) -> str:
    if name not in columns:
        raise PairFileError(f"{path}, row {number}: no column {name!r}; there are {_listed(columns)}; name another")
    value = columns[name]
    if value is None and missing is not None:
        return missing
    if not isinstance(value, str):
        raise PairFileError(f"{path}, row {number}: {name!r} holds {_kind(value)} and no text; name another column")
    return value


def _answer(path: Path, number: int, columns: Mapping[str, Any], name: str) -> str | None:
    value = columns.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PairFileError(f"{path}, row {number}: {name!r} holds {_kind(value)} and no answer; name another column")
    return str(value)


def _listed(columns: Mapping[str, Any]) -> str:
    names = [repr(str(name)[:40]) for name in list(columns)[:20]]
    return ", ".join(names) or "none"


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", type(None): "null", bool: "true or false"}
    kinds |= {int: "a number", float: "a number"}
    return kinds.get(type(value), f"a {type(value).__name__}")
