"""Define rollouts and requests for rewards, and the rewards, labels and tickets that answer them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from co_rewarding_schema.limits import MAX_ANSWER_CHARS, Count, Identifier, Index, Share
from co_rewarding_schema.methods import BY_GROUND_TRUTH, DEFAULT_METHOD, METHODS, WITHIN_A_VIEW
from co_rewarding_schema.run_names import DEFAULT_RUN, RUN_NAME_PATTERN
from co_rewarding_schema.vocabulary import Abstention, View, ViewText, Voter, VoterText
from co_rewarding_schema.waiting import Awaited

QuestionId = Annotated[
    Identifier, Meta(description="Names the question, in every view of the question.", examples=["math/17"])
]
AnsweredView = Annotated[ViewText, Meta(description="The wording that was answered.", examples=["original"])]
RunName = Annotated[
    str,
    Meta(
        description="The training run; its settings are those of PUT /v1/runs/{run}.",
        examples=["qwen3-8b-math"],
        extra_json_schema={"pattern": RUN_NAME_PATTERN},  # `check_run_name` checks, with a message that tells more
    ),
]
Step = Annotated[Count, Meta(description="The training step; cohorts of different steps are apart.", examples=[3])]
Attempt = Annotated[
    Index, Meta(description="Grows when a step is done again; a higher attempt replaces a lower one.", examples=[0])
]
CohortId = Annotated[
    str, Meta(description="For GET /v1/cohorts/{id}.", examples=["default~5f1c0a2b9d3e4f60718293a4.0"])
]
TicketId = Annotated[
    str, Meta(description="For GET /v1/rewards/{ticket}.", examples=["default~b5d4045c3f466fa91fe2cc6a"])
]

ViewWord = Annotated[str, Meta(extra_json_schema={"enum": [*View]})]
AbstentionWord = Annotated[str, Meta(extra_json_schema={"enum": [*Abstention]})]
"""Words of an answer are plain text: a client reads the answers of a later release too."""

NO_ANSWER = f"null where none of the run's answer_formats finds an answer of 1 to {MAX_ANSWER_CHARS} characters."


class Statistics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers that the trainer measured on a rollout.

    `self_certainty` and `entropy` are the rewards of the methods that bear their names: in nats, averaged over the
    response's tokens. `length` is told of in the run's series, and rewards nothing.
    """

    self_certainty: Annotated[
        float | None, Meta(description="Mean divergence of the next token from uniform.", examples=[12.3])
    ] = None
    entropy: Annotated[float | None, Meta(description="Mean entropy of the next token, in nats.", examples=[0.4])] = (
        None
    )
    length: Annotated[Index | None, Meta(description="Tokens of the response.", examples=[512])] = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the trainer knows of a rollout's answer, for the methods that weigh ballots by it."""

    verified: Annotated[
        bool | None, Meta(description="Whether a tool, such as a program, came to the same answer.", examples=[True])
    ] = None
    confidence: Annotated[
        Share | None, Meta(description="How sure the policy is of the answer, from 0 to 1.", examples=[0.8])
    ] = None


# No cycle can pass through a rollout, so the collector of garbage need not know of it.
class Rollout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One response to one view of one question.

    The question is known by its `question_id` within the run or, without one, by the text of its `prompt`. Where a
    teacher votes, both are given: the teacher answers the prompt. `rollout` is the index in the group of the question
    and view. In a batch of whole groups the index may be left out: the order of appearance stands for it. A rollout of
    a part that has no index is known by its request's Idempotency-Key, and votes once.
    """

    question_id: QuestionId | None = None
    prompt: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="Names the question where question_id does not; a teacher answers it.",
            examples=["What is 2 + 2?"],
        ),
    ] = None
    view: AnsweredView = View.ORIGINAL
    rollout: Annotated[
        Index | None, Meta(description="Index within its group; by default the order of appearance.", examples=[0])
    ] = None
    attempt: Attempt = 0
    voter: Annotated[VoterText, Meta(description="Whose response it is, in a whole batch.", examples=["policy"])] = (
        Voter.POLICY
    )
    response: Annotated[
        str,
        Meta(description="The response alone, without the prompt.", examples=["... so the answer is \\boxed{4}"]),
    ]
    ground_truth: Annotated[
        str | int | float | None,
        Meta(description=f"Compared with the label, never voted; the reward of `{BY_GROUND_TRUTH}`.", examples=["4"]),
    ] = None
    statistics: Annotated[Statistics | None, Meta(description="Of the rollout; for the methods that need them.")] = None
    evidence: Annotated[Evidence | None, Meta(description="Of the answer; for the methods that weigh ballots.")] = None


class RewardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of rollouts. Those of a part have an index each, or the request an Idempotency-Key."""

    run: RunName = DEFAULT_RUN
    step: Step | None = None
    method: Annotated[
        Annotated[str, Meta(extra_json_schema={"enum": [*METHODS]})] | None,
        Meta(description="By default the run's method.", examples=[DEFAULT_METHOD]),
    ] = None
    evaluate: Annotated[
        bool,
        Meta(
            description="Whether these are rollouts of an evaluation: compared with the ground truth that they carry, "
            "else voted within their view, and kept apart from the run's training. `method` is not sent then.",
            examples=[False],
        ),
    ] = False
    complete: Annotated[
        bool,
        Meta(
            description="Whether the batch holds its groups whole and is settled at once; else it is a part of them.",
            examples=[True],
        ),
    ] = True
    wait_s: Annotated[
        float,
        Meta(ge=0, description="How long to wait before a ticket is given, in seconds.", examples=[30.0]),
    ] = 30.0
    rollouts: Annotated[
        list[Rollout],
        Meta(
            description="In any order; rewards come in the same.",
            examples=[[{"question_id": "math/17", "view": "original", "response": "... \\boxed{4}"}]],
        ),
    ]


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer elected for one view of a question, by `votes` of the `of` ballots that could have voted for it."""

    question_id: QuestionId
    view: Annotated[ViewWord, Meta(description="The wording that was answered.", examples=["original"])]
    answer: Annotated[str, Meta(description="What was elected, as a rollout wrote it.", examples=["4"])]
    votes: Annotated[int | float, Meta(description="Ballots for the label, by their weight.", examples=[6])]
    of: Annotated[
        int | float,
        Meta(description="Ballots of the electorate, by their weight, those without an answer included.", examples=[8]),
    ]
    voter: Annotated[
        str, Meta(description=f"Who elected it: {', '.join((*Voter, BY_GROUND_TRUTH))}.", examples=["policy"])
    ]
    voted_on: Annotated[
        Sequence[Annotated[str, Meta(extra_json_schema={"enum": [*View]})]],
        Meta(description="The views whose ballots elected it.", examples=[["paraphrase"]]),
    ]
    cohort: CohortId
    matches_truth: Annotated[bool | None, Meta(description="There where a ground truth was sent.", examples=[True])] = (
        None
    )
    teacher_version: Annotated[int | None, Meta(description="There where the teacher has voted.", examples=[12])] = None
    instability: Annotated[
        float | None,
        Meta(
            description="There where a gate looked at the question's last labels and some differ: the share of "
            "neighbours that do.",
            examples=[0.25],
        ),
    ] = None


class Unlabelled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One view of a question for which no label was elected, and the cohort that shows why."""

    question_id: QuestionId
    view: Annotated[ViewWord, Meta(description="The wording that was answered.", examples=["original"])]
    cohort: CohortId
    abstention: Annotated[
        AbstentionWord | None,
        Meta(
            description="Why its rollouts have no reward; absent where they have one, by a method without labels.",
            examples=["no-label"],
        ),
    ] = None


class Rewards(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rewards, abstentions and answers in the order of the B rollouts."""

    run: RunName
    step: Step | None
    method: Annotated[
        str,
        Meta(
            description=f"The method that rewarded; of an evaluation, `{BY_GROUND_TRUTH}` where all rollouts were "
            f"compared with a ground truth, else `{WITHIN_A_VIEW}`.",
            examples=[DEFAULT_METHOD],
        ),
    ]
    rewards: Annotated[
        Sequence[float | None],
        Meta(
            description="One for each rollout; null for a group that abstained, which is to be left out of the loss.",
            examples=[[1.0, 0.0, None]],
        ),
    ]
    abstentions: Annotated[
        Sequence[AbstentionWord | None],
        Meta(description="Why a reward is null; null where there is one.", examples=[[None, None, "no-label"]]),
    ]
    answers: Annotated[Sequence[str | None], Meta(description=NO_ANSWER, examples=[["4", "5", None]])]
    labels: Annotated[Sequence[Label], Meta(description="One for each question and view that elected one.")]
    metrics: Annotated[
        Mapping[str, float | None],
        Meta(
            description="A mean over nothing is null: reward_mean where all abstained, vote_share_mean without a "
            "label.",
            examples=[{"reward_mean": 0.5, "vote_share_mean": 0.75}],
        ),
    ]
    unlabelled: Annotated[
        Sequence[Unlabelled], Meta(description="One for each question and view without a label; absent without any.")
    ] = ()


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """How far a ticket's rollouts are."""

    ticket: TicketId
    settled: Annotated[int, Meta(description="Rollouts whose rewards are known.", examples=[8])]
    of: Annotated[int, Meta(description="Rollouts of the request.", examples=[16])]
    waiting_for: Annotated[
        Sequence[Awaited],
        Meta(
            description="What the others wait for: what each of the first few cohorts lacks, or what the teacher "
            "lacks; empty where the service could not tell soon, or is stopping."
        ),
    ] = ()
    waiting_for_more: Annotated[
        int, Meta(description="Cohorts that wait too, and are not in `waiting_for`.", examples=[3])
    ] = 0


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """The claim to rewards that are not settled yet."""

    ticket: TicketId
    expires_at: Annotated[
        datetime, Meta(description="Until when it can be asked for (RFC 3339).", examples=["2026-01-02T03:04:05Z"])
    ]
