"""Define the requests and labels of trainers' own formats: OpenRLHF, slime and miles."""

from typing import Annotated

import msgspec
from msgspec import Meta

from co_rewarding_schema.limits import GroupSize, Index
from co_rewarding_schema.rollouts import AnsweredView, Attempt, Evidence, QuestionId, RunName, Step
from co_rewarding_schema.vocabulary import View


class CohortLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label that names a cohort: such an object, or its text."""

    question_id: QuestionId
    view: AnsweredView = View.ORIGINAL
    n: Annotated[GroupSize | None, Meta(description="How many rollouts of this view will come.", examples=[8])] = None
    run: RunName | None = None
    step: Step | None = None
    rollout: Annotated[Index | None, Meta(description="Place in its group, from 0.", examples=[0])] = None
    attempt: Attempt = 0
    ground_truth: Annotated[str | None, Meta(description="Compared with the label, never voted.", examples=["4"])] = (
        None
    )
    evaluate: Annotated[
        bool,
        Meta(description="Whether it is a rollout of an evaluation, apart from the run's training.", examples=[False]),
    ] = False
    evidence: Annotated[Evidence | None, Meta(description="Of the answer; for the methods that weigh ballots.")] = None


class TruthLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A label that is a ground truth: for one that begins with `{`, which as text would be taken for an object."""

    ground_truth: Annotated[str, Meta(description="What the answer is compared with.", examples=["{1,2}"])]
    run: RunName | None = None
    evaluate: Annotated[
        bool,
        Meta(description="Whether it is a rollout of an evaluation, apart from the run's training.", examples=[False]),
    ] = False


LABEL_FIELDS = tuple(CohortLabel.__struct_fields__)


class OpenRLHFRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /get_reward as OpenRLHF sends it: lists, of one element mostly."""

    query: Annotated[
        list[str] | str,
        Meta(
            description="Prompt and response, one after the other; a list, or one text.",
            examples=[["What is 2 + 2? So it is \\boxed{4}."]],
        ),
    ]
    prompts: Annotated[
        list[str | None] | str | None,
        Meta(description="The prompts of the queries: what follows them is read.", examples=[["What is 2 + 2?"]]),
    ] = None
    labels: msgspec.Raw = msgspec.Raw(b"null")


class RemoteRMRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/remote_rm as slime and miles send it. A prompt may be a list of chat messages."""

    response: Annotated[str, Meta(description="The response alone.", examples=["So it is \\boxed{4}."])]
    prompt: msgspec.Raw = msgspec.Raw(b"null")
    label: msgspec.Raw = msgspec.Raw(b"null")
