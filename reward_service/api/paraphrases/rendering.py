"""Render outcomes and jobs as documents, as JSON lines with everything, or as parquet with the pairs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from io import RawIOBase
from typing import Any

import msgspec
from co_rewarding_schema import paraphrases
from co_rewarding_schema.paraphrases import Paraphrase

from reward_service.api.paraphrases.models import JobDocument
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import Candidate, Outcome, RewritingRecipe
from reward_service.paraphrasing.question_files import arrow_row, arrow_schema
from reward_service.paraphrasing.rewriter import reasons_of
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED, JobQuestion, JobStanding, ParaphraseJobs


def outcome_document(outcome: Outcome, recipe: RewritingRecipe) -> Paraphrase:
    """Render the outcome of a question, with the checks of each candidate."""
    candidates = [_candidate(each, recipe) for each in outcome.candidates]
    accepted = [each for each in candidates if each.accepted and each.text == outcome.paraphrase]
    told = accepted[0] if accepted else candidates[-1] if candidates else None
    return Paraphrase(
        question_id=outcome.question_id,
        paraphrase=outcome.paraphrase,
        accepted=bool(accepted),
        fate=outcome.fate,
        checks={} if told is None else told.checks,
        reasons=[] if told is None else told.reasons,
        candidates=candidates,
        error=outcome.error,
    )


def row_of(item: JobQuestion, outcome: Outcome) -> dict[str, Any]:
    """Return a pair in the columns that training reads, followed by the other columns of its row."""
    question = item.question
    named = {
        "question_id": question.question_id,
        "question": question.question,
        "paraphrase": outcome.paraphrase,
        "ground_truth": question.ground_truth,
    }
    return named | {name: value for name, value in item.columns.items() if name not in named}


def job_document(standing: JobStanding, paraphrasers: int) -> JobDocument:
    """Render the standing of a job."""
    counts = standing.counts
    return JobDocument(
        job=standing.job,
        run=standing.order.run,
        source=standing.order.source,
        state=standing.state,
        questions=standing.of,
        done=standing.done,
        making=standing.taken,
        paraphrasers=paraphrasers,
        created_at=_when(standing.created_s),
        ended_at=None if standing.ended_s is None else _when(standing.ended_s),
        fates=_sorted(counts[FATE]),
        drawn=_sorted(counts[DRAWN]),
        accepted=_sorted(counts[ACCEPTED]),
        rejected=_sorted(counts[REJECTED]),
    )


def _candidate(candidate: Candidate, recipe: RewritingRecipe) -> paraphrases.Candidate:
    return paraphrases.Candidate(
        prompt=candidate.prompt,
        text=candidate.text,
        accepted=candidate.accepted,
        checks=dict(_checks(candidate, recipe.policy)),
        reasons=[*candidate.review.reasons, *_other_reasons(candidate, recipe)],
        doubt=round(candidate.review.doubt, 3),
    )


def _other_reasons(candidate: Candidate, recipe: RewritingRecipe) -> Iterator[str]:
    """Yield what rejects a candidate besides the checks of its text."""
    for name, words in reasons_of(candidate, recipe):
        if name not in CHECKS:
            yield f"{name}: {words}"


def _checks(candidate: Candidate, policy: AcceptancePolicy) -> Iterator[tuple[str, bool | float]]:
    """Yield whether each check passed, by the check's name (numbers_kept).

    After a fatal objection, no check was made.
    """
    objections = {each.check for each in candidate.review.objections}
    for name, row in CHECKS.items():
        if name in policy.deciding or name in policy.telling:
            yield row.check.__name__, name not in objections
            if name in objections and row.fatal:
                break
    yield "marked", candidate.marked
    for share, value in (("same_answer", candidate.same_answer), ("similarity", candidate.similarity)):
        if value is not None:
            yield share, value


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """Sort by count, the largest first; equal ones by name."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _when(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


JSON_LINES = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
ROWS_AT_ONCE = 2_000
BYTES_AT_ONCE = 2**16


async def json_lines(jobs: ParaphraseJobs, standing: JobStanding) -> AsyncIterator[bytes]:
    """Yield a line for each question with an outcome, in order: its pair and its outcome."""
    lines = bytearray()
    async for _, item, outcome in jobs.outcomes(standing.job, standing.of):
        told = msgspec.structs.asdict(outcome_document(outcome, standing.order.recipe))
        # A column of the input that bears the name of one of ours is the parquet's alone.
        lines += msgspec.json.encode(row_of(item, outcome) | told) + b"\n"
        if len(lines) >= BYTES_AT_ONCE:
            yield bytes(lines)
            lines.clear()
    yield bytes(lines)


async def parquet(jobs: ParaphraseJobs, standing: JobStanding) -> AsyncIterator[bytes]:
    """Yield the pairs, which are the questions that have a second view, in order."""
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
    """Writes parquet into memory, from which each piece is taken at once."""

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
    """A file whose content is taken while it is written."""

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
