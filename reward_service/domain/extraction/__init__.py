"""Extract the answer of a response, in the notations of models. Linear in the text, nothing is evaluated."""

from reward_service.domain.extraction.boxes import MAX_ANSWER_CHARS, last_boxed
from reward_service.domain.extraction.formats import AnswerFormat, Extractor, extractor
from reward_service.domain.extraction.turns import (
    MAX_END_TOKEN_CHARS,
    MAX_END_TOKENS,
    Response,
    first_turn,
    response_in,
)

__all__ = [
    "MAX_ANSWER_CHARS",
    "MAX_END_TOKENS",
    "MAX_END_TOKEN_CHARS",
    "AnswerFormat",
    "Extractor",
    "Response",
    "extractor",
    "first_turn",
    "last_boxed",
    "response_in",
]
