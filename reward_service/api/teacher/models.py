"""The forms of the teacher's routes."""

from typing import Annotated, Any, Self

from co_rewarding_schema.vocabulary import View
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from reward_service.api.http.field_types import Count, RunName, WireForm
from reward_service.api.rewards.wire import MAX_ID_CHARS
from reward_service.domain.runs import DEFAULT_RUN

MAX_QUESTIONS = 65_536
MAX_MESSAGES = 256
MAX_PATH_CHARS = 1024
WORDINGS = ("prompt", "question", "messages")


class UpdateForm(WireForm):
    """New weights of the policy."""

    run: RunName = DEFAULT_RUN
    step: Count = Field(description="The step whose rollouts are sampled from these weights.")
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
    )


class UpdateDocument(BaseModel):
    """Weights that were taken into the queue of the average."""

    version: int = Field(description="What the teacher will be: the step.")
    alpha: float = Field(description="What it keeps of itself, steps that were skipped included.")


@dataclass(slots=True, config=WireForm.model_config)
class MessageForm:
    """One turn of a chat; a hundred thousand may come, and a model takes nine times as much memory."""

    role: Annotated[str, Field(min_length=1, max_length=64, examples=["user"])]
    content: str


def _only(field: str) -> dict[str, Any]:
    others = [name for name in WORDINGS if name != field]
    absent = {name: {"type": "null"} for name in others}
    return {"required": [field], "properties": {field: {"not": {"type": "null"}}, **absent}}


class QuestionForm(WireForm):
    """One view of a question that is coming: exactly one of prompt, question and messages."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_only("prompt"), _only("question"), _only("messages")]})

    question_id: str = Field(min_length=1, max_length=MAX_ID_CHARS)
    view: View = Field(View.ORIGINAL, strict=False)
    prompt: str | None = Field(None, min_length=1, description="The text as the policy reads it, template included.")
    question: str | None = Field(None, min_length=1, description="The bare question; the teacher's template is used.")
    messages: Annotated[list[MessageForm], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None

    @model_validator(mode="after")
    def _one_wording(self) -> Self:
        given = [name for name in WORDINGS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"send one of prompt, question and messages; this has {' and '.join(given) or 'none'}")
        return self


class PrefetchForm(WireForm):
    """Questions that are coming."""

    run: RunName = DEFAULT_RUN
    step: Count | None = None
    questions: list[QuestionForm] = Field(max_length=MAX_QUESTIONS)


class PrefetchDocument(BaseModel):
    """How many were taken."""

    accepted: int


class TeacherDocument(BaseModel):
    """Where a run's teacher stands."""

    run: str
    version: int = Field(description="The step of the newest weights in the average; 0 is the model it began with.")
    step: int = Field(description="The step of the newest weights that were announced.")
    alpha: float | None = Field(description="What the average kept of itself at its last update.")
    model: str | None
    ready: bool = Field(description="A teacher that serves this run was seen lately.")
    queue: int = Field(description="Labels that are asked for or being made.")
    waiting: int = Field(description="Requests that wait for labels.")
    waiting_for: str | None = Field(
        description="What the labels wait for: `update` (weights that were not announced yet), `average` (weights that "
        "are on their way into it), `teacher` (no teacher is there), `generation`; null when nothing waits."
    )
    refused: str | None = Field(description="Why announced weights could not be taken.")
    teachers: int = Field(description="Teacher processes that serve this run.")
