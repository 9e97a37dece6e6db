"""Route resumable uploads of weights."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from co_rewarding_schema.forms import StructForm, WireForm
from co_rewarding_schema.limits import MAX_COUNT, WEIGHTS_FILE_PATTERN, Count, Positive
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_names import DEFAULT_RUN
from co_rewarding_schema.teaching import UPLOAD, Upload, UploadedFile
from fastapi import APIRouter, FastAPI, Header, Path, Request, Response
from pydantic import ConfigDict, Field

from reward_service.api.access.guard import enter_run
from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.api.http.requests import blocks, check_octets, json_body, read_form
from reward_service.api.runs.models import OwnRunName, ProblemDocument
from reward_service.background import Background
from reward_service.settings import Settings
from reward_service.teaching.declarations import (
    MAX_FILES,
    Declaration,
    DeclaredFile,
    FullError,
    NoRoomError,
    OffsetError,
    SameNameError,
    TooLargeError,
    UnknownUploadError,
    UploadBusyError,
    UploadState,
)
from reward_service.teaching.intake import IntakeError
from reward_service.teaching.uploads import UploadLimits, Uploads

SWEEP_EVERY_S = 600.0

PROBLEM: dict[str, Any] = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

UploadPath = Annotated[str, Path(description="As POST /v1/teacher/uploads named it.", examples=[UPLOAD])]
OFFSET: dict[str, Any] = {"headers": {"Upload-Offset": {"schema": {"type": "integer"}}}}


_FILE: Any = {
    "name": "model.safetensors",
    "size": 73,
    "sha256": "8fa8d1048abcf0b68beaa1c2178122814ca4a3826673040abe5ef3b7790defd4",
}
"""Of one tensor with one number, which is 0."""


class FileForm(WireForm):
    """A file to come."""

    name: str = Field(pattern=WEIGHTS_FILE_PATTERN, description="The name of the file.", examples=["model.safetensors"])
    size: Positive = Field(description="In bytes.", examples=[_FILE["size"]])
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Of its contents, in hexadecimal.", examples=[_FILE["sha256"]]
    )


class UploadForm(WireForm):
    """The files in which the weights of a step lie."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"run": "qwen3-8b-math", "step": 13, "files": [_FILE]}]})

    run: OwnRunName = DEFAULT_RUN
    step: Count = Field(description="The step whose rollouts are sampled from these weights.", examples=[13])
    files: list[FileForm] = Field(
        min_length=1,
        max_length=MAX_FILES,
        description="Each name once. Announced are only those with a *.safetensors among them.",
        examples=[[_FILE]],
    )


class FileDocument(StructForm, of=UploadedFile):
    """A file, and how much of it is here."""


class UploadDocument(StructForm, of=Upload):
    """An upload. Whole, it is announced by POST /v1/teacher/updates with its path."""


def uploads_router(settings: Settings, background: Background) -> APIRouter:
    """Make the routes of uploads, and the background task that removes those that nobody finishes."""
    limits = UploadLimits(settings.max_weights_bytes, settings.max_uploads_bytes, settings.upload_ttl_s)
    found = None if settings.weights_root is None else Uploads(settings.weights_root, limits)

    @contextlib.asynccontextmanager
    async def sweeping(_: FastAPI) -> AsyncIterator[None]:
        if found is not None:
            sweep = partial(asyncio.to_thread, found.sweep)
            background.keep("sweeps", sweep, every_s=SWEEP_EVERY_S, expected=(IntakeError, OSError))
        yield

    refusals = (401, 403, 404, 422, 501, 507)
    router = APIRouter(tags=["teacher"], lifespan=sweeping, responses=dict.fromkeys(refusals, PROBLEM))

    @router.post(
        "/v1/teacher/uploads",
        status_code=201,
        response_model=UploadDocument,
        responses={400: PROBLEM, 409: PROBLEM, 413: PROBLEM, 415: PROBLEM, 429: PROBLEM},
        summary="Begin or resume an upload",
        openapi_extra=json_body(UploadForm),
    )
    async def declare(request: Request) -> Upload:
        """Begins an upload of weights; the same body again finds it, with what is here of it already."""
        uploads = _configured(found)
        form = await read_form(request, UploadForm)
        enter_run(request, form.run)
        with _as_problems():
            files = tuple(DeclaredFile(file.name, file.size, file.sha256) for file in form.files)
            return _document(await asyncio.to_thread(uploads.declare, Declaration(form.run, form.step, files)))

    @router.get("/v1/teacher/uploads/{upload}", response_model=UploadDocument, summary="One upload")
    async def state(request: Request, upload: UploadPath) -> Upload:
        """How much of each file is here, and the path of the whole."""
        return _document(await _entered(request, _configured(found), upload))

    @router.delete("/v1/teacher/uploads/{upload}", status_code=204, summary="Remove an upload")
    async def remove(request: Request, upload: UploadPath) -> None:
        """Removes an upload, whole or not."""
        await _entered(request, _configured(found), upload)
        with _as_problems():
            await asyncio.to_thread(_configured(found).remove, upload)

    @router.patch(
        "/v1/teacher/uploads/{upload}/{name}",
        status_code=204,
        responses={204: OFFSET, 400: PROBLEM, 408: PROBLEM, 409: PROBLEM, 413: PROBLEM, 415: PROBLEM},
        summary="Send bytes of a file",
        openapi_extra=BYTES,
    )
    async def append(
        request: Request,
        upload: UploadPath,
        name: Annotated[str, Path(description="The name of the file.", examples=[_FILE["name"]])],
        upload_offset: Annotated[int, Header(ge=0, le=MAX_COUNT, description="How many bytes of the file are here.")],
    ) -> Response:
        """Appends the body to a file. Its last bytes are answered when its checksum is found right.

        At a wrong offset the answer is 409 with the right one in Upload-Offset. What a connection that is cut has
        brought is kept.
        """
        uploads = _configured(found)
        check_octets(request)
        await _entered(request, uploads, upload)
        with _as_problems():
            writer = await asyncio.to_thread(uploads.write, upload, name, upload_offset)
            try:
                async for block in blocks(request):
                    await asyncio.to_thread(writer.write, block)
                await asyncio.to_thread(uploads.check, upload, writer)
            finally:
                writer.close()
        return Response(status_code=204, headers={"upload-offset": str(writer.offset)})

    return router


async def _entered(request: Request, uploads: Uploads, upload: str) -> UploadState:
    """Return an upload, into whose run the caller may go.

    Raises:
        Problem: 403 for another's run, 404 for no upload.
    """
    with _as_problems():
        state = await asyncio.to_thread(uploads.state, upload)
    enter_run(request, state.declaration.run)
    return state


def _configured(uploads: Uploads | None) -> Uploads:
    """Return the uploads of this service.

    Raises:
        Problem: 501, it was started without a weights root.
    """
    if uploads is None:
        raise Problem(
            ProblemKind.NO_WEIGHTS_ROOT, "this service takes no weights: start it with CO_REWARDING_WEIGHTS_ROOT set."
        )
    return uploads


@contextlib.contextmanager
def _as_problems() -> Iterator[None]:
    """Answer what the intake refuses with problem documents."""
    try:
        yield
    except IntakeError as error:
        raise _problem_of(error) from error


def _problem_of(error: IntakeError) -> Problem:
    """Return the problem that a refusal is told as: 422 unless it has a status of its own."""
    detail = f"{error}."
    match error:
        case UnknownUploadError():
            return Problem(ProblemKind.UNKNOWN_UPLOAD, detail)
        case OffsetError(offset=offset):
            return Problem(ProblemKind.WRONG_OFFSET, detail, headers={"upload-offset": str(offset)})
        case SameNameError():
            return Problem(ProblemKind.SAME_NAME, detail)
        case UploadBusyError():
            return Problem(ProblemKind.UPLOAD_BUSY, detail, retry_after_s=1.0)
        case TooLargeError():  # the rest of the body is not read, so the connection cannot be used again
            return Problem(ProblemKind.TOO_LARGE, detail, headers={"connection": "close"})
        case FullError():
            return Problem(ProblemKind.FULL, detail, retry_after_s=5.0)
        case NoRoomError():
            return Problem(ProblemKind.NO_ROOM, detail)
        case _:
            return Problem(ProblemKind.INVALID, detail)


def _document(state: UploadState) -> Upload:
    declared = state.declaration
    files = [
        UploadedFile(name=file.name, size=file.size, received=received)
        for file, received in zip(declared.files, state.received_F, strict=True)
    ]
    expires_at = datetime.fromtimestamp(int(state.expires_at_s), UTC)
    return Upload(
        upload=declared.id, run=declared.run, step=declared.step, files=files, expires_at=expires_at, path=state.path
    )
