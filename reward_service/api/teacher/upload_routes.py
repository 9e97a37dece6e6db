"""Route resumable uploads of weights."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Request, Response
from pydantic import BaseModel, Field

from reward_service.api.http.forms import Count, Positive, RunName, WireForm
from reward_service.api.http.problems import MEDIA_TYPE, Problem
from reward_service.api.http.requests import blocks, check_octets, json_body, read_form
from reward_service.api.rewards.wire import MAX_COUNT
from reward_service.api.runs.models import ProblemDocument
from reward_service.background import Background
from reward_service.domain.runs import DEFAULT_RUN
from reward_service.settings import Settings
from reward_service.teaching.declarations import (
    FILE_NAME_PATTERN,
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
BYTES = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}

OFFSET: dict[str, Any] = {"headers": {"Upload-Offset": {"schema": {"type": "integer"}}}}


class FileForm(WireForm):
    """A file to come."""

    name: str = Field(pattern=FILE_NAME_PATTERN, examples=["model.safetensors"])
    size: Positive = Field(description="In bytes.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its contents, in hexadecimal.")


class UploadForm(WireForm):
    """The files in which the weights of a step lie."""

    run: RunName = DEFAULT_RUN
    step: Count
    files: list[FileForm] = Field(
        min_length=1,
        max_length=MAX_FILES,
        description="Each name once. Announced are only those with a *.safetensors among them.",
    )


class FileDocument(BaseModel):
    """A file, and how much of it is here."""

    name: str
    size: int
    received: int = Field(description="Bytes; Upload-Offset of the next PATCH.")


class UploadDocument(BaseModel):
    """An upload. Whole, it is announced by POST /v1/teacher/updates with its path."""

    upload: str
    run: str
    step: int
    files: list[FileDocument]
    expires_at: str = Field(description="When it is removed if nothing more comes.")
    path: str | None = Field(description="Below the weights root; null until every file is here.")


def uploads_of(settings: Settings) -> Uploads | None:
    """The uploads below the settings' weights root, if there is one."""
    if settings.weights_root is None:
        return None
    bounds = UploadLimits(settings.max_weights_bytes, settings.max_uploads_bytes, settings.upload_ttl_s)
    return Uploads(settings.weights_root, bounds)


def uploads_router(settings: Settings, background: Background) -> APIRouter:
    """The routes of uploads, and the background task that removes those that nobody finishes."""
    found = uploads_of(settings)

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
        responses={400: PROBLEM, 409: PROBLEM, 413: PROBLEM, 415: PROBLEM, 429: PROBLEM},
        summary="Begin or resume an upload",
        openapi_extra=json_body(UploadForm),
    )
    async def declare(request: Request) -> UploadDocument:
        """Begins an upload of weights; the same body again finds it, with what is here of it already."""
        uploads = configured(found)
        form = await read_form(request, UploadForm)
        with as_problems():
            files = tuple(DeclaredFile(file.name, file.size, file.sha256) for file in form.files)
            return _document(await asyncio.to_thread(uploads.declare, Declaration(form.run, form.step, files)))

    @router.get("/v1/teacher/uploads/{upload}", summary="One upload")
    async def state(upload: str) -> UploadDocument:
        """How much of each file is here, and the path of the whole."""
        with as_problems():
            return _document(await asyncio.to_thread(configured(found).state, upload))

    @router.delete("/v1/teacher/uploads/{upload}", status_code=204, summary="Remove an upload")
    async def remove(upload: str) -> None:
        """Removes an upload, whole or not."""
        with as_problems():
            await asyncio.to_thread(configured(found).remove, upload)

    @router.patch(
        "/v1/teacher/uploads/{upload}/{name}",
        status_code=204,
        responses={204: OFFSET, 400: PROBLEM, 408: PROBLEM, 409: PROBLEM, 413: PROBLEM, 415: PROBLEM},
        summary="Send bytes of a file",
        openapi_extra=BYTES,
    )
    async def append(
        request: Request,
        upload: str,
        name: str,
        upload_offset: Annotated[int, Header(ge=0, le=MAX_COUNT, description="How many bytes of the file are here.")],
    ) -> Response:
        """Appends the body to a file. Its last bytes are answered when its checksum is found right.

        At a wrong offset the answer is 409 with the right one in Upload-Offset. What a connection that is cut has
        brought is kept.
        """
        uploads = configured(found)
        check_octets(request)
        with as_problems():
            writer = await asyncio.to_thread(uploads.write, upload, name, upload_offset)
            try:
                async for block in blocks(request):
                    await asyncio.to_thread(writer.write, block)
                await asyncio.to_thread(uploads.check, upload, writer)
            finally:
                writer.close()
        return Response(status_code=204, headers={"upload-offset": str(writer.offset)})

    return router


def configured(uploads: Uploads | None) -> Uploads:
    """The uploads of this service.

    Raises:
        Problem: 501, it was started without a weights root.
    """
    if uploads is None:
        raise Problem(
            501, "no-weights-root", "this service takes no weights: start it with CO_REWARDING_WEIGHTS_ROOT set."
        )
    return uploads


@contextlib.contextmanager
def as_problems() -> Iterator[None]:
    """Answers what the intake refuses with problem documents."""
    try:
        yield
    except IntakeError as error:
        raise problem_of(error) from error


def problem_of(error: IntakeError) -> Problem:
    """The problem that a refusal is told as: 422 unless it has a status of its own."""
    detail = f"{error}."
    match error:
        case UnknownUploadError():
            return Problem(404, "unknown-upload", detail)
        case OffsetError(offset=offset):
            return Problem(409, "wrong-offset", detail, headers={"upload-offset": str(offset)})
        case SameNameError():
            return Problem(409, "same-name", detail)
        case UploadBusyError():
            return Problem(409, "upload-busy", detail, retry_after_s=1.0)
        case TooLargeError():  # the rest of the body is not read, so the connection cannot be used again
            return Problem(413, "too-large", detail, headers={"connection": "close"})
        case FullError():
            return Problem(429, "full", detail, retry_after_s=5.0)
        case NoRoomError():
            return Problem(507, "no-room", detail)
        case _:
            return Problem(422, "invalid", detail)


def _document(state: UploadState) -> UploadDocument:
    declared = state.declaration
    files = [
        FileDocument(name=file.name, size=file.size, received=received)
        for file, received in zip(declared.files, state.received_F, strict=True)
    ]
    expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.expires_at_s))
    return UploadDocument(
        upload=declared.id, run=declared.run, step=declared.step, files=files, expires_at=expires_at, path=state.path
    )
