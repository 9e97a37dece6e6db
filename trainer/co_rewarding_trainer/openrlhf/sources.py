"""Read questions from parquet, JSON lines, or a data set on the Hugging Face hub."""

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from co_rewarding_client.errors import one_line

from co_rewarding_trainer.openrlhf.errors import DataError, nearest
from co_rewarding_trainer.openrlhf.recipe import Columns

HUB = "hf:"
DEFAULT_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class SourceQuestion:
    """A question of a source; paraphrase and ground truth are None if the source has none."""

    question_id: str
    question: str
    paraphrase: str | None = None
    ground_truth: str | None = None


class HubSource(Protocol):
    """The package `datasets`, as far as it is used."""

    def load_dataset(self, path: str, *, split: str) -> Iterable[Mapping[str, Any]]:
        """Loads the rows of one split of the data set `path`, "owner/name"."""
        ...


def import_hub() -> HubSource:
    """Imports the package `datasets`, which only a source on the hub needs.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    datasets: Any = importlib.import_module("datasets")
    return datasets


def read_questions(
    source: str,
    columns: Columns,
    *,
    id_prefix: str = "",
    limit: int | None = None,
    hub: Callable[[], HubSource] = import_hub,
) -> list[SourceQuestion]:
    """Reads the first `limit` questions of `source`, in its order.

    A question may be text, or a list of chat messages, of which the user's last one is taken. `hub` is called for a
    source on the hub, and raises ModuleNotFoundError if nothing here can read from the hub.

    Raises:
        DataError: the source cannot be read, lacks a column, or has a question without text or an id twice.
    """
    questions: list[SourceQuestion] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(islice(_rows(source, hub), limit)):
        question = _question(row, columns, id_prefix, number, source)
        if (first := seen.setdefault(question.question_id, number)) != number:
            raise DataError(
                f"{source}: rows {first} and {number} have the same id {question.question_id!r}: their rollouts would "
                'vote together; give another column for question_id, or "" to number the rows'
            )
        questions.append(question)
    if not questions:
        raise DataError(f"{source}: holds no rows; give a source that has questions")
    return questions


def source_trouble(source: str, columns: Columns) -> str | None:
    """Says why the first question cannot be read. None if it can, and for a source on the hub, which is not fetched."""
    if source.startswith(HUB):
        return None
    try:
        read_questions(source, columns, limit=1)
    except DataError as error:
        return one_line(str(error))
    return None


def _question(row: Mapping[str, Any], columns: Columns, id_prefix: str, number: int, source: str) -> SourceQuestion:
    where = f"{source}: row {number}"
    text = _text(_column_value(row, columns.question, "question", where))
    if text is None:
        raise DataError(f"{where} has no question in {columns.question!r}; take the row out, or give another column")
    known = _text(_column_value(row, columns.question_id, "question_id", where)) if columns.question_id else str(number)
    if known is None:
        raise DataError(f'{where} has no id in {columns.question_id!r}; give another column, or "" to number the rows')
    paraphrase = _text(_column_value(row, columns.paraphrase, "paraphrase", where)) if columns.paraphrase else None
    truth = _text(_column_value(row, columns.ground_truth, "ground_truth", where)) if columns.ground_truth else None
    return SourceQuestion(f"{id_prefix}{known}", text, paraphrase, truth)


def _column_value(row: Mapping[str, Any], column: str, role: str, where: str) -> Any:  # noqa: ANN401 - what the row has there
    """Returns the value of a column. A column with a dot in its name goes before an object that the dot leads into."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            names = value if isinstance(value, Mapping) else row
            raise DataError(
                f"{where} has no column {column!r} for column.{role}: {nearest(part, map(str, names))} "
                '("" says that there is none)'
            )
        value = value[part]
    return value


def _text(value: Any) -> str | None:  # noqa: ANN401 - what a row has there
    """Makes text of a value; of chat messages, takes the user's last one. None for blank text."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        said = [each.get("content") for each in value if isinstance(each, Mapping) and each.get("role") == "user"]
        value = said[-1] if said else None
    if value is None or not (text := str(value)).strip():
        return None
    return text


def _rows(source: str, hub: Callable[[], HubSource]) -> Iterator[Mapping[str, Any]]:
    if source.startswith(HUB):
        return _hub_rows(source, hub)
    path = Path(source)
    readers = {".parquet": _parquet_rows, ".jsonl": _json_rows, ".json": _json_rows}
    if path.suffix not in readers:
        raise DataError(f"{source}: not a source; give a .parquet, .jsonl or .json file, or {HUB}owner/name[:split]")
    if not path.is_file():
        raise DataError(f"{source}: there is no such file below {Path.cwd()}; give the path of one")
    return readers[path.suffix](path)


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as cause:
        raise DataError(f"{path}: parquet needs pyarrow: pip install pyarrow") from cause
    try:
        for batch in ParquetFile(path).iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except (ArrowException, OSError) as cause:
        raise DataError(f"{path}: cannot be read as parquet ({cause}); write it anew") from cause


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of a file with a row in each line, or with one list of rows."""
    try:
        with path.open(encoding="utf-8") as lines:
            opening = lines.read(1)
            lines.seek(0)
            if opening == "[":
                yield from (_row(row, f"{path}: row {number}") for number, row in enumerate(json.load(lines)))
                return
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(json.loads(line), f"{path}: line {number}")
    except (ValueError, OSError) as cause:
        raise DataError(f"{path}: cannot be read as JSON lines ({cause}); correct it there") from cause


def _row(row: Any, where: str) -> Mapping[str, Any]:  # noqa: ANN401 - whatever JSON had there
    if not isinstance(row, Mapping):
        raise DataError(f"{where} is not a JSON object; a row has a question and its id")
    return row


def _hub_rows(source: str, hub: Callable[[], HubSource]) -> Iterator[Mapping[str, Any]]:
    name, _, split = source.removeprefix(HUB).partition(":")
    try:
        datasets = hub()
    except ModuleNotFoundError as cause:
        raise DataError(
            f"{source}: the hub is read by the package `datasets`: pip install datasets, or give a file that you have"
        ) from cause
    try:
        return iter(datasets.load_dataset(name, split=split or DEFAULT_SPLIT))
    except Exception as cause:  # of datasets, of huggingface_hub, of the network: there is no common root
        raise DataError(
            f"{source}: the hub did not give it ({type(cause).__name__}: {cause}); see that the name and the split are "
            "right and the hub can be reached, or give a file that you have"
        ) from cause
