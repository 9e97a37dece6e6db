"""Where questions come from: files as `pair_files` reads them, or a data set on the Hugging Face hub."""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.paraphrasing.hub import fetch
from reward_service.paraphrasing.pair_files import PairFields, PairFileError, PairRow, read_pairs

HUB = "hf:"
_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds: how many questions, and a digest of their ids, texts and answers in their order."""

    questions: int
    sha256: str


@contextlib.contextmanager
def question_file(source: str) -> Iterator[Path]:
    """The file of a source: itself, or for hf:NAME[:SPLIT] what the hub has, as long as the context lasts.

    Raises:
        PairFileError: the hub does not give it; the message says what would help.
    """
    if not source.startswith(HUB):
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield _from_hub(source, Path(folder) / "questions.parquet")


def read_questions(path: Path, fields: PairFields) -> Iterator[PairRow]:
    """The rows, a few in memory at a time; they need no paraphrase, and one that they have is not looked at.

    Raises:
        PairFileError: the file cannot be read, or a row has no question.
    """
    for row in read_pairs(path, replace(fields, paraphrase=None)):
        if not row.question.strip():
            raise PairFileError(f"{path}, row {row.number}: {fields.question!r} is blank; take the row out")
        yield row


def survey(path: Path, fields: PairFields) -> Survey:
    """Reads all of the file, so that what is wrong with its last row is known before a model is asked about the first.

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
    """What a rewriter is given of a row."""
    return Question(row.question_id, row.question, row.ground_truth)


def _from_hub(source: str, path: Path) -> Path:
    name, _, split = source.removeprefix(HUB).partition(":")
    try:
        fetch(name, split or _SPLIT, path)
    except PairFileError as cause:
        raise PairFileError(f"{source}: {cause}") from cause.__cause__
    return path
