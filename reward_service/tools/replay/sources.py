"""Stream rows of JSON lines and parquet files, a little at a time and as often as asked."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from reward_service.tools.replay.errors import RolloutFileError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Row = Mapping[str, Any]

SAMPLE_ROWS = 64
PARQUET_MAGIC = b"PAR1"
PARQUET_ROWS = 256

RUN_METADATA = b"co-rewarding.run"
"""The key under which an exported file holds the settings of its run, as JSON."""


class Source(Protocol):
    """A file of rows, numbered from 1, that can be read again from its beginning."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def rows(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, Row]]:
        """Each row with its number; of the given columns at least, all where None.

        Raises:
            RolloutFileError: the file, or a row of it, cannot be read.
        """
        ...

    def place(self, row: int) -> str:
        """Where a row is, for a message."""
        ...

    def run_settings(self) -> Mapping[str, Any]:
        """The settings of the run that was exported to this file; none of another file.

        Raises:
            RolloutFileError: the file cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON object a line; blank lines are passed over."""

    path: Path

    def rows(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, Row]]:
        """Each line's object with the line's number."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.isspace():
                        yield number, self._row(number, line)
        except OSError as cause:
            raise _unreadable(self.path, cause) from cause

    def place(self, row: int) -> str:
        """file:line, which editors understand."""
        return f"{self.path}:{row}"

    def run_settings(self) -> Mapping[str, Any]:
        """A file of this kind holds none."""
        return {}

    def _row(self, number: int, line: bytes) -> Row:
        try:
            row = json.loads(line)  # lenient where Python's own writer is: NaN, lone surrogates
        except (ValueError, RecursionError) as cause:
            reason = str(cause) if isinstance(cause, json.JSONDecodeError) else type(cause).__name__
            raise RolloutFileError(
                f"{self.place(number)}: not JSON ({reason}); write one JSON object a line, or parquet"
            ) from cause
        if not isinstance(row, dict):
            kind = {list: "an array", str: "a string"}.get(type(row), "a bare value")
            raise RolloutFileError(f"{self.place(number)}: {kind}, where each line should hold one JSON object")
        return row


@dataclass(frozen=True, slots=True)
class Parquet:
    """A parquet file."""

    path: Path

    def rows(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, Row]]:
        """Each row with its number, in the file's order."""
        import pyarrow as pa  # here, so that JSON lines do not wait for it

        try:
            with self._opened() as file:
                present = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
                number = 0
                for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=present):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, row
        except OSError as cause:
            raise _unreadable(self.path, cause) from cause
        except (pa.ArrowException, UnicodeDecodeError) as cause:
            raise RolloutFileError(f"{self.path}: not readable as parquet: {_first_line(cause)}") from cause

    def place(self, row: int) -> str:
        """The file and the row."""
        return f"{self.path}, row {row}"

    def run_settings(self) -> Mapping[str, Any]:
        """Those in the file's metadata."""
        try:
            with self._opened() as file:
                kept = (file.schema_arrow.metadata or {}).get(RUN_METADATA)
        except OSError as cause:
            raise _unreadable(self.path, cause) from cause
        if kept is None:
            return {}
        try:
            return msgspec.json.decode(kept, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            raise RolloutFileError(f"{self.path}: the settings of its run cannot be read: {cause}") from cause

    def _opened(self) -> "ParquetFile":
        from pyarrow.parquet import ParquetFile

        return ParquetFile(self.path)


def open_source(path: Path) -> Source:
    """The file as rows; that it is parquet is seen by its first bytes, whatever its name.

    Raises:
        RolloutFileError: there is no such file, it cannot be opened, or it is empty.
    """
    if path.is_dir():
        raise RolloutFileError(f"{path} is a folder; name a file of rollouts, JSON lines or parquet")
    if path.exists() and not path.is_file():
        raise RolloutFileError(f"{path} is no regular file: it is read twice, so write what it gives to a file first")
    try:
        with path.open("rb") as file:
            beginning = file.read(len(PARQUET_MAGIC))
    except OSError as cause:
        raise _unreadable(path, cause) from cause
    if not beginning:
        raise RolloutFileError(f"{path} is empty; it should hold rollouts, as JSON lines or parquet")
    return Parquet(path) if beginning == PARQUET_MAGIC else JsonLines(path)


def sample_of(source: Source) -> list[Row]:
    """The first rows, by which the fields are found.

    Raises:
        RolloutFileError: there are none, or one cannot be read.
    """
    rows = [row for _, row in islice(source.rows(), SAMPLE_ROWS)]
    if not rows:
        raise RolloutFileError(f"{source.path} has no rows; it should hold rollouts, as JSON lines or parquet")
    return rows


def _unreadable(path: Path, cause: OSError) -> RolloutFileError:
    return RolloutFileError(f"{path} cannot be read: {cause.strerror or _first_line(cause)}")


def _first_line(cause: Exception) -> str:
    return str(cause).partition("\n")[0]
