"""Route paraphrases: a few questions at once, and jobs."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from co_rewarding_schema.limits import MAX_KEY_CHARS
from co_rewarding_schema.paraphrases import Paraphrases
from co_rewarding_schema.problems import ProblemKind
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from reward_service.api.access.guard import admits, enter_run
from reward_service.api.http.problems import Problem
from reward_service.api.http.requests import json_body, read_form
from reward_service.api.paraphrases.bodies import job_body, received
from reward_service.api.paraphrases.job_builder import keyed_job
from reward_service.api.paraphrases.models import (
    JOB,
    JobAcceptedDocument,
    JobDocument,
    JobsDocument,
    ParaphrasesDocument,
    ParaphrasesForm,
)
from reward_service.api.paraphrases.rendering import JSON_LINES, PARQUET, job_document, json_lines, parquet
from reward_service.api.runs.routes import PROBLEM, services
from reward_service.domain.paraphrases.rewriting import JobEvent, JobState
from reward_service.store.paraphrases import JobStanding

router = APIRouter(tags=["paraphrases"], responses=dict.fromkeys((401, 403), PROBLEM))
JOBS_LISTED = 100

JobPath = Annotated[
    str, Path(pattern="^[a-z0-9]{1,64}$", description="As POST /v1/paraphrases/jobs named it.", examples=[JOB])
]
KeyHeader = Annotated[
    str | None, Header(min_length=1, max_length=MAX_KEY_CHARS, description="The same key and body are the same job.")
]


@router.post(
    "/v1/paraphrases",
    response_model=ParaphrasesDocument,
    responses=dict.fromkeys((400, 404, 413, 415, 422, 429, 503, 504), PROBLEM),
    summary="Rewrite a few questions",
    openapi_extra=json_body(ParaphrasesForm),
)
async def post_paraphrases(request: Request) -> Paraphrases:
    """Rewrites questions while the caller waits, before all jobs. Sent again, it is the same request: it goes on."""
    made = services(request)
    form = await read_form(request, ParaphrasesForm)
    enter_run(request, form.run)
    await made.run_cache.settings(form.run)
    return await made.paraphrase_intake.answer(form)


@router.post(
    "/v1/paraphrases/jobs",
    status_code=202,
    responses=dict.fromkeys((400, 404, 408, 409, 411, 413, 415, 422, 429, 501, 502, 503, 507), PROBLEM),
    summary="Rewrite many questions",
    openapi_extra=job_body(),
)
async def post_job(
    request: Request,
    idempotency_key: KeyHeader = None,
    order: Annotated[
        str | None, Query(description="With a file as the body: the recipe and the columns, as JSON.")
    ] = None,
) -> JobAcceptedDocument:
    """Makes a job of questions, of a file (JSON lines or parquet), or of a data set. When it answers, all is kept."""
    made = services(request)
    async with received(request, made.settings, order) as arrived:
        enter_run(request, arrived.order.run)
        await made.run_cache.settings(arrived.order.run)
        name = None if idempotency_key is None else keyed_job(arrived.order.run, idempotency_key)
        return JobAcceptedDocument(job=await made.paraphrase_intake.accept(arrived, name))


@router.get("/v1/paraphrases/jobs", responses={503: PROBLEM}, summary="The latest jobs")
async def get_jobs(request: Request) -> JobsDocument:
    """The latest jobs first; of the latest 100, those of the runs that the key is for."""
    jobs = services(request).paraphrases
    there = len(await jobs.paraphrasers())
    admitted = admits(request)
    latest = [each for each in await jobs.latest(JOBS_LISTED) if admitted is None or admitted(each.order.run)]
    return JobsDocument(jobs=[job_document(each, there) for each in latest])


@router.get("/v1/paraphrases/jobs/{job}", responses=dict.fromkeys((404, 422, 503), PROBLEM), summary="One job")
async def get_job(request: Request, job: JobPath) -> JobDocument:
    """What a job has come to."""
    return await _document(request, await _standing(request, job))


@router.get(
    "/v1/paraphrases/jobs/{job}/results",
    responses={
        200: {"content": {JSON_LINES: {"schema": {"type": "string"}}, PARQUET: {"schema": {"type": "string"}}}},
        **dict.fromkeys((404, 409, 422, 503), PROBLEM),
    },
    response_class=StreamingResponse,
    summary="What became of its questions",
)
async def get_results(
    request: Request,
    job: JobPath,
    format: Annotated[Literal["jsonl", "parquet"], Query(description="Everything, or the pairs.")] = "jsonl",  # noqa: A002
    partial: Annotated[bool, Query(description="What there is, of a job that is not done.")] = False,
) -> Response:
    """In the order of the questions. JSON lines have every question with all candidates; parquet, those with a pair."""
    standing = await _standing(request, job)
    if standing.state is not JobState.DONE and not partial:
        raise Problem(
            ProblemKind.NOT_DONE,
            f"{standing.done} of {standing.of} questions are done, and the job is {standing.state}: wait, or ask with "
            "partial=true for what there is.",
        )
    write, media = (parquet, PARQUET) if format == "parquet" else (json_lines, JSON_LINES)
    stream: AsyncIterator[bytes] = write(services(request).paraphrases, standing)
    name = f'attachment; filename="{job}.{format}"'
    return StreamingResponse(stream, media_type=media, headers={"content-disposition": name})


@router.post(
    "/v1/paraphrases/jobs/{job}/pause", responses=dict.fromkeys((404, 409, 422, 503), PROBLEM), summary="Pause a job"
)
async def pause_job(request: Request, job: JobPath) -> JobDocument:
    """No more questions are begun; those that are under way end."""
    return await _steered(request, job, JobEvent.PAUSE)


@router.post(
    "/v1/paraphrases/jobs/{job}/resume", responses=dict.fromkeys((404, 409, 422, 503), PROBLEM), summary="Resume a job"
)
async def resume_job(request: Request, job: JobPath) -> JobDocument:
    """Goes on where it was."""
    return await _steered(request, job, JobEvent.RESUME)


@router.post(
    "/v1/paraphrases/jobs/{job}/cancel", responses=dict.fromkeys((404, 409, 422, 503), PROBLEM), summary="Cancel a job"
)
async def cancel_job(request: Request, job: JobPath) -> JobDocument:
    """Ends it for good. What was done can still be read, with partial=true."""
    return await _steered(request, job, JobEvent.CANCEL)


@router.delete(
    "/v1/paraphrases/jobs/{job}",
    status_code=204,
    responses=dict.fromkeys((404, 422, 503), PROBLEM),
    summary="Remove a job",
)
async def remove_job(request: Request, job: JobPath) -> None:
    """Removes a job with its questions and outcomes, done or not."""
    await _standing(request, job)
    if not await services(request).paraphrases.forget(job):
        raise _unknown(job)


async def _standing(request: Request, job: str) -> JobStanding:
    standing = await services(request).paraphrases.look(job)
    if standing is None:
        raise _unknown(job)
    enter_run(request, standing.order.run)
    return standing


async def _steered(request: Request, job: str, event: JobEvent) -> JobDocument:
    await _standing(request, job)
    done, state = await services(request).paraphrases.steer(job, event)
    if state is None:
        raise _unknown(job)
    if not done:
        raise Problem(ProblemKind.JOB_ENDED, f"the job is {state}: nothing can be asked of it but its results.")
    return await _document(request, await _standing(request, job))


async def _document(request: Request, standing: JobStanding) -> JobDocument:
    return job_document(standing, len(await services(request).paraphrases.paraphrasers()))


def _unknown(job: str) -> Problem:
    return Problem(ProblemKind.UNKNOWN_JOB, f"there is no job {job}, or it is kept no longer.")
