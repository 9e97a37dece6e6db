"""Define what a rewriter is asked, the outcome of a question, and the life of a job."""

import enum
import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from co_rewarding_schema.limits import MAX_RESPONSE_TOKENS

from reward_service.domain.paraphrases.policy import AcceptancePolicy, Review

MAX_CANDIDATES = 64
MAX_ANSWERS = 64


class Fallback(enum.StrEnum):
    """What a question gets if no candidate is accepted."""

    LEAVE_OUT = "leave-out"
    """No second view: it is not trained on, or by itself."""
    SAME_AGAIN = "same-again"
    """The question itself as its second view: its votes are those of majority voting over both halves."""


class Fate(enum.StrEnum):
    """The end of a question's rewriting."""

    REWRITTEN = "rewritten"
    PASSED_THROUGH = "passed-through"
    LEFT_OUT = "left-out"
    FAILED = "failed"
    """The model cannot be asked this, such as a text too long for its context; the outcome's `error` says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to put in other words, and its answer where it is known: the answer must not be given away."""

    question_id: str
    question: str
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewritingRecipe:
    """How questions are rewritten.

    Attributes:
        prompts: names of instructions, each a round; the next one is tried where the last gave nothing acceptable.
        candidates: n, how many are drawn in a round.
        temperature, top_p, max_tokens: how they are drawn; the paper's 0.7 and 0.8.
        seed: what the draws follow from, together with the question and the round.
        answers: how often the model answers x and x′, to compare its majority answers; 0: it is not asked.
        least_agreement: the share of the answers to x′ that must equal the majority answer to x.
        doubtful: the doubt from which the model answers; 0: it answers for every candidate that is accepted so far.
        least_similarity: how near the embeddings of x and x′ must be, in [-1, 1]; None: it is only told.
        unmarked: whether a response that holds no marker may be taken as it is; else it is checked and rejected.
        fallback: what a question gets that nothing acceptable was found for.
        policy: which checks decide.

    Raises:
        ValueError: a setting is out of its bounds.
    """

    prompts: tuple[str, ...] = ("paper", "reword", "scenario")
    candidates: int = 1
    temperature: float = 0.7
    top_p: float = 0.8
    max_tokens: int = 2048
    seed: int = 0
    answers: int = 0
    least_agreement: float = 0.5
    doubtful: float = 0.0
    least_similarity: float | None = None
    unmarked: bool = False
    fallback: Fallback = Fallback.LEAVE_OUT
    policy: AcceptancePolicy = field(default_factory=AcceptancePolicy)

    def __post_init__(self) -> None:
        """Refuses a recipe that nothing can be rewritten by."""
        within = (
            1 <= self.candidates <= MAX_CANDIDATES
            and 1 <= self.max_tokens <= MAX_RESPONSE_TOKENS
            and 0 <= self.answers <= MAX_ANSWERS
        )
        if not (self.prompts and within):
            raise ValueError(
                f"{len(self.prompts)} prompts, {self.candidates} candidates of {self.max_tokens} tokens and "
                f"{self.answers} answers: there must be at least one of each, but for answers, which may be 0; at most "
                f"{MAX_CANDIDATES} candidates of {MAX_RESPONSE_TOKENS} tokens, and {MAX_ANSWERS} answers"
            )
        if not (0 <= self.doubtful <= 1 and 0 <= self.policy.most_doubt <= 1):
            raise ValueError(
                f"doubtful is {self.doubtful} and most_doubt {self.policy.most_doubt}: a doubt is between 0 and 1"
            )
        if not (self.temperature >= 0 and 0 < self.top_p <= 1 and 0 <= self.least_agreement <= 1):
            raise ValueError(
                f"temperature is {self.temperature}, top_p {self.top_p}, least_agreement {self.least_agreement}: the "
                "first must be at least 0, the second above 0 and at most 1, the third between 0 and 1"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that the model gave, what the cheap checks say of it, and the share of answers that agree, if asked.

    `accepted` says that everything that was asked speaks for it. Of several accepted ones one is taken. One that is not
    `marked` is a whole response: the model set nothing apart as the rewritten question. One that is `given_out` is the
    second view of another question already.
    """

    prompt: str
    text: str
    review: Review
    same_answer: float | None = None
    similarity: float | None = None
    accepted: bool = False
    marked: bool = True
    given_out: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a question: its second view, if it has one, and every candidate in the order it was drawn."""

    question_id: str
    fate: Fate
    paraphrase: str | None
    candidates: tuple[Candidate, ...] = ()
    error: str | None = None


def text_key(text: str) -> bytes:
    """Return what texts have in common that differ in case, width or white space alone: 16 bytes."""
    told = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).digest()


class JobState(enum.StrEnum):
    """The state of a paraphrase job."""

    FILLING = "filling"
    """Its questions are coming in; it is nobody's yet, and forgotten if the rest never comes."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class JobEvent(enum.StrEnum):
    """An event in the life of a job. An event that comes twice is the same as once."""

    FILL = "fill"
    """Its last question is there."""
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    """Every question has its outcome: of a paused job too, whose last questions were under way."""
    CANCEL = "cancel"


_S, _E = JobState, JobEvent
JOB_TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = MappingProxyType({
    (_S.FILLING, _E.FILL): _S.RUNNING,
    (_S.RUNNING, _E.PAUSE): _S.PAUSED,
    (_S.PAUSED, _E.PAUSE): _S.PAUSED,
    (_S.PAUSED, _E.RESUME): _S.RUNNING,
    (_S.RUNNING, _E.RESUME): _S.RUNNING,
    (_S.RUNNING, _E.FINISH): _S.DONE,
    (_S.PAUSED, _E.FINISH): _S.DONE,
    (_S.RUNNING, _E.CANCEL): _S.CANCELLED,
    (_S.PAUSED, _E.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _E.CANCEL): _S.CANCELLED,
})  # fmt: skip
"""Every legal step. The store carries the same table out atomically, rendered from this one."""

UNFINISHED = frozenset({JobState.RUNNING, JobState.PAUSED})
