"""The wire for people: OpenAPI's forms, by which `reading.py` says what was wrong with a request."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reward_service.api.wire import MAX_COUNT, MAX_ID_CHARS, MAX_ROLLOUT, LabelIdentity
from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.extraction import MAX_ANSWER_CHARS, MAX_END_TOKEN_CHARS, MAX_END_TOKENS, AnswerFormat
from reward_service.domain.methods import METHODS
from reward_service.domain.quarantine import Quarantine
from reward_service.domain.runs import (
    DEFAULT_RUN,
    MAX_DEADLINE_S,
    MAX_GROUP_SIZE,
    MAX_LAG,
    MAX_RESPONSE_TOKENS,
    MAX_TEMPERATURE,
    RUN_NAME_PATTERN,
)
from reward_service.domain.types import Abstention, View, Voter


def whole(value: object) -> object:
    """A number without a fraction is an integer, as in JSON Schema: some languages have no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0, le=MAX_COUNT), BeforeValidator(whole)]
Index = Annotated[int, Field(ge=0, le=MAX_ROLLOUT), BeforeValidator(whole)]
Positive = Annotated[int, Field(ge=1, le=MAX_COUNT), BeforeValidator(whole)]
GroupSize = Annotated[int, Field(ge=1, le=MAX_GROUP_SIZE), BeforeValidator(whole)]
Lag = Annotated[int, Field(ge=0, le=MAX_LAG), BeforeValidator(whole)]
ResponseTokens = Annotated[int, Field(ge=1, le=MAX_RESPONSE_TOKENS), BeforeValidator(whole)]
RunName = Annotated[str, Field(pattern=RUN_NAME_PATTERN, examples=["qwen3-8b-math"])]
MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]
"""Methods are checked against the table."""
FormatName = Annotated[AnswerFormat, Field(strict=False)]
EndToken = Annotated[str, Field(min_length=1, max_length=MAX_END_TOKEN_CHARS, pattern=r"\S")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NO_ANSWER = f"null where none of the run's answer_formats finds an answer of 1 to {MAX_ANSWER_CHARS} characters."


class Form(BaseModel):
    """A request's form: nothing is guessed, and a typo is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")


class StatisticsForm(Form):
    """Numbers measured on a rollout by the trainer; the reward of the methods that bear their names."""

    self_certainty: Finite | None = None
    entropy: Finite | None = None


def _has(field: str) -> dict[str, Any]:
    return {"required": [field], "properties": {field: {"type": "string"}}}


class RolloutForm(Form):
    """One response to one view of one question."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_has("question_id"), _has("prompt")]})

    question_id: str | None = Field(None, min_length=1, max_length=MAX_ID_CHARS, examples=["math/17"])
    prompt: str | None = Field(None, min_length=1, description="Stands in place of question_id.")
    view: View = Field(View.ORIGINAL, strict=False)
    rollout: Index | None = Field(None, description="Index within its group; by default the order of appearance.")
    attempt: Index = Field(0, description="Grows when a step is done again; a higher attempt replaces.")
    voter: Voter = Field(Voter.POLICY, strict=False)
    response: str = Field(examples=["... so the answer is \\boxed{4}"])
    ground_truth: str | None = Field(None, description="Compared, never voted.")
    statistics: StatisticsForm | None = None


class RewardForm(Form):
    """A batch of rollouts."""

    run: RunName = DEFAULT_RUN
    step: Count | None = None
    method: MethodName | None = Field(None, description="By default the run's method.")
    complete: bool = Field(True, description="The batch holds its groups whole and is settled at once.")
    wait_s: float = Field(30.0, ge=0, allow_inf_nan=False, description="How long to wait before a ticket is given.")
    rollouts: list[RolloutForm]


class LabelDocument(BaseModel):
    """An elected label."""

    question_id: str
    view: View
    answer: str
    votes: int
    of: int = Field(description="Ballots of the electorate, those without an answer included.")
    voter: str
    voted_on: list[View]
    cohort: str = Field(description="For GET /v1/cohorts/{id}.")
    matches_truth: bool | None = Field(None, description="There where a ground truth was sent.")
    teacher_version: int | None = Field(None, description="There where the teacher has voted.")


class RewardDocument(BaseModel):
    """Rewards, abstentions and answers in the order of the rollouts."""

    run: str
    step: int | None
    method: str
    rewards: list[float | None]
    abstentions: list[Abstention | None]
    answers: list[str | None] = Field(description=NO_ANSWER)
    labels: list[LabelDocument]
    metrics: dict[str, float | None] = Field(
        description="A mean over nothing is null: reward_mean where all abstained, vote_share_mean without a label."
    )


class ProgressDocument(BaseModel):
    """How far a ticket's rollouts are."""

    ticket: str
    settled: int
    of: int


class AcceptedDocument(BaseModel):
    """A ticket for GET /v1/rewards/{ticket}."""

    ticket: str
    expires_at: str


class LabelForm(Form):
    """A label that names a cohort: such an object, or its text."""

    question_id: str = Field(min_length=1, max_length=MAX_ID_CHARS, examples=["math/17"])
    view: View = Field(View.ORIGINAL, strict=False)
    n: GroupSize | None = Field(None, description="How many rollouts of this view will come.")
    run: RunName | None = None
    step: Count | None = None
    rollout: Index | None = None
    attempt: Index = 0
    ground_truth: str | float | None = None


class TruthForm(Form):
    """A label that is a ground truth: for one that begins with `{`, which as text would be taken for an object."""

    ground_truth: str | float
    run: RunName | None = None


LABEL = "An object that names the cohort, or its text; any other text, or a number, is a ground truth; empty: a vote."
LabelText = Annotated[str, Field(json_schema_extra={"pattern": "^[^{]*$"})]
AnyLabel = LabelText | float | bool | LabelForm | TruthForm | None


class TrainerForm(BaseModel):
    """A trainer's own request: what else it sends is passed over, but for names that stand for one of its fields."""

    model_config = ConfigDict(strict=True)
    of_label: ClassVar[frozenset[str]] = frozenset(LabelIdentity.__struct_fields__)


class OpenRLHFForm(TrainerForm):
    """OpenRLHF's request."""

    query: list[str] | str
    prompts: list[str | None] | str | None = None
    labels: list[AnyLabel] | AnyLabel = Field(
        None, description=LABEL, examples=[['{"question_id": "math/17", "view": "original", "n": 8}']]
    )


class OpenRLHFDocument(BaseModel):
    """OpenRLHF's answer: scalars for one rollout, lists for many."""

    rewards: float | list[float]
    scores: float | list[float]
    extra_logs: dict[str, float | list[float]]
    cohort: str | None = Field(None, description="For GET /v1/cohorts/{id}; of one rollout.")
    cohorts: list[str] | None = Field(None, description="The same for a list of rollouts.")


class RemoteRMForm(TrainerForm):
    """slime's and miles' request."""

    prompt: Any = None
    response: str
    label: AnyLabel = Field(None, description=LABEL)


class RemoteRMDocument(BaseModel):
    """slime's and miles' answer."""

    reward: float
    abstained: float
    vote_share: float
    undecided: float
    cohort: str = Field(description="For GET /v1/cohorts/{id}.")
    label_matches_truth: float | None = None


_NO_QUARANTINE = {"properties": {"quarantine": {"enum": [Quarantine.OFF.value]}}}
_ACROSS_VIEWS = {"properties": {"method": {"enum": [row.name for row in METHODS.values() if row.apart is not None]}}}
_RUN_SCHEMA: dict[str, Any] = {"anyOf": [_NO_QUARANTINE, _ACROSS_VIEWS]}


class RunForm(Form):
    """A run's settings."""

    model_config = ConfigDict(json_schema_extra=_RUN_SCHEMA)

    method: MethodName
    group_size: GroupSize = 8
    teacher_group_size: GroupSize | None = None
    total_steps: Positive = 1000
    alpha_start: float = Field(0.99, ge=0, le=1)
    alpha_end: float = Field(0.9999, ge=0, le=1)
    cohort_deadline_s: float = Field(840.0, ge=0.001, le=MAX_DEADLINE_S)
    min_votes: GroupSize = 1
    min_vote_share: float = Field(0.0, ge=0, le=1)
    teacher_model: str | None = Field(None, max_length=MAX_ID_CHARS)
    max_teacher_lag: Lag = Field(
        0, description="Steps that the teacher's version may lie behind the rollouts that it labels."
    )
    teacher_temperature: float = Field(1.0, ge=0, le=MAX_TEMPERATURE)
    teacher_top_p: float = Field(1.0, ge=0.001, le=1)
    teacher_max_tokens: ResponseTokens = 3072
    answer_formats: tuple[FormatName, ...] = Field(
        (AnswerFormat.BOXED,),
        strict=False,  # JSON has lists only
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The notations that answers are read in; the first that finds one decides.",
        examples=[["boxed", "final-answer"]],
    )
    end_tokens: tuple[EndToken, ...] = Field(
        (),
        strict=False,
        max_length=MAX_END_TOKENS,
        description="What ends a response besides the known end-of-turn tokens: docs/answers.md.",
        examples=[["[|endofturn|]"]],
    )
    conventions: Conventions = Field(
        Conventions.LENIENT, strict=False, description="How generously answers are compared: docs/answers.md."
    )
    quarantine: Quarantine = Field(
        Quarantine.OFF,
        strict=False,
        description="What becomes of a pair whose views keep disagreeing: docs/paraphrasing.md.",
    )


class RunDocument(RunForm):
    """A run: its settings and what it has come to."""

    model_config = ConfigDict(extra="ignore")
    run: str
    revision: int = Field(description="Grows with every change of the settings; 0 for a run that was never made.")
    state: dict[str, int] = Field(
        description="Cohorts settled, abstained and open; requests that wait for the teacher; jobs queued."
    )


class RunsDocument(BaseModel):
    """A page of the runs in use."""

    runs: list[RunDocument]
    cursor: str | None = Field(description="For the next page; null on the last.")


class BallotDocument(BaseModel):
    """A ballot, and what it earned."""

    view: View
    voter: Voter
    rollout: int | None
    answer: str | None = Field(description=NO_ANSWER)
    answer_class: str | None
    counted: bool = Field(description="False for a ballot that came late or was replaced: rewarded, not voted.")
    reward: float | None = None
    abstention: Abstention | None = None


class CohortDocument(BaseModel):
    """Why this reward."""

    cohort: str
    run: str
    question_id: str
    step: int | None
    attempt: int
    method: str
    state: str
    labels: list[LabelDocument]
    classes: dict[str, int] = Field(description="Votes by class of equal answers, ballots of every view together.")
    ballots: list[BallotDocument] = Field(description="The teacher's own come last: they vote and earn nothing.")


class CohortSummaryDocument(BaseModel):
    """A cohort, without its ballots."""

    cohort: str = Field(description="For GET /v1/cohorts/{id}.")
    question_id: str
    step: int | None
    attempt: int
    method: str
    state: str
    views: list[View] = Field(description="Those that it has ballots of.")
    labels: list[LabelDocument]


class CohortsDocument(BaseModel):
    """A page of a question's cohorts, the latest first."""

    cohorts: list[CohortSummaryDocument]
    cursor: str | None = Field(description="For the next page, even where this one is short; null on the last.")


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
    retry_after_s: float | None = None
