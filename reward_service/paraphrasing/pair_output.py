"""What rewriting writes: pairs in the columns that training reads, every candidate, and the counts."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from reward_service.domain.paraphrases.rewriting import Outcome, RewritingRecipe
from reward_service.paraphrasing.errors import RewritingError
from reward_service.paraphrasing.pair_files import PairFields, PairRow
from reward_service.paraphrasing.rewriting_tally import reasons_of

JSON_LINES, PARQUET = ".jsonl", ".parquet"


def beside(out: Path, what: str) -> Path:
    """The file of that name next to a result: pairs.jsonl.part."""
    return out.with_name(f"{out.name}.{what}")


def pair_columns(row: PairRow, paraphrase: str, fields: PairFields) -> dict[str, Any]:
    """A pair's columns: the four that training reads under their names there, then the others of the row."""
    known = {fields.question_id, fields.question, fields.ground_truth, fields.paraphrase}
    named = {
        "question_id": row.question_id,
        "question": row.question,
        "paraphrase": paraphrase,
        "ground_truth": row.ground_truth,
    }
    return named | {name: value for name, value in row.columns.items() if name not in known | named.keys()}


def write_pairs(out: Path, pairs: Iterable[Mapping[str, Any]]) -> int:
    """Writes JSON lines or parquet by the name's ending, and says how many; parquet is in memory whole before.

    Raises:
        RewritingError: a column has no one type that parquet knows.
    """
    written = 0
    if out.suffix == PARQUET:
        return _write_parquet(out, list(pairs))
    with _whole_text(out) as file:
        for pair in pairs:
            file.write(json.dumps(pair, default=str) + "\n")
            written += 1
    return written


def write_candidates(path: Path, outcomes: Iterable[Outcome], recipe: RewritingRecipe) -> None:
    """A line for each candidate that was drawn, with what rejects it."""
    with _whole_text(path) as file:
        for outcome in outcomes:
            for candidate in outcome.candidates:
                line = {
                    "question_id": outcome.question_id,
                    "prompt": candidate.prompt,
                    "text": candidate.text,
                    "accepted": candidate.accepted,
                    "rejected_by": dict(reasons_of(candidate, recipe)),
                    "same_answer": candidate.same_answer,
                    "similarity": candidate.similarity,
                }
                file.write(json.dumps(line) + "\n")


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """The counts, for people and programs."""
    with _whole_text(path) as file:
        file.write(json.dumps(report, indent=2) + "\n")


def _write_parquet(out: Path, pairs: list[Mapping[str, Any]]) -> int:
    import pyarrow as pa  # here, so that JSON does not wait for it
    from pyarrow.parquet import write_table

    names = dict.fromkeys(name for pair in pairs for name in pair)
    try:
        table = pa.table({name: [pair.get(name) for pair in pairs] for name in names})
        with _whole(out) as path:
            write_table(table, path)
    except (pa.ArrowException, UnicodeEncodeError) as cause:
        raise RewritingError(
            f"{out}: the pairs are no parquet ({cause}); give it and {beside(out, 'part').name} a name that ends in "
            f"{JSON_LINES} and {JSON_LINES}.part"
        ) from cause
    return len(pairs)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its name when all of it is written."""
    writing = beside(path, "writing")
    try:
        yield writing
        writing.replace(path)
    finally:
        writing.unlink(missing_ok=True)


@contextlib.contextmanager
def _whole_text(path: Path) -> Iterator[TextIO]:
    with _whole(path) as writing, writing.open("w", encoding="utf-8") as file:
        yield file
