"""Define paraphrases as the service answers them."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

IN_OTHER_WORDS = "There are, in each box, 3 apples. What number of apples do you find in 12 boxes?"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A text that the model gave."""

    prompt: Annotated[str, Meta(description="The instruction that the model was given.", examples=["reword"])]
    text: Annotated[str, Meta(description="The question in the model's words.", examples=[IN_OTHER_WORDS])]
    accepted: Annotated[bool, Meta(description="Whether all checks that decide are content.", examples=[True])]
    checks: Annotated[
        Mapping[str, bool | float],
        Meta(
            description="Whether each check that was asked is content; shares where answers or embeddings were "
            "compared.",
            examples=[{"numbers_kept": True}],
        ),
    ]
    reasons: Annotated[
        Sequence[str],
        Meta(description="What the checks object to, and what else rejects it: a line for each.", examples=[[]]),
    ]
    doubt: Annotated[
        float, Meta(description="How probably it is no paraphrase, by its words alone, in [0, 1].", examples=[0.02])
    ] = 0.0


class Paraphrase(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question."""

    question_id: Annotated[str, Meta(description="Names the question.", examples=["math/17"])]
    paraphrase: Annotated[
        str | None, Meta(description="Its second view; null if it has none.", examples=[IN_OTHER_WORDS])
    ]
    accepted: Annotated[
        bool,
        Meta(description="Whether it passed; false also for a question that is its own second view.", examples=[True]),
    ]
    fate: Annotated[str, Meta(description="What became of the question.", examples=["rewritten"])]
    checks: Annotated[
        Mapping[str, bool | float],
        Meta(description="Of the accepted candidate, or of the last one.", examples=[{"numbers_kept": True}]),
    ]
    reasons: Annotated[Sequence[str], Meta(description="Of the same candidate.", examples=[[]])]
    candidates: Annotated[Sequence[Candidate], Meta(description="In the order they were drawn.")]
    error: Annotated[str | None, Meta(description="Why the model cannot be asked this.", examples=[None])]


class Paraphrases(msgspec.Struct, frozen=True, kw_only=True):
    """Paraphrases in the order of the questions."""

    paraphrases: Annotated[Sequence[Paraphrase], Meta(description="One for each question.")]
