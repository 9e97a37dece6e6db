"""x"""

import contextlib
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from reward_service.domain.paraphrases.rewriting import Question
from reward_service.paraphrasing.errors import PairFileError
from reward_service.paraphrasing.pair_files import PairFields, PairRow, read_pairs
from reward_service.processes import dies_with_parent

ABSENT = 3
REFUSED = 4
_HUB_FILE = "hf://datasets/"
_LONGEST_TOLD = 1000
_NO_SCRIPTS = {"HF_DATASETS_TRUST_REMOTE_CODE": "0"}


class Built(Protocol):
    """A builder of `datasets`: what a data set consists of, before anything of it is read."""

    @property
    def config(self) -> Any: ...  # noqa: ANN401 - of whatever kind its files are

    def download_and_prepare(self) -> None: ...

    def as_dataset(self, *, split: str) -> Any: ...  # noqa: ANN401 - a data set, which writes parquet


class Hub(Protocol):
    """What is asked of the package `datasets`."""

    def load_dataset_builder(self, path: str) -> Built: ...


def fetch(
    name: str, split: str, path: Path, read: Sequence[str] = ("-m", "reward_service.paraphrasing.question_files")
) -> None:
    """Writes a split of a data set on the hub to a parquet file. `read` is what Python runs for it.

    Raises:
        PairFileError: the hub does not give it; caused by ModuleNotFoundError where `datasets` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="cr-hub-") as empty:
        done = subprocess.run(  # noqa: S603 - a list of words, each checked or ours, and no shell
            dies_with_parent([sys.executable, "-I", *read, name, split, str(path.absolute())]),
            cwd=empty,
            env=os.environ | _NO_SCRIPTS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode == ABSENT:
        raise PairFileError(
            "the hub is read by the package `datasets`: pip install datasets, or name a file"
        ) from ModuleNotFoundError("datasets")
    if done.returncode:
        told = done.stdout.strip() if done.returncode == REFUSED else f"its reader ended with {done.returncode}"
        raise PairFileError(
            f"the hub did not give it ({told[:_LONGEST_TOLD]}); see that the name and the split are right and the hub "
            "can be reached, or name a file"
        )


def copy_split(hub: Hub, name: str, split: str, path: Path) -> None:
    """Writes a split to a parquet file, if all files of the data set lie on the hub.

    Raises:
        PairFileError: they do not.
    """
    built = hub.load_dataset_builder(name)
    files = [file for each in _files(built) for file in each]
    if not files:
        raise PairFileError("it has no files of its own: a data set that is made by a script is not read")
    elsewhere = next((file for file in files if not _on_hub(str(file))), None)
    if elsewhere is not None:
        raise PairFileError(f"it names a file that is not on the hub: {elsewhere}")
    built.download_and_prepare()
    built.as_dataset(split=split).to_parquet(str(path))


def _on_hub(file: str) -> bool:
    """Whether it lies there, or within an archive that does: zip://a.jsonl::hf://datasets/owner/name@1/a.zip."""
    return file.rpartition("::")[2].startswith(_HUB_FILE)


def _files(built: Built) -> Iterable[Iterable[object]]:
    files: object = getattr(built.config, "data_files", None)
    return files.values() if isinstance(files, Mapping) else ()


def main(arguments: Sequence[str]) -> int:
    """The process: NAME SPLIT PATH."""
    name, split, path = arguments
    try:
        datasets: Any = importlib.import_module("datasets")
    except ModuleNotFoundError:
        return ABSENT
    try:
        copy_split(datasets, name, split, Path(path))
    except Exception as cause:  # of datasets, of huggingface_hub, of the network: there is no common root
        told = str(cause) if isinstance(cause, PairFileError) else f"{type(cause).__name__}: {cause}"
        sys.stdout.write(told.encode("ascii", "backslashreplace").decode())
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))


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
