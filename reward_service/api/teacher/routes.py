"""The teacher's routes: new weights, what it stands at, questions that are coming."""

import asyncio
from typing import Annotated

from co_rewarding_schema.errors import DomainError
from fastapi import APIRouter, Query, Request

from reward_service.api.http.body_streams import json_body, read_form
from reward_service.api.http.problems import Problem, no_such_run
from reward_service.api.rewards.teacher_labels import slot_of
from reward_service.api.runs.routes import PROBLEM, services
from reward_service.api.services import Services
from reward_service.api.teacher.models import (
    PrefetchDocument,
    PrefetchForm,
    QuestionForm,
    TeacherDocument,
    UpdateDocument,
    UpdateForm,
)
from reward_service.api.teacher.multipart import UPDATE_BODY, is_multipart, receive_multipart
from reward_service.api.teacher.upload_routes import uploads_of
from reward_service.domain.errors import OldStepError
from reward_service.domain.runs import DEFAULT_RUN, RUN_NAME_PATTERN
from reward_service.domain.teacher import needed_version, update_to
from reward_service.store.labels import Coming
from reward_service.store.records import VIEWS, TeacherPrompt
from reward_service.store.teachers import AnnouncedWeights, TeacherStanding
from reward_service.teaching.allowed_folders import IntakeError, remove_upload
from reward_service.teaching.weight_checks import check_weights

router = APIRouter(tags=["teacher"])
TRIES = 5


@router.post(
    "/v1/teacher/updates",
    status_code=202,
    responses=dict.fromkeys((400, 404, 408, 409, 411, 413, 415, 422, 429, 501, 503, 507), PROBLEM),
    summary="New weights of the policy",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": UpdateForm.model_json_schema()}, **UPDATE_BODY},
        }
    },
)
async def post_update(request: Request) -> UpdateDocument:
    """Queues weights for the average: those in a folder below the weights root, or those that come with the request.

    The same step again is one update, an older one is refused.
    """
    made = services(request)
    if is_multipart(request):
        arrived = await receive_multipart(request, uploads_of(made.settings))
        try:
            return await announce(made, arrived.run, AnnouncedWeights(arrived.step, arrived.path, arrived.sha256))
        except Problem:  # nobody else knows of them
            assert made.settings.weights_root is not None
            await asyncio.to_thread(remove_upload, made.settings.weights_root, arrived.path)
            raise
    form = await read_form(request, UpdateForm)
    return await announce(made, form.run, AnnouncedWeights(form.step, form.path, form.sha256))


@router.get("/v1/teacher", responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM}, summary="What the teacher stands at")
async def get_teacher(
    request: Request, run: Annotated[str, Query(pattern=RUN_NAME_PATTERN)] = DEFAULT_RUN
) -> TeacherDocument:
    """The version that votes, and what its labels wait for."""
    made = services(request)
    if await made.runs.look(run) is None:
        raise no_such_run(run)
    return _document(run, await made.teachers.standing(run))


@router.post(
    "/v1/teacher/prefetch",
    status_code=202,
    responses=dict.fromkeys((400, 404, 413, 415, 422, 503), PROBLEM),
    summary="Questions that are coming",
    openapi_extra=json_body(PrefetchForm),
)
async def post_prefetch(request: Request) -> PrefetchDocument:
    """Asks the teacher for labels before any rollout waits for them, and tells it how the questions are worded."""
    made = services(request)
    form = await read_form(request, PrefetchForm)
    settings = (await made.run_cache.settings(form.run)).settings
    longest = made.settings.max_text_chars
    for place, question in enumerate(form.questions):
        if _chars(question) > longest:
            raise Problem(413, "text-too-long", f"questions[{place}] has more than {longest} characters: cut it.")
    coming = [
        Coming(slot_of(each.question_id, each.view), each.question_id, VIEWS.index(each.view), _prompt(each))
        for each in form.questions
    ]
    if coming:
        await made.labels.prefetch(form.run, needed_version(form.step, settings), coming)
    return PrefetchDocument(accepted=len(coming))


async def announce(made: Services, run: str, weights: AnnouncedWeights) -> UpdateDocument:
    """Queues weights, once they were found to be there and to fit.

    Raises:
        Problem: 422 for weights that cannot be taken, 409 for a step that is older than the last.
    """
    settings = (await made.run_cache.settings(run)).settings
    if made.settings.weights_root is None:
        raise Problem(
            501,
            "no-weights-root",
            "this service takes no weights: start it with CO_REWARDING_WEIGHTS_ROOT, the folder that trainers "
            "publish below.",
        )
    for _ in range(TRIES):
        standing = await made.teachers.standing(run)
        if standing.accepted != weights.step:  # what is known already may be gone by now
            try:
                await asyncio.to_thread(check_weights, made.settings.weights_root, weights.path, standing.tensors)
            except IntakeError as cause:
                raise Problem(422, "weights", f"{cause}.") from cause
        try:
            update = update_to(weights.step, standing.accepted, settings)
        except OldStepError as cause:
            raise Problem(409, "old-step", f"{cause}: publish later ones only.") from cause
        except DomainError as cause:
            raise Problem(422, "invalid", f"step: {cause}.") from cause
        alpha = await made.teachers.announce(run, standing.accepted, update.alpha, weights)
        if alpha is not None:
            return UpdateDocument(version=weights.step, alpha=alpha)
    raise Problem(409, "run-changes", f"other weights of run {run!r} keep coming in; send the request again.")


def _document(run: str, standing: TeacherStanding) -> TeacherDocument:
    teachers = standing.teachers
    return TeacherDocument(
        run=run,
        version=standing.version,
        step=standing.accepted or 0,
        alpha=standing.alpha,
        model=teachers[0].model if teachers else None,
        ready=bool(teachers),
        queue=standing.queue,
        waiting=standing.waiting,
        waiting_for=_waiting_for(standing),
        refused=standing.refused,
        teachers=len(teachers),
    )


def _waiting_for(standing: TeacherStanding) -> str | None:
    if not standing.queue:
        return None
    if not standing.teachers:
        return "teacher"
    if all(each.waiting_for for each in standing.teachers):
        return "average" if standing.version < (standing.accepted or 0) else "update"
    return "generation"


def _prompt(question: QuestionForm) -> TeacherPrompt:
    messages = question.messages
    said = None if messages is None else [(message.role, message.content) for message in messages]
    return TeacherPrompt(question.prompt, question.question, said)


def _chars(question: QuestionForm) -> int:
    texts = [question.prompt, question.question, *(message.content for message in question.messages or ())]
    return sum(len(text) for text in texts if text is not None)
