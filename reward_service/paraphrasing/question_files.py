"""Read files of questions, or data sets of the hub: survey, copy and type them for jobs."""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.paraphrasing.hub import fetch
from reward_service.paraphrasing.pair_files import PairFields, PairFileError, PairFileTooLargeError, PairRow, read_pairs
from reward_service.store.paraphrases import JobQuestion

HUB = "hf:"
_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class Survey:
    """The number of a file's questions, and a digest of their ids, texts and answers in order."""

    questions: int
    sha256: str


@contextlib.contextmanager
def question_file(source: str) -> Iterator[Path]:
    """Yield the file of a source: the source itself, or the hub's data for hf:NAME[:SPLIT].

    Raises:
        PairFileError: the hub does not give it; the message says what would help.
    """
    if not source.startswith(HUB):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield _from_hub(source, Path(folder) / "questions.parquet")


def read_questions(path: Path, fields: PairFields) -> Iterator[PairRow]:
    """Yield the rows, a few in memory at a time. They need no paraphrase; an existing one is not looked at.

    Raises:
        PairFileError: the file cannot be read, or a row has no question.
    """
    for row in read_pairs(path, replace(fields, paraphrase=None)):
        if not row.question.strip():
            raise PairFileError(f"{path}, row {row.number}: {fields.question!r} is blank; take the row out")
        yield row


def survey(path: Path, fields: PairFields) -> Survey:
    """Read all of the file, so that an error in its last row is known before a model is asked about the first.

    Raises:
        PairFileError: as `read_questions`; or there are no rows, or two have one id.
    """
    digest = hashlib.sha256()
    seen: dict[str, int] = {}
    for row in read_questions(path, fields):
        first = seen.setdefault(row.question_id, row.number)
        if first != row.number:
            raise PairFileError(
                f"{path}: rows {first} and {row.number} have the same id {row.question_id!r}: their rollouts would "
                "vote together; name another column, or one that is not there to number the rows"
            )
        digest.update(json.dumps([row.question_id, row.question, row.ground_truth]).encode())
    if not seen:
        raise PairFileError(f"{path}: there are no rows; name a file of questions")
    return Survey(len(seen), digest.hexdigest())


def question_of(row: PairRow) -> Question:
    """Return the question of a row, as a rewriter takes it."""
    return Question(row.question_id, row.question, row.ground_truth)


def _from_hub(source: str, path: Path) -> Path:
    name, _, split = source.removeprefix(HUB).partition(":")
    try:
        fetch(name, split or _SPLIT, path)
    except PairFileError as cause:
        raise PairFileError(f"{source}: {cause}") from cause.__cause__
    return path


MAX_COLUMNS = 256
BLOCK_BYTES = 2**20
TEXT, WHOLE, REAL, TRUTH, JSON = "string", "int64", "double", "bool", "json"
"""Types of a column: of one whose values have no common type, the JSON is kept."""

_PLAIN = ("question_id", "question", "paraphrase", "ground_truth")
_TYPES = {str: TEXT, int: WHOLE, float: REAL, bool: TRUTH}


class FileQuestions:
    """The questions of a file, read at each iteration; `columns` has the types of other columns as far as seen.

    Raises:
        PairFileError: the file cannot be read, or a row is not what it should be: all of it is read once, at first.
    """

    def __init__(self, path: Path, fields: PairFields) -> None:
        """Count the rows."""
        self._path = path
        self._fields = fields
        self.of = survey(path, fields).questions
        self.columns: dict[str, str] = {}

    def __iter__(self) -> Iterator[JobQuestion]:
        """Yield the questions in the order of the file."""
        for row in read_questions(self._path, self._fields):
            item = JobQuestion(question_of(row), self._others(row))
            for name, value in item.columns.items():
                self._see(name, value)
            yield item

    def _others(self, row: PairRow) -> dict[str, Any]:
        """Return the other columns of a row as JSON has them."""
        fields = self._fields
        known = {fields.question_id, fields.question, fields.ground_truth, *_PLAIN}
        others = {name: value for name, value in row.columns.items() if name not in known}
        where = f"{self._path}, row {row.number}"
        try:
            kept = msgspec.to_builtins(others, str_keys=True)
            msgspec.json.encode((kept, question_of(row)))
        except UnicodeEncodeError as cause:
            raise PairFileError(f"{where}: half of a surrogate pair, which is no text; take it out") from cause
        except (TypeError, OverflowError, RecursionError) as cause:
            raise PairFileError(f"{where}: a column that is no JSON ({cause}); leave it out") from cause
        return kept

    def _see(self, name: str, value: object) -> None:
        if value is None:
            return
        before = self.columns.get(name)
        kind = _TYPES.get(type(value), JSON)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            kind = JSON
        if before is not None and before != kind:
            kind = REAL if {before, kind} == {WHOLE, REAL} else JSON
        elif before is None and len(self.columns) == MAX_COLUMNS:
            raise PairFileError(f"{self._path}: more than {MAX_COLUMNS} columns; leave some out")
        self.columns[name] = kind


def copy_below(root: Path, name: str, to: Path, most_bytes: int) -> None:
    """Copy the file `name` below `root`; a name that leads through a symbolic link is refused.

    What is read afterwards is the copy: a file that is changed or exchanged meanwhile is not half of each.

    Raises:
        PairFileError: the name leads elsewhere, or there is no such file that can be read.
        PairFileTooLargeError: it has more bytes.
    """
    told = repr(name)
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part.startswith(".") or not part for part in parts):
        raise PairFileError(
            f"{told} is no plain path from the root: give its parts joined by '/', none empty or beginning with '.'"
        )
    try:
        with open(_opened(root, parts), "rb") as source, to.open("wb") as target:
            left = most_bytes
            while block := source.read(BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise PairFileTooLargeError(f"{told} has more than {most_bytes} bytes: make several jobs of it")
                target.write(block)
    except FileNotFoundError as cause:
        raise PairFileError(f"there is no file {told} below the root") from cause
    except OSError as cause:  # of a link, it says that there are too many levels of them, or no folder
        raise PairFileError(
            f"{told} is a symbolic link, in one of its parts, or cannot be read ({cause.strerror})"
        ) from cause


def _opened(root: Path, parts: list[str]) -> int:
    """Open a plain file without following a link below the root, and yield its descriptor."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Not blocking: a pipe in the file's place would make who opens it wait.
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise PairFileError(f"{'/'.join(parts)!r} is not a file: name a file of questions")
    return file


def arrow_schema(columns: Mapping[str, str]) -> Any:  # noqa: ANN401 - pyarrow is imported where it is needed
    """Return the schema of a job's pairs."""
    import pyarrow as pa

    types = {WHOLE: pa.int64(), REAL: pa.float64(), TRUTH: pa.bool_()}
    plain = [pa.field(name, pa.large_string()) for name in _PLAIN]
    return pa.schema(plain + [pa.field(name, types.get(kind, pa.large_string())) for name, kind in columns.items()])


def arrow_row(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return a pair as its schema has it."""
    found = dict(row)
    for name, kind in columns.items():
        value = found.get(name)
        if kind == JSON and value is not None:
            found[name] = msgspec.json.encode(value).decode()
        elif kind == REAL and isinstance(value, int):
            found[name] = float(value)
    return found
