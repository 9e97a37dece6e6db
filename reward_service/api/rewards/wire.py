"""The wire as the hot routes read and write it: typed structures that are decoded in one pass.

`models.py` has the same forms for people: it writes the OpenAPI document and, when decoding fails here, the list of
what was wrong. A test holds the two together.
"""

from typing import Annotated

import msgspec
from co_rewarding_schema.vocabulary import View, Voter
from msgspec import Meta

from reward_service.domain.runs import DEFAULT_RUN

MAX_COUNT = 2**53 - 1
MAX_ROLLOUT = 2**31 - 1
MAX_ID_CHARS = 1024

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Index = Annotated[int, Meta(ge=0, le=MAX_ROLLOUT)]
Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]


class WireStatistics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers measured on a rollout by the trainer."""

    self_certainty: float | None = None
    entropy: float | None = None


class WireRollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rollout of a request."""

    response: str
    question_id: Identifier | None = None
    prompt: Annotated[str, Meta(min_length=1)] | None = None
    view: View = View.ORIGINAL
    rollout: Index | None = None
    attempt: Index = 0
    voter: Voter = Voter.POLICY
    ground_truth: str | int | float | None = None
    statistics: WireStatistics | None = None


class RewardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/rewards and /v1/rollouts."""

    rollouts: list[WireRollout]
    run: str = DEFAULT_RUN
    step: Count | None = None
    method: str | None = None
    complete: bool = True
    wait_s: Annotated[float, Meta(ge=0)] = 30.0


class WireLabel(msgspec.Struct, frozen=True, omit_defaults=True):
    """An elected label, in an answer.

    `matches_truth` is there where a ground truth was sent, `teacher_version` where the teacher has voted.
    """

    question_id: str
    view: View
    answer: str
    votes: int
    of: int
    voter: str
    voted_on: list[View]
    cohort: str
    matches_truth: bool | None = None
    teacher_version: int | None = None


class RewardAnswer(msgspec.Struct, frozen=True):
    """Rewards in the order of the rollouts. A mean over nothing is null among the metrics."""

    run: str
    step: int | None
    method: str
    rewards: list[float | None]
    abstentions: list[str | None]
    answers: list[str | None]
    labels: list[WireLabel]
    metrics: dict[str, float | None]


class Progress(msgspec.Struct, frozen=True):
    """202: how far a ticket's rollouts are."""

    ticket: str
    settled: int
    of: int


class Accepted(msgspec.Struct, frozen=True):
    """202: a ticket, and until when it can be asked for (RFC 3339)."""

    ticket: str
    expires_at: str


class LabelIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OpenRLHF's and slime's `label`, when it names a cohort."""

    question_id: Identifier
    view: View = View.ORIGINAL
    n: Annotated[int, Meta(ge=1, le=4096)] | None = None
    run: str | None = None
    step: Count | None = None
    rollout: Index | None = None
    attempt: Index = 0
    ground_truth: str | None = None


class GroundTruth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OpenRLHF's and slime's `label`, when it is what is true: the rollout is compared with it and nothing votes."""

    ground_truth: str
    run: str | None = None


class OpenRLHFRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /get_reward as OpenRLHF sends it: lists, of one element mostly. OpenRLHFForm says which others it takes."""

    query: list[str] | str
    prompts: list[str | None] | str | None = None
    labels: msgspec.Raw = msgspec.Raw(b"null")


class RemoteRMRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/remote_rm as slime and miles send it. A prompt may be a list of chat messages."""

    response: str
    prompt: msgspec.Raw = msgspec.Raw(b"null")
    label: msgspec.Raw = msgspec.Raw(b"null")
