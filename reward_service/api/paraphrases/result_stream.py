"""The outcomes of a job as a stream: JSON lines with everything, or parquet with the pairs that training reads."""

import asyncio
from collections.abc import AsyncIterator
from io import RawIOBase
from typing import Any

import msgspec

from reward_service.api.paraphrases.rendering import outcome_document, row_of
from reward_service.paraphrasing.job_files import arrow_row, arrow_schema
from reward_service.store.paraphrases import JobStanding, ParaphraseJobs

JSON_LINES = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
ROWS_AT_ONCE = 2_000
BYTES_AT_ONCE = 2**16


async def json_lines(jobs: ParaphraseJobs, standing: JobStanding) -> AsyncIterator[bytes]:
    """A line for each question with an outcome, in their order: its pair, and what became of it."""
    lines = bytearray()
    async for _, item, outcome in jobs.outcomes(standing.job, standing.of):
        told = outcome_document(outcome, standing.order.recipe).model_dump(mode="json")
        # A column of the input that bears the name of one of ours is the parquet's alone.
        lines += msgspec.json.encode(row_of(item, outcome) | told) + b"\n"
        if len(lines) >= BYTES_AT_ONCE:
            yield bytes(lines)
            lines.clear()
    yield bytes(lines)


async def parquet(jobs: ParaphraseJobs, standing: JobStanding) -> AsyncIterator[bytes]:
    """The pairs: questions that have a second view, in their order."""
    writer = await asyncio.to_thread(_Writer, standing)
    rows: list[dict[str, Any]] = []
    async for _, item, outcome in jobs.outcomes(standing.job, standing.of):
        if outcome.paraphrase is not None:
            rows.append(row_of(item, outcome))
        if len(rows) == ROWS_AT_ONCE:
            yield await asyncio.to_thread(writer.write, rows)
            rows = []
    yield await asyncio.to_thread(writer.write, rows)
    yield await asyncio.to_thread(writer.end)


class _Writer:
    """Writes parquet into memory, of which each piece is taken away at once."""

    def __init__(self, standing: JobStanding) -> None:
        from pyarrow.parquet import ParquetWriter  # here, so that a service without such jobs does not load it

        self._columns = standing.columns
        self._schema = arrow_schema(standing.columns)
        self._pipe = _Pipe()
        self._parquet = ParquetWriter(self._pipe, self._schema, compression="zstd")

    def write(self, rows: list[dict[str, Any]]) -> bytes:
        import pyarrow as pa

        if rows:
            shown = [arrow_row(row, self._columns) for row in rows]
            self._parquet.write_table(pa.Table.from_pylist(shown, schema=self._schema))
        return self._pipe.taken()

    def end(self) -> bytes:
        self._parquet.close()
        return self._pipe.taken()


class _Pipe(RawIOBase):
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - bytes of some kind
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken
