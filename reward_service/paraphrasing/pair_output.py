"""Write the results of rewriting a file: outcomes as they come; at the end pairs, candidates and a report."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import msgspec

from reward_service.domain.paraphrases.rewriting import Outcome, RewritingRecipe
from reward_service.paraphrasing.pair_files import PairFields, PairRow
from reward_service.paraphrasing.rewriter import RewritingError, reasons_of


class PartFile:
    """JSON lines: a header that says what was ordered, then outcomes in the order they came.

    Only where each begins is in memory. One process at a time has the file; a lock goes with the process that dies.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Begin the file, or go on with it. A last line that was not written whole is removed.

        Raises:
            RewritingError: it was begun with another header, another process writes it, or it is no such file.
        """
        self._path = path
        self._begins: dict[str, int] = {}
        try:
            self._file = path.open("a+b")
        except OSError as cause:
            raise RewritingError(f"{path} cannot be written: {cause.strerror or cause}") from cause
        try:
            self._lock()
            self._go_on(header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, which stays."""
        self._file.close()

    def __len__(self) -> int:
        """Return how many outcomes the file has."""
        return len(self._begins)

    def __contains__(self, question_id: str) -> bool:
        """Return whether the file has the question's outcome."""
        return question_id in self._begins

    def outcome(self, question_id: str) -> Outcome:
        """Read the question's outcome from the file; KeyError if it has none."""
        self._file.seek(self._begins[question_id])
        return msgspec.convert(json.loads(self._file.readline()), Outcome)

    def add(self, outcome: Outcome) -> None:
        """Append an outcome; when this returns, killing the process does not lose it."""
        begins = self._file.seek(0, os.SEEK_END)
        self._file.write(_line(msgspec.to_builtins(outcome)))
        self._file.flush()
        self._begins[outcome.question_id] = begins

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink()

    def _lock(self) -> None:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise RewritingError(f"{self._path}: another process is writing it; wait for it, or end it") from cause

    def _go_on(self, header: Mapping[str, Any]) -> None:
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):
            if not _line(header).startswith(first):
                raise RewritingError(f"{self._path}: not begun by this order; remove the file to begin anew")
            self._file.truncate(0)
            self._file.write(_line(header))
            self._file.flush()
            return
        begun = _object(self._path, 1, first)
        begins = len(first)
        for number, line in enumerate(self._file, start=2):
            if not line.endswith(b"\n"):
                break
            self._begins[str(_object(self._path, number, line).get("question_id"))] = begins
            begins += len(line)
        if self._begins or "rewriting" not in begun:
            self._check(begun, json.loads(_line(header)))
            self._file.truncate(begins)
        else:  # another order's that came to nothing
            self._file.truncate(0)
            self._file.write(_line(header))
            self._file.flush()

    def _check(self, begun: Mapping[str, Any], ordered: Mapping[str, Any]) -> None:
        for name, value in _flat(ordered).items():
            before = _flat(begun).get(name)
            if before != value:
                raise RewritingError(
                    f"{self._path} was begun with another {name}: {_short(before)}, and not {_short(value)}; go on as "
                    "it was begun, or remove it to begin anew"
                )


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _object(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RewritingError(f"{path}:{number}: not a line that rewriting wrote; remove the file to begin anew")
    return content


def _flat(header: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in header.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


JSON_LINES, PARQUET = ".jsonl", ".parquet"


def beside(out: Path, what: str) -> Path:
    """Return the path of the file of that name next to a result: pairs.jsonl.part."""
    return out.with_name(f"{out.name}.{what}")


def pair_columns(row: PairRow, paraphrase: str, fields: PairFields) -> dict[str, Any]:
    """Return a pair's columns: the four that training reads under their names there, then the row's others."""
    known = {fields.question_id, fields.question, fields.ground_truth, fields.paraphrase}
    named = {
        "question_id": row.question_id,
        "question": row.question,
        "paraphrase": paraphrase,
        "ground_truth": row.ground_truth,
    }
    return named | {name: value for name, value in row.columns.items() if name not in known | named.keys()}


def write_pairs(out: Path, pairs: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines or parquet by the name's ending, and return how many; parquet is in memory whole before.

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
    """Write a line for each candidate that was drawn, with the reasons against it."""
    with _whole_text(path) as file:
        for outcome in outcomes:
            for candidate in outcome.candidates:
                line = {
                    "question_id": outcome.question_id,
                    "prompt": candidate.prompt,
                    "text": candidate.text,
                    "accepted": candidate.accepted,
                    "rejected_by": dict(reasons_of(candidate, recipe)),
                    "doubt": round(candidate.review.doubt, 3),
                    "same_answer": candidate.same_answer,
                    "similarity": candidate.similarity,
                }
                file.write(json.dumps(line) + "\n")


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the counts, for people and programs."""
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
    """Yield a path to write to; the file gets its name when all of it is written."""
    if path.exists() and not path.is_file():  # /dev/null or a pipe, which is written to and never replaced
        yield path
        return
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
