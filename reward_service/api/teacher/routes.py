"""Route the teacher's calls: new weights, the state of the teacher, and questions that are announced."""

import asyncio
from typing import Annotated, Any, Self

from co_rewarding_schema.errors import DomainError
from co_rewarding_schema.forms import StructForm, WireForm
from co_rewarding_schema.limits import MAX_ID_CHARS, MAX_PATH_CHARS, Count
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_names import DEFAULT_RUN
from co_rewarding_schema.teaching import TeacherState, TeacherUpdate
from co_rewarding_schema.vocabulary import View
from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from reward_service.api.access.guard import check_owner, enter_run
from reward_service.api.http.problems import Problem, no_such_run
from reward_service.api.http.requests import json_body, read_form
from reward_service.api.rewards.teacher_labels import slot_of
from reward_service.api.runs.models import OwnRunName
from reward_service.api.runs.routes import PROBLEM, RunQuery, services
from reward_service.api.services import Services
from reward_service.domain.teacher import OldStepError, needed_version, update_to
from reward_service.store.label_records import TeacherPrompt
from reward_service.store.labels import Coming
from reward_service.store.records import VIEWS
from reward_service.store.teachers import AnnouncedWeights, TeacherStanding
from reward_service.teaching.intake import UPLOADS, IntakeError, check_weights

MAX_QUESTIONS = 65_536
MAX_MESSAGES = 256
WORDINGS = ("prompt", "question", "messages")


class UpdateForm(WireForm):
    """New weights of the policy."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"run": "qwen3-8b-math", "step": 12, "path": "qwen3-8b-math.step-12.0"}]}
    )

    run: OwnRunName = DEFAULT_RUN
    step: Count = Field(description="The step whose rollouts are sampled from these weights.", examples=[12])
    path: str = Field(
        min_length=1,
        max_length=MAX_PATH_CHARS,
        description="A folder of safetensors, from the weights root.",
        examples=["qwen3-8b-math.step-12.0"],
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="Of the contents of the *.safetensors files, one after the other in order of name.",
        examples=[None],
    )


class UpdateDocument(StructForm, of=TeacherUpdate):
    """Weights that were taken into the queue of the average."""


@dataclass(slots=True, config=WireForm.model_config)
class MessageForm:
    """One turn of a chat; a hundred thousand may come, and a model takes nine times as much memory."""

    role: Annotated[str, Field(min_length=1, max_length=64, description="The speaker.", examples=["user"])]
    content: Annotated[str, Field(description="What the speaker says.", examples=["What is 2 + 2?"])]


def _only(field: str) -> dict[str, Any]:
    others = [name for name in WORDINGS if name != field]
    absent = {name: {"type": "null"} for name in others}
    return {"required": [field], "properties": {field: {"not": {"type": "null"}}, **absent}}


class QuestionForm(WireForm):
    """One view of a question that is coming: exactly one of prompt, question and messages."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_only("prompt"), _only("question"), _only("messages")]})

    question_id: str = Field(
        min_length=1, max_length=MAX_ID_CHARS, description="As its rollouts name it.", examples=["math/17"]
    )
    view: View = Field(View.ORIGINAL, strict=False, description="The wording.", examples=["original"])
    prompt: str | None = Field(
        None,
        min_length=1,
        description="The text as the policy reads it, template included.",
        examples=["<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"],
    )
    question: str | None = Field(
        None,
        min_length=1,
        description="The bare question; the teacher's template is used.",
        examples=["What is 2 + 2?"],
    )
    messages: Annotated[list[MessageForm], Field(min_length=1, max_length=MAX_MESSAGES)] | None = Field(
        None, description="A chat; the teacher's template is used.", examples=[None]
    )

    @model_validator(mode="after")
    def _one_wording(self) -> Self:
        given = [name for name in WORDINGS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"send one of prompt, question and messages; this has {' and '.join(given) or 'none'}")
        return self


_COMING: Any = [
    {"question_id": "math/17", "view": "original", "question": "What is 2 + 2?"},
    {"question_id": "math/17", "view": "paraphrase", "question": "Add two and two."},
]


class PrefetchForm(WireForm):
    """Questions that are coming."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"run": "qwen3-8b-math", "questions": _COMING}]})

    run: OwnRunName = DEFAULT_RUN
    step: Count | None = Field(
        None, description="The step whose rollouts will need the labels; null: the newest weights.", examples=[13]
    )
    questions: list[QuestionForm] = Field(
        max_length=MAX_QUESTIONS, description="Each view of each question.", examples=[_COMING]
    )


class PrefetchDocument(StructForm):
    """How many were taken."""

    accepted: int = Field(description="Questions that the teacher may answer ahead.", examples=[2])


class TeacherDocument(StructForm, of=TeacherState):
    """Where a run's teacher stands."""


router = APIRouter(tags=["teacher"])
TRIES = 5


@router.post(
    "/v1/teacher/updates",
    status_code=202,
    response_model=UpdateDocument,
    responses=dict.fromkeys((400, 404, 408, 409, 413, 415, 422, 501, 503), PROBLEM),
    summary="New weights of the policy",
    openapi_extra=json_body(UpdateForm),
)
async def post_update(request: Request) -> TeacherUpdate:
    """Queue the weights of a folder below the weights root for the average.

    The same step again is one update, an older one is refused.
    """
    form = await read_form(request, UpdateForm)
    enter_run(request, form.run)
    check_owner(request, form.path.removeprefix(f"{UPLOADS}/"))
    return await _announce(services(request), form.run, AnnouncedWeights(form.step, form.path, form.sha256))


@router.get(
    "/v1/teacher",
    response_model=TeacherDocument,
    responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    summary="What the teacher stands at",
)
async def get_teacher(request: Request, run: RunQuery = DEFAULT_RUN) -> TeacherState:
    """Return the version that votes, and what its labels wait for."""
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
    """Ask the teacher for labels before any rollout waits for them, and tell it how the questions are worded."""
    made = services(request)
    form = await read_form(request, PrefetchForm)
    enter_run(request, form.run)
    settings = (await made.run_cache.settings(form.run)).settings
    longest = made.settings.max_text_chars
    for place, question in enumerate(form.questions):
        if _chars(question) > longest:
            raise Problem(ProblemKind.TEXT_TOO_LONG, f"questions[{place}] has more than {longest} characters: cut it.")
    coming = [
        Coming(slot_of(each.question_id, each.view), each.question_id, VIEWS.index(each.view), _prompt(each))
        for each in form.questions
    ]
    if coming:
        await made.labels.prefetch(form.run, needed_version(form.step, settings), coming)
    return PrefetchDocument(accepted=len(coming))


async def _announce(made: Services, run: str, weights: AnnouncedWeights) -> TeacherUpdate:
    """Queue weights, after a check that they exist and fit.

    Raises:
        Problem: 422 for weights that cannot be taken, 409 for a step that is older than the last.
    """
    settings = (await made.run_cache.settings(run)).settings
    if made.settings.weights_root is None:
        raise Problem(
            ProblemKind.NO_WEIGHTS_ROOT,
            "this service takes no weights: start it with CO_REWARDING_WEIGHTS_ROOT, the folder that trainers "
            "publish below.",
        )
    for _ in range(TRIES):
        standing = await made.teachers.standing(run)
        if standing.accepted != weights.step:  # what is known already may be gone by now
            try:
                await asyncio.to_thread(check_weights, made.settings.weights_root, weights.path, standing.tensors)
            except IntakeError as cause:
                raise Problem(ProblemKind.WEIGHTS, f"{cause}.") from cause
        try:
            update = update_to(weights.step, standing.accepted, settings)
        except OldStepError as cause:
            raise Problem(ProblemKind.OLD_STEP, f"{cause}: publish later ones only.") from cause
        except DomainError as cause:
            raise Problem(ProblemKind.INVALID, f"step: {cause}.") from cause
        alpha = await made.teachers.announce(run, standing.accepted, update.alpha, weights)
        if alpha is not None:
            return TeacherUpdate(version=weights.step, alpha=alpha)
    raise Problem(ProblemKind.RUN_CHANGES, f"other weights of run {run!r} keep coming in; send the request again.")


def _document(run: str, standing: TeacherStanding) -> TeacherState:
    teachers = standing.teachers
    return TeacherState(
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
