"""Read jobs: questions in JSON, a file as the body or in a form, or the name of a file or data set."""

import asyncio
import contextlib
import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from co_rewarding_schema.problems import ProblemKind
from fastapi import Request
from starlette.datastructures import UploadFile

from reward_service.api.http.form_reader import FormReader
from reward_service.api.http.forms import Most
from reward_service.api.http.problems import Problem
from reward_service.api.http.requests import blocks, in_one_piece, read_form
from reward_service.api.paraphrases.models import AskedQuestionForm, JobForm, JobOrderForm, RecipeForm
from reward_service.domain.paraphrases.rewriting import Question
from reward_service.paraphrasing.pair_files import PairFields, PairFileError, PairFileTooLargeError
from reward_service.paraphrasing.question_files import BLOCK_BYTES, HUB, FileQuestions, copy_below, question_file
from reward_service.settings import Settings
from reward_service.store.keys import digest
from reward_service.store.paraphrases import JobQuestion

FILE_MEDIA = ("application/x-ndjson", "application/jsonl", "application/vnd.apache.parquet", "application/octet-stream")
"""A body of one of these is the file itself; that it is parquet is seen by its first bytes."""

FORM_MEDIA = "multipart/form-data"

JSON_MEDIA = ("application/json", "application/x-www-form-urlencoded", "text/plain", "")
"""A body of one of these is JSON: that of curl, of a browser's `fetch`, and where none is said."""

_FORM_OVERHEAD_BYTES = 2**20
_MOST_ORDER_BYTES = 2**20
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def job_body() -> dict[str, Any]:
    """For OpenAPI: what `received` reads."""
    form: dict[str, Any] = {"file": {"type": "string", "format": "binary"}, "order": {"type": "string"}}
    multipart = {"schema": {"type": "object", "required": ["file"], "properties": form}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": in_one_piece(JobForm.model_json_schema())},
                FORM_MEDIA: multipart,
                **dict.fromkeys(FILE_MEDIA, _BINARY),
            },
        }
    }


class ListQuestions:
    """Questions that were sent as such."""

    def __init__(self, forms: Sequence[AskedQuestionForm]) -> None:
        """Refuses an id that comes twice.

        Raises:
            Problem: 422.
        """
        seen: dict[str, int] = {}
        for place, form in enumerate(forms):
            first = seen.setdefault(form.question_id, place)
            if first != place:
                raise Problem(
                    ProblemKind.SAME_ID,
                    f"questions[{first}] and questions[{place}] have the same id: their rollouts would vote together.",
                )
        self._items = [JobQuestion(Question(form.question_id, form.question, form.ground_truth)) for form in forms]
        self.of = len(forms)
        self.columns: dict[str, str] = {}

    def __iter__(self) -> Iterator[JobQuestion]:
        """In their order."""
        return iter(self._items)


class ReceivedJob(NamedTuple):
    """What a job is made of; its questions can be read as long as `received` lasts."""

    order: RecipeForm
    source: str
    fingerprint: str
    questions: ListQuestions | FileQuestions


@contextlib.asynccontextmanager
async def received(request: Request, settings: Settings, order: str | None) -> AsyncIterator[ReceivedJob]:
    """Reads a request for a job. A file goes to the disk as it comes, never whole into memory.

    `order` is what a body that is a file does not say: the fields of JobOrderForm as JSON.

    Raises:
        Problem: 400, 413, 415 or 422 for the caller's fault; 501, 502 or 507 where this service cannot read the source.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    with tempfile.TemporaryDirectory(prefix="cr-") as folder, _as_problems(folder):
        path = Path(folder) / "questions"
        if media in JSON_MEDIA:
            yield await _named(await _order_in_json(request, settings), path, settings)
        elif media == FORM_MEDIA:
            text = await _from_form(request, path, settings.max_paraphrase_bytes)
            yield await _from_file(path, await _order(request, text), "upload")
        elif media in FILE_MEDIA:
            await _from_body(request, path, settings.max_paraphrase_bytes)
            yield await _from_file(path, await _order(request, order), "upload")
        else:
            known = ", ".join(("application/json", FORM_MEDIA, *FILE_MEDIA))
            raise Problem(ProblemKind.UNKNOWN_MEDIA, f"the body's Content-Type is none of {known}.")


async def _order_in_json(request: Request, settings: Settings) -> JobForm:
    try:
        return await read_form(request, JobForm, _most_questions(settings))
    except Problem as problem:
        if problem.kind == "not-json":  # a file whose type was not said is read as JSON
            problem.detail += (
                " If it is a file of questions, say so: `content-type: application/jsonl` for JSON lines, "
                "`application/vnd.apache.parquet` for parquet."
            )
        raise


async def _named(form: JobForm, path: Path, settings: Settings) -> ReceivedJob:
    if form.questions is not None:
        return await asyncio.to_thread(_listed, form, form.questions)
    if form.path is not None:
        root = settings.paraphrase_root
        if root is None:
            raise Problem(
                ProblemKind.NO_PARAPHRASE_ROOT,
                "this service reads no files: start it with CO_REWARDING_PARAPHRASE_ROOT set.",
            )
        await asyncio.to_thread(copy_below, root, form.path, path, settings.max_paraphrase_bytes)
        return await _from_file(path, form, form.path)
    assert form.dataset is not None, "the form has one source"
    source = f"{HUB}{form.dataset}:{form.split}"
    await asyncio.to_thread(_from_hub, source, path, settings.max_paraphrase_bytes)
    return await _from_file(path, form, source)


def _listed(form: JobForm, questions: list[AskedQuestionForm]) -> ReceivedJob:
    """A job of questions that came in the body; in a thread, since there may be a hundred thousand."""
    listed = ListQuestions(questions)
    texts = (text for each in questions for text in (each.question_id, each.question, each.ground_truth or ""))
    return ReceivedJob(form, "questions", digest(form.model_dump_json(exclude={"questions"}), *texts), listed)


def _from_hub(source: str, path: Path, most_bytes: int) -> None:
    try:
        with question_file(source) as found:
            copy_below(found.parent, found.name, path, most_bytes)
    except PairFileTooLargeError:
        raise
    except PairFileError as cause:
        absent = isinstance(cause.__cause__, ModuleNotFoundError)
        raise Problem(ProblemKind.NO_DATASETS if absent else ProblemKind.HUB, f"{cause}.") from cause


async def _from_file(path: Path, order: JobOrderForm, source: str) -> ReceivedJob:
    columns = order.columns
    fields = PairFields(question_id=columns.question_id, question=columns.question, ground_truth=columns.ground_truth)
    questions = await asyncio.to_thread(FileQuestions, path, fields)
    sha256 = await asyncio.to_thread(_sha256, path)
    return ReceivedJob(order, source, digest(order.model_dump_json(), sha256), questions)


async def _from_body(request: Request, path: Path, most_bytes: int) -> None:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(ProblemKind.COMPRESSED, "compressed bodies are not read: send the file as it is.")
    size = 0
    with path.open("wb") as file:
        async for block in blocks(request):
            size += len(block)
            if size > most_bytes:
                raise _too_large(most_bytes)
            await asyncio.to_thread(file.write, block)


async def _from_form(request: Request, path: Path, most_bytes: int) -> str | None:
    """Writes the file of a form; the text of its field `order`, if it has one."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise Problem(ProblemKind.NO_LENGTH, "send Content-Length, or the file as the body itself.")
    if int(length) > most_bytes + _FORM_OVERHEAD_BYTES:
        raise _too_large(most_bytes)
    async with request.form(max_files=1, max_fields=1, max_part_size=_MOST_ORDER_BYTES) as form:
        file, order = form.get("file"), form.get("order")
        if not isinstance(file, UploadFile) or isinstance(order, UploadFile) or set(form) - {"file", "order"}:
            raise Problem(
                ProblemKind.INVALID, "the form has one part with a file, `file`, and may have a field `order`."
            )
        with path.open("wb") as target:
            while block := await file.read(BLOCK_BYTES):
                await asyncio.to_thread(target.write, block)
        return order


async def _order(request: Request, text: str | None) -> JobOrderForm:
    if not text:
        return JobOrderForm.model_validate({})
    reader: FormReader = request.app.state.services.reader
    try:
        return await reader.read(JobOrderForm, text.encode("utf-8", "surrogateescape"))
    except Problem as problem:
        problem.detail = f"order: {problem.detail}"
        raise


def _most_questions(settings: Settings) -> Most:
    advice = "make several jobs, or raise CO_REWARDING_MAX_PARAPHRASE_QUESTIONS"
    return Most(settings.max_paraphrase_questions, advice)


@contextlib.contextmanager
def _as_problems(folder: str) -> Iterator[None]:
    """What is wrong with a file, told without the folder that it lies in here."""
    try:
        yield
    except PairFileTooLargeError as cause:
        raise Problem(ProblemKind.TOO_LARGE, f"{cause}.") from cause
    except PairFileError as cause:
        raise Problem(ProblemKind.QUESTIONS, f"{cause}.".replace(f"{folder}/", "")) from cause
    except OSError as cause:
        if cause.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise Problem(ProblemKind.NO_ROOM, "the service's disk has no room for the file; try again later.") from cause


def _too_large(most_bytes: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem(
        ProblemKind.TOO_LARGE,
        f"the file has more than {most_bytes} bytes: make several jobs, or raise CO_REWARDING_MAX_PARAPHRASE_BYTES.",
        headers={"connection": "close"},
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
