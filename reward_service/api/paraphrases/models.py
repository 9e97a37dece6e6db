"""Define the forms of the paraphrase routes."""

from typing import Annotated, Any, Self

from co_rewarding_schema.forms import StructForm, WireForm, whole
from co_rewarding_schema.limits import MAX_ID_CHARS, MAX_PATH_CHARS, MAX_TEMPERATURE, Index, ResponseTokens
from co_rewarding_schema.paraphrases import Candidate, Paraphrase, Paraphrases
from co_rewarding_schema.rollouts import RunName
from co_rewarding_schema.run_names import DEFAULT_RUN
from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from reward_service.domain.paraphrases.policy import CHECKS, DECIDING, AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import (
    MAX_ANSWERS,
    MAX_CANDIDATES,
    Fallback,
    Fate,
    JobState,
    RewritingRecipe,
)
from reward_service.paraphrasing.prompts import INSTRUCTIONS

MAX_QUESTIONS_NOW = 256
MAX_PROMPTS = 16
MAX_NAME_CHARS = 256
DEFAULT = RewritingRecipe()
JOB = "j0f3a9c55d1e2b4478ac6"
ASKED: Any = [
    {"question_id": "math/17", "question": "A box has 3 apples. How many apples are in 12 boxes?", "ground_truth": "36"}
]

PromptName = Annotated[str, Field(json_schema_extra={"enum": list(INSTRUCTIONS)})]
CheckName = Annotated[str, Field(json_schema_extra={"enum": list(CHECKS)})]
"""Both are checked against their tables."""


class RecipeForm(WireForm):
    """How questions are rewritten; what is not said is as in the paper."""

    run: RunName = DEFAULT_RUN
    n: Annotated[int, Field(ge=1, le=MAX_CANDIDATES), BeforeValidator(whole)] = Field(
        DEFAULT.candidates, description="Candidates that each prompt draws."
    )
    prompts: list[PromptName] = Field(
        list(DEFAULT.prompts),
        min_length=1,
        max_length=MAX_PROMPTS,
        description="Instructions; the next one is tried where the last gave nothing that is accepted.",
    )
    temperature: float = Field(
        DEFAULT.temperature, ge=0, le=MAX_TEMPERATURE, allow_inf_nan=False, description="Of the draws."
    )
    top_p: float = Field(
        DEFAULT.top_p, gt=0, le=1, allow_inf_nan=False, description="The probability of the tokens to draw from."
    )
    max_tokens: ResponseTokens = Field(DEFAULT.max_tokens, description="Of a response.")
    seed: Index = Field(DEFAULT.seed, description="What the draws follow from.")
    answers: Annotated[int, Field(ge=0, le=MAX_ANSWERS), BeforeValidator(whole)] = Field(
        DEFAULT.answers,
        description="How often the model answers both texts, to compare; 0: never.",
    )
    least_agreement: float = Field(
        DEFAULT.least_agreement, ge=0, le=1, allow_inf_nan=False, description="The share of answers that must agree."
    )
    doubtful: float = Field(
        DEFAULT.doubtful,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The doubt from which a candidate's answers are compared; 0: those of each one.",
    )
    most_doubt: float = Field(
        DEFAULT.policy.most_doubt, ge=0, le=1, allow_inf_nan=False, description="The doubt that is accepted."
    )
    least_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        allow_inf_nan=False,
        description="How near the embeddings of both texts must be.",
        examples=[0.8],
    )
    unmarked: bool = Field(
        DEFAULT.unmarked,
        description="Whether a response counts in which nothing is set apart as the rewritten question.",
    )
    fallback: Fallback = Field(
        DEFAULT.fallback, strict=False, description="What a question gets that nothing is accepted for."
    )
    checks: list[CheckName] | None = Field(
        None,
        max_length=len(CHECKS),
        description="The checks that decide; by default all but those that only warn. The others only tell.",
        examples=[["parsed", "not_copied", "numbers_kept"]],
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        for what, names, known in (("prompt", self.prompts, INSTRUCTIONS), ("check", self.checks or (), CHECKS)):
            for name in names:
                if name not in known:
                    raise ValueError(f"there is no {what} {name[:MAX_NAME_CHARS]!r}: there are {', '.join(known)}")
        return self

    def recipe(self) -> RewritingRecipe:
        """As the domain has it."""
        deciding = DECIDING if self.checks is None else frozenset(self.checks)
        return RewritingRecipe(
            prompts=tuple(self.prompts),
            candidates=self.n,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
            answers=self.answers,
            least_agreement=self.least_agreement,
            doubtful=self.doubtful,
            least_similarity=self.least_similarity,
            unmarked=self.unmarked,
            fallback=self.fallback,
            policy=AcceptancePolicy(deciding, frozenset(CHECKS) - deciding, most_doubt=self.most_doubt),
        )


@dataclass(slots=True, config=WireForm.model_config)
class AskedQuestionForm:
    """What is to be put in other words: a hundred thousand may come, and a model takes nine times as much memory."""

    question_id: Annotated[
        str, Field(min_length=1, max_length=MAX_ID_CHARS, description="Names the question.", examples=["math/17"])
    ]
    question: Annotated[str, Field(min_length=1, pattern=r"\S", description="Its text.", examples=["What is 1 + 1?"])]
    ground_truth: Annotated[
        str | None, Field(description="It must not be given away; the model is not told it.", examples=["36"])
    ] = None


class ParaphrasesForm(RecipeForm):
    """A few questions, to be rewritten now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"questions": ASKED, "wait_s": 60.0}]})

    questions: list[AskedQuestionForm] = Field(
        min_length=1, max_length=MAX_QUESTIONS_NOW, description="Each with an id of its own.", examples=[ASKED]
    )
    wait_s: float = Field(60.0, ge=0, allow_inf_nan=False, description="How long to wait; at most the server's limit.")


class ColumnsForm(WireForm):
    """Under which names a file holds what is needed."""

    question_id: str = Field(
        default="question_id", min_length=1, max_length=MAX_NAME_CHARS, description="Rows may have none."
    )
    question: str = Field(default="question", min_length=1, max_length=MAX_NAME_CHARS, description="Every row has one.")
    ground_truth: str = Field(default="ground_truth", min_length=1, max_length=MAX_NAME_CHARS, description="Likewise.")


class JobOrderForm(RecipeForm):
    """What is asked of a job beside its questions."""

    columns: ColumnsForm = Field(
        default_factory=ColumnsForm, description="Of a file or data set.", examples=[{"question": "problem"}]
    )


SOURCES = ("questions", "path", "dataset")


def _only(field: str) -> dict[str, Any]:
    absent: dict[str, Any] = {name: {"type": "null"} for name in SOURCES if name != field}
    return {"required": [field], "properties": {field: {"not": {"type": "null"}}, **absent}}


class JobForm(JobOrderForm):
    """A job: exactly one of questions, path and dataset says what is rewritten."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_only(name) for name in SOURCES],
            "examples": [{"run": "default", "questions": ASKED, "prompts": ["reword"]}],
        }
    )

    questions: Annotated[list[AskedQuestionForm], Field(min_length=1)] | None = Field(
        None, description="Each with an id of its own.", examples=[ASKED]
    )
    path: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_PATH_CHARS,
        description="A file of JSON lines or parquet below the service's paraphrase root.",
        examples=["math.parquet"],
    )
    dataset: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$",
        description="A data set on the Hugging Face hub.",
        examples=["BytedTsinghua-SIA/DAPO-Math-17k"],
    )
    split: str = Field("train", pattern=r"^[A-Za-z0-9_.-]{1,96}$", description="Of the data set.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"send one of questions, path and dataset; this has {' and '.join(given) or 'none'}")
        return self


class CandidateDocument(StructForm, of=Candidate):
    """A text that the model gave."""


class ParaphraseDocument(StructForm, of=Paraphrase):
    """What became of a question."""

    fate: Fate = Field(description="What became of the question.", examples=["rewritten"])


class ParaphrasesDocument(StructForm, of=Paraphrases):
    """In the order of the questions."""


class JobAcceptedDocument(StructForm):
    """A job, all of whose questions are in Redis."""

    job: str = Field(description="Names the job in the routes below.", examples=[JOB])


class JobDocument(StructForm):
    """What a job has come to."""

    job: str = Field(description="Names the job.", examples=[JOB])
    run: str = Field(description="The run whose questions they are.", examples=["qwen3-8b-math"])
    source: str = Field(description="Where its questions came from.", examples=["questions"])
    state: JobState = Field(description="What the job is doing.", examples=["running"])
    questions: int = Field(description="Questions of the job.", examples=[1000])
    done: int = Field(description="Questions with an outcome.", examples=[400])
    making: int = Field(description="Questions that a paraphraser has in hand.", examples=[8])
    paraphrasers: int = Field(description="Processes that work on jobs; none: it waits for one.", examples=[1])
    created_at: str = Field(description="When the job was made (RFC 3339).", examples=["2026-01-02T03:04:05Z"])
    ended_at: str | None = Field(description="When the job ended; null until then.", examples=[None])
    fates: dict[str, int] = Field(description="Questions by what became of them.", examples=[{"rewritten": 390}])
    drawn: dict[str, int] = Field(description="Candidates by prompt.", examples=[{"reword": 420}])
    accepted: dict[str, int] = Field(description="Accepted candidates by prompt.", examples=[{"reword": 390}])
    rejected: dict[str, int] = Field(
        description="Candidates by the check that rejects them; by each, if several do.",
        examples=[{"numbers_kept": 30}],
    )


class JobsDocument(StructForm):
    """The latest jobs first."""

    jobs: list[JobDocument] = Field(description="At most 100.")
