"""Define runs, cohorts and problems for OpenAPI."""

from typing import Annotated, Any

from co_rewarding_schema.forms import StructForm, WireForm
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS
from co_rewarding_schema.rollouts import NO_ANSWER, CohortId, QuestionId, RunName
from co_rewarding_schema.run_names import OWN_RUN_NAME_PATTERN, check_own_run
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Abstention, Quarantine, View, Voter
from pydantic import AfterValidator, ConfigDict, Field

from reward_service.api.rewards.models import EvidenceForm, LabelDocument, StatisticsForm
from reward_service.domain.cohort import CohortState

OwnRunName = Annotated[
    RunName, AfterValidator(check_own_run), Field(json_schema_extra={"pattern": OWN_RUN_NAME_PATTERN})
]
"""A run of its own, where another's evaluation is refused."""

STATES = f"One of {', '.join(CohortState)}."
_NO_QUARANTINE = {"properties": {"quarantine": {"enum": [Quarantine.OFF.value]}}}
_ACROSS_VIEWS = {"properties": {"method": {"enum": [row.name for row in METHODS.values() if row.apart is not None]}}}
_ALONE = {"properties": {"method": {"enum": [row.name for row in METHODS.values() if not row.needs_peers]}}}
_WITH_PEERS = {"required": ["peers"], "properties": {"peers": {"minItems": 1}}}
_RUN: Any = {"method": DEFAULT_METHOD, "group_size": 2, "quarantine": Quarantine.OWN_VIEW.value}
_RUN_SCHEMA: dict[str, Any] = {"allOf": [{"anyOf": [_NO_QUARANTINE, _ACROSS_VIEWS]}, {"anyOf": [_ALONE, _WITH_PEERS]}]}


class RunForm(WireForm, of=RunSettings, required=("method",)):
    """A run's settings; the defaults are those of RunSettings."""

    model_config = ConfigDict(json_schema_extra={**_RUN_SCHEMA, "examples": [_RUN]})


class SignsDocument(StructForm):
    """Signs of a collapse, from the settled groups of one step; a group is the rollouts of one view of a question.

    docs/methods.md defines each. A mean over nothing is null.
    """

    step: int = Field(description="The training step.", examples=[3])
    attempt: int = Field(description="That of the step.", examples=[0])
    groups: int = Field(description="Groups settled.", examples=[256])
    rollouts: int = Field(description="Rollouts in them.", examples=[2048])
    labels: int = Field(description="Labels that ballots elected.", examples=[250])
    distinct_answers: float | None = Field(description="Different answers in a group, the mean.", examples=[3.2])
    top_share: float | None = Field(
        description="The share of the most frequent answer among all answers of the step.", examples=[0.02]
    )
    vote_share: float | None = Field(
        description="The share of its electorate behind a label, the mean.", examples=[0.61]
    )
    label_agreement: float | None = Field(
        description="The share of a view's own rollouts that gave the view's label, the mean.", examples=[0.55]
    )
    view_agreement: float | None = Field(
        description="The share of one label among questions both of whose views were labelled: together, or apart "
        "where the run keeps a history.",
        examples=[0.9],
    )
    answered: float | None = Field(description="The share of rollouts with an answer.", examples=[0.98])
    length: float | None = Field(
        description="Tokens of a response, the mean of those that came with statistics.length.", examples=[812.5]
    )
    reward: float | None = Field(None, description="The mean of the rewards.", examples=[0.58])
    label_accuracy: float | None = Field(
        None, description="The share of labels that equal the ground truth, where one was sent.", examples=[0.71]
    )
    abstentions: dict[Abstention, int] = Field(
        default_factory=dict, description="Rollouts without a reward, by the reason.", examples=[{"no-label": 16}]
    )


class SeriesDocument(StructForm):
    """The signs of a run's latest steps."""

    run: str = Field(description="The training run.", examples=["qwen3-8b-math"])
    steps: list[SignsDocument] = Field(
        description="In the order of steps; a step done again is there for each attempt."
    )


class RunDocument(RunForm):
    """A run: its settings and what it has come to."""

    model_config = ConfigDict(extra="ignore")
    run: str = Field(description="Its name.", examples=["qwen3-8b-math"])
    revision: int = Field(
        description="Grows with every change of the settings; 0 for a run that was never made.", examples=[1]
    )
    state: dict[str, int] = Field(
        description="Cohorts settled, abstained and open; requests that wait for the teacher; what waits "
        "for peers; jobs queued.",
        examples=[{"settled": 128, "abstained": 0, "open": 4}],
    )
    signs: SignsDocument | None = Field(
        None, description="Those of the latest step, where the run is asked for alone.", examples=[None]
    )
    absent_peers: list[str] | None = Field(
        None,
        description="The peers for which the run does not wait until they send rollouts again, where the run is asked "
        "for alone; null without any.",
        examples=[None],
    )


class RunsDocument(StructForm):
    """A page of the runs in use."""

    runs: list[RunDocument] = Field(description="By name.")
    cursor: str | None = Field(description="For the next page; null on the last.", examples=[None])


class BallotDocument(StructForm):
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
    ground_truth: str | None = Field(None, description="What came with the rollout.", examples=["4"])
    statistics: StatisticsForm | None = Field(None, description="What the trainer measured; null without any.")
    evidence: EvidenceForm | None = Field(None, description="What the trainer knows of the answer; null without any.")
    peer: str | None = Field(
        None,
        description="The run whose policy cast it; null but for ballots of peers that the service kept.",
        examples=["qwen3-8b-b"],
    )


UNLABELLED = Field(
    description="Of each view whose rollouts abstained, why, in words.",
    examples=[{"original": "the label is elected by the policy on the paraphrase, which sent no ballot"}],
)


class CohortSummaryDocument(StructForm):
    """A cohort, without its ballots."""

    cohort: CohortId
    question_id: QuestionId
    step: int | None = Field(description="The training step; null where none was sent.", examples=[3])
    attempt: int = Field(description="The highest that came.", examples=[0])
    method: str = Field(description="The method that rewards it.", examples=[DEFAULT_METHOD])
    state: str = Field(description=STATES, examples=["settled"])
    views: list[View] = Field(description="Those that it has ballots of.", examples=[["original", "paraphrase"]])
    labels: list[LabelDocument] = Field(description="What was elected.")
    unlabelled: dict[View, str] = UNLABELLED


class CohortDocument(StructForm):
    """Why this reward."""

    cohort: CohortId
    run: str = Field(description="The training run.", examples=["qwen3-8b-math"])
    question_id: QuestionId
    step: int | None = Field(description="The training step; null where none was sent.", examples=[3])
    attempt: int = Field(description="The highest that came.", examples=[0])
    method: str = Field(description="The method that rewards it.", examples=[DEFAULT_METHOD])
    state: str = Field(description=STATES, examples=["settled"])
    labels: list[LabelDocument] = Field(description="What was elected.")
    unlabelled: dict[View, str] = UNLABELLED
    classes: dict[str, int] = Field(
        description="Ballots by class of equal answers, of every view and voter together, each counted once.",
        examples=[{"4": 12, "5": 4}],
    )
    ballots: list[BallotDocument] = Field(description="A teacher's and peers' come last: they vote and earn nothing.")


class CohortsDocument(StructForm):
    """A page of a question's cohorts, the latest first."""

    cohorts: list[CohortSummaryDocument] = Field(description="Open and settled ones.")
    cursor: str | None = Field(
        description="For the next page, even where this one is short; null on the last.", examples=[None]
    )


class RunCohortsDocument(StructForm):
    """A page of a run's cohorts, whole. Those of one question come the latest first."""

    cohorts: list[CohortDocument] = Field(description="Open and settled ones.")
    cursor: str | None = Field(
        description="For the next page, even where this one is short; null on the last.", examples=[None]
    )


class ProblemDocument(StructForm):
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
    quota: dict[str, str | float] | None = Field(
        None,
        description="The quota that is used up: its name, of what key or run it is, its limit, and what is used.",
        examples=[{"name": "held_requests", "of": "key 'team-a'", "limit": 2048, "used": 2048}],
    )


class PairDocument(StructForm):
    """A pair in quarantine."""

    question_id: QuestionId
    seen: int = Field(description="How often both views were labelled firmly.", examples=[12])
    disagreed: int = Field(description="How often the labels were different answers.", examples=[9])
    evidence: float = Field(
        description="Against the pair, in nats: ln of the odds that it is a bad one.", examples=[4.2]
    )


class QuarantineDocument(StructForm):
    """The state of a run's watch."""

    run: str = Field(description="The training run.", examples=["qwen3-8b-math"])
    quarantine: Quarantine = Field(description="What becomes of such pairs in the run.", examples=["own-view"])
    pairs_seen: int = Field(description="Pairs whose two views were labelled firmly at least once.", examples=[1024])
    pairs_quarantined: int = Field(description="Pairs in quarantine, listed or not.", examples=[3])
    others_disagree: float = Field(
        description="How often the views of pairs disagree that nothing is held against.", examples=[0.08]
    )
    pairs: list[PairDocument] = Field(description="Those in quarantine, the most certain first.")


class PastLabelDocument(StructForm):
    """One of a question's last labels."""

    step: int | None = Field(description="The training step; null where none was sent.", examples=[3])
    attempt: int = Field(description="That of the step.", examples=[0])
    answer: str = Field(
        description="The label, written as the first of those that are equal to it; of a long one a digest.",
        examples=["4"],
    )
    share: float = Field(description="The share of its electorate.", examples=[0.75])
    agreement: float = Field(description="The share of the view's own rollouts that gave it.", examples=[0.5])


class QuestionDocument(StructForm):
    """A question by its last labels, those of both views together."""

    question_id: QuestionId
    flips: int = Field(description="How often a label differs from the one before it.", examples=[2])
    disagreement: float = Field(
        description="The larger of the two: the mean share of rollouts that did not give their view's label; the share "
        "of steps whose two views have different labels.",
        examples=[0.4],
    )
    share: float = Field(description="The mean share of the electorates behind the labels.", examples=[0.6])
    labels: dict[View, list[PastLabelDocument]] = Field(description="By view, in the order of steps.")


class QuestionsDocument(StructForm):
    """A page of the questions whose labels are kept, those first that are most in doubt."""

    questions: list[QuestionDocument] = Field(description="In the order that was asked for.")
    history: bool = Field(
        description="Whether the run keeps the last labels of its questions: by its setting `history`, or because its "
        "method reads them. If not, the page is empty; PUT the run's settings with `history: true`.",
        examples=[True],
    )
    cursor: str | None = Field(description="For the next page; null on the last.", examples=[None])
