"""Files of questions for jobs: where they may be, and what their rows become."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reward_service.paraphrasing.pair_files import PairFields, PairFileError, PairFileTooLargeError, PairRow
from reward_service.paraphrasing.question_files import question_of, read_questions, survey
from reward_service.store.paraphrases import JobQuestion

MAX_COLUMNS = 256
BLOCK_BYTES = 2**20
TEXT, WHOLE, REAL, TRUTH, JSON = "string", "int64", "double", "bool", "json"
"""Types of a column: of one whose values have no common type, the JSON is kept."""

_PLAIN = ("question_id", "question", "paraphrase", "ground_truth")
_TYPES = {str: TEXT, int: WHOLE, float: REAL, bool: TRUTH}


class FileQuestions:
    """The questions of a file, read when it is iterated over; `columns` has the types of their others as far as seen.

    Raises:
        PairFileError: the file cannot be read, or a row is not what it should be: all of it is read once, at first.
    """

    def __init__(self, path: Path, fields: PairFields) -> None:
        """Counts the rows."""
        self._path = path
        self._fields = fields
        self.of = survey(path, fields).questions
        self.columns: dict[str, str] = {}

    def __iter__(self) -> Iterator[JobQuestion]:
        """In the order of the file."""
        for row in read_questions(self._path, self._fields):
            item = JobQuestion(question_of(row), self._others(row))
            for name, value in item.columns.items():
                self._see(name, value)
            yield item

    def _others(self, row: PairRow) -> dict[str, Any]:
        """The other columns of a row as JSON has them."""
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
    """Copies the file `name` below `root`, which no symbolic link leads to.

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
    """The descriptor of a plain file, reached without following a link below the root."""
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
    """The schema of a job's pairs."""
    import pyarrow as pa

    types = {WHOLE: pa.int64(), REAL: pa.float64(), TRUTH: pa.bool_()}
    plain = [pa.field(name, pa.large_string()) for name in _PLAIN]
    return pa.schema(plain + [pa.field(name, types.get(kind, pa.large_string())) for name, kind in columns.items()])


def arrow_row(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """A pair as its schema has it."""
    found = dict(row)
    for name, kind in columns.items():
        value = found.get(name)
        if kind == JSON and value is not None:
            found[name] = msgspec.json.encode(value).decode()
        elif kind == REAL and isinstance(value, int):
            found[name] = float(value)
    return found
