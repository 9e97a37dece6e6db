"""Define paraphrases as the service answers them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A text that the model gave."""

    prompt: str
    text: str
    accepted: bool
    checks: Annotated[
        Mapping[str, bool | float],
        Meta(
            description="Whether each check that was asked is content; shares where answers or embeddings were "
            "compared."
        ),
    ]
    reasons: Annotated[
        Sequence[str], Meta(description="What the checks object to, and what else rejects it: a line for each.")
    ]
    doubt: Annotated[float, Meta(description="How probably it is no paraphrase, by its words alone, in [0, 1].")] = 0.0


class Paraphrase(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question."""

    question_id: str
    paraphrase: Annotated[str | None, Meta(description="Its second view; null if it has none.")]
    accepted: Annotated[
        bool, Meta(description="Whether it passed; false also for a question that is its own second view.")
    ]
    fate: str
    checks: Annotated[Mapping[str, bool | float], Meta(description="Of the accepted candidate, or of the last one.")]
    reasons: Sequence[str]
    candidates: Annotated[Sequence[Candidate], Meta(description="In the order they were drawn.")]
    error: Annotated[str | None, Meta(description="Why the model cannot be asked this.")]


class Paraphrases(msgspec.Struct, frozen=True, kw_only=True):
    """Paraphrases in the order of the questions."""

    paraphrases: Sequence[Paraphrase]
