"""Runs, their cohorts, and problems, as OpenAPI shows them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reward_service.api.http.forms import (
    EndToken,
    WireForm,
    FormatName,
    GroupSize,
    Lag,
    MethodName,
    Positive,
    ResponseTokens,
)
from reward_service.api.rewards.models import NO_ANSWER, CohortId, LabelDocument, QuestionId
from reward_service.api.rewards.wire import MAX_ID_CHARS
from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.cohort import CohortState
from reward_service.domain.extraction import MAX_END_TOKENS, AnswerFormat
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS
from reward_service.domain.quarantine import Quarantine
from reward_service.domain.runs import MAX_DEADLINE_S, MAX_TEMPERATURE, RunSettings
from co_rewarding_schema.vocabulary import Abstention, View, Voter

DEFAULT = RunSettings()
STATES = f"One of {', '.join(CohortState)}."
_NO_QUARANTINE = {"properties": {"quarantine": {"enum": [Quarantine.OFF.value]}}}
_ACROSS_VIEWS = {"properties": {"method": {"enum": [row.name for row in METHODS.values() if row.apart is not None]}}}
_RUN_SCHEMA: dict[str, Any] = {"anyOf": [_NO_QUARANTINE, _ACROSS_VIEWS]}


class RunForm(WireForm):
    """A run's settings; the defaults are those of RunSettings."""

    model_config = ConfigDict(json_schema_extra=_RUN_SCHEMA)

    method: MethodName = Field(description="How rollouts are rewarded: docs/methods.md.", examples=[DEFAULT_METHOD])
    group_size: GroupSize = Field(
        DEFAULT.group_size, description="G, the policy's rollouts for each view of a question.", examples=[8]
    )
    teacher_group_size: GroupSize | None = Field(
        DEFAULT.teacher_group_size, description="The teacher's rollouts for each view; null: as many.", examples=[8]
    )
    total_steps: Positive = Field(
        DEFAULT.total_steps, description="Steps of the training, over which alpha goes up.", examples=[1000]
    )
    alpha_start: float = Field(
        DEFAULT.alpha_start, ge=0, le=1, description="What the teacher keeps of itself at first.", examples=[0.99]
    )
    alpha_end: float = Field(
        DEFAULT.alpha_end, ge=0, le=1, description="What it keeps of itself at the end.", examples=[0.9999]
    )
    cohort_deadline_s: float = Field(
        DEFAULT.cohort_deadline_s,
        ge=0.001,
        le=MAX_DEADLINE_S,
        description="How long a cohort waits for its last ballot, or its teacher, from its first, in seconds.",
        examples=[840.0],
    )
    min_votes: GroupSize = Field(
        DEFAULT.min_votes, description="Votes that a label needs; with less the group abstains.", examples=[2]
    )
    min_vote_share: float = Field(
        DEFAULT.min_vote_share,
        ge=0,
        le=1,
        description="The share of its electorate that a label needs; with less the group abstains.",
        examples=[0.25],
    )
    teacher_model: str | None = Field(
        DEFAULT.teacher_model,
        max_length=MAX_ID_CHARS,
        description="The model that the teacher begins with; null: any teacher's.",
        examples=["Qwen/Qwen3-8B-Base"],
    )
    max_teacher_lag: Lag = Field(
        DEFAULT.max_teacher_lag,
        description="Steps that the teacher's version may lie behind the rollouts that it labels.",
        examples=[1],
    )
    teacher_temperature: float = Field(
        DEFAULT.teacher_temperature, ge=0, le=MAX_TEMPERATURE, description="Of the teacher's responses.", examples=[1.0]
    )
    teacher_top_p: float = Field(
        DEFAULT.teacher_top_p, ge=0.001, le=1, description="Of the teacher's responses.", examples=[1.0]
    )
    teacher_max_tokens: ResponseTokens = Field(
        DEFAULT.teacher_max_tokens, description="Of a response of the teacher's.", examples=[3072]
    )
    answer_formats: tuple[FormatName, ...] = Field(
        tuple(map(AnswerFormat, DEFAULT.answer_formats)),
        strict=False,  # JSON has lists only
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The notations that answers are read in; the first that finds one decides.",
        examples=[["boxed", "final-answer"]],
    )
    end_tokens: tuple[EndToken, ...] = Field(
        DEFAULT.end_tokens,
        strict=False,
        max_length=MAX_END_TOKENS,
        description="What ends a response besides the known end-of-turn tokens: docs/answers.md.",
        examples=[["[|endofturn|]"]],
    )
    conventions: Conventions = Field(
        Conventions(DEFAULT.conventions),
        strict=False,
        description="How generously answers are compared: docs/answers.md.",
        examples=["lenient"],
    )
    quarantine: Quarantine = Field(
        Quarantine(DEFAULT.quarantine),
        strict=False,
        description="What becomes of a pair whose views keep disagreeing: docs/paraphrasing.md.",
        examples=["off"],
    )


class RunDocument(RunForm):
    """A run: its settings and what it has come to."""

    model_config = ConfigDict(extra="ignore")
    run: str = Field(description="Its name.", examples=["qwen3-8b-math"])
    revision: int = Field(
        description="Grows with every change of the settings; 0 for a run that was never made.", examples=[1]
    )
    state: dict[str, int] = Field(
        description="Cohorts settled, abstained and open; requests that wait for the teacher; jobs queued.",
        examples=[{"settled": 128, "abstained": 0, "open": 4}],
    )


class RunsDocument(BaseModel):
    """A page of the runs in use."""

    runs: list[RunDocument] = Field(description="By name.")
    cursor: str | None = Field(description="For the next page; null on the last.", examples=[None])


class BallotDocument(BaseModel):
    """A ballot, and what it earned."""

    view: View = Field(description="The wording that was answered.", examples=["original"])
    voter: Voter = Field(description="Who cast it.", examples=["policy"])
    rollout: int | None = Field(description="Index in its group; null for one that came without.", examples=[0])
    answer: str | None = Field(description=NO_ANSWER, examples=["4"])
    answer_class: str | None = Field(description="The key of its class of equal answers.", examples=["4"])
    counted: bool = Field(
        description="False for a ballot that came late or was replaced: rewarded, not voted.", examples=[True]
    )
    reward: float | None = Field(None, description="null where its group abstained.", examples=[1.0])
    abstention: Abstention | None = Field(None, description="Why the reward is null.", examples=[None])


class CohortSummaryDocument(BaseModel):
    """A cohort, without its ballots."""

    cohort: CohortId
    question_id: QuestionId
    step: int | None = Field(description="The training step; null where none was sent.", examples=[3])
    attempt: int = Field(description="The highest that came.", examples=[0])
    method: str = Field(description="The method that rewards it.", examples=[DEFAULT_METHOD])
    state: str = Field(description=STATES, examples=["settled"])
    views: list[View] = Field(description="Those that it has ballots of.", examples=[["original", "paraphrase"]])
    labels: list[LabelDocument] = Field(description="What was elected.")


class CohortDocument(BaseModel):
    """Why this reward."""

    cohort: CohortId
    run: str = Field(description="The training run.", examples=["qwen3-8b-math"])
    question_id: QuestionId
    step: int | None = Field(description="The training step; null where none was sent.", examples=[3])
    attempt: int = Field(description="The highest that came.", examples=[0])
    method: str = Field(description="The method that rewards it.", examples=[DEFAULT_METHOD])
    state: str = Field(description=STATES, examples=["settled"])
    labels: list[LabelDocument] = Field(description="What was elected.")
    classes: dict[str, int] = Field(
        description="Votes by class of equal answers, ballots of every view together.", examples=[{"4": 12, "5": 4}]
    )
    ballots: list[BallotDocument] = Field(description="The teacher's own come last: they vote and earn nothing.")


class CohortsDocument(BaseModel):
    """A page of a question's cohorts, the latest first."""

    cohorts: list[CohortSummaryDocument] = Field(description="Open and settled ones.")
    cursor: str | None = Field(
        description="For the next page, even where this one is short; null on the last.", examples=[None]
    )


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str = Field(description="What kind of problem, for programs.", examples=["urn:co-rewarding:problem:invalid"])
    title: str = Field(description="The phrase of the status.", examples=["Unprocessable Entity"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(
        description="What was wrong, where, and what to do.", examples=["rollouts[0].view: Input should be 'original'"]
    )
    errors: list[dict[str, str]] | None = Field(
        None,
        description="The first faults, where there are several.",
        examples=[[{"where": "rollouts[0].view", "what": "Input should be 'original'"}]],
    )
    retry_after_s: float | None = Field(None, description="When to come again, in seconds.", examples=[1.0])
