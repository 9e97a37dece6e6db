"""What is asked of a rewriter, and what becomes of a question."""

import enum
from dataclasses import dataclass, field

from reward_service.domain.paraphrases.policy import Policy, Review


class Fallback(enum.StrEnum):
    """What a question gets if no candidate is accepted."""

    LEAVE_OUT = "leave-out"
    """No second view: it is not trained on, or by itself."""
    SAME_AGAIN = "same-again"
    """The question itself as its second view: its votes are those of majority voting over both halves."""


class Fate(enum.StrEnum):
    """How it ended for a question."""

    REWRITTEN = "rewritten"
    PASSED_THROUGH = "passed-through"
    LEFT_OUT = "left-out"
    FAILED = "failed"
    """The model cannot be asked this, such as a text too long for its context; the outcome's `error` says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be put in other words, and its answer where it is known: it must not be given away."""

    question_id: str
    question: str
    ground_truth: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How questions are rewritten.

    Attributes:
        prompts: names of instructions, each a round; the next one is tried where the last gave nothing acceptable.
        candidates: n, how many are drawn in a round.
        temperature, top_p, max_tokens: how they are drawn; the paper's 0.7 and 0.8.
        seed: what the draws follow from, together with the question and the round.
        answers: how often the model answers x and x′, to compare its majority answers; 0: it is not asked.
        least_agreement: the share of the answers to x′ that must equal the majority answer to x.
        fallback: what a question gets that nothing acceptable was found for.
        policy: which checks decide.
    """

    prompts: tuple[str, ...] = ("paper", "reword", "scenario")
    candidates: int = 1
    temperature: float = 0.7
    top_p: float = 0.8
    max_tokens: int = 2048
    seed: int = 0
    answers: int = 0
    least_agreement: float = 0.5
    fallback: Fallback = Fallback.LEAVE_OUT
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that the model gave, what the cheap checks say of it, and the share of answers that agree, if asked."""

    prompt: str
    text: str
    review: Review
    same_answer: float | None = None
    similarity: float | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question: its second view, if it has one, and every candidate in the order it was drawn."""

    question_id: str
    fate: Fate
    paraphrase: str | None
    candidates: tuple[Candidate, ...] = ()
    error: str | None = None
