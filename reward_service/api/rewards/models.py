"""Rollouts, labels and rewards as OpenAPI shows them, and as `reading.py` says what was wrong with a request."""

from typing import Annotated, Any, ClassVar

from co_rewarding_schema.methods import BY_GROUND_TRUTH, DEFAULT_METHOD
from co_rewarding_schema.vocabulary import Abstention, View, Voter
from pydantic import BaseModel, ConfigDict, Field

from reward_service.api.http.forms import Count, Finite, GroupSize, Index, MethodName, RunName, WireForm
from reward_service.api.rewards.wire import MAX_ID_CHARS, LabelIdentity
from reward_service.domain.extraction import MAX_ANSWER_CHARS
from reward_service.domain.runs import DEFAULT_RUN

NO_ANSWER = f"null where none of the run's answer_formats finds an answer of 1 to {MAX_ANSWER_CHARS} characters."

QuestionId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="Names the question, in every view of it.",
        examples=["math/17"],
    ),
]
OfView = Annotated[View, Field(strict=False, description="The wording that was answered.", examples=["original"])]
Run = Annotated[RunName, Field(description="The training run; its settings are those of PUT /v1/runs/{run}.")]
Step = Annotated[Count, Field(description="The training step; cohorts of different steps are apart.", examples=[3])]
RolloutIndex = Annotated[Index, Field(description="Place in its group, from 0.", examples=[0])]
Attempt = Annotated[
    Index, Field(description="Grows when a step is done again; a higher attempt replaces a lower one.", examples=[0])
]
CohortId = Annotated[
    str, Field(description="For GET /v1/cohorts/{id}.", examples=["default~5f1c0a2b9d3e4f60718293a4.0"])
]
Ticket = Annotated[
    str, Field(description="For GET /v1/rewards/{ticket}.", examples=["default~b5d4045c3f466fa91fe2cc6a"])
]


class StatisticsForm(WireForm):
    """Numbers measured on a rollout by the trainer; the reward of the methods that bear their names."""

    self_certainty: (
        Annotated[Finite, Field(description="Mean divergence of the next token from uniform.", examples=[12.3])] | None
    ) = None
    entropy: Annotated[Finite, Field(description="Mean entropy of the next token, in nats.", examples=[0.4])] | None = (
        None
    )


def _has(field: str) -> dict[str, Any]:
    return {"required": [field], "properties": {field: {"type": "string"}}}


class RolloutForm(WireForm):
    """One response to one view of one question."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_has("question_id"), _has("prompt")]})

    question_id: QuestionId | None = None
    prompt: str | None = Field(
        None,
        min_length=1,
        description="Names the question where question_id does not; a teacher answers it.",
        examples=["What is 2 + 2?"],
    )
    view: OfView = View.ORIGINAL
    rollout: Index | None = Field(
        None, description="Index within its group; by default the order of appearance.", examples=[0]
    )
    attempt: Attempt = 0
    voter: Voter = Field(
        Voter.POLICY, strict=False, description="Whose response it is, in a whole batch.", examples=["policy"]
    )
    response: str = Field(
        description="The response alone, without the prompt.", examples=["... so the answer is \\boxed{4}"]
    )
    ground_truth: str | int | Finite | None = Field(
        None, description=f"Compared with the label, never voted; the reward of `{BY_GROUND_TRUTH}`.", examples=["4"]
    )
    statistics: StatisticsForm | None = Field(None, description="Of the rollout; for the methods that need them.")


_WHOLE: dict[str, Any] = {"properties": {"complete": {"const": True}}}
_INDEXED: dict[str, Any] = {
    "properties": {
        "rollouts": {"items": {"required": ["rollout"], "properties": {"rollout": {"type": "integer"}}}},
    }
}


class RewardForm(WireForm):
    """A batch of rollouts. Those of a part have an index each, or the request an Idempotency-Key."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_WHOLE, _INDEXED]})

    run: Run = DEFAULT_RUN
    step: Step | None = None
    method: MethodName | None = Field(None, description="By default the run's method.", examples=[DEFAULT_METHOD])
    complete: bool = Field(
        True,
        description="Whether the batch holds its groups whole and is settled at once; else it is a part of them.",
        examples=[True],
    )
    wait_s: float = Field(
        30.0,
        ge=0,
        allow_inf_nan=False,
        description="How long to wait before a ticket is given, in seconds.",
        examples=[30.0],
    )
    rollouts: list[RolloutForm] = Field(
        description="In any order; rewards come in the same.",
        examples=[[{"question_id": "math/17", "view": "original", "response": "... \\boxed{4}"}]],
    )


class LabelDocument(BaseModel):
    """An elected label."""

    question_id: QuestionId
    view: OfView
    answer: str = Field(description="What was elected, as a rollout wrote it.", examples=["4"])
    votes: int = Field(description="Ballots for the label.", examples=[6])
    of: int = Field(description="Ballots of the electorate, those without an answer included.", examples=[8])
    voter: str = Field(description=f"Who elected it: {', '.join((*Voter, BY_GROUND_TRUTH))}.", examples=["policy"])
    voted_on: list[View] = Field(description="The views whose ballots elected it.", examples=[["paraphrase"]])
    cohort: CohortId
    matches_truth: bool | None = Field(None, description="There where a ground truth was sent.", examples=[True])
    teacher_version: int | None = Field(None, description="There where the teacher has voted.", examples=[12])


class RewardDocument(BaseModel):
    """Rewards, abstentions and answers in the order of the rollouts."""

    run: Run
    step: Step | None
    method: str = Field(description="The method that rewarded.", examples=[DEFAULT_METHOD])
    rewards: list[float | None] = Field(
        description="One for each rollout; null for a group that abstained, which is to be left out of the loss.",
        examples=[[1.0, 0.0, None]],
    )
    abstentions: list[Abstention | None] = Field(
        description="Why a reward is null; null where there is one.", examples=[[None, None, "no-label"]]
    )
    answers: list[str | None] = Field(description=NO_ANSWER, examples=[["4", "5", None]])
    labels: list[LabelDocument] = Field(description="One for each question and view that elected one.")
    metrics: dict[str, float | None] = Field(
        description="A mean over nothing is null: reward_mean where all abstained, vote_share_mean without a label.",
        examples=[{"reward_mean": 0.5, "vote_share_mean": 0.75}],
    )


class ProgressDocument(BaseModel):
    """How far a ticket's rollouts are."""

    ticket: Ticket
    settled: int = Field(description="Rollouts whose rewards are known.", examples=[8])
    of: int = Field(description="Rollouts of the request.", examples=[16])


class AcceptedDocument(BaseModel):
    """A ticket for GET /v1/rewards/{ticket}."""

    ticket: Ticket
    expires_at: str = Field(description="Until when it can be asked for (RFC 3339).", examples=["2026-01-02T03:04:05Z"])


class LabelForm(WireForm):
    """A label that names a cohort: such an object, or its text."""

    question_id: QuestionId
    view: OfView = View.ORIGINAL
    n: GroupSize | None = Field(None, description="How many rollouts of this view will come.", examples=[8])
    run: Run | None = None
    step: Step | None = None
    rollout: RolloutIndex | None = None
    attempt: Attempt = 0
    ground_truth: str | float | None = Field(None, description="Compared with the label, never voted.", examples=["4"])


class TruthForm(WireForm):
    """A label that is a ground truth: for one that begins with `{`, which as text would be taken for an object."""

    ground_truth: str | float = Field(description="What the answer is compared with.", examples=["{1,2}"])
    run: Run | None = None


LABEL = "An object that names the cohort, or its text; any other text, or a number, is a ground truth; empty: a vote."
LABEL_EXAMPLE = '{"question_id": "math/17", "view": "original", "n": 8}'
LabelText = Annotated[str, Field(json_schema_extra={"pattern": "^[^{]*$"})]
AnyLabel = LabelText | float | bool | LabelForm | TruthForm | None


class TrainerForm(BaseModel):
    """A trainer's own request: what else it sends is passed over, but for names that stand for one of its fields."""

    model_config = ConfigDict(strict=True)
    of_label: ClassVar[frozenset[str]] = frozenset(LabelIdentity.__struct_fields__)


_SOMETHING = {"type": "string", "pattern": r"^[^{]*[^{\s][^{]*$"}
_LABELLED: dict[str, Any] = {"anyOf": [_SOMETHING, {"type": ["number", "boolean", "object"]}]}
_WORDED: dict[str, Any] = {"type": "string", "minLength": 1}


def _of_each(value: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [value, {"type": "array", "items": value}]}


def _where(field: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"required": [field], "properties": {field: value}}


_NAMED_IN_LISTS: dict[str, Any] = {
    "anyOf": [
        _where("prompts", _of_each(_WORDED)),
        _where("labels", _of_each(_LABELLED)),
        {"properties": {"query": {"type": "array", "maxItems": 0}}},
    ]
}
_NAMED: dict[str, Any] = {
    "anyOf": [_where("prompt", {"not": {"enum": [None, ""]}}), _where("label", _LABELLED)],
}
"""Something must say whom a rollout votes with."""


class OpenRLHFForm(TrainerForm):
    """OpenRLHF's request."""

    model_config = ConfigDict(json_schema_extra=_NAMED_IN_LISTS)

    query: list[str] | str = Field(
        description="Prompt and response, one after the other; a list, or one text.",
        examples=[["What is 2 + 2? So it is \\boxed{4}."]],
    )
    prompts: list[str | None] | str | None = Field(
        None, description="The prompts of the queries: what follows them is read.", examples=[["What is 2 + 2?"]]
    )
    labels: list[AnyLabel] | AnyLabel = Field(None, description=LABEL, examples=[[LABEL_EXAMPLE]])


class OpenRLHFDocument(BaseModel):
    """OpenRLHF's answer: scalars for one rollout, lists for many."""

    rewards: float | list[float] = Field(
        description="0 for each rollout of a group that abstained.", examples=[[1.0, 0.0]]
    )
    scores: float | list[float] = Field(description="The rewards once more.", examples=[[1.0, 0.0]])
    extra_logs: dict[str, float | list[float]] = Field(
        description="abstained, vote_share, undecided, prompt_not_found; label_matches_truth where a truth was sent.",
        examples=[{"vote_share": [0.75, 0.75], "abstained": [0.0, 0.0]}],
    )
    cohort: CohortId | None = None
    cohorts: list[str] | None = Field(
        None,
        description="The same for a list of rollouts.",
        examples=[["default~5f1c0a2b9d3e4f60718293a4.0", "default~5f1c0a2b9d3e4f60718293a4.0"]],
    )


class RemoteRMForm(TrainerForm):
    """slime's and miles' request."""

    model_config = ConfigDict(json_schema_extra=_NAMED)

    prompt: Any = Field(
        None,
        description="Text or chat messages; rollouts of one prompt vote together where no label names their question.",
        examples=["What is 2 + 2?"],
    )
    response: str = Field(description="The response alone.", examples=["So it is \\boxed{4}."])
    label: AnyLabel = Field(None, description=LABEL, examples=[LABEL_EXAMPLE])


class RemoteRMDocument(BaseModel):
    """slime's and miles' answer."""

    reward: float = Field(description="0 for each rollout of a group that abstained.", examples=[1.0])
    abstained: float = Field(description="1 for a group that abstained.", examples=[0.0])
    vote_share: float = Field(description="Votes for the label among the ballots of its electorate.", examples=[0.75])
    undecided: float = Field(description="Pairs of answers that were not decided in time.", examples=[0.0])
    cohort: CohortId
    label_matches_truth: float | None = Field(
        None, description="Whether the label is the ground truth that was sent.", examples=[1.0]
    )
