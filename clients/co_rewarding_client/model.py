"""The words of the contract as frozen values: what is sent, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from co_rewarding_client import arguments
from co_rewarding_client.errors import invalid

View = Literal["original", "paraphrase"]
Voter = Literal["policy", "teacher"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the trainer measured of one response; the reward of the methods that bear a statistic's name.

    Both are in nats, averaged over the response's tokens. A value that is not finite is refused when it is to
    be sent.
    """

    self_certainty: float | None = None
    entropy: float | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """One response to one view of a question.

    The question is known by its `question_id` within the run or, without one, by the text of its `prompt`. Where a
    teacher votes, both are given: it answers the prompt. `rollout` is its index in the group of this question and
    view. Left out in a batch of whole groups, it is the order of appearance there. Left out in a part, the rollout is
    one of its own, known by its call: that call may be repeated by this client, and votes once. A process that was
    started again is another client; where that happens, ranks number their rollouts. `attempt` grows when a step is
    done again. A lone surrogate, which UTF-8 cannot carry, is replaced by U+FFFD in any text before it is sent.

    Raises InvalidRequest if neither `question_id` nor `prompt` is given, and for a field of another type.
    """

    question_id: str | None = None
    prompt: str | None = None
    view: View = "original"
    rollout: int | None = None
    attempt: int = 0
    voter: Voter = "policy"
    response: str = ""
    ground_truth: str | None = None
    statistics: Statistics | None = None

    def __post_init__(self) -> None:
        arguments.check_text_or_none("question_id", self.question_id)
        arguments.check_text_or_none("prompt", self.prompt)
        arguments.check_text("view", self.view)
        arguments.check_whole_or_none("rollout", self.rollout)
        arguments.check_text("response", self.response)
        arguments.check_text_or_none("ground_truth", self.ground_truth)
        if self.statistics is not None:
            arguments.check_instance("statistics", self.statistics, Statistics)
        if self.question_id is None and self.prompt is None:
            raise invalid("a rollout has a question_id or a prompt, and neither is given; give one or both")


@dataclass(frozen=True, slots=True)
class Label:
    """The answer elected for one view of a question, by `votes` of the `of` ballots that could have.

    The ballots were those of `voter` on the views `voted_on`. `answer` is None where no vote was cast;
    `cohort` is what `RewardClient.cohort` explains. `matches_truth` says whether it equals the ground truth, None where
    none was sent. `teacher_version` is the step whose weights the teacher had taken in when it voted, None where the
    policy elected the label.
    """

    question_id: str | None
    view: str
    answer: str | None
    votes: int
    of: int
    voter: str | None
    voted_on: tuple[str, ...]
    cohort: str | None
    teacher_version: int | None = None
    matches_truth: bool | None = None


@dataclass(frozen=True, slots=True)
class Rewards:
    """The rewards of a batch of B rollouts.

    `rewards`, `abstentions` and `answers` have length B, in the order of the rollouts. A reward is None where
    the service abstained; the abstention then says why ("no-label", "expired", "no-ground-truth",
    "no-statistics"). An answer is None where the response held none, a mean among `metrics` where it is over nothing.
    """

    run: str
    step: int | None
    method: str
    rewards: tuple[float | None, ...]
    abstentions: tuple[str | None, ...]
    answers: tuple[str | None, ...]
    labels: tuple[Label, ...]
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Ticket:
    """The claim to rewards that are not settled yet; `expires_at` is None where the service did not say."""

    ticket: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet: `settled` of `of` rollouts have their reward; None where the service did not say."""

    ticket: str
    settled: int | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What makes a run; what is None is left to the service's defaults.

    `group_size` is the number of rollouts a view gets from the policy, `teacher_group_size` from the teacher.
    The teacher's averaging weight goes from `alpha_start` to `alpha_end` over `total_steps`. A cohort that is
    not complete after `cohort_deadline_s` seconds is settled with what is there.

    The teacher's version may lie `max_teacher_lag` steps behind the rollouts that it labels. Its responses are sampled
    at `teacher_temperature` and `teacher_top_p`, and are at most `teacher_max_tokens` long.

    Answers are read in the first of `answer_formats` ("boxed", "fbox", "json", "final-answer", "hashes") that finds
    one, and compared by `conventions` ("lenient" or "strict"). A response ends at the first end-of-turn token: those
    that the service knows, and `end_tokens`. `quarantine` ("off", "own-view" or "abstain") says what becomes of a pair
    whose views keep disagreeing.
    """

    method: str
    group_size: int
    total_steps: int | None = None
    teacher_group_size: int | None = None
    alpha_start: float | None = None
    alpha_end: float | None = None
    cohort_deadline_s: float | None = None
    min_votes: int | None = None
    min_vote_share: float | None = None
    teacher_model: str | None = None
    max_teacher_lag: int | None = None
    teacher_temperature: float | None = None
    teacher_top_p: float | None = None
    teacher_max_tokens: int | None = None
    answer_formats: tuple[str, ...] | None = None
    end_tokens: tuple[str, ...] | None = None
    conventions: str | None = None
    quarantine: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One view of a question: for the teacher to answer ahead of time, or to be put in other words.

    It is told as the `prompt` that the policy is given word for word, as the bare `question`, which the service
    puts into its own prompt, or as chat `messages`, each with its "role" and "content".

    Raises InvalidRequest unless exactly one of the three is given, and for a field of another type.
    """

    question_id: str
    view: View = "original"
    prompt: str | None = None
    question: str | None = None
    messages: Sequence[Mapping[str, str]] | None = None

    def __post_init__(self) -> None:
        arguments.check_text("question_id", self.question_id)
        arguments.check_text_or_none("prompt", self.prompt)
        arguments.check_text_or_none("question", self.question)
        if self.messages is not None:
            arguments.check_listed("messages", self.messages, dict, Mapping)
        given = sum(text is not None for text in (self.prompt, self.question, self.messages))
        if given != 1:
            raise invalid(
                f"question {self.question_id!r} is told in {given} ways; give one of prompt, question and messages"
            )


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """What became of a question: `paraphrase` is its second view, None where it has none.

    `fate` is "rewritten", "passed-through" (it is its own second view), "left-out" or "failed"; only what was rewritten
    is `accepted`. `checks` tells by name whether each check is content, or a share of answers that agree; `reasons`,
    what is objected to the text that came last; `error`, why the model cannot be asked.
    """

    question_id: str
    paraphrase: str | None
    accepted: bool
    fate: str
    checks: Mapping[str, bool | float]
    reasons: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TeacherUpdate:
    """Weights that the service has taken: the teacher of `version` keeps `alpha` of the one before it."""

    version: int
    alpha: float


@dataclass(frozen=True, slots=True)
class TeacherState:
    """The teacher of a run.

    `version` is the step of the newest weights that it has taken in, `step` of the newest that were published, 0 before
    the first; `alpha` is what that update kept of the teacher before. `queue` labels are asked for or being made, for
    `waiting` requests, by `teachers` processes.
    `waiting_for` says what holds them up: "update" (weights that were not published yet), "average" (they are being
    taken in), "teacher" (none is there), "generation"; None where nothing waits. `refused` says why published weights
    could not be taken, None if the last ones were.
    """

    version: int | None
    step: int | None
    alpha: float | None
    model: str | None
    ready: bool
    queue: int
    waiting_for: str | None = None
    refused: str | None = None
    waiting: int = 0
    teachers: int = 0
