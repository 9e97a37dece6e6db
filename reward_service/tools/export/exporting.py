"""Export a run: ask for its cohorts page by page, and write their ballots as parquet."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from co_rewarding_client import RewardClient, RunSettings
from co_rewarding_client.address import shown_url
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import Voter
from pyarrow.parquet import ParquetWriter
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from reward_service.tools.export.rows import SCHEMA, SETTLED, Row, Selection
from reward_service.tools.replay.reading import progress_bar
from reward_service.tools.replay.sources import RUN_METADATA

PATIENCE_S = 120.0
OTHER_FORMATS = {".csv", ".json", ".jsonl"}
"""Ends of names that promise another format than the one that is written."""
ROWS_AT_ONCE = 20_000
"""Of a row group: so many rows are in memory."""


class ExportError(CoRewardingError):
    """The run cannot be read, or the file not be written."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the command was asked to do. `every` writes earlier attempts and late rollouts too."""

    run: str
    file: Path
    url: str
    api_key: str | None = None
    every: bool = False
    teacher: Path | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """How much was written; `left_out` are settled cohorts of which nothing was."""

    cohorts: int
    rollouts: int
    teacher_ballots: int
    left_out: int


def export_run(request: ExportRequest) -> Exported:
    """Write a run's rollouts; a bar goes to standard error, and what was written is said there.

    Raises:
        ExportError: the service refuses or cannot be reached, or a file cannot be written.
    """
    if request.teacher == request.file:
        raise ExportError(f"--teacher {request.teacher} is the file of the rollouts: name another")
    errors = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(request))
        run = client.run(request.run)
        schema = SCHEMA.with_metadata({RUN_METADATA: json.dumps(_settings(run))})
        table = stack.enter_context(_table(request.file, schema))
        teachers = stack.enter_context(_table(request.teacher, schema)) if request.teacher is not None else None
        bar = stack.enter_context(progress_bar(errors))
        cohorts, left_out = _written(client, request, table, teachers, bar)
    exported = Exported(cohorts, table.rows, 0 if teachers is None else teachers.rows, left_out)
    errors.print(Text(f"{request.file}: {exported.rollouts} rollouts of {cohorts} cohorts"), soft_wrap=True)
    if left_out:
        why = "earlier attempts or rounds of a question's step; --all writes them too"
        errors.print(Text(f"{request.file}: cohorts left out: {left_out}, {why}"), soft_wrap=True)
    if request.teacher is not None:
        errors.print(Text(f"{request.teacher}: {exported.teacher_ballots} ballots of the teacher"), soft_wrap=True)
    return exported


def _written(
    client: RewardClient, request: ExportRequest, table: "_Table", teachers: "_Table | None", bar: Progress
) -> tuple[int, int]:
    """Write the rows, and return how many cohorts were written, and how many settled ones were left out."""
    selection = Selection(every=request.every)
    progress = bar.add_task("exporting", total=_expected(client.run(request.run)))
    cohorts = left_out = 0
    for cohort in _cohorts(client, request.run):
        written = 0
        for row in selection.rows(cohort):
            if row["voter"] == Voter.POLICY:
                table.add(row)
                written += 1
            elif teachers is not None and row["voter"] == Voter.TEACHER:  # peers are runs of their own
                teachers.add(row)
        cohorts += written > 0
        left_out += not written and cohort["state"] in SETTLED
        bar.advance(progress)
    return cohorts, left_out


def _settings(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name in RunSettings.__struct_fields__}


def _expected(run: Mapping[str, Any]) -> int:
    """How many cohorts the run has settled, of which some may be kept no longer."""
    return run["state"]["settled"] + run["state"]["abstained"]


def _cohorts(client: RewardClient, run: str) -> Iterator[Mapping[str, Any]]:
    cursor: str | None = None
    while True:
        page = client.cohorts_page(cursor, run=run)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


@contextlib.contextmanager
def _client(request: ExportRequest) -> Iterator[RewardClient]:
    try:
        with RewardClient(request.url, api_key=request.api_key, run=request.run, patience_s=PATIENCE_S) as client:
            if not client.ready():
                raise ExportError(f"no service is ready at {shown_url(request.url)}: start one, or correct --url")
            yield client
    except ExportError:
        raise
    except CoRewardingError as cause:
        raise ExportError(f"run {request.run} at {shown_url(request.url)}: {cause}") from cause


class _Table:
    """A file of rows, written some at a time."""

    def __init__(self, writer: ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._pending: list[Row] = []
        self.rows = 0

    def add(self, row: Row) -> None:
        self._pending.append(row)
        self.rows += 1
        if len(self._pending) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self._schema))
            self._pending.clear()


@contextlib.contextmanager
def _table(path: Path, schema: pa.Schema) -> Iterator[_Table]:
    """A file that takes its name when the file is whole; none is left if it was not.

    Raises:
        ExportError: it cannot be written.
    """
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file in it")
    if path.suffix in OTHER_FORMATS:
        raise ExportError(f"{path} would be parquet: name it {path.with_suffix('.parquet')}")
    named = path.exists() and not path.is_file()  # /dev/null or a pipe, which is written to and never replaced
    beside = path if named else path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file, ParquetWriter(file, schema) as writer:
            table = _Table(writer, schema)
            yield table
            table.flush()
        if not named:
            beside.replace(path)
    except OSError as cause:
        raise ExportError(f"{path} cannot be written: {cause.strerror or cause}; name another file") from cause
    finally:
        if not named:
            beside.unlink(missing_ok=True)
