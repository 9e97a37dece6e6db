"""Define the forms of rollouts, labels and rewards, for OpenAPI and for the reader that names faults."""

from typing import Annotated, Any, ClassVar

from co_rewarding_schema.forms import StructForm, WireForm
from co_rewarding_schema.rollouts import (
    CohortId,
    Evidence,
    Label,
    Pending,
    RewardRequest,
    Rewards,
    Rollout,
    Statistics,
    Ticket,
    Unlabelled,
)
from co_rewarding_schema.run_names import MAX_EVALUATED_RUN_CHARS
from co_rewarding_schema.trainer_formats import (
    LABEL_FIELDS,
    CohortLabel,
    OpenRLHFRequest,
    RemoteRMRequest,
    TruthLabel,
)
from co_rewarding_schema.waiting import Awaited
from pydantic import ConfigDict, Field


class EvidenceForm(WireForm, of=Evidence):
    """What the trainer knows of a rollout's answer."""


class StatisticsForm(WireForm, of=Statistics):
    """Numbers measured on a rollout by the trainer; the reward of the methods that bear their names."""


def _has(field: str) -> dict[str, Any]:
    return {"required": [field], "properties": {field: {"type": "string"}}}


class RolloutForm(WireForm, of=Rollout):
    """One response to one view of one question."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_has("question_id"), _has("prompt")]})


_WHOLE: dict[str, Any] = {"properties": {"complete": {"const": True}}}
_INDEXED: dict[str, Any] = {
    "properties": {
        "rollouts": {"items": {"required": ["rollout"], "properties": {"rollout": {"type": "integer"}}}},
    }
}


_OF_AN_EVALUATION: dict[str, Any] = {
    "required": ["run"],
    "properties": {"run": {"type": "string", "pattern": r"\.evaluation$"}},
}
_EVALUATED: dict[str, Any] = {
    "if": {"anyOf": [_OF_AN_EVALUATION, {"required": ["evaluate"], "properties": {"evaluate": {"const": True}}}]},
    "then": {
        "properties": {"method": {"type": "null"}},
        "anyOf": [_OF_AN_EVALUATION, {"properties": {"run": {"maxLength": MAX_EVALUATED_RUN_CHARS}}}],
    },
}


_BATCH: Any = {
    "run": "qwen3-8b-math",
    "step": 3,
    "rollouts": [
        {"question_id": "math/17", "view": view, "response": f"... so it is \\boxed{{{answer}}}"}
        for view, answers in (("original", ("4", "5")), ("paraphrase", ("4", "4.0")))
        for answer in answers
    ],
}


class RewardForm(WireForm, of=RewardRequest):
    """A batch of rollouts. Those of a part have an index each, or the request an Idempotency-Key."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_WHOLE, _INDEXED], **_EVALUATED, "examples": [_BATCH]})


class LabelDocument(StructForm, of=Label):
    """An elected label."""


class UnlabelledDocument(StructForm, of=Unlabelled):
    """A view without a label."""


class RewardDocument(StructForm, of=Rewards):
    """Rewards, abstentions and answers in the order of the rollouts."""


class AwaitedDocument(StructForm, of=Awaited):
    """One thing that rollouts wait for: ballots of a view, a worker, or something of the teacher."""


class ProgressDocument(StructForm, of=Pending):
    """How far a ticket's rollouts are."""


class AcceptedDocument(StructForm, of=Ticket):
    """A ticket for GET /v1/rewards/{ticket}."""


class LabelForm(WireForm, of=CohortLabel):
    """A label that names a cohort: such an object, or its text."""

    ground_truth: Annotated[
        str | float | None, Field(description="Compared with the label, never voted.", examples=["4"])
    ] = None


class TruthForm(WireForm, of=TruthLabel):
    """A label that is a ground truth: for one that begins with `{`, which as text would be taken for an object."""

    ground_truth: Annotated[str | float, Field(description="What the answer is compared with.", examples=["{1,2}"])]


LABEL = "An object that names the cohort, or its text; any other text, or a number, is a ground truth; empty: a vote."
LABEL_EXAMPLE = '{"question_id": "math/17", "view": "original", "n": 8}'
LabelText = Annotated[str, Field(json_schema_extra={"pattern": "^[^{]*$"})]
AnyLabel = LabelText | float | bool | LabelForm | TruthForm | None


class TrainerForm(StructForm):
    """A trainer's own request: what else it sends is passed over, but for names that stand for one of its fields."""

    model_config = ConfigDict(strict=True)
    of_label: ClassVar[frozenset[str]] = frozenset(LABEL_FIELDS)


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


_TWO_VIEWS: Any = {
    "query": ["What is 2 + 2? ... so \\boxed{4}", "Add two and two. ... it is \\boxed{4}"],
    "prompts": ["What is 2 + 2?", "Add two and two."],
    "labels": [f'{{"question_id": "math/18", "view": "{view}", "n": 1}}' for view in ("original", "paraphrase")],
}
_ONE_TRUTH: Any = {"prompt": "What is 2 + 2?", "response": "So it is \\boxed{4}.", "label": "4"}


class OpenRLHFForm(TrainerForm, of=OpenRLHFRequest):
    """OpenRLHF's request."""

    model_config = ConfigDict(json_schema_extra={**_NAMED_IN_LISTS, "examples": [_TWO_VIEWS]})

    labels: Annotated[list[AnyLabel] | AnyLabel, Field(description=LABEL, examples=[[LABEL_EXAMPLE]])] = None


class OpenRLHFDocument(StructForm):
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


class RemoteRMForm(TrainerForm, of=RemoteRMRequest):
    """slime's and miles' request."""

    model_config = ConfigDict(json_schema_extra={**_NAMED, "examples": [_ONE_TRUTH]})

    prompt: Annotated[
        Any,
        Field(
            description="Text or chat messages; rollouts of one prompt vote together where no label names their "
            "question.",
            examples=["What is 2 + 2?"],
        ),
    ] = None
    label: Annotated[AnyLabel, Field(description=LABEL, examples=[LABEL_EXAMPLE])] = None


class RemoteRMDocument(StructForm):
    """slime's and miles' answer."""

    reward: float = Field(description="0 for each rollout of a group that abstained.", examples=[1.0])
    abstained: float = Field(description="1 for a group that abstained.", examples=[0.0])
    vote_share: float = Field(description="Votes for the label among the ballots of its electorate.", examples=[0.75])
    undecided: float = Field(description="Pairs of answers that were not decided in time.", examples=[0.0])
    cohort: CohortId
    label_matches_truth: float | None = Field(
        None, description="Whether the label is the ground truth that was sent.", examples=[1.0]
    )
